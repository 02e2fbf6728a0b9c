"""What is seen in a picture: objects and depth, all coordinates in pixels of the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""A picture: RGB, shape (height, width, 3)."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

Keypoints = NDArray[np.float32]
"""Shape (17, 3) in COCO order, or (21, 3) for a hand: x, y, confidence in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Which cells of a grid over the whole picture belong to an object, run-length encoded.

    Cells are counted column by column from the top left, as COCO's uncompressed RLE does; the first
    run is of cells that do not belong.
    """

    width: int
    height: int
    """Size of the grid in cells, usually smaller than the picture's."""
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One object in one picture."""

    label: str
    confidence: float
    """In [0, 1]."""
    box: Box
    mask: Mask | None = None
    keypoints: Keypoints | None = None
    angle: float | None = None
    """Radians, clockwise, of an oriented box; `box` is then the upright box around it."""
    posture: str | None = None
    """`standing`, `sitting` or `lying`; people with keypoints only."""
    gesture: str | None = None
    """`open-palm`, `fist`, `thumb-up`, `thumb-down` or `pointing`; hands with keypoints only."""
    nearness: float | None = None
    """In [0, 1], 1 for the nearest thing in the picture; where there is a depth map."""
    distance: float | None = None
    """Metres; where the depth map is metric or calibrated."""

    def scaled(self, x: float, y: float) -> Found:
        """Return the object as it is in a picture that is so many times wider and higher."""
        left, top, right, bottom = self.box
        points = self.keypoints
        if points is not None:
            points = points * np.array([x, y, 1], np.float32)
        return replace(self, box=(left * x, top * y, right * x, bottom * y), keypoints=points)


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthMap:
    """How far away everything in a picture is; it covers the whole picture, at any resolution."""

    values: NDArray[np.float32]
    """Shape (height, width). Metric: metres. Else relative inverse depth of any scale, near = large."""
    metric: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """All that was found in one picture."""

    width: int
    height: int
    objects: tuple[Found, ...] = ()
    """The most confident first."""
    depth: DepthMap | None = None

    def scaled(self, width: int, height: int) -> Scene:
        """Return the scene in coordinates of the same picture at another size."""
        if (width, height) == (self.width, self.height):
            return self
        x, y = width / self.width, height / self.height
        objects = tuple(each.scaled(x, y) for each in self.objects)
        return replace(self, width=width, height=height, objects=objects)
