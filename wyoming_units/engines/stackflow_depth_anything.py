"""Networks that estimate how far away everything is, of StackFlow's `depth_anything`.

The module sends no depths, but a picture of them in colours (matplotlib's magma). Each of these is brighter than the
one before, so the brightness, which JPEG keeps in full resolution, tells how near a thing is.
"""

from __future__ import annotations

import binascii
import io
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wyoming_units.engines._stackflow import Service, engine_info, model_of
from wyoming_units.engines._stackflow_pictures import write_stretched
from wyoming_units.engines.base import EngineInfo, VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk, Task
from wyoming_units.vision.scene import DepthMap, Pixels, Scene

_SIZE = (384, 256)
_SECONDS = 15.0
"""A picture takes a third of one."""
_SETTLE = 3.0
"""Seconds in which the map of a request that was given up may still come, as if it were the next one's."""
_BRIGHTNESS = (
    *(0.5, 4.7, 11.5, 19.2, 26.6, 32.5, 37.6, 42.4, 48.7, 55.5, 62.6),
    *(69.3, 75.7, 82.2, 88.0, 94.5, 100.3, 106.5, 112.6, 119.6, 127.5, 135.8),
    *(145.5, 155.7, 165.7, 175.8, 185.9, 195.8, 205.4, 215.6, 225.6, 235.2, 245.6),
)
"""Luma of the colours from far to near, in equal steps."""


class StackFlowDepth:
    """Estimates distances with one network."""

    def __init__(self, *, mode: Mode, module: ModuleAt) -> None:
        """Prepare; nothing is sent."""
        width, height = mode.parameters.get("img_w"), mode.parameters.get("img_h")
        self._size = _SIZE
        if isinstance(width, int) and isinstance(height, int):
            self._size = (width, height)
        self._service = Service(module, mode, settle=_SETTLE)
        self._info = engine_info("stackflow-depth", model_of(mode, (), tasks=("depth",)))

    @property
    def info(self) -> EngineInfo:
        """Return the one network."""
        return self._info

    def load(self) -> None:
        """Let the module load the network."""
        self._service.try_to_open(self._task())

    def close(self) -> None:
        """End the task."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        self._service.interrupt(thread)

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the relative depth map of a picture; nothing of the request matters."""
        height, width = image.shape[:2]
        # One that only fits would get black bars, in which networks see depths that are not there.
        picture = write_stretched(image, self._size)

        def call(talk: Talk) -> Any:
            talk.send_bytes("depth_anything.jpeg.base64", picture)
            return talk.receive(_SECONDS).data

        values = _values(self._task().run(call))
        return Scene(width=width, height=height, depth=DepthMap(values=values, metric=False))

    def _task(self) -> Task:
        return self._service.task(response_format="jpeg.base64", input="depth_anything.jpeg.base64")


def _values(data: Any) -> NDArray[np.float32]:
    """Return the map (height, width), near things 1 and far ones 0, of what a module sends; `EngineFailed`."""
    try:
        file = b64decode(data["delta"] if isinstance(data, Mapping) else data, validate=True)
        with Image.open(io.BytesIO(file), formats=("JPEG",)) as image:
            image.draft("L", image.size)  # the brightness is all that is decoded
            luma = np.asarray(image.convert("L"), np.float32)
    except (KeyError, TypeError, ValueError, OSError, binascii.Error) as err:
        raise EngineFailed(f"the module sends no depth map: {err}") from None
    steps = np.linspace(0, 1, len(_BRIGHTNESS))
    return np.interp(luma, _BRIGHTNESS, steps).astype(np.float32)
