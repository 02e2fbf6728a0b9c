"""Pictures of coloured squares, and a model that really finds them, on a real socket."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from wyoming_units.engines.base import Attribution, EngineInfo, Model, VisionRequest
from wyoming_units.units.vision import VisionUnit
from wyoming_units.video.addresses import Allowed
from wyoming_units.vision.scene import DepthMap, Found, Pixels, Scene
from wyoming_units.wire.limits import Limits
from wyoming_units.wire.server import Server

from .raw import Raw, raw

_COLOURS = {"person": (220, 30, 30), "car": (30, 30, 220)}
_NOBODY = Attribution(name="tests", url="https://example.org")


def picture(
    *squares: tuple[str, int, int, int], width: int = 320, height: int = 240, kind: str = "JPEG"
) -> bytes:
    """Return a picture with squares (label, left, top, side) on grey."""
    pixels = np.full((height, width, 3), 120, np.uint8)
    for label, left, top, side in squares:
        pixels[top : top + side, left : left + side] = _COLOURS[label]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


class Squares:
    """Finds one square of each colour; a depth model on wish, for which the bottom is near."""

    def __init__(self, name: str = "squares", tasks: tuple[str, ...] = ("detect",)) -> None:
        self._name = name
        self._tasks = tasks
        self.looks = 0
        self.gate = threading.Event()
        """Looks wait for it."""
        self.gate.set()

    @cached_property
    def info(self) -> EngineInfo:
        model = Model(
            name=self._name,
            languages=(),
            description="",
            attribution=_NOBODY,
            tasks=self._tasks,
            labels=tuple(_COLOURS),
        )
        return EngineInfo(
            name=f"{self._name}-engine",
            description="",
            version="1",
            attribution=_NOBODY,
            models=(model,),
        )

    def load(self) -> None: ...

    def close(self) -> None: ...

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        self.gate.wait(5)
        self.looks += 1
        height, width = image.shape[:2]
        if self._tasks == ("depth",):
            rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
            depth = DepthMap(values=np.repeat(rows, width, axis=1), metric=False)
            return Scene(width=width, height=height, depth=depth)
        found = []
        for label, colour in _COLOURS.items():
            if request.labels and label not in request.labels:
                continue
            close = np.abs(image.astype(int) - colour).sum(axis=2) < 120
            rows, columns = np.nonzero(close)
            if len(rows) > 20:
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                left, top, right, bottom = map(float, box)
                found.append(Found(label=label, confidence=0.9, box=(left, top, right, bottom)))
        return Scene(width=width, height=height, objects=tuple(found[: request.max_objects]))


class Seeing:
    """A server with nothing but a vision unit."""

    def __init__(self, *models: Squares, cameras: Allowed | None = None) -> None:
        self.unit = VisionUnit(models, cameras=cameras)
        self.routes = {route.opener: route for route in self.unit.routes}
        self.programs = {lane.name: "vision" for lane in self.unit.lanes}

    def info_frame(self) -> bytes:
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        return {"watches": self.unit.watches()}


@asynccontextmanager
async def seeing(
    *models: Squares, cameras: Allowed | None = None, limits: Limits | None = None
) -> AsyncIterator[tuple[Raw, Seeing, int]]:
    """Serve models; yield a peer, the service and its port."""
    service = Seeing(*(models or (Squares(),)), cameras=cameras)
    server = Server(service, limits)
    port = await server.start("127.0.0.1", 0)
    try:
        async with raw(port) as peer:
            yield peer, service, port
    finally:
        await server.stop(grace=0.1)
        for lane in service.unit.lanes:
            await lane.close()
