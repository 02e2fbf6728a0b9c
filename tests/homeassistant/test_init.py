"""A node as a config entry: entities, device, availability, diagnostics."""

import logging
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)

from custom_components.wyoming_units.const import DOMAIN

from .ids import entities_of, next_poll
from .scripted_node import NODE_ID, ScriptedNode, node_info

ENTITIES = {
    "conversation.cellar_intents",
    "stt.cellar_speech_to_text",
    "tts.cellar_text_to_speech",
    "wake_word.cellar_wake_word",
}


def states(hass: HomeAssistant) -> dict[str, str]:
    return {
        state.entity_id: state.state
        for state in hass.states.async_all()
        if state.entity_id in ENTITIES
    }


async def test_each_unit_becomes_an_entity_on_a_device_of_the_nodes(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert entities_of(hass) == ENTITIES
    devices = dr.async_get(hass)
    [device] = dr.async_entries_for_config_entry(devices, loaded.entry_id)
    assert device.identifiers == {(DOMAIN, NODE_ID)}
    assert (device.name, device.sw_version) == ("Cellar", "0.1.0")
    units = {er.async_get(hass).async_get(entity).device_id for entity in ENTITIES}
    assert units == {child.id for child in dr.async_entries_for_parent_device(devices, device.id)}
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNKNOWN)


async def test_a_unit_that_the_node_gets_later_is_added_and_one_that_leaves_is_unavailable(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info = node_info(asr=None, wake=None)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert states(hass).keys() == {"conversation.cellar_intents", "tts.cellar_text_to_speech"}

    node.info = node_info()
    await next_poll(hass, freezer)
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNKNOWN)

    node.info = node_info(asr=None, tts=None, wake=None, intent=None)
    await next_poll(hass, freezer)
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNAVAILABLE)

    node.info = node_info(tts=None, intent=None)
    await next_poll(hass, freezer)
    assert states(hass) == {
        "conversation.cellar_intents": STATE_UNAVAILABLE,
        "stt.cellar_speech_to_text": STATE_UNKNOWN,
        "tts.cellar_text_to_speech": STATE_UNAVAILABLE,
        "wake_word.cellar_wake_word": STATE_UNKNOWN,
    }


async def test_a_node_that_goes_away_is_reported_once_and_comes_back_by_itself(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await node.stop()
    await next_poll(hass, freezer)
    await next_poll(hass, freezer)
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNAVAILABLE)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert "Nothing answers at 127.0.0.1" in caplog.text

    node.info["node"]["version"] = "0.2.0"
    await node.start()
    await next_poll(hass, freezer)
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNKNOWN)
    [device] = dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    assert device.sw_version == "0.2.0"


async def test_another_node_at_the_address_does_not_answer_in_this_ones_name(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["node"] |= {"id": "f" * 32, "name": "Attic"}
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason == "Another node answers where this one was: Attic"


async def test_a_node_that_is_not_there_yet_is_tried_again(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await node.stop()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY

    await node.start()
    await next_poll(hass, freezer)
    assert entry.state is ConfigEntryState.LOADED


async def test_unloading_takes_the_entities_away_and_ends_the_polling(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert states(hass) == dict.fromkeys(ENTITIES, STATE_UNAVAILABLE)
    described = node.described
    await next_poll(hass, freezer)
    assert node.described == described


async def test_diagnostics_tell_what_the_node_can_do_but_not_where_it_is(
    hass: HomeAssistant, hass_client: Any, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, loaded)
    assert diagnostics["entry"] == {"host": "**REDACTED**", "port": node.port}
    assert diagnostics["reachable"] is True
    assert diagnostics["info"] == node.info
    assert "127.0.0.1" not in str(diagnostics)
