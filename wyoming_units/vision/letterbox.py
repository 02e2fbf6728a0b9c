"""A picture fitted into a network's input without stretching it, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Pixels

GREY = 114
"""What networks were trained to see around a picture."""


@dataclass(frozen=True, kw_only=True)
class Letterbox:
    """Where a picture lies in an input."""

    width: int
    height: int
    """Size of the picture."""
    size: tuple[int, int]
    """Width and height of the input."""
    inner: tuple[int, int]
    """Width and height of the picture in the input."""
    left: int
    top: int
    """Where it begins."""

    def apply(self, image: Pixels) -> Pixels:
        """Return the input: the picture (height, width, 3), scaled, with grey around it."""
        import cv2  # a tenth of the time that Pillow takes

        if self.inner != (self.width, self.height):
            # Networks are trained on pictures that were scaled linearly; far smaller ones would lose thin things.
            far = 2 * self.inner[0] < self.width
            how = cv2.INTER_AREA if far else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, self.inner, interpolation=how), np.uint8)
        if self.inner == self.size:
            return image
        width, height = self.size
        whole = np.full((height, width, 3), GREY, np.uint8)
        whole[self.top : self.top + self.inner[1], self.left : self.left + self.inner[0]] = image
        return whole

    def undo(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Return points (…, 2) of the input as points of the picture."""
        scale = np.divide((self.width, self.height), self.inner)
        return np.asarray((points - (self.left, self.top)) * scale, np.float32)

    def boxes(self, boxes: NDArray[Any]) -> NDArray[np.float32]:
        """Return boxes (n, 4) of the input as boxes of the picture, cut off at its edges."""
        there = self.undo(boxes.reshape(-1, 2, 2))
        return np.clip(there, 0, (self.width, self.height)).reshape(-1, 4).astype(np.float32)


def fit(width: int, height: int, size: tuple[int, int], *, centred: bool = True) -> Letterbox:
    """Return how a picture is fitted into an input of a size (width, height): in its middle, or top left."""
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Letterbox(
        width=width,
        height=height,
        size=size,
        inner=inner,
        left=(size[0] - inner[0]) // 2 if centred else 0,
        top=(size[1] - inner[1]) // 2 if centred else 0,
    )
