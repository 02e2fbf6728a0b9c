"""Units that look at pictures: YOLO and Depth-Anything."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, ClassVar

from .minds import Seen
from .pictures import colour_map, letterboxed
from .task import Given, Task, Unit

_SIZE = 320
_COEFFICIENTS = 32


class YoloTask(Task):
    """Finds objects; all numbers are of the picture as it was fitted into 320x320."""

    depth = 3
    always_base64 = True

    async def work(self, given: Given) -> None:
        image = await self.run(letterboxed, given.data, _SIZE, _SIZE)
        seen = await self.run(self.room.minds.see, image)
        least = float(self.setup.get("pron_threshold", self.mode.params["pron_threshold"]))
        names = self.mode.params["cls_name"]
        sure = [each for each in seen if each.confidence > least and each.label in names]
        told = [self._told(each) for each in sure]
        if not self.streams:
            await self.say(told)
            return
        for index, each in enumerate(told):
            await self.say({"delta": each, "finish": False, "index": index})
        await self.say_delta(len(told), "", finish=True)

    def _told(self, seen: Seen) -> dict[str, Any]:
        left, top, right, bottom = seen.box
        modern = "boxV2" in self.format
        box = (left, top, right - left, bottom - top) if modern else seen.box
        told: dict[str, Any] = {
            "class": seen.label,
            "confidence": seen.confidence,
            "bbox": list(box),
        }
        kind = self.mode.params["model_type"]
        if kind == "segment":
            told["mask"] = list(seen.coefficients) or [0.0] * _COEFFICIENTS
        if kind == "pose":
            points = seen.points or _inside(seen, self.mode.params["point_num"])
            told["kps"] = [number for point in points for number in point]
        return told if modern else {key: _written(value) for key, value in told.items()}


def _inside(seen: Seen, count: int) -> list[tuple[float, float, float]]:
    """Return so many points down the middle of a box, for minds that know of no joints."""
    left, top, right, bottom = seen.box
    step = (bottom - top) / (count - 1)
    return [((left + right) / 2, top + i * step, seen.confidence) for i in range(count)]


def _written(value: Any) -> Any:
    """Return numbers as strings with two digits, as all do but `boxV2`."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_written(each) for each in value]
    return f"{value:.2f}" if isinstance(value, float) else value


class Yolo(Unit):
    """YOLO11."""

    name = "yolo"
    since = "1.3"
    limit = 2
    takes = "yolo"
    targets: ClassVar[tuple[str, ...]] = ("camera",)
    task = YoloTask

    def fits(self, setup: dict[str, Any]) -> bool:
        modern = "boxV2" in str(setup["response_format"])
        return super().fits(setup) and (self.room.since("1.6") or not modern)


class DepthTask(Task):
    """Sends a picture of how far away everything is."""

    always_base64 = True

    async def work(self, given: Given) -> None:
        params = self.mode.params
        image = await self.run(letterboxed, given.data, params["img_w"], params["img_h"])
        nearness = await self.run(self.room.minds.depth, image)
        told = base64.b64encode(await self.run(colour_map, nearness)).decode()
        if self.streams:
            await self.say_delta(0, told, finish=True)
        else:
            await self.say(told)


class DepthAnything(Unit):
    """Depth-Anything."""

    name = "depth_anything"
    since = "1.4"
    takes = "depth_anything"
    inputs_key = "inputs_"
    targets: ClassVar[tuple[str, ...]] = ("camera",)
    task = DepthTask
