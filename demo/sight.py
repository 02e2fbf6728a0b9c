"""The camera of the demo home: entered, watched by the node, and what happens when a person appears."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo import assist
from demo.api import Api
from demo.processes import DemoError

CAMERA = "camera.street"
LIGHT = "light.porch_light"
"""Switched by the automation of the demo home."""
_DATA = Path(
    os.environ.get("WYOMING_UNITS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data"
)
_NAME = "Street"
_FLOWS = "/api/config/config_entries/subentries/flow"
_TASKS = ("detect", "segment", "pose", "depth")
"""What the node shall do as far as it can; hands and turned boxes are for other pictures."""
_SECONDS = 90.0
"""In which a person must appear: every picture has been shown by then, and all models have loaded."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What came of a person who appeared."""

    label: str
    confidence: float
    distance: float | None
    """Metres, where the node measures them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many of each label were in view."""
    light_before: str
    light_after: str

    @property
    def done(self) -> bool:
        """Return whether the automation switched the light."""
        return (self.light_before, self.light_after) == ("off", "on")

    def result(self) -> dict[str, Any]:
        """Return what the RESULT line tells."""
        return asdict(self)


def pictures() -> list[str]:
    """Return what the camera shows where nothing is given: the photographs of the test data."""
    folder = _DATA / "media" / "images"
    return [str(folder)] if folder.is_dir() else []


def units(folder: Path | None) -> list[str]:
    """Return the vision units of the networks in a folder, None for the test data's; may be none."""
    found = folder.rglob("*.onnx") if folder else _DATA.glob("vision-*/*.onnx")
    return [
        f"vision={'onnx-depth' if 'depth' in path.name else 'onnx-vision'}:{path}"
        for path in sorted(found)
    ]


async def add_camera(api: Api, url: str) -> None:
    """Enter the camera at `url` into Home Assistant, as a user does."""
    answers = {"name": _NAME, "mjpeg_url": f"{url}/stream", "still_image_url": f"{url}/still"}
    step = await api.post(assist.FLOWS, {"handler": "mjpeg"})
    step = await api.post(f"{assist.FLOWS}/{step['flow_id']}", answers)
    if step["type"] != "create_entry":
        raise DemoError(f"the camera's setup says {step.get('errors') or step.get('reason')}")


async def watch(api: Api, entry_id: str) -> tuple[str, ...]:
    """Have a node watch the camera, by the dialogue of the integration; return the tasks."""
    step = await api.post(_FLOWS, {"handler": [entry_id, "camera"]})
    if step["type"] != "form":
        raise DemoError(f"the camera cannot be added: {step.get('reason', step['type'])}")
    offered = {one["name"]: one for one in step["data_schema"]}["tasks"]["selector"]["select"]
    names = [one["value"] for one in offered["options"]]
    tasks = tuple(task for task in _TASKS if task in names)
    answers = {**assist.agree(step), "camera": CAMERA, "tasks": [*tasks], "quiet_hours": {}}
    flow = f"{_FLOWS}/{step['flow_id']}"
    step = await api.post(flow, answers)
    if step["type"] == "menu":
        step = await api.post(flow, {"next_step_id": "finish"})
    if step["type"] != "create_entry":
        raise DemoError(f"the camera cannot be added: {step.get('errors') or step.get('reason')}")
    return tasks


async def wait_for_person(api: Api) -> Sight:
    """Wait until a person appears, is counted, and the automation of the home has switched the light."""
    changes = await api.subscribe("subscribe_events", event_type="state_changed")
    await api.service("light.turn_off", LIGHT)
    counts = dict(filter(None, map(_count, await api.call("get_states"))))
    seen: dict[str, Any] | None = None
    lit: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(_SECONDS):
            while not (seen and lit and counts.get("person")):
                change = (await changes.get()).event["data"]
                state = change["new_state"] or {"entity_id": "", "attributes": {}}
                told = state["attributes"]
                if counted := _count(state):
                    counts.update([counted])
                elif (told.get("event_type"), told.get("label")) == ("appeared", "person"):
                    seen = told
                elif state["entity_id"] == LIGHT and state["state"] == "on" and seen:
                    lit = change
    except TimeoutError:
        what = "the automation did not switch the light" if seen else "no person appeared"
        raise DemoError(f"{what} within {_SECONDS:.0f} s") from None
    return Sight(
        label=seen["label"],
        confidence=seen["confidence"],
        distance=seen.get("distance"),
        counts=counts,
        light_before=lit["old_state"]["state"],
        light_after=lit["new_state"]["state"],
    )


def _count(state: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the label and number of a sensor that counts objects in the whole picture; None for all others."""
    told = state["attributes"]
    if not state["entity_id"].startswith("sensor.street_") or "state_class" not in told:
        return None
    if "label" not in told or "zone" in told or not state["state"].isdecimal():
        return None
    return told["label"], int(state["state"])
