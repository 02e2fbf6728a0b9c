"""What the tests of cameras share: a camera of another integration, and a node that watches it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from io import BytesIO
from typing import Any, override

import pytest
from homeassistant.components.camera import Camera
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigSubentry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.setup import async_setup_component
from PIL import Image
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

from custom_components.wyoming_units import watch as watch_module
from custom_components.wyoming_units.const import SUBENTRY_CAMERA
from custom_components.wyoming_units.watch import CameraWatch

from .scripted_node import Connection, Raw, ScriptedNode, vision_info

CAMERA = "camera.front_door"
PERSON = "binary_sensor.front_door_person"
SWITCH = "switch.front_door_detection"
VENDOR = "camera_vendor"
STREAM = "rtsp://user:secret@192.0.2.7/live"
YARD = {"name": "Yard", "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}


def jpeg(colour: str = "red", size: tuple[int, int] = (640, 480)) -> bytes:
    """Return a picture."""
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, "JPEG")
    return written.getvalue()


class FrontDoor(Camera):
    """A camera of another integration."""

    _attr_has_entity_name = True
    _attr_name = None
    _attr_unique_id = "front-door"
    _attr_device_info = DeviceInfo(identifiers={(VENDOR, "1")}, name="Front door")

    def __init__(self) -> None:
        super().__init__()
        self.picture: bytes | Exception | None = jpeg()
        self.stream: Any = None
        self.address: str | Exception | None = STREAM

    @override
    async def async_camera_image(
        self, width: int | None = None, height: int | None = None
    ) -> bytes | None:
        if isinstance(self.picture, Exception):
            raise self.picture
        return self.picture

    @override
    async def stream_source(self) -> str | None:
        if isinstance(self.address, Exception):
            raise self.address
        return self.address

    def show(self, **changes: Any) -> None:
        """Change what the camera is, and tell Home Assistant."""
        for name, value in changes.items():
            setattr(self, f"_attr_{name}", value)
        self.async_write_ha_state()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a watch that ended begun again at once."""
    monkeypatch.setattr(watch_module, "RETRY_FIRST", 0.01)


@pytest.fixture
async def camera(hass: HomeAssistant) -> AsyncGenerator[FrontDoor]:
    """A camera with a device."""
    camera = FrontDoor()

    async def forward(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        await hass.config_entries.async_forward_entry_setups(entry, [Platform.CAMERA])
        return True

    async def unload(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        return await hass.config_entries.async_unload_platforms(entry, [Platform.CAMERA])

    async def add(
        _hass: HomeAssistant, _entry: ConfigEntry, add_entities: AddConfigEntryEntitiesCallback
    ) -> None:
        add_entities([camera])

    mock_integration(
        hass, MockModule(VENDOR, async_setup_entry=forward, async_unload_entry=unload), False
    )
    mock_platform(hass, f"{VENDOR}.config_flow", built_in=False)
    mock_platform(hass, f"{VENDOR}.camera", MockPlatform(async_setup_entry=add), built_in=False)
    assert await async_setup_component(hass, "http", {})
    vendor = MockConfigEntry(domain=VENDOR, title="Vendor")
    vendor.add_to_hass(hass)
    with mock_config_flow(VENDOR, ConfigFlow):
        assert await hass.config_entries.async_setup(vendor.entry_id)
        await hass.async_block_till_done()
        assert hass.states.get(CAMERA)
        yield camera


@pytest.fixture
def seeing(node: ScriptedNode) -> None:
    """Let the node have a vision unit."""
    node.info["vision"] = vision_info()


def camera_id(hass: HomeAssistant) -> str:
    """Return what a subentry keeps of the camera."""
    entity = er.async_get(hass).async_get(CAMERA)
    assert entity is not None
    return entity.id


def settings(hass: HomeAssistant, **changes: Any) -> dict[str, Any]:
    """Return the data of a subentry."""
    return {
        "camera": camera_id(hass),
        "source": "snapshots",
        "tasks": ["detect"],
        "labels": ["person", "car"],
        "fps": 30.0,
        "confidence": 0.5,
        **changes,
    }


def add_camera(hass: HomeAssistant, entry: ConfigEntry, **changes: Any) -> str:
    """Add a camera to a node; return its subentry's id."""
    subentry = ConfigSubentry(
        data=settings(hass, **changes),
        subentry_type=SUBENTRY_CAMERA,
        title="Front door",
        unique_id=camera_id(hass),
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    return subentry.subentry_id


class Watching:
    """The node's end of the watch of a camera."""

    def __init__(self, hass: HomeAssistant, node: ScriptedNode, entry: ConfigEntry) -> None:
        self._hass = hass
        self._node = node
        self._entry = entry

    @property
    def watch(self) -> CameraWatch:
        [watch] = self._entry.runtime_data.watches.values()
        return watch

    @property
    def connection(self) -> Connection:
        return self._node.requests[-1]

    async def asked(self, times: int = 1) -> dict[str, Any]:
        """Wait for the request of the watch; return it."""
        await self._node.until(
            lambda: self._node.requests and len(self.connection.all("watch")) >= times
        )
        return self.connection.all("watch")[-1].data

    async def tell(self, event_type: str, data: dict[str, Any], **parts: bytes) -> None:
        about = {"id": self.watch.subentry_id, **data}
        await self.connection.send(Raw(event_type, about, **parts))

    async def runs(self, fps: float = 2.0) -> None:
        """Tell that it runs, and wait until that is known."""
        await self.asked()
        await self.tell("watch-status", {"state": "running", "fps": fps, "dropped": 0})
        await self.until(lambda: self.watch.available)

    async def sees(self, *objects: dict[str, Any], at: float = 1000.0, **more: Any) -> None:
        """Tell what is seen, and wait until that is known."""
        parts = {key: value for key, value in more.items() if isinstance(value, bytes)}
        data = {key: value for key, value in more.items() if key not in parts}
        analysis = {
            "width": 640,
            "height": 480,
            "objects": [*objects],
            "seq": 1,
            "timestamp": at,
            "motion": True,
            "context": {"timing": {"infer": 21.5, "total": 30.0}},
            **data,
        }
        await self.tell("image-analysis", analysis, **parts)
        await self.until(lambda: self.watch.last is not None and self.watch.last.timestamp == at)

    async def happens(self, kind: str, seen: dict[str, Any], **more: Any) -> None:
        """Tell that something happened."""
        snapshot = more.pop("snapshot", jpeg("blue"))
        data = {
            "kind": kind,
            "object": seen,
            "timestamp": 1_790_000_000.0,
            "width": 640,
            "height": 480,
            **more,
        }
        await self.tell("object-event", data, **({"snapshot": snapshot} if snapshot else {}))

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until Home Assistant knows."""
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110  anything of Home Assistant, which sets no event
                await asyncio.sleep(0.005)
        await self._hass.async_block_till_done()


def seen(label: str = "person", track: int = 1, **more: Any) -> dict[str, Any]:
    """Return an object as a node tells it."""
    return {
        "label": label,
        "confidence": 0.87654,
        "box": [10.4, 20, 110, 220.6],
        "track": track,
        "zones": [],
        "stationary": False,
        **more,
    }


@pytest.fixture
async def watching(
    hass: HomeAssistant,
    node: ScriptedNode,
    seeing: None,
    camera: FrontDoor,
    entry: MockConfigEntry,
    request: pytest.FixtureRequest,
) -> Watching:
    """A camera that is watched; a test may give its settings as a parameter."""
    add_camera(hass, entry, **getattr(request, "param", {}))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Watching(hass, node, entry)
