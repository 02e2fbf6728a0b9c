"""The entities of a camera: what they show of what a node sees, where they are, and what they are called."""

from io import BytesIO
from typing import Any

import pytest
from homeassistant.components.image import async_get_image
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.image import coloured

from .scripted_node import ScriptedNode
from .watched_camera import CAMERA, YARD, FrontDoor, Watching, add_camera, jpeg, seen

EVERYTHING = {
    "tasks": ["detect", "pose", "hand", "depth"],
    "labels": ["person", "car", "dog", "cat", "bicycle", "hand", "traffic light"],
    "zones": [YARD, {**YARD, "name": "Drive", "labels": ["car"]}],
}
everything = pytest.mark.parametrize("watching", [EVERYTHING], indirect=True)


def depth_png(near_to_far: list[int]) -> bytes:
    written = BytesIO()
    picture = Image.new("I;16", (len(near_to_far), 1))
    for x, value in enumerate(near_to_far):
        picture.putpixel((x, 0), value)
    picture.save(written, "PNG")
    return written.getvalue()


def entities(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, bool]:
    """Return those of the camera, and whether each is enabled."""
    [subentry_id] = entry.subentries
    return {
        entity.entity_id: entity.disabled_by is None
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if entity.config_subentry_id == subentry_id
    }


@everything
async def test_what_is_wanted_by_most_is_enabled_and_the_rest_is_there(
    hass: HomeAssistant, watching: Watching, entry: MockConfigEntry
) -> None:
    shown = {name for name, enabled in entities(hass, entry).items() if enabled}
    front = {name.split(".front_door_")[1] for name in shown}
    labels = ("person", "car", "dog", "cat")
    assert front == {
        *labels,
        *(f"{label}_in_yard" for label in labels),
        "car_in_drive",
        *(f"{label}_count" for label in labels),
        *(f"{label}_distance" for label in labels),
        "detection",
        "gesture",
        "posture",
        "somebody_lying",
        "last_event",
        "objects",
        "depth_map",
        "least_confidence",
        "detection_model",
    }
    hidden = entities(hass, entry).keys() - shown
    assert "sensor.front_door_computing_time_per_picture" in hidden
    assert "sensor.front_door_pictures_per_second" in hidden
    assert "sensor.front_door_person_count_in_yard" in hidden
    assert "binary_sensor.front_door_bicycle" in hidden


@everything
async def test_they_are_on_the_cameras_own_device(
    hass: HomeAssistant, watching: Watching, entry: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    camera = registry.async_get(CAMERA)
    assert camera is not None
    for name in entities(hass, entry):
        entity = registry.async_get(name)
        assert entity is not None
        assert entity.device_id == camera.device_id
        assert DOMAIN not in entity.unique_id
        assert not entity.unique_id.startswith(entity.domain)


async def test_a_camera_without_a_device_gets_one(
    hass: HomeAssistant, node: ScriptedNode, seeing: None, camera: FrontDoor, entry: MockConfigEntry
) -> None:
    subentry_id = add_camera(hass, entry)
    er.async_get(hass).async_update_entity(CAMERA, device_id=None)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, subentry_id), entry.entry_id
    )
    assert device is not None
    assert (device.name, device.entry_type) == ("Front door", dr.DeviceEntryType.SERVICE)
    assert hass.states.get("binary_sensor.front_door_person")


@everything
async def test_occupancy_counts_and_distances_follow_what_is_seen(
    hass: HomeAssistant, watching: Watching
) -> None:
    await watching.runs()
    await watching.sees(
        seen(zones=["Yard"], distance=4.25),
        seen(track=2, distance=2.5, posture="lying"),
        seen("car", track=3, nearness=0.5),
    )
    front = "front_door"
    assert hass.states.is_state(f"binary_sensor.{front}_person", STATE_ON)
    assert hass.states.is_state(f"binary_sensor.{front}_person_in_yard", STATE_ON)
    assert hass.states.is_state(f"binary_sensor.{front}_car", STATE_ON)
    assert hass.states.is_state(f"binary_sensor.{front}_car_in_yard", STATE_OFF)
    assert hass.states.is_state(f"binary_sensor.{front}_dog", STATE_OFF)
    assert hass.states.is_state(f"binary_sensor.{front}_somebody_lying", STATE_ON)
    assert hass.states.is_state(f"sensor.{front}_person_count", "2")
    assert hass.states.is_state(f"sensor.{front}_dog_count", "0")
    assert hass.states.is_state(f"sensor.{front}_person_distance", "2.5")
    assert hass.states.is_state(f"sensor.{front}_car_distance", STATE_UNKNOWN)
    person = hass.states.get(f"binary_sensor.{front}_person_in_yard")
    assert person is not None
    assert person.name == "Front door Person in Yard"
    assert person.attributes["device_class"] == "occupancy"
    assert (person.attributes["label"], person.attributes["zone"]) == ("person", "Yard")
    await watching.sees(at=1001.0)
    assert hass.states.is_state(f"binary_sensor.{front}_person", STATE_OFF)
    assert hass.states.is_state(f"sensor.{front}_person_count", "0")
    assert hass.states.is_state(f"binary_sensor.{front}_somebody_lying", STATE_OFF)


async def test_a_look_that_changes_nothing_writes_no_state(
    hass: HomeAssistant, watching: Watching
) -> None:
    await watching.runs()
    await watching.sees(seen())
    person = hass.states.get("binary_sensor.front_door_person")
    await watching.sees(seen(confidence=0.9), at=1000.5)
    again = hass.states.get("binary_sensor.front_door_person")
    assert person is not None
    assert again is not None
    assert again.last_reported == person.last_reported


async def test_labels_are_called_as_home_assistant_speaks(
    hass: HomeAssistant, node: ScriptedNode, seeing: None, camera: FrontDoor, entry: MockConfigEntry
) -> None:
    hass.config.language = "de"
    add_camera(hass, entry, labels=["dog", "traffic light"], zones=[YARD])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    names = {state.name for state in hass.states.async_all("binary_sensor")}
    assert names >= {
        "Front door Hund",
        "Front door Hund in Yard",
        "Front door Traffic light",
    }


async def test_an_event_tells_what_happened_and_keeps_the_picture_of_it(
    hass: HomeAssistant, watching: Watching
) -> None:
    await watching.runs()
    event, image = "event.front_door_detection", "image.front_door_last_event"
    assert hass.states.is_state(event, STATE_UNKNOWN)
    await watching.happens("entered-zone", seen(distance=4.2), zone="Yard")
    await watching.until(lambda: not hass.states.is_state(event, STATE_UNKNOWN))
    told = hass.states.get(event)
    assert told is not None
    assert {
        "event_type": "entered-zone",
        "label": "person",
        "track": 1,
        "confidence": 0.88,
        "box": [10, 20, 110, 221],
        "zone": "Yard",
        "distance": 4.2,
    }.items() <= told.attributes.items()
    assert hass.states.is_state(image, "2026-09-21T14:13:20+00:00")
    assert (await async_get_image(hass, image)).content == jpeg("blue")

    await watching.happens("levitated", seen())
    await watching.happens("left", seen(), snapshot=None)
    await watching.until(lambda: _event_type(hass, event) == "left")
    assert (await async_get_image(hass, image)).content == jpeg("blue")


def _event_type(hass: HomeAssistant, entity_id: str) -> Any:
    state = hass.states.get(entity_id)
    return state and state.attributes.get("event_type")


@everything
async def test_gestures_and_changes_of_posture_are_events_of_their_own(
    hass: HomeAssistant, watching: Watching
) -> None:
    await watching.runs()
    gesture, posture = "event.front_door_gesture", "event.front_door_posture"
    await watching.happens("gesture", seen("hand", gesture="thumb-up"))
    await watching.until(lambda: _event_type(hass, gesture) == "thumb-up")
    assert _event_type(hass, "event.front_door_detection") == "gesture"

    await watching.sees(seen(posture="standing"))
    assert _event_type(hass, posture) is None  # nobody has taken it
    await watching.sees(seen(posture="sitting"), seen(track=2, posture="standing"), at=1001.0)
    assert _event_type(hass, posture) == "sitting"
    await watching.sees(seen(posture="sitting"), seen(track=2), at=1002.0)
    await watching.sees(seen(posture="sitting"), seen(track=2, posture="lying"), at=1003.0)
    assert _event_type(hass, posture) == "sitting"


@everything
async def test_pictures_of_all_objects_and_of_the_depth_are_shown_now_and_then(
    hass: HomeAssistant, watching: Watching
) -> None:
    await watching.runs()
    objects, depth = "image.front_door_objects", "image.front_door_depth_map"
    values = depth_png([65535, 30000, 0])
    told = {"depth": {"metric": False, "scale": 1}}
    await watching.sees(at=1000.0, annotated=jpeg("green"), depth_map=values, **told)
    assert (await async_get_image(hass, objects)).content == jpeg("green")
    shown = await async_get_image(hass, depth)
    assert shown.content_type == "image/png"
    with Image.open(BytesIO(shown.content)) as picture:
        near, far = picture.getpixel((0, 0)), picture.getpixel((2, 0))
    assert isinstance(near, tuple)
    assert isinstance(far, tuple)
    assert sum(near) > sum(far) + 200
    first = hass.states.get(objects)
    await watching.sees(at=1002.0, annotated=jpeg("blue"))
    assert hass.states.get(objects) == first
    assert (await async_get_image(hass, objects)).content == jpeg("blue")
    await watching.sees(at=1005.0, annotated=jpeg("red"))
    assert hass.states.get(objects) != first


def test_a_depth_map_in_metres_has_the_same_colours_for_near_and_far() -> None:
    relative = coloured(depth_png([65535, 0]), False, (2, 1))
    metres = coloured(depth_png([0, 65535]), True, (2, 1))
    with Image.open(BytesIO(relative)) as one, Image.open(BytesIO(metres)) as other:
        assert one.tobytes() == other.tobytes()
    with Image.open(BytesIO(coloured(depth_png([7, 7]), True, (2, 1)))) as even:
        assert even.size == (2, 1)


async def test_a_picture_that_never_came_is_none(
    hass: HomeAssistant, node: ScriptedNode, seeing: None, camera: FrontDoor, entry: MockConfigEntry
) -> None:
    add_camera(hass, entry, tasks=["depth"])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    component = hass.data["image"]
    for name in ("objects", "depth_map"):
        entity = component.get_entity(f"image.front_door_{name}")
        assert await entity.async_image() is None


async def test_entities_of_labels_and_zones_that_are_gone_are_forgotten(
    hass: HomeAssistant, watching: Watching, entry: MockConfigEntry
) -> None:
    await watching.runs()
    before = entities(hass, entry).keys()
    assert "binary_sensor.front_door_car" in before
    [subentry] = entry.subentries.values()
    coordinator = entry.runtime_data
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, "labels": ["person"], "zones": [YARD]}
    )
    await watching.until(
        lambda: (
            getattr(entry, "runtime_data", coordinator) is not coordinator
            and hass.states.get("binary_sensor.front_door_person_in_yard")
        )
    )
    after = entities(hass, entry).keys()
    assert before - after == {"binary_sensor.front_door_car", "sensor.front_door_car_count"}


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", True)


async def test_the_time_for_a_picture_and_the_rate_are_shown_where_wanted(
    hass: HomeAssistant, all_enabled: None, watching: Watching
) -> None:
    await watching.runs(fps=1.8)
    await watching.sees()
    await watching.sees(at=1001.0, context={"timing": {"total": 1.0}})  # nothing moved
    assert hass.states.is_state("sensor.front_door_pictures_per_second", "1.8")
    assert hass.states.is_state("sensor.front_door_computing_time_per_picture", "21.5")
