"""The devices of a node, and what becomes of programs that come and go."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import DOMAIN

from .ids import next_poll
from .scripted_node import NODE_ID, ScriptedNode, artifact, node_info

OPEN_WORDS = artifact(
    "openwakeword", models=[artifact("hey_pi", languages=["en"], phrase="Hey Pi")]
)
SECOND = "wake_word.cellar_wake_word_openwakeword"


@pytest.fixture
def two_wake_programs(node: ScriptedNode) -> None:
    node.info["wake"].append(OPEN_WORDS)


def children(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str | None]:
    """Return the names of the child devices by their identifiers."""
    registry = dr.async_get(hass)
    return {
        next(iter(child.identifiers))[1].removeprefix(f"{NODE_ID}_"): child.name
        for child in dr.async_child_entries_for_config_entry(registry, entry.entry_id)
    }


def device(hass: HomeAssistant, entry: MockConfigEntry, program: str) -> dr.ChildDeviceEntry:
    identifier = (DOMAIN, f"{NODE_ID}_{program}")
    found = dr.async_get(hass).async_get_child_device_by_identifier(identifier, entry.entry_id)
    assert found is not None
    return found


async def test_each_program_is_a_part_of_the_node_and_bears_its_units_name(
    hass: HomeAssistant, two_wake_programs: None, loaded: MockConfigEntry
) -> None:
    assert children(hass, loaded) == {
        "wake_sentinel": "Wake word",
        "wake_openwakeword": "Wake word (openwakeword)",
        "stt_ears": "Speech-to-text",
        "tts_mouth": "Text-to-speech",
        "intent_mind": "Intents",
    }
    [node] = dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    assert (node.identifiers, node.name) == ({(DOMAIN, NODE_ID)}, "Cellar")
    assert device(hass, loaded, "stt_ears").parent_device_id == node.id
    # What the pickers of engines show: the node's name, then the device's.
    entry = er.async_get(hass).async_get("tts.cellar_text_to_speech")
    assert entry is not None
    assert er.async_get_full_entity_name(hass, entry) == "Cellar Text-to-speech"
    assert hass.states.get(SECOND)


async def test_a_node_that_is_renamed_renames_its_engines(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info["node"]["name"] = "Attic"
    await next_poll(hass, freezer)
    entry = er.async_get(hass).async_get("stt.cellar_speech_to_text")
    assert entry is not None
    assert er.async_get_full_entity_name(hass, entry) == "Attic Speech-to-text"


async def test_a_program_that_comes_later_is_added_without_a_reload_and_changes_no_name(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info["wake"].insert(0, OPEN_WORDS)  # even where it goes before the one that was there
    await next_poll(hass, freezer)
    assert hass.states.is_state(SECOND, STATE_UNKNOWN)
    assert children(hass, loaded)["wake_sentinel"] == "Wake word"
    assert children(hass, loaded)["wake_openwakeword"] == "Wake word (openwakeword)"


async def test_a_program_that_the_node_stops_to_offer_keeps_its_device_but_is_unavailable(
    hass: HomeAssistant,
    node: ScriptedNode,
    two_wake_programs: None,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    del node.info["wake"][0]
    await next_poll(hass, freezer)
    assert hass.states.is_state("wake_word.cellar_wake_word", STATE_UNAVAILABLE)
    assert hass.states.is_state(SECOND, STATE_UNKNOWN)
    assert children(hass, loaded)["wake_sentinel"] == "Wake word"
    assert children(hass, loaded)["wake_openwakeword"] == "Wake word (openwakeword)"


async def remove(hass: HomeAssistant, hass_ws_client: Any, device_id: str) -> bool:
    """Delete a device as the button in the settings does."""
    assert await async_setup_component(hass, "config", {})
    answer = await (await hass_ws_client(hass)).remove_device(device_id)
    await hass.async_block_till_done()
    return bool(answer["success"])


async def test_the_user_may_delete_what_is_offered_no_more_and_it_may_come_back(
    hass: HomeAssistant,
    hass_ws_client: Any,
    node: ScriptedNode,
    two_wake_programs: None,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    second = device(hass, loaded, "wake_openwakeword")
    assert not await remove(hass, hass_ws_client, second.id)

    node.info = node_info()
    await next_poll(hass, freezer)
    assert await remove(hass, hass_ws_client, second.id)
    assert "wake_openwakeword" not in children(hass, loaded)
    assert not hass.states.get(SECOND)

    node.info["wake"].append(OPEN_WORDS)
    await next_poll(hass, freezer)
    assert hass.states.is_state(SECOND, STATE_UNKNOWN)
    assert hass.states.get("sensor.cellar_wake_word_openwakeword_state")


async def test_the_node_itself_and_what_it_offers_cannot_be_deleted_alone(
    hass: HomeAssistant, hass_ws_client: Any, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    [whole] = dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    assert not await remove(hass, hass_ws_client, whole.id)
    assert not await remove(hass, hass_ws_client, device(hass, loaded, "stt_ears").id)
    await node.stop()  # a node that is away has not said that it offers less
    await loaded.runtime_data.async_refresh()
    assert not await remove(hass, hass_ws_client, device(hass, loaded, "stt_ears").id)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert not await remove(hass, hass_ws_client, device(hass, loaded, "stt_ears").id)
