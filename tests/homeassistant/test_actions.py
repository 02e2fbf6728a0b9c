"""Actions that have a node look at one picture."""

from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error

from custom_components.wyoming_units.const import DOMAIN

from .eyes import (
    Eyes,
    add_camera,
    depth_map,
    entity,
    person,
    picture,
    sees,
    thing,
    until,
    watch_cameras,
)
from .scripted_node import Raw, ScriptedNode, reply

TASKS = ["detect", "segment", "depth"]


@pytest.fixture
def eyes(node: ScriptedNode) -> Eyes:
    return Eyes(node, TASKS)


@pytest.fixture
async def camera(hass: HomeAssistant, tmp_path: Path) -> str:
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    return await add_camera(hass, tmp_path)


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    return await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)


async def test_a_picture_of_a_camera_is_analyzed(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry
) -> None:
    mask = {"size": [2, 2], "counts": [0, 4]}
    eyes.node.answers["analyze-image"] = reply(
        sees(thing("person", mask=mask), thing("person"), thing("car"))
    )
    told = await act(
        hass,
        "analyze_image",
        entity_id=camera,
        tasks=["segment"],
        labels=["person", "car"],
        min_confidence=0.4,
        model="yolo",
    )
    assert told == {
        "objects": [thing("person", mask=mask), thing("person"), thing("car")],
        "counts": {"person": 2, "car": 1},
        "width": 64,
        "height": 48,
        "timing": {"total": 12.5},
    }
    (asked,) = eyes.asked()
    assert asked.data == {
        "tasks": ["segment"],
        "labels": ["person", "car"],
        "model": "yolo",
        "min_confidence": 0.4,
        "parts": [{"name": "image", "mime": "image/jpeg", "length": len(picture())}],
    }
    assert asked.payload == picture()


async def test_a_picture_of_an_image_entity_is_analyzed(
    hass: HomeAssistant, eyes: Eyes, camera: str, node: ScriptedNode
) -> None:
    await watch_cameras(hass, node, camera)
    image = entity(hass, "image", "last_event")
    with pytest.raises(HomeAssistantError, match="image"):  # nothing happened yet
        await act(hass, "analyze_image", entity_id=image)
    await eyes.happens("appeared", person(), snapshot=picture())
    await until(lambda: hass.states.get(image).state != "unknown")
    eyes.node.answers["analyze-image"] = reply(sees())
    told = await act(hass, "analyze_image", entity_id=image)
    assert (told["objects"], told["counts"]) == ([], {})
    (asked,) = eyes.asked()
    assert asked.data["tasks"] == ["detect"]
    assert asked.payload == picture()


async def test_a_picture_file_is_analyzed_and_the_annotated_one_is_written(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry, tmp_path: Path
) -> None:
    (tmp_path / "yard.webp").write_bytes(picture("WEBP"))
    drawn = picture()
    about = {"width": 64, "height": 48, "objects": [thing()]}
    eyes.node.answers["analyze-image"] = reply(Raw("image-analysis", about, annotated=drawn))
    seen = tmp_path / "seen.jpg"
    await act(hass, "analyze_image", path=str(tmp_path / "yard.webp"), annotated_file=str(seen))
    assert seen.read_bytes() == drawn
    assert not seen.with_name("seen.jpg.part").exists()
    (asked,) = eyes.asked()
    assert asked.data["want"] == ["annotated"]
    assert asked.data["parts"][0]["mime"] == "image/webp"


async def test_an_answer_without_the_annotated_picture_writes_nothing(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry, tmp_path: Path
) -> None:
    eyes.node.answers["analyze-image"] = reply(sees(thing()))
    with pytest.raises(HomeAssistantError) as failure:
        await act(
            hass, "analyze_image", entity_id=camera, annotated_file=str(tmp_path / "seen.jpg")
        )
    assert failure.value.translation_key == "bad_answer"
    assert not (tmp_path / "seen.jpg").exists()


async def test_a_file_that_cannot_be_written_leaves_what_was_there(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry, tmp_path: Path
) -> None:
    (tmp_path / "seen.jpg").mkdir()
    about = {"width": 64, "height": 48, "objects": []}
    eyes.node.answers["analyze-image"] = reply(Raw("image-analysis", about, annotated=b"x"))
    with pytest.raises(HomeAssistantError) as failure:
        await act(
            hass, "analyze_image", entity_id=camera, annotated_file=str(tmp_path / "seen.jpg")
        )
    assert failure.value.translation_key == "file_failed"
    assert (tmp_path / "seen.jpg").is_dir()
    assert not (tmp_path / "seen.jpg.part").exists()


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"path": "/etc/passwd.jpg"}, "path_not_allowed"),
        ({"path": "{folder}/gone/seen.jpg"}, "file_failed"),
        ({"path": "{folder}/gone.jpg"}, "file_failed"),
        ({"path": "{folder}/notes.txt"}, "not_a_picture"),
        ({"path": "{folder}/empty.png"}, "not_a_picture"),
        ({"path": "{folder}/huge.png"}, "not_a_picture"),
        ({"entity_id": "camera.front_door", "annotated_file": "/etc/seen.jpg"}, "path_not_allowed"),
        ({"entity_id": "camera.front_door", "model": "other"}, "no_vision"),
        ({"entity_id": "camera.front_door", "tasks": ["pose"]}, "no_vision"),
        (
            {"entity_id": "camera.front_door", "config_entry_id": "x"},
            "service_config_entry_not_found",
        ),
    ],
)
async def test_bad_input_is_one_clear_error_and_asks_no_node(
    hass: HomeAssistant,
    eyes: Eyes,
    camera: str,
    loaded: MockConfigEntry,
    tmp_path: Path,
    data: dict[str, Any],
    key: str,
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(17 * 1024 * 1024)
    data = {k: v.format(folder=tmp_path) if isinstance(v, str) else v for k, v in data.items()}
    with pytest.raises(HomeAssistantError) as failure:
        await act(hass, "analyze_image", **data)
    assert failure.value.translation_key == key
    assert "{" not in str(failure.value)
    assert not eyes.asked()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"entity_id": "camera.front_door", "path": "/media/a.jpg"},
        {"entity_id": "light.front_door"},
        {"entity_id": "camera.front_door", "tasks": []},
        {"entity_id": "camera.front_door", "tasks": ["taste"]},
        {"entity_id": "camera.front_door", "min_confidence": 2},
        {"entity_id": "camera.front_door", "zoom": 2},
    ],
)
async def test_what_is_no_request_is_refused(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry, data: dict[str, Any]
) -> None:
    with pytest.raises(probatio.Invalid):
        await act(hass, "analyze_image", **data)
    assert not eyes.asked()


async def test_an_error_of_the_node_is_told(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry
) -> None:
    eyes.node.answers["analyze-image"] = reply(Error(text="too small", code="bad-image"))
    with pytest.raises(HomeAssistantError, match="too small"):
        await act(hass, "analyze_image", entity_id=camera)


async def test_objects_that_make_no_sense_are_an_error(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry
) -> None:
    eyes.node.answers["analyze-image"] = reply(sees({"label": "person"}))
    with pytest.raises(HomeAssistantError) as failure:
        await act(hass, "analyze_image", entity_id=camera)
    assert failure.value.translation_key == "bad_answer"


async def test_the_first_node_that_can_is_asked_unless_one_is_named(
    hass: HomeAssistant, node: ScriptedNode, camera: str, loaded: MockConfigEntry
) -> None:
    other = await ScriptedNode().start()
    try:
        other.info["node"] = {**other.info["node"], "id": "e" * 32}
        able = Eyes(other, TASKS)
        other.answers["analyze-image"] = reply(sees(thing()))
        entry = MockConfigEntry(
            domain=DOMAIN, unique_id="e" * 32, data={"host": "127.0.0.1", "port": other.port}
        )
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await act(hass, "analyze_image", entity_id=camera)  # the first has no eyes
        await act(hass, "analyze_image", entity_id=camera, config_entry_id=entry.entry_id)
        assert len(able.asked()) == 2
        with pytest.raises(ServiceValidationError) as failure:
            await act(hass, "analyze_image", entity_id=camera, config_entry_id=loaded.entry_id)
        assert failure.value.translation_key == "no_vision"
        assert await hass.config_entries.async_unload(entry.entry_id)
    finally:
        await other.stop()


async def test_depth_is_measured_in_metres_with_the_calibration_of_the_camera(
    hass: HomeAssistant, eyes: Eyes, camera: str, node: ScriptedNode
) -> None:
    await watch_cameras(hass, node, camera)
    about = {
        "width": 64,
        "height": 48,
        "objects": [thing(distance=3.2, nearness=0.8, keypoints=[])],
        "depth": {"metric": True, "scale": 1000},
    }
    depth = depth_map(3000, 12000)
    eyes.node.answers["analyze-image"] = reply(Raw("image-analysis", about, depth_map=depth))
    told = await act(
        hass,
        "measure_depth",
        entity_id=camera,
        labels=["person"],
        points=[{"x": 0.5, "y": 1}, {"x": 0, "y": 0.1}],
    )
    assert told == {
        "metric": True,
        "objects": [thing(distance=3.2, nearness=0.8)],
        "points": [{"x": 0.5, "y": 1.0, "distance": 3.0}, {"x": 0.0, "y": 0.1, "distance": 12.0}],
    }
    (asked,) = eyes.asked()
    assert asked.data["tasks"] == ["detect", "depth"]
    assert asked.data["calibration"] == [{"point": [0.5, 0.9], "distance": 3.0}]
    assert asked.data["want"] == ["depth-map"]


async def test_depth_without_metres_is_nearness(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry
) -> None:
    about = {"width": 64, "height": 48, "objects": [], "depth": {"metric": False, "scale": 1}}
    depth = depth_map(65535, 0)
    eyes.node.answers["analyze-image"] = reply(Raw("image-analysis", about, depth_map=depth))
    told = await act(
        hass, "measure_depth", entity_id=camera, points=[{"x": 1, "y": 1}, {"x": 0.2, "y": 0}]
    )
    assert told["metric"] is False
    assert [point["nearness"] for point in told["points"]] == [1.0, 0.0]
    assert "calibration" not in eyes.asked()[0].data


@pytest.mark.parametrize(
    ("about", "depth"),
    [
        ({"depth": {"metric": True, "scale": 0}}, depth_map(1, 2)),
        ({}, depth_map(1, 2)),
        ({"depth": {"metric": False, "scale": 1}}, b"no picture"),
        ({}, b""),
    ],
)
async def test_a_depth_map_that_makes_no_sense_is_an_error(
    hass: HomeAssistant,
    eyes: Eyes,
    camera: str,
    loaded: MockConfigEntry,
    about: dict[str, Any],
    depth: bytes,
) -> None:
    about = {"width": 64, "height": 48, "objects": [], **about}
    parts = {"depth_map": depth} if depth else {}
    eyes.node.answers["analyze-image"] = reply(Raw("image-analysis", about, **parts))
    with pytest.raises(HomeAssistantError) as failure:
        await act(hass, "measure_depth", entity_id=camera, points=[{"x": 0.5, "y": 0.5}])
    assert failure.value.translation_key == "bad_answer"


async def test_points_outside_of_the_picture_are_refused(
    hass: HomeAssistant, eyes: Eyes, camera: str, loaded: MockConfigEntry
) -> None:
    with pytest.raises(probatio.Invalid):
        await act(hass, "measure_depth", entity_id=camera, points=[{"x": 1.5, "y": 0.5}])
