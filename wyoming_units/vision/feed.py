"""How a picture goes into a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Pixels

Three = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Feed:
    """The input of one network."""

    size: tuple[int, int]
    """Width and height."""
    channels_last: bool = False
    kind: str = "float32"
    """`float32`, `float16` or `uint8`; whole numbers are the pixels as they are."""
    bgr: bool = False
    mean: Three = (0.0, 0.0, 0.0)
    """Taken off each channel, in the order that the network wants."""
    scale: Three = (255.0, 255.0, 255.0)
    """What each channel is then divided by."""
    centred: bool = True
    """Whether the picture is in the middle of the input, else top left."""

    def tensor(self, image: Pixels) -> NDArray[Any]:
        """Return a picture of the input's size as a batch of one."""
        order = image[..., ::-1] if self.bgr else image
        planes = order if self.channels_last else order.transpose(2, 0, 1)
        if self.kind == "uint8":
            return np.ascontiguousarray(planes)[None]
        shape = (3,) if self.channels_last else (3, 1, 1)
        values = planes.astype(np.float32, order="C")
        if any(self.mean):
            values -= np.array(self.mean, np.float32).reshape(shape)
        if self.scale != (1.0, 1.0, 1.0):
            values *= 1 / np.array(self.scale, np.float32).reshape(shape)
        return values.astype(self.kind, copy=False)[None]
