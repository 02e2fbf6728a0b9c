"""The watch of a camera: what is asked of the node, when, and what becomes of it when something is away."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from .scripted_node import ScriptedNode, hang_up
from .watched_camera import (
    PERSON,
    STREAM,
    SWITCH,
    YARD,
    FrontDoor,
    Watching,
    add_camera,
    jpeg,
    seen,
)

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.mark.parametrize(
    "watching",
    [
        {
            "source": "stream",
            "fps": 2,
            "tasks": ["detect", "depth"],
            "model": "yolo-n",
            "confidence": 0.6,
            "zones": [YARD],
            "rules": {"inertia": 2, "linger": 5},
            "calibration": [{"point": [0.5, 0.8], "distance": 3.5}],
        }
    ],
    indirect=True,
)
async def test_the_node_is_asked_for_what_the_user_set_and_opens_the_stream_itself(
    watching: Watching,
) -> None:
    assert await watching.asked() == {
        "id": watching.watch.subentry_id,
        "source": STREAM,
        "fps": 2,
        "tasks": ["detect", "depth"],
        "model": "yolo-n",
        "labels": ["person", "car"],
        "zones": [YARD],
        "rules": {"inertia": 2, "linger": 5, "confidence": 0.6},
        "calibration": [{"point": [0.5, 0.8], "distance": 3.5}],
        "want": ["annotated", "depth-map"],
    }
    await watching.runs()
    await asyncio.sleep(0.1)
    assert not watching.connection.all("frame")


async def test_pictures_are_sent_at_the_rate_that_the_user_set(
    node: ScriptedNode, camera: FrontDoor, watching: Watching
) -> None:
    assert (await watching.asked())["source"] == "push"
    await node.received("frame")
    first = watching.connection.all("frame")[0]
    assert first.data["id"] == watching.watch.subentry_id
    assert abs(first.data["timestamp"] - dt_util.utcnow().timestamp()) < 10
    [part] = first.data["parts"]
    assert part == {"name": "image", "mime": "image/jpeg", "length": len(first.payload or b"")}
    assert first.payload == camera.picture

    camera.picture = jpeg("green")
    await node.until(lambda: watching.connection.all("frame")[-1].payload == camera.picture)
    before = len(watching.connection.all("frame"))
    await asyncio.sleep(0.3)  # at 30 a second
    assert 3 <= len(watching.connection.all("frame")) - before <= 10


async def test_entities_are_unavailable_until_the_watch_runs_and_while_it_stalls(
    hass: HomeAssistant, watching: Watching, caplog: pytest.LogCaptureFixture
) -> None:
    assert hass.states.is_state(PERSON, STATE_UNAVAILABLE)
    await watching.runs()
    assert hass.states.is_state(PERSON, STATE_UNKNOWN)
    await watching.sees(seen())
    assert hass.states.is_state(PERSON, STATE_ON)
    caplog.clear()
    for state in ("stalled", "failed", "stalled"):
        await watching.tell("watch-status", {"state": state, "fps": 0, "text": "No route"})
    await watching.until(lambda: not watching.watch.available)
    assert hass.states.is_state(PERSON, STATE_UNAVAILABLE)
    await watching.runs()
    assert hass.states.is_state(PERSON, STATE_UNKNOWN)
    told = [it for it in caplog.records if it.name.startswith("custom_components.wyoming_units")]
    assert [it.getMessage() for it in told if it.levelno >= logging.INFO] == [
        "Front door is not watched: No route",
        "Front door is watched again",
    ]


async def test_a_node_that_goes_away_is_asked_again_until_it_is_back(
    hass: HomeAssistant, node: ScriptedNode, watching: Watching
) -> None:
    await watching.runs()
    await watching.sees()
    assert hass.states.is_state(PERSON, STATE_OFF)
    await node.stop()
    await watching.until(lambda: hass.states.is_state(PERSON, STATE_UNAVAILABLE))
    node.requests.clear()
    await node.start()
    await watching.runs()
    assert hass.states.is_state(PERSON, STATE_UNKNOWN)


async def test_a_watch_that_the_node_ends_is_begun_again(
    node: ScriptedNode, watching: Watching
) -> None:
    await watching.runs()
    await watching.tell("watch-status", {"state": "ended", "fps": 0})
    await node.until(lambda: len(node.requests) > 1 and node.requests[-1].all("watch"))
    await watching.runs()


@pytest.mark.parametrize(
    "told",
    [
        {"width": 1, "objects": "many"},
        {
            "width": 1,
            "height": 1,
            "objects": [],
            "timestamp": 1.0,
            "parts": [{"name": "annotated", "mime": "image/jpeg", "length": 9}],
        },
    ],
)
async def test_an_answer_without_sense_ends_the_connection_and_is_survived(
    node: ScriptedNode, watching: Watching, told: dict[str, Any]
) -> None:
    await watching.runs()
    await watching.tell("news", {"of": "a later version"})
    await watching.tell("image-analysis", told)
    await node.until(lambda: len(node.requests) > 1 and node.requests[-1].all("watch"))
    await watching.runs()


async def test_the_switch_ends_the_watch_at_once_and_survives_a_restart(
    hass: HomeAssistant,
    node: ScriptedNode,
    watching: Watching,
    entry: MockConfigEntry,
    camera: FrontDoor,
) -> None:
    await watching.runs()
    await watching.sees(seen())
    await hass.services.async_call("switch", "turn_off", {"entity_id": SWITCH}, blocking=True)
    await node.until(lambda: not node.open)
    assert hass.states.is_state(PERSON, STATE_UNKNOWN)
    assert hass.states.is_state(SWITCH, STATE_OFF)
    assert len(node.requests) == 1  # it was no reload

    node.requests.clear()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(SWITCH, STATE_OFF)
    camera.picture = jpeg("green")
    await asyncio.sleep(0.1)
    assert not node.requests

    await hass.services.async_call("switch", "turn_on", {"entity_id": SWITCH}, blocking=True)
    await watching.runs()
    assert hass.states.is_state(SWITCH, STATE_ON)


async def test_confidence_and_model_change_under_the_same_id_and_connection(
    hass: HomeAssistant, node: ScriptedNode, watching: Watching
) -> None:
    await watching.runs()
    await watching.sees(seen())
    number, model = "number.front_door_least_confidence", "select.front_door_detection_model"
    assert hass.states.is_state(number, "50")
    assert hass.states.is_state(model, "automatic")
    state = hass.states.get(model)
    assert state is not None
    assert state.attributes["options"] == ["automatic", "yolo-n"]
    await hass.services.async_call(
        "number", "set_value", {"entity_id": number, "value": 70}, blocking=True
    )
    asked = await watching.asked(2)
    assert (asked["id"], asked["rules"]) == (watching.watch.subentry_id, {"confidence": 0.7})
    await hass.services.async_call(
        "select", "select_option", {"entity_id": model, "option": "yolo-n"}, blocking=True
    )
    assert (await watching.asked(3))["model"] == "yolo-n"
    await watching.tell("watch-status", {"state": "connecting", "fps": 0})
    await hass.async_block_till_done()
    assert hass.states.is_state(PERSON, STATE_ON)
    assert hass.states.is_state(number, "70")
    assert hass.states.is_state(model, "yolo-n")
    await hass.services.async_call(
        "select", "select_option", {"entity_id": model, "option": "automatic"}, blocking=True
    )
    assert "model" not in await watching.asked(4)
    assert len(node.requests) == 1


async def test_a_change_while_the_node_hangs_up_is_made_with_the_next_connection(
    hass: HomeAssistant, node: ScriptedNode, watching: Watching
) -> None:
    await watching.runs()
    watching.connection.hang_up()
    await hass.services.async_call(
        "number",
        "set_value",
        {"entity_id": "number.front_door_least_confidence", "value": 70},
        blocking=True,
    )
    await node.until(lambda: len(node.requests) > 1 and node.requests[-1].all("watch"))
    assert (await watching.asked())["rules"] == {"confidence": 0.7}


@pytest.mark.parametrize(
    ("hours", "quiet", "awake"),
    [(("22:00:00", "06:30:00"), (22, 6), (7, 21)), (("09:00:00", "17:00:00"), (9, 16), (17, 8))],
)
async def test_in_quiet_hours_nothing_is_watched_and_no_picture_is_sent(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    hours: tuple[str, str],
    quiet: tuple[int, int],
    awake: tuple[int, int],
) -> None:
    start, end = hours
    watching = Watching(hass, node, entry)

    def come(time: str) -> None:
        """Let it be a second later than that, today or tomorrow."""
        hour, minute, _ = map(int, time.split(":"))
        then = dt_util.now().replace(hour=hour, minute=minute, second=1)
        freezer.move_to(then if then > dt_util.now() else then + timedelta(days=1))
        async_fire_time_changed(hass)

    freezer.move_to(dt_util.now().replace(hour=quiet[0], minute=0, second=0))
    add_camera(hass, entry, quiet_hours={"start": start, "end": end})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(PERSON, STATE_UNKNOWN)
    assert not node.requests
    come(end)
    await watching.asked()
    for hour in quiet:
        assert watching.watch.settings.is_quiet(dt_util.now().replace(hour=hour, minute=0))
    for hour in awake:
        assert not watching.watch.settings.is_quiet(dt_util.now().replace(hour=hour, minute=0))
    come(start)
    await node.until(lambda: not node.open)


async def test_the_node_is_set_up_again_once_when_a_camera_is_added_changed_or_removed(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    loaded: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watching = Watching(hass, node, loaded)
    coordinators = [loaded.runtime_data]

    async def reloaded() -> None:
        await watching.until(
            lambda: (
                loaded.state is ConfigEntryState.LOADED
                and loaded.runtime_data is not coordinators[-1]
            )
        )
        coordinators.append(loaded.runtime_data)
        await asyncio.sleep(0.05)
        await hass.async_block_till_done()
        assert loaded.runtime_data is coordinators[-1]

    subentry_id = add_camera(hass, loaded)
    await reloaded()
    await watching.runs()
    subentry = loaded.subentries[subentry_id]
    data = {**subentry.data, "labels": ["dog"]}
    hass.config_entries.async_update_subentry(loaded, subentry, data=data)
    await reloaded()
    await watching.runs()
    assert not hass.states.get(PERSON)
    assert hass.states.get("binary_sensor.front_door_dog")
    hass.config_entries.async_remove_subentry(loaded, subentry_id)
    await reloaded()
    assert not loaded.runtime_data.watches
    assert not hass.states.get("binary_sensor.front_door_dog")
    hass.config_entries.async_update_entry(loaded, title="Attic")
    await hass.async_block_till_done()
    assert loaded.runtime_data is coordinators[-1]


async def test_unloading_ends_the_watch(
    hass: HomeAssistant, node: ScriptedNode, watching: Watching, entry: MockConfigEntry
) -> None:
    await watching.runs()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await node.until(lambda: not node.open)


async def test_a_node_that_hangs_up_while_pictures_are_sent_is_asked_again(
    node: ScriptedNode, camera: FrontDoor, watching: Watching
) -> None:
    await watching.runs()
    node.answers["frame"] = hang_up
    camera.picture = jpeg("green")
    await node.until(lambda: len(node.requests) > 1)
