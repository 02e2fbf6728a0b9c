"""What is told when a persona's model or voice is not there any more."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import DOMAIN

from .ids import next_poll
from .issues import issue, key
from .minds import persona
from .scripted_node import NODE_ID, ScriptedNode, llm_info, llm_model

WITH_QWEN = llm_info(llm_model("big"), llm_model("qwen"))
TASKS = {
    "subentry_type": "ai_task_data",
    "title": "Eye",
    "unique_id": None,
    "data": {"model": "qwen", "max_tokens": 500},
}


@pytest.fixture
def entry(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """A node with a persona that has a voice of its own, and nothing missing."""
    node.info["llm"] = WITH_QWEN
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[persona("Hedda", "hedda", voice="amy")],
    )
    entry.add_to_hass(hass)
    return entry


@pytest.mark.parametrize("who", ["Hedda", "Eye"])
async def test_a_model_that_is_gone_is_told_until_it_is_back(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory, who: str
) -> None:
    made = TASKS if who == "Eye" else persona(who, "hedda", model="qwen")
    node.info["llm"] = WITH_QWEN
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[made],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await next_poll(hass, freezer)
    assert issue(hass) is None
    node.info["llm"] = llm_info(llm_model("big"))
    await next_poll(hass, freezer)
    found = issue(hass)
    assert found is not None
    assert found.translation_key == "persona_model_gone"
    assert found.translation_placeholders == {"persona": who, "node": "Cellar", "choice": "qwen"}
    node.info["llm"] = WITH_QWEN
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_voice_that_is_gone_is_told_until_another_one_is_chosen(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    voices = node.info["tts"][0]["voices"]
    voices.remove(next(each for each in voices if each["name"] == "amy"))
    await next_poll(hass, freezer)
    assert key(hass) == "persona_voice_gone"
    hass.config_entries.async_update_subentry(
        loaded, loaded.subentries["hedda"], data={"prompt": "Hm.", "voice": "alba"}
    )
    await hass.async_block_till_done()
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_voice_of_a_unit_that_is_gone_is_not_told_besides(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info["tts"] = []
    await next_poll(hass, freezer)
    assert key(hass) == "unit_gone"


async def test_what_is_told_goes_with_the_node(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info["tts"][0]["voices"] = node.info["tts"][0]["voices"][:1]
    await next_poll(hass, freezer)
    assert key(hass) == "persona_voice_gone"
    await hass.config_entries.async_remove(loaded.entry_id)
    assert issue(hass) is None
