"""Cameras through Home Assistant and a real node with a real model, on real pictures."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from homeassistant.const import CONF_HOST, CONF_PORT, STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.wyoming_units.const import DOMAIN
from tests.integration.camera_server import motion, serving
from tests.integration.recordings import data
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .watched_camera import FrontDoor, add_camera

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

PERSON = "binary_sensor.front_door_person"
COUNT = "sensor.front_door_person_count"
DETECTION = "event.front_door_detection"
BUS = "media/images/bus.jpg"
EMPTY = "media/images/000000000632.jpg"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncGenerator[Node]:
    """A node with a YOLO11 detector."""
    model = data("vision-yolo/yolo11n_dynquant.onnx")
    config = NodeConfig(
        name="Cellar",
        data_dir=tmp_path / "node",
        host="127.0.0.1",
        port=0,
        advertise=[],
        units=[f"vision=onnx-vision:{model}"],
    )
    async with Node(config) as node:
        await node.loaded()
        yield node


@pytest.fixture
def entry(hass: HomeAssistant, node: Node) -> MockConfigEntry:
    """The entry of the node, not yet set up."""
    address = {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    entry = MockConfigEntry(domain=DOMAIN, title="Cellar", unique_id=node.id, data=address)
    entry.add_to_hass(hass)
    return entry


async def until(hass: HomeAssistant, holds: Callable[[], object]) -> None:
    """Wait until something is true in Home Assistant."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  a state, which sets no event here
            await asyncio.sleep(0.02)


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    return "" if found is None else found.state


@pytest.mark.parametrize("source", ["snapshots", "stream"])
async def test_people_who_come_into_a_picture_are_counted_and_told_of_once(
    hass: HomeAssistant, camera: FrontDoor, entry: MockConfigEntry, source: str
) -> None:
    camera.picture = data(EMPTY).read_bytes()

    def shown() -> bytes:
        assert isinstance(camera.picture, bytes)
        return camera.picture

    with serving(motion(lambda: iter(shown, None), rate=10)) as stream:
        camera.address = stream.url()
        add_camera(hass, entry, source=source, fps=5, rules={"patience": 1})
        assert await hass.config_entries.async_setup(entry.entry_id)
        await until(hass, lambda: state(hass, PERSON) == STATE_OFF)
        told = async_capture_events(hass, "state_changed")
        camera.picture = data(BUS).read_bytes()
        await until(hass, lambda: state(hass, COUNT) in {"3", "4"})
        assert state(hass, PERSON) == STATE_ON
        camera.picture = data(EMPTY).read_bytes()
        await until(hass, lambda: state(hass, PERSON) == STATE_OFF)
        assert state(hass, COUNT) == "0"
        kinds = [
            (event.data["new_state"].attributes["event_type"], attributes["label"])
            for event in told
            if event.data["entity_id"] == DETECTION
            and (attributes := event.data["new_state"].attributes).get("event_type")
        ]
        people = [kind for kind, label in kinds if label == "person"]
        assert people[0] == "appeared"
        assert people.count("appeared") == people.count("left")
        assert 3 <= people.count("appeared") <= 5
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_camera_that_is_off_makes_its_entities_unavailable_and_back(
    hass: HomeAssistant, camera: FrontDoor, entry: MockConfigEntry
) -> None:
    camera.picture = data(BUS).read_bytes()
    add_camera(hass, entry, fps=5)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: state(hass, PERSON) == STATE_ON)
    camera.show(is_on=False)
    await until(hass, lambda: state(hass, PERSON) == STATE_UNAVAILABLE)
    camera.show(is_on=True)
    await until(hass, lambda: state(hass, PERSON) == STATE_ON)
    assert state(hass, DETECTION) == "unknown"  # who was there from the start has not appeared
    assert await hass.config_entries.async_unload(entry.entry_id)
