"""A watched camera that is off, fails, has no stream, is refused, renamed or removed."""

import asyncio

import pytest
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error

from custom_components.wyoming_units import watch as watch_module

from .issues import issue, key
from .scripted_node import ScriptedNode, reply
from .watched_camera import (
    CAMERA,
    PERSON,
    STREAM,
    FrontDoor,
    Watching,
    add_camera,
    jpeg,
)

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.mark.parametrize("change", [{"available": False}, {"is_on": False}])
async def test_a_camera_that_is_off_or_away_is_not_watched_until_it_is_back(
    hass: HomeAssistant,
    node: ScriptedNode,
    camera: FrontDoor,
    watching: Watching,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, bool],
) -> None:
    await watching.runs()
    camera.show(**change)
    await node.until(lambda: not node.open)
    await watching.until(lambda: hass.states.is_state(PERSON, STATE_UNAVAILABLE))
    assert caplog.text.count("is not watched: the camera is not there") == 1
    assert key(hass) is None
    node.requests.clear()
    camera.show(**dict.fromkeys(change, True))
    await hass.async_block_till_done()
    await entry.runtime_data.async_refresh()  # a camera that is on again need not tell
    await watching.runs()
    assert caplog.text.count("is watched again") == 1


@pytest.mark.parametrize("failure", [None, ZeroDivisionError("camera firmware")])
async def test_a_camera_that_gives_no_pictures_is_unavailable_once_and_back(
    hass: HomeAssistant,
    camera: FrontDoor,
    watching: Watching,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
) -> None:
    await watching.runs()
    monkeypatch.setattr(watch_module, "PATIENCE", 0.05)
    camera.picture = failure
    await watching.until(lambda: hass.states.is_state(PERSON, STATE_UNAVAILABLE))
    camera.picture = jpeg("green")
    await watching.until(lambda: hass.states.is_state(PERSON, STATE_UNKNOWN))
    assert caplog.text.count("is not watched") == caplog.text.count("is watched again") == 1


@pytest.mark.parametrize("watching", [{"source": "stream"}], indirect=True)
async def test_a_camera_that_fails_to_tell_its_stream_is_asked_again(
    hass: HomeAssistant,
    node: ScriptedNode,
    camera: FrontDoor,
    watching: Watching,
) -> None:
    await watching.runs()
    camera.address = ZeroDivisionError("camera firmware")
    watching.connection.hang_up()
    await watching.until(lambda: hass.states.is_state(PERSON, STATE_UNAVAILABLE))
    await asyncio.sleep(0.1)
    assert len(node.requests) == 1
    camera.address = STREAM
    await node.until(lambda: len(node.requests) > 1)
    await watching.runs()


async def test_a_camera_without_a_stream_is_watched_by_pictures_and_the_user_is_told(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    entry: MockConfigEntry,
) -> None:
    camera.address = None
    add_camera(hass, entry, source="stream")
    assert await hass.config_entries.async_setup(entry.entry_id)
    watching = Watching(hass, node, entry)
    assert (await watching.asked())["source"] == "push"
    await node.received("frame")
    await entry.runtime_data.async_refresh()
    assert key(hass) == "no_stream"


async def test_what_the_node_refuses_is_told_to_the_user_until_it_is_accepted(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    entry: MockConfigEntry,
) -> None:
    node.answers["watch"] = reply(Error(text="No model for that", code="unsupported"))
    add_camera(hass, entry)
    assert await hass.config_entries.async_setup(entry.entry_id)
    watching = Watching(hass, node, entry)
    await node.until(lambda: len(node.requests) > 2)
    await entry.runtime_data.async_refresh()
    found = issue(hass)
    assert found is not None
    assert found.translation_key == "watch_refused"
    assert (found.translation_placeholders or {})["text"] == "No model for that"

    node.answers["watch"] = reply(Error(text="In a minute", code="loading"))
    await watching.until(lambda: watching.watch.trouble is None)
    del node.answers["watch"]
    count = len(node.requests)
    await node.until(lambda: len(node.requests) > count)
    await watching.runs()
    await entry.runtime_data.async_refresh()
    assert key(hass) is None


async def test_a_camera_that_is_renamed_is_followed(
    hass: HomeAssistant, node: ScriptedNode, watching: Watching
) -> None:
    await watching.runs()
    er.async_get(hass).async_update_entity(CAMERA, new_entity_id="camera.porch")
    await hass.async_block_till_done()
    await node.until(lambda: len(node.requests) > 1)
    await watching.runs()
    assert watching.watch.camera_entity_id == "camera.porch"


async def test_a_camera_that_is_removed_is_told_to_the_user(
    hass: HomeAssistant,
    node: ScriptedNode,
    watching: Watching,
    entry: MockConfigEntry,
) -> None:
    await watching.runs()
    er.async_get(hass).async_remove(CAMERA)
    await hass.async_block_till_done()
    await node.until(lambda: not node.open)
    await entry.runtime_data.async_refresh()
    assert hass.states.is_state(PERSON, STATE_UNAVAILABLE)
    assert key(hass) == "camera_gone"


async def test_a_camera_that_never_was_there_is_no_reason_to_fail(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    entry: MockConfigEntry,
) -> None:
    add_camera(hass, entry, camera="f" * 32)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await entry.runtime_data.async_refresh()
    assert key(hass) == "camera_gone"
    assert hass.states.is_state(PERSON, STATE_UNAVAILABLE)
