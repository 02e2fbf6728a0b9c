"""Triggers of the integration in real automations, set off by what a node tells."""

from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.helpers.trigger import async_get_all_descriptions
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.trigger import TRIGGERS

from .eyes import Eyes, add_camera, entity, person, thing, until, watch_cameras
from .scripted_node import ScriptedNode

TASKS = ["detect", "pose", "hand", "depth"]


@pytest.fixture
async def eyes(hass: HomeAssistant, node: ScriptedNode, tmp_path: Path) -> Eyes:
    """A camera that is watched for everything."""
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    eyes = Eyes(node, TASKS)
    camera = await add_camera(hass, tmp_path)
    await watch_cameras(hass, node, camera, tasks=TASKS)
    return eyes


async def automate(hass: HomeAssistant, trigger: str, target: Any, **options: Any) -> None:
    """Set up an automation that calls test.happened."""
    config = {
        "trigger": {"trigger": f"{DOMAIN}.{trigger}", "target": target, "options": options},
        "action": {
            "action": "test.happened",
            "data": {"label": "{{ trigger.to_state.attributes.label }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on", automation


@pytest.fixture
def happened(hass: HomeAssistant) -> list[ServiceCall]:
    return async_mock_service(hass, "test", "happened")


async def told(
    hass: HomeAssistant, eyes: Eyes, *events: tuple[str, dict[str, Any], str | None]
) -> None:
    """Let things happen, and wait until Home Assistant knows the last of them."""
    for kind, one, zone in events:
        await eyes.happens(kind, one, zone)
    mark = thing("mark", track=1000)
    await eyes.happens("left", mark)
    detection = entity(hass, "event", "detection")
    await until(lambda: hass.states.get(detection).attributes.get("label") == "mark")
    await hass.async_block_till_done()


NEAR = person(distance=3.0)
FAR = person(distance=12.0, track=8)


@pytest.mark.parametrize(
    ("trigger", "options", "events", "times"),
    [
        ("object_appeared", {}, [("appeared", NEAR, None)], 1),
        ("object_appeared", {}, [("left", NEAR, None), ("lingered", NEAR, None)], 0),
        ("object_appeared", {}, [("appeared", NEAR, None), ("appeared", FAR, None)], 2),
        ("object_appeared", {"label": "car"}, [("appeared", NEAR, None)], 0),
        ("object_appeared", {"label": ["car", "person"]}, [("appeared", NEAR, None)], 1),
        (
            "object_appeared",
            {"max_distance": 5},
            [("appeared", FAR, None), ("appeared", person(), None), ("appeared", NEAR, None)],
            1,
        ),
        (
            "object_appeared",
            {"min_confidence": 0.8},
            [("appeared", person(confidence=0.7), None), ("appeared", NEAR, None)],
            1,
        ),
        ("object_left", {"label": "person"}, [("left", NEAR, None)], 1),
        (
            "object_entered_zone",
            {"zone": "Yard", "label": ["person"]},
            [
                ("entered-zone", NEAR, "Yard"),
                ("entered-zone", NEAR, "Street"),
                ("left-zone", NEAR, "Yard"),
                ("entered-zone", thing("car", track=9), "Yard"),
            ],
            1,
        ),
        ("object_left_zone", {"zone": ["Yard"]}, [("left-zone", NEAR, "Yard")], 1),
        (
            "object_lingered",
            {"label": "person"},
            [("lingered", NEAR, "Yard"), ("lingered", NEAR, None)],
            2,
        ),
        ("person_lying", {}, [("lying", person(posture="lying"), None)], 1),
        (
            "gesture_made",
            {"gesture": "thumb-up"},
            [
                ("gesture", person(gesture="thumb-up"), None),
                ("gesture", person(gesture="fist"), None),
            ],
            1,
        ),
        ("gesture_made", {}, [("gesture", person(gesture="fist"), None)], 1),
        ("gesture_made", {"gesture": []}, [("gesture", person(gesture="fist"), None)], 1),
    ],
)
async def test_an_automation_runs_when_and_only_when_all_options_are_met(
    hass: HomeAssistant,
    eyes: Eyes,
    happened: list[ServiceCall],
    trigger: str,
    options: dict[str, Any],
    events: list[tuple[str, dict[str, Any], str | None]],
    times: int,
) -> None:
    area = ar.async_get(hass).async_create("Garden")
    for event in hass.states.async_entity_ids("event"):
        er.async_get(hass).async_update_entity(event, area_id=area.id)
    await automate(hass, trigger, {"area_id": area.id}, **options)
    await told(hass, eyes, *events)
    assert len([call for call in happened if call.data["label"] != "mark"]) == times


async def test_the_event_entity_itself_can_be_the_target(
    hass: HomeAssistant, eyes: Eyes, happened: list[ServiceCall]
) -> None:
    await automate(hass, "object_appeared", {"entity_id": entity(hass, "event", "detection")})
    await told(hass, eyes, ("appeared", NEAR, None))
    assert [call.data["label"] for call in happened] == ["person"]


async def test_a_new_name_of_the_entity_is_no_event(
    hass: HomeAssistant, eyes: Eyes, happened: list[ServiceCall]
) -> None:
    detection = entity(hass, "event", "detection")
    await automate(hass, "object_appeared", {"entity_id": detection})
    await told(hass, eyes, ("appeared", NEAR, None))
    await eyes.happens("appeared", NEAR)
    await until(lambda: len(happened) == 2)
    er.async_get(hass).async_update_entity(detection, name="Seen")
    await hass.async_block_till_done()
    assert hass.states.get(detection).attributes["event_type"] == "appeared"
    assert len(happened) == 2


async def test_events_of_other_integrations_do_not_count(
    hass: HomeAssistant, eyes: Eyes, happened: list[ServiceCall]
) -> None:
    other = er.async_get(hass).async_get_or_create(
        "event", "other", "1", translation_key="detection"
    )
    hass.states.async_set(other.entity_id, "unknown")
    await automate(hass, "object_appeared", {"entity_id": [other.entity_id, "event.unregistered"]})
    for when in ("2026-01-01T00:00:00.000+00:00", "2026-01-01T00:00:01.000+00:00"):
        hass.states.async_set(other.entity_id, when, {"event_type": "appeared"})
        await hass.async_block_till_done()
    assert not happened


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        ("object_appeared", {"zone": "Yard"}),
        ("object_appeared", {"max_distance": 0}),
        ("object_appeared", {"min_confidence": 1.1}),
        ("gesture_made", {"gesture": "wave"}),
        ("person_lying", {"label": "person"}),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    hass: HomeAssistant, eyes: Eyes, trigger: str, options: dict[str, Any]
) -> None:
    target = {"entity_id": entity(hass, "event", "detection")}
    with pytest.raises(AssertionError, match="unavailable"):
        await automate(hass, trigger, target, **options)


async def test_every_trigger_and_its_options_are_described(hass: HomeAssistant, eyes: Eyes) -> None:
    described = {
        key.removeprefix(f"{DOMAIN}."): about
        for key, about in (await async_get_all_descriptions(hass)).items()
        if key.startswith(DOMAIN)
    }
    assert described.keys() == TRIGGERS.keys()
    for key, about in described.items():
        (options,) = (
            each for marker, each in TRIGGERS[key]._schema.schema.items() if marker == "options"
        )
        assert about["fields"].keys() == {str(option) for option in options}, key
