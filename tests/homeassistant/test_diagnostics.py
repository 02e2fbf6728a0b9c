"""What a user sends along with a bug report."""

from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)

from custom_components.wyoming_units.const import DOMAIN

from .minds import persona
from .scripted_node import NODE_ID, ScriptedNode, engine, node_stats
from .watched_camera import Watching, seen


async def test_they_tell_what_the_node_can_do_and_how_it_does_but_not_where_it_is(
    hass: HomeAssistant, hass_client: Any, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.stats = node_stats(engine("stt", "ears"))
    hass.config_entries.async_update_entry(entry, options={"end_of_turn": "unit"})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    entry.runtime_data.async_answered("stt", "ears", {"timing": {"total": 520.0}, "rtf": 0.02})
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert diagnostics == {
        "entry": {"host": "**REDACTED**", "port": node.port},
        "options": {"end_of_turn": "unit"},
        "reachable": True,
        "info": node.info,
        "stats": node.stats,
        "timings": {"stt ears": {"timing": {"total": 520.0}, "rtf": 0.02}},
        "personas": [],
        "ai_tasks": [],
        "cameras": [],
    }


async def test_they_are_there_for_a_node_that_is_away(
    hass: HomeAssistant, hass_client: Any, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    await node.stop()
    await loaded.runtime_data.async_refresh()
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, loaded)
    assert diagnostics["reachable"] is False
    assert diagnostics["info"] == node.info
    assert diagnostics["stats"] is None


async def test_they_tell_how_cameras_do_without_addresses_and_pictures(
    hass: HomeAssistant, hass_client: Any, watching: Watching, entry: MockConfigEntry
) -> None:
    await watching.runs()
    await watching.sees(seen())
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    [camera] = diagnostics["cameras"]
    assert camera["data"]["labels"] == ["person", "car"]
    assert (camera["source"], camera["state"], camera["objects"]) == ("push", "running", 1)
    assert camera["available"] is True
    assert "secret" not in str(diagnostics)


async def test_they_tell_how_personas_are_set_but_not_what_users_wrote(
    hass: HomeAssistant, hass_client: Any, node: ScriptedNode
) -> None:
    written = {"prompt": "secret", "greeting": "secret", "picture": "https://secret.example.org"}
    tasks = {"subentry_type": "ai_task_data", "title": "Cellar", "unique_id": None}
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={"host": "127.0.0.1", "port": node.port},
        subentries_data=[
            persona("Secret", "1", model="qwen", llm_hass_api=["assist"], **written),
            {**tasks, "data": {"max_tokens": 2000}},
        ],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    [told] = diagnostics["personas"]
    assert told["model"] == "qwen"
    assert told["llm_hass_api"] == ["assist"]
    assert diagnostics["ai_tasks"] == [{"max_tokens": 2000}]
    assert "secret" not in str(diagnostics).casefold()
