"""Conditions of the integration in real automations, with what a node sees."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.helpers.condition import async_get_all_descriptions
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.wyoming_units.condition import CONDITIONS
from custom_components.wyoming_units.const import DOMAIN

from .eyes import Eyes, add_camera, entity, person, thing, until, watch_cameras
from .scripted_node import ScriptedNode


@pytest.fixture
async def eyes(hass: HomeAssistant, node: ScriptedNode, tmp_path: Path) -> Eyes:
    """A camera in the garden that is watched."""
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    eyes = Eyes(node, ["detect"])
    camera = await add_camera(hass, tmp_path)
    await watch_cameras(hass, node, camera)
    area = ar.async_get(hass).async_create("Garden")
    for sensor in hass.states.async_entity_ids("binary_sensor"):
        er.async_get(hass).async_update_entity(sensor, area_id=area.id)
    return eyes


@pytest.fixture
def ran(hass: HomeAssistant) -> list[ServiceCall]:
    return async_mock_service(hass, "test", "ran")


async def automate(hass: HomeAssistant, condition: str, **options: Any) -> None:
    """Set up an automation that runs test.ran where the condition passes."""
    config = {
        "trigger": {"trigger": "event", "event_type": "check"},
        "condition": {
            "condition": f"{DOMAIN}.{condition}",
            "target": {"area_id": "garden"},
            "options": options,
        },
        "action": {"action": "test.ran"},
    }
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on", automation


async def passes(hass: HomeAssistant, ran: list[ServiceCall]) -> bool:
    before = len(ran)
    hass.bus.async_fire("check")
    await hass.async_block_till_done()
    return len(ran) > before


async def look(hass: HomeAssistant, eyes: Eyes, *objects: dict[str, Any]) -> None:
    """Let the camera see something, and wait until Home Assistant knows it."""
    await eyes.look(*objects)
    wanted = dict.fromkeys((each["label"] for each in objects), "on")
    for label in ("person", "car"):
        sensor = entity(hass, "binary_sensor", f"_occupancy_{label}")
        await until(
            lambda sensor=sensor, label=label: (
                hass.states.get(sensor).state == wanted.get(label, "off")
            ),
        )


@pytest.mark.parametrize(
    ("condition", "options", "objects", "expected"),
    [
        ("object_present", {}, [], False),
        ("object_present", {}, [thing("car")], True),
        ("object_present", {"label": "person"}, [thing("car")], False),
        ("object_present", {"label": ["person", "car"]}, [thing("car")], True),
        ("object_present", {"label": "person", "zone": "Yard"}, [person()], False),
        ("object_present", {"label": "person", "zone": "Yard"}, [person(zones=["Yard"])], True),
        ("object_present", {"zone": "Street"}, [person(zones=["Yard"])], False),
        ("object_present", {"label": ["person", "car"], "behavior": "all"}, [person()], False),
        ("object_not_present", {"label": "person", "behavior": "all"}, [thing("car")], True),
        ("object_not_present", {"label": "person", "behavior": "all"}, [person()], False),
        ("object_not_present", {"label": "car"}, [person()], True),
    ],
)
async def test_an_automation_runs_where_what_is_seen_meets_the_condition(
    hass: HomeAssistant,
    eyes: Eyes,
    ran: list[ServiceCall],
    condition: str,
    options: dict[str, Any],
    objects: list[dict[str, Any]],
    expected: bool,
) -> None:
    await look(hass, eyes, *objects)
    await automate(hass, condition, **options)
    assert await passes(hass, ran) is expected


@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_a_camera_that_rests_is_neither_with_nor_without_objects(
    hass: HomeAssistant, eyes: Eyes, ran: list[ServiceCall], behavior: str
) -> None:
    await look(hass, eyes, person())
    await automate(hass, "object_not_present", label="person", behavior=behavior)
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": entity(hass, "switch", "detection")}, blocking=True
    )
    sensor = entity(hass, "binary_sensor", "_occupancy_person")
    await until(lambda: hass.states.get(sensor).state == "unknown")
    assert not await passes(hass, ran)


async def test_a_condition_can_ask_for_how_long(
    hass: HomeAssistant, eyes: Eyes, ran: list[ServiceCall]
) -> None:
    await look(hass, eyes, person())
    await automate(hass, "object_present", label="person", **{"for": {"minutes": 5}})
    assert not await passes(hass, ran)
    with freeze_time(dt_util.utcnow() + timedelta(minutes=6)):
        assert await passes(hass, ran)


async def test_occupancy_sensors_of_others_do_not_count(
    hass: HomeAssistant, eyes: Eyes, ran: list[ServiceCall]
) -> None:
    await look(hass, eyes)
    other = er.async_get(hass).async_get_or_create(
        "binary_sensor", "other", "1", original_device_class="occupancy"
    )
    er.async_get(hass).async_update_entity(other.entity_id, area_id="garden")
    hass.states.async_set(other.entity_id, "on", {"device_class": "occupancy"})
    await automate(hass, "object_present")
    assert not await passes(hass, ran)


async def test_every_condition_and_its_options_are_described(
    hass: HomeAssistant, eyes: Eyes
) -> None:
    described = {
        key.removeprefix(f"{DOMAIN}."): about
        for key, about in (await async_get_all_descriptions(hass)).items()
        if key.startswith(DOMAIN)
    }
    assert described.keys() == CONDITIONS.keys()
    for key, about in described.items():
        (options,) = (
            each for marker, each in CONDITIONS[key]._schema.schema.items() if marker == "options"
        )
        assert about["fields"].keys() == {str(option) for option in options}, key
