"""The select that says who a language model speaks as."""

from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    restore_state,
)
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units import select as select_platform
from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.personas import STANDARD, Persona

from .minds import persona
from .scripted_node import NODE_ID, ScriptedNode, llm_info, llm_model

WHO = "select.cellar_language_model_persona"
PEOPLE = (
    persona("Hedda", "hedda-id", picture="/hedda.svg", model="qwen"),
    persona("Tiko", "tiko-id"),
)


@pytest.fixture
def entry(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """A node with a language model and two personas."""
    node.info["llm"] = llm_info(llm_model("big"), llm_model("qwen"))
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={"host": "127.0.0.1", "port": node.port},
        subentries_data=PEOPLE,
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture(autouse=True)
def greeted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Note who says hello; that it is heard is tested in test_greeting.py."""
    said: list[tuple[str, str]] = []

    async def greet(_hass: HomeAssistant, _node: object, program: str, who: Persona) -> None:
        said.append((program, who.name))

    monkeypatch.setattr(select_platform, "async_greet", greet)
    return said


async def choose(hass: HomeAssistant, option: str, entity_id: str = WHO) -> None:
    await hass.services.async_call(
        "select", "select_option", {"entity_id": entity_id, "option": option}, blocking=True
    )


def shown(hass: HomeAssistant) -> tuple[str, Any]:
    state = hass.states.get(WHO)
    assert state is not None
    return state.state, state.attributes.get("entity_picture")


async def test_it_offers_everybody_on_the_device_of_the_language_model(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    state = hass.states.get(WHO)
    assert state is not None
    assert state.attributes["options"] == ["standard", "Hedda", "Tiko"]
    assert shown(hass) == ("standard", None)
    registered = er.async_get(hass).async_get(WHO)
    assert registered is not None
    assert registered.unique_id == f"{NODE_ID}_llm_brain_persona"
    device = dr.async_get(hass).async_get(registered.device_id or "")
    assert device is not None
    assert (DOMAIN, f"{NODE_ID}_llm_brain") in device.identifiers


async def test_who_is_chosen_speaks_from_then_on_and_says_hello_once(
    hass: HomeAssistant, loaded: MockConfigEntry, greeted: list[tuple[str, str]]
) -> None:
    await choose(hass, "Hedda")
    await choose(hass, "Hedda")
    personas = loaded.runtime_data.personas
    assert personas.chosen("brain") == personas.all["hedda-id"]
    assert shown(hass) == ("Hedda", "/hedda.svg")
    assert greeted == [("brain", "Hedda")]
    await choose(hass, "standard")
    assert personas.chosen("brain") is STANDARD
    assert shown(hass) == ("standard", None)


async def test_it_follows_who_is_chosen_by_voice(
    hass: HomeAssistant, loaded: MockConfigEntry, greeted: list[tuple[str, str]]
) -> None:
    personas = loaded.runtime_data.personas
    personas.async_choose("brain", personas.all["tiko-id"])
    assert shown(hass)[0] == "Tiko"
    assert not greeted
    assert await hass.config_entries.async_unload(loaded.entry_id)
    personas.async_choose("brain", STANDARD)  # nobody listens any more
    assert shown(hass)[0] == STATE_UNAVAILABLE


async def test_the_choice_outlives_a_restart_and_another_name_without_a_greeting(
    hass: HomeAssistant, loaded: MockConfigEntry, greeted: list[tuple[str, str]]
) -> None:
    await choose(hass, "Hedda")
    stored = restore_state.async_get(hass)
    await stored.async_dump_states()
    assert await hass.config_entries.async_unload(loaded.entry_id)
    hedda = loaded.subentries["hedda-id"]
    hass.config_entries.async_update_subentry(loaded, hedda, title="Gretel")
    await stored.async_load()
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    assert shown(hass) == ("Gretel", "/hedda.svg")
    assert loaded.runtime_data.personas.chosen("brain").id == "hedda-id"
    assert greeted == [("brain", "Hedda")]


async def test_the_choice_outlives_a_change_of_the_persona_but_not_its_removal(
    hass: HomeAssistant, loaded: MockConfigEntry, greeted: list[tuple[str, str]]
) -> None:
    await choose(hass, "Tiko")
    hass.config_entries.async_update_subentry(
        loaded, loaded.subentries["tiko-id"], title="Tika", data={"prompt": "Hm."}
    )
    await hass.async_block_till_done()
    assert shown(hass)[0] == "Tika"
    assert loaded.runtime_data.personas.chosen("brain").prompt == "Hm."
    hass.config_entries.async_remove_subentry(loaded, "tiko-id")
    await hass.async_block_till_done()
    assert shown(hass)[0] == "standard"
    assert loaded.runtime_data.personas.chosen("brain") is STANDARD
    assert greeted == [("brain", "Tiko")]


async def test_each_program_has_its_own_and_nobody_whose_model_is_in_another(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["llm"] = [
        *llm_info(llm_model("big")),
        *llm_info(llm_model("qwen"), program="llama"),
    ]
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    registry = er.async_get(hass)
    brain, llama = (
        registry.async_get_entity_id("select", DOMAIN, f"{NODE_ID}_llm_{program}_persona") or ""
        for program in ("brain", "llama")
    )
    options = {each: hass.states.get(each).attributes["options"] for each in (brain, llama)}
    assert options == {brain: ["standard", "Tiko"], llama: ["standard", "Hedda", "Tiko"]}
    await choose(hass, "Hedda", llama)
    assert hass.states.is_state(brain, "standard")
    assert hass.states.is_state(llama, "Hedda")
