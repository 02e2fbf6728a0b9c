"""A camera of Home Assistant that is real, and a node that sees what a test tells it to; from the protocol."""

import asyncio
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.event import Event

from custom_components.wyoming_units.const import DOMAIN

from .scripted_node import NODE_ID, Connection, Raw, ScriptedNode, artifact

LABELS = ["person", "car", "dog", "cat", "bicycle"]
YARD = {"name": "Yard", "polygon": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}
KNOWN = [{"point": [0.5, 0.9], "distance": 3.0}]


def picture(kind: str = "JPEG") -> bytes:
    """Return a small picture."""
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(content, kind)
    return content.getvalue()


def depth_map(near: int, far: int) -> bytes:
    """Return a depth map whose lower half is one grey, and whose upper half another."""
    grey = np.full((8, 8), far, np.uint16)
    grey[4:] = near
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    return content.getvalue()


def thing(label: str = "person", **more: Any) -> dict[str, Any]:
    """Return an object as a node tells it."""
    return {"label": label, "confidence": 0.9, "box": [1.0, 2.0, 30.0, 40.0], **more}


def person(**more: Any) -> dict[str, Any]:
    """Return a person that a watch follows."""
    return thing("person", **{"track": 7, "zones": [], "stationary": False, **more})


def sees(*objects: dict[str, Any], **data: Any) -> Raw:
    """Return the answer to a picture."""
    about = {
        "width": 64,
        "height": 48,
        "objects": [*objects],
        "context": {"timing": {"total": 12.5}},
        **data,
    }
    return Raw("image-analysis", about)


class Eyes:
    """The vision unit of a scripted node."""

    def __init__(self, node: ScriptedNode, tasks: list[str]) -> None:
        self.node = node
        model = artifact("yolo", tasks=tasks, labels=LABELS)
        node.info["vision"] = [artifact("eyes", models=[model])]
        node.answers["watch"] = self._watch
        self.in_view: list[dict[str, Any]] = []
        self._watches: dict[str, Connection] = {}

    async def _watch(self, connection: Connection, event: Event) -> None:
        self._watches[event.data["id"]] = connection
        status = {"id": event.data["id"], "state": "running", "fps": 2.0, "dropped": 0}
        await connection.send(Raw("watch-status", status))
        await self.look(*self.in_view)

    async def look(self, *objects: dict[str, Any]) -> None:
        """Tell all watches what is in view."""
        for watch, connection in self._watches.items():
            about = {"id": watch, "seq": 1, "timestamp": time.time(), "motion": True}
            await connection.send(sees(*objects, **about))

    async def happens(
        self, kind: str, one: dict[str, Any], zone: str | None = None, snapshot: bytes = b""
    ) -> None:
        """Tell all watches what an object did."""
        for watch, connection in self._watches.items():
            about = {"id": watch, "kind": kind, "object": one, "timestamp": time.time()}
            about |= {"width": 64, "height": 48} | ({} if zone is None else {"zone": zone})
            await connection.send(
                Raw("object-event", about, **({"snapshot": snapshot} if snapshot else {}))
            )

    def asked(self) -> list[Event]:
        """Return all pictures that were asked about."""
        return [event for each in self.node.requests for event in each.all("analyze-image")]


async def add_camera(hass: HomeAssistant, folder: Path, name: str = "Front door") -> str:
    """Add a camera that shows a file, and return its entity id."""
    file = folder / f"{name}.jpg"
    file.write_bytes(picture())
    entry = MockConfigEntry(
        domain="local_file", options={"name": name, "file_path": str(file)}, title=name
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    (camera,) = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return camera.entity_id


async def watch_cameras(
    hass: HomeAssistant, node: ScriptedNode, *cameras: str, **settings: Any
) -> ConfigEntry:
    """Set up the node with a watch for each camera, and wait until they run."""
    registry = er.async_get(hass)
    subentries = [
        {
            "subentry_type": "camera",
            "title": str(hass.states.get(camera).name),
            "unique_id": registry.async_get(camera).id,
            "data": {
                "camera": registry.async_get(camera).id,
                "source": "snapshots",
                "tasks": ["detect"],
                "labels": LABELS[:2],
                "fps": 2.0,
                "zones": [YARD],
                "calibration": KNOWN,
                **settings,
            },
        }
        for camera in cameras
    ]
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=subentries,
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for watch in entry.runtime_data.watches.values():
        await until(lambda watch=watch: watch.resting or watch.last is not None)
    return entry


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def entity(hass: HomeAssistant, platform: str, key: str) -> str:
    """Return the entity of a camera by what its unique id ends with."""
    (found,) = (
        each.entity_id
        for each in er.async_get(hass).entities.values()
        if each.platform == DOMAIN and each.domain == platform and each.unique_id.endswith(key)
    )
    return found
