"""Modules that are not ready when the node starts: off, or with all that the node needs in others' hands."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipeline, async_update_pipeline
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.coordinator import UPDATE_INTERVAL
from tests.stackflow_server.wire import wired
from wyoming_units import staff
from wyoming_units.node import Node
from wyoming_units.stackflow import listing

from .flows import add_with_all_it_offers
from .module_helpers import (
    COMMAND,
    DONE,
    EARS,
    LANGUAGE_MODEL,
    MOUTH,
    SpokenTurn,
    kitchen_with_a_light,  # noqa: F401
    module_that_runs,
    settings,
    until,
    what_happens_meanwhile,  # noqa: F401
    whole_turn,
)

SPEECH = (EARS, MOUTH)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the node look again and again, not every ten seconds."""
    monkeypatch.setattr(staff, "_LOOK", 0.1)
    monkeypatch.setattr(listing, "_AGAIN", 0.05)


@pytest.fixture
def port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def units_told(node: Node) -> set[str]:
    """Return which units the node announces."""
    return set(node._properties["units"].split(","))


def of_the_module(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Return the entities of what the module runs, by their domains."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        entity.domain: entity.entity_id
        for entity in entities
        if entity.domain in {"stt", "tts", "conversation"} and "stackflow" in entity.unique_id
    }


async def test_a_module_that_comes_later_brings_its_units_into_home_assistant(
    hass: HomeAssistant, hass_ws_client: Any, port: int, tmp_path: Path
) -> None:
    for library in ("pocketsphinx", "pymicro_wakeword", "cv2", "hassil"):
        pytest.importorskip(library, reason="the embedded engines are not installed")
    async with Node(settings(port, tmp_path)) as node:
        await node.loaded()
        entry = await add_with_all_it_offers(hass, DOMAIN, node.port)
        assert "llm" not in units_told(node)
        assert of_the_module(hass, entry) == {}

        with module_that_runs(port=port, models=(*SPEECH, LANGUAGE_MODEL)):
            await until(lambda: "llm" in units_told(node))
            async_fire_time_changed(hass, dt_util.utcnow() + UPDATE_INTERVAL)
            await until(lambda: len(of_the_module(hass, entry)) == 3)
            await hass.async_block_till_done()
            found = of_the_module(hass, entry)
            await async_update_pipeline(
                hass,
                async_get_pipeline(hass),
                stt_engine=found["stt"],
                stt_language="en",
                tts_engine=found["tts"],
                tts_voice=MOUTH,
            )
            assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_module_that_is_known_but_off_is_one_error_and_works_when_it_is_back(
    hass: HomeAssistant, hass_ws_client: Any, port: int, tmp_path: Path
) -> None:
    """As behind a power failure, which the node recovers from faster than the module."""
    config = settings(port, tmp_path, units=["stt", "tts"])
    with module_that_runs(port=port, models=SPEECH):
        async with Node(config) as node:
            await node.loaded()
    listing._told.clear()  # as in a new process
    async with Node(config) as node:
        await node.loaded()
        await add_with_all_it_offers(hass, DOMAIN, node.port)
        turn = SpokenTurn(hass, await hass_ws_client(hass))
        await turn.ask(COMMAND)
        assert await turn.failure() == "stt-stream-failed"
        with module_that_runs(port=port, models=SPEECH):
            assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_module_that_others_hold_when_the_node_starts_works_when_they_leave(
    hass: HomeAssistant, hass_ws_client: Any, tmp_path: Path
) -> None:
    with module_that_runs(models=SPEECH) as module:
        module.faults.full("whisper")
        module.faults.full("melotts")
        foreign = [*module.units["whisper"].tasks, *module.units["melotts"].tasks]
        async with Node(settings(module.port, tmp_path, units=["stt", "tts"])) as node:
            await asyncio.wait_for(node.loaded(), 10)
            await add_with_all_it_offers(hass, DOMAIN, node.port)
            turn = SpokenTurn(hass, await hass_ws_client(hass))
            await turn.ask(COMMAND)
            assert await turn.failure() == "stt-stream-failed"
            assert [*module.units["whisper"].tasks, *module.units["melotts"].tasks] == foreign
            async with wired(module.port) as other:
                for work_id in foreign:
                    await other.call(work_id, "exit")
            assert await whole_turn(hass, await hass_ws_client(hass)) == DONE
