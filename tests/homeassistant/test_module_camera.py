"""Cameras of Home Assistant whose pictures a module looks at, through a real node."""

import io
from typing import Any

import pytest
from homeassistant.const import CONF_HOST, CONF_PORT, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from PIL import Image, ImageDraw
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.wyoming_units.const import DOMAIN
from tests.integration.recordings import data
from tests.stackflow_server import Minds, StackFlowServer
from tests.stackflow_server.minds import see_bright
from tests.stackflow_server.wire import wired
from wyoming_units.node import Node

from .module_helpers import (
    Pause,
    embedded,
    module_in_reach,  # noqa: F401
    node_of_the_module,  # noqa: F401
    other_settings,  # noqa: F401
    restarted,
    until,
)
from .watched_camera import FrontDoor, add_camera

PERSON = "binary_sensor.front_door_person"
COUNT = "sensor.front_door_person_count"
DETECTION = "event.front_door_detection"
SIZE = (640, 480)
PLACE = (200, 120, 320, 400)


@pytest.fixture(name="models")
def models_of_the_module() -> tuple[str, ...]:
    return ("yolo11n",)


@pytest.fixture(name="units")
def units_of_the_module() -> list[str]:
    return ["vision=stackflow-yolo"]


@pytest.fixture
def eyes() -> Pause:
    return Pause(see_bright)


@pytest.fixture(name="minds")
def minds_that_pause(eyes: Pause) -> Minds:
    pytest.importorskip(
        "cv2", reason="OpenCV, with which the module's stand-in sees, is not installed"
    )
    return Minds(see=eyes)


@pytest.fixture(name="entry")
def entry_of_the_node(hass: HomeAssistant, node: Node) -> MockConfigEntry:
    """The entry of the node, not yet set up."""
    address = {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    entry = MockConfigEntry(domain=DOMAIN, title="Cellar", unique_id=node.id, data=address)
    entry.add_to_hass(hass)
    return entry


def picture(*people: tuple[int, int, int, int]) -> bytes:
    """Return a dark picture with people in bright red, whom the module's stand-in knows by that."""
    image = Image.new("RGB", SIZE, (20, 20, 20))
    for place in people:
        ImageDraw.Draw(image).rectangle(place, fill=(250, 10, 10))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=95)
    return written.getvalue()


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    return "" if found is None else found.state


async def set_up(hass: HomeAssistant, entry: MockConfigEntry, **settings: Any) -> None:
    add_camera(hass, entry, fps=10, rules={"patience": 0.5}, **settings)
    assert await hass.config_entries.async_setup(entry.entry_id)


async def test_who_comes_into_a_picture_sets_an_automation_off_and_is_shown(
    hass: HomeAssistant, camera: FrontDoor, module: StackFlowServer, entry: MockConfigEntry
) -> None:
    camera.picture = picture()
    await set_up(hass, entry)
    await until(lambda: state(hass, PERSON) == STATE_OFF)
    happened = async_mock_service(hass, "test", "happened")
    automation = {
        "trigger": {
            "trigger": f"{DOMAIN}.object_appeared",
            "target": {"entity_id": DETECTION},
            "options": {"label": "person"},
        },
        "action": {
            "action": "test.happened",
            "data": {"box": "{{ trigger.to_state.attributes.box }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    camera.picture = picture(PLACE)
    await until(lambda: happened)
    assert happened[0].data["box"] == list(PLACE)
    await until(lambda: state(hass, PERSON) == STATE_ON)
    assert state(hass, COUNT) == "1"
    camera.picture = picture()
    await until(lambda: state(hass, PERSON) == STATE_OFF)
    assert len(happened) == 1
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_module_that_restarts_while_it_looks_goes_on_looking(
    hass: HomeAssistant,
    camera: FrontDoor,
    module: StackFlowServer,
    entry: MockConfigEntry,
    eyes: Pause,
) -> None:
    camera.picture = picture()
    await set_up(hass, entry)
    await until(lambda: state(hass, PERSON) == STATE_OFF)
    eyes.stop()
    camera.picture = picture(PLACE)
    await eyes.asked()
    await restarted(module, 0.1)
    eyes.go_on()
    await until(lambda: state(hass, PERSON) == STATE_ON)
    assert len(module.asked("setup", "yolo")) == 2
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_foreign_programs_that_hold_the_eyes_are_left_alone_until_they_leave(
    hass: HomeAssistant, camera: FrontDoor, module: StackFlowServer, entry: MockConfigEntry
) -> None:
    camera.picture = picture()
    await set_up(hass, entry)
    await until(lambda: state(hass, PERSON) == STATE_OFF)
    await restarted(module, taken="yolo")
    foreign = list(module.units["yolo"].tasks)
    camera.picture = picture(PLACE)
    await until(lambda: len(module.asked("setup", "yolo")) > 2)  # the node asks again, in vain
    assert list(module.units["yolo"].tasks) == foreign
    assert state(hass, PERSON) == STATE_OFF
    async with wired(module.port) as other:
        await other.call(foreign[0], "exit")
    await until(lambda: state(hass, PERSON) == STATE_ON)
    assert foreign[1] in module.units["yolo"].tasks
    assert await hass.config_entries.async_unload(entry.entry_id)


class TestPhotographs:
    """Real pictures, and a real network in the module."""

    @pytest.fixture(name="minds")
    def network(self) -> Minds:
        data("vision-yolo/yolo11n_dynquant.onnx")
        return embedded()

    async def test_people_at_a_bus_are_counted(
        self, hass: HomeAssistant, camera: FrontDoor, entry: MockConfigEntry
    ) -> None:
        camera.picture = data("media/images/000000000632.jpg").read_bytes()
        await set_up(hass, entry)
        await until(lambda: state(hass, PERSON) == STATE_OFF)
        camera.picture = data("media/images/bus.jpg").read_bytes()
        await until(lambda: state(hass, COUNT) in {"3", "4"})
        await until(lambda: state(hass, PERSON) == STATE_ON)
        assert await hass.config_entries.async_unload(entry.entry_id)
