"""What agents of Assist can ask of cameras, through Home Assistant's own interface for tools."""

import json
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import area_registry as ar, entity_registry as er, llm
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.llm import async_get_tools

from .eyes import KNOWN, Eyes, add_camera, person, sees, thing, until, watch_cameras
from .scripted_node import ScriptedNode, reply

LOOK, MEASURE = f"{DOMAIN}__look", f"{DOMAIN}__measure_distance"
DETECT, DEPTH = ["detect"], ["detect", "depth"]


@pytest.fixture(autouse=True)
async def assist(hass: HomeAssistant, tmp_path: Path) -> None:
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert await async_setup_component(hass, "llm", {})


@pytest.fixture
async def camera(hass: HomeAssistant, tmp_path: Path) -> str:
    """A camera that is exposed to Assist."""
    camera = await add_camera(hass, tmp_path)
    async_expose_entity(hass, "conversation", camera, True)
    return camera


async def interface(hass: HomeAssistant) -> llm.APIInstance:
    context = llm.LLMContext(
        platform="test",
        context=Context(),
        language="en",
        assistant="conversation",
        device_id=None,
    )
    return await llm.async_get_api(hass, "assist", context)


async def offered(hass: HomeAssistant) -> list[llm.Tool]:
    return [tool for tool in (await interface(hass)).tools if tool.integration == DOMAIN]


async def call(hass: HomeAssistant, tool: str, **args: Any) -> llm.ToolResult:
    return await (await interface(hass)).async_call_tool(
        llm.ToolInput(tool_name=tool, tool_args=args)
    )


async def see(hass: HomeAssistant, eyes: Eyes, *objects: dict[str, Any]) -> None:
    """Let the watch see something and wait until it is known."""
    await eyes.look(*objects)
    (entry,) = hass.config_entries.async_loaded_entries(DOMAIN)
    watches = entry.runtime_data.watches.values()
    await until(lambda: all(it.last and len(it.last.objects) == len(objects) for it in watches))


async def test_somebody_is_at_the_door(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    eyes = Eyes(node, DETECT)
    await watch_cameras(hass, node, camera)
    await see(
        hass,
        eyes,
        person(zones=["Yard"], posture="standing"),
        person(track=8, posture="sitting"),
        thing("car"),
    )
    told = await call(hass, LOOK)
    assert not told.error
    assert told.data == {
        "cameras": [
            {
                "camera": "Front door",
                "seen": [
                    {
                        "label": "person",
                        "count": 2,
                        "zones": ["Yard"],
                        "postures": ["sitting", "standing"],
                    },
                    {"label": "car", "count": 1},
                ],
            }
        ]
    }
    assert not eyes.asked()  # the watch knows
    cars = await call(hass, LOOK, name="front door", area="", label="Car")
    assert cars.data["cameras"][0]["seen"] == [{"label": "car", "count": 1}]


async def test_what_the_watch_does_not_look_for_is_looked_for_in_a_fresh_picture(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    eyes = Eyes(node, DETECT)
    await watch_cameras(hass, node, camera, model="yolo", confidence=0.6)
    node.answers["analyze-image"] = reply(sees(thing("bicycle"), thing("bicycle")))
    told = await call(hass, LOOK, label="bicycle")
    assert told.data["cameras"][0]["seen"] == [{"label": "bicycle", "count": 2}]
    (asked,) = eyes.asked()
    del asked.data["parts"]
    assert asked.data == {
        "tasks": ["detect"],
        "labels": ["bicycle"],
        "min_confidence": 0.6,
        "calibration": KNOWN,
    }


async def test_distances_come_from_the_watch_where_it_measures_them(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    eyes = Eyes(node, DEPTH)
    await watch_cameras(hass, node, camera, tasks=DEPTH)
    await see(hass, eyes, thing("car", distance=8.26), person(distance=2.04), thing("dog"))
    told = await call(hass, MEASURE)
    assert told.data["cameras"] == [
        {
            "camera": "Front door",
            "seen": [{"label": "person", "metres": 2.0}, {"label": "car", "metres": 8.3}],
        }
    ]
    assert not eyes.asked()


async def test_distances_come_from_a_fresh_picture_where_the_watch_measures_none(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    eyes = Eyes(node, DEPTH)
    await watch_cameras(hass, node, camera)
    node.answers["analyze-image"] = reply(
        sees(thing("car", nearness=0.2), person(nearness=0.75), thing("dog"))
    )
    told = await call(hass, MEASURE)
    assert told.data["cameras"][0]["seen"] == [
        {"label": "person", "nearness": 0.75},
        {"label": "car", "nearness": 0.2},
    ]
    (asked,) = eyes.asked()
    assert (asked.data["tasks"], asked.data["labels"]) == (DEPTH, ["person", "car"])


async def test_a_camera_that_is_not_exposed_is_not_spoken_of(
    hass: HomeAssistant, node: ScriptedNode, camera: str, tmp_path: Path
) -> None:
    hidden = await add_camera(hass, tmp_path, "Bathroom")
    eyes = Eyes(node, DETECT)
    await watch_cameras(hass, node, camera, hidden)
    await see(hass, eyes, person())
    assert "Bathroom" not in json.dumps((await call(hass, LOOK)).data)
    assert all("Bathroom" not in str(tool.description) for tool in await offered(hass))
    assert (await call(hass, LOOK, name="Bathroom")).error
    async_expose_entity(hass, "conversation", camera, False)
    assert await offered(hass) == []


async def test_only_what_can_be_done_is_offered(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    Eyes(node, DETECT)
    await watch_cameras(hass, node, camera)
    (tool,) = await offered(hass)
    assert tool.name == LOOK
    assert str(tool.description).endswith("Cameras: Front door")
    assert tool.annotations.read_only
    shown = probatio.to_openapi(
        tool.parameters, custom_serializer=llm.selector_serializer, openapi_version="3.1.0"
    )
    assert shown["properties"].keys() == {"name", "area", "label"}
    assert len(json.dumps(shown)) + len(str(tool.description)) < 400  # a model reads it each time


async def test_there_are_no_tools_without_cameras(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert await offered(hass) == []


async def test_only_assist_has_the_tools(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    Eyes(node, DETECT)
    await watch_cameras(hass, node, camera)
    context = (await interface(hass)).llm_context
    assert async_get_tools(hass, context, "assist")
    assert async_get_tools(hass, context, "homeassistant") is None


async def test_an_area_chooses_its_cameras(
    hass: HomeAssistant, node: ScriptedNode, camera: str, tmp_path: Path
) -> None:
    drive = await add_camera(hass, tmp_path, "Drive")
    async_expose_entity(hass, "conversation", drive, True)
    area = ar.async_get(hass).async_create("Garden")
    er.async_get(hass).async_update_entity(drive, area_id=area.id)
    eyes = Eyes(node, DETECT)
    await watch_cameras(hass, node, camera, drive)
    await see(hass, eyes, person())
    told = await call(hass, LOOK, area="garden")
    assert [each["camera"] for each in told.data["cameras"]] == ["Drive"]
    assert len((await call(hass, LOOK)).data["cameras"]) == 2


async def test_a_camera_that_is_switched_off_gives_no_picture(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    eyes = Eyes(node, DETECT)
    await watch_cameras(hass, node, camera, detection=False)
    told = await call(hass, LOOK, label="bicycle")
    assert told.data["cameras"] == [
        {"camera": "Front door", "error": "It is switched off, or in its quiet hours"}
    ]
    assert not eyes.asked()


async def test_why_a_camera_cannot_be_asked_is_told_beside_the_others(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    Eyes(node, DEPTH)
    await watch_cameras(hass, node, camera)
    node.answers["analyze-image"] = reply(Error(text="out of memory", code="engine-failed"))
    told = await call(hass, MEASURE)
    assert "out of memory" in told.data["cameras"][0]["error"]
    assert "seen" not in told.data["cameras"][0]


async def test_arguments_that_make_no_sense_are_refused(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    Eyes(node, DETECT)
    await watch_cameras(hass, node, camera)
    with pytest.raises(probatio.Invalid):
        await call(hass, LOOK, zoom=3)
