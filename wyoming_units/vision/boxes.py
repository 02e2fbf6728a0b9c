"""Overlap of boxes, and which of many that overlap is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

Overlap = Callable[[Floats, Floats], Floats]
"""Takes shapes (n, k) and (m, k); returns how much they overlap, (n, m), in [0, 1]."""

_BLOCK = 64
"""Boxes that are compared with all others at once; those that they suppress are compared no more."""


def iou(a: Floats, b: Floats) -> Floats:
    """Return intersection over union of boxes (n, 4) and (m, 4), shape (n, m); 0 where both are empty."""
    one, two = a[:, None], b[None]
    width = np.minimum(one[..., 2], two[..., 2]) - np.maximum(one[..., 0], two[..., 0])
    height = np.minimum(one[..., 3], two[..., 3]) - np.maximum(one[..., 1], two[..., 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    union = _areas(a)[:, None] + _areas(b)[None] - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float32)


def turned_iou(a: Floats, b: Floats) -> Floats:
    """Return the overlap, (n, m), of turned boxes: centre x, y, width, height, radians; (n, 5) and (m, 5).

    The boxes are compared as normal distributions of the same spread (1 - Hellinger distance), as oriented
    networks are trained to.
    """
    (xx1, yy1, xy1), (xx2, yy2, xy2) = (
        (part[:, None] for part in _spread(a)),
        (part[None] for part in _spread(b)),
    )
    x = a[:, None, 0] - b[None, :, 0]
    y = a[:, None, 1] - b[None, :, 1]
    xx, yy, xy = xx1 + xx2, yy1 + yy2, xy1 + xy2
    both = np.maximum(xx * yy - xy**2, 1e-9)
    apart = (yy * x**2 + xx * y**2 - 2 * xy * x * y) / both / 4
    each = np.sqrt(np.maximum(xx1 * yy1 - xy1**2, 0) * np.maximum(xx2 * yy2 - xy2**2, 0))
    unlike = np.log(np.maximum(both / np.maximum(4 * each, 1e-9), 1)) / 2
    return np.asarray(1 - np.sqrt(1 - np.exp(-(apart + unlike))), np.float32)


def nms(
    shapes: Floats,
    scores: Floats,
    classes: NDArray[np.intp] | None,
    *,
    threshold: float,
    most: int = 100,
    overlap: Overlap = iou,
) -> NDArray[np.intp]:
    """Return the indices, best first, of at most `most` shapes of which no two overlap by more than `threshold`.

    Shapes of different classes do not count as overlapping; without classes all do.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < most:
        block = left[:_BLOCK]
        over = overlap(shapes[block], shapes[left]) > threshold
        if classes is not None:
            over &= classes[block][:, None] == classes[left][None]
        gone = np.zeros(len(left), bool)
        for place, index in enumerate(block):
            if not gone[place]:
                kept.append(int(index))
                gone |= over[place]
        gone[: len(block)] = True
        left = left[~gone]
    return np.array(kept[:most], np.intp)


def upright(shapes: Floats) -> Floats:
    """Return the upright boxes, (n, 4) as left, top, right, bottom, around turned ones (n, 5)."""
    x, y, width, height, angle = shapes.T
    cos, sin = np.abs(np.cos(angle)) / 2, np.abs(np.sin(angle)) / 2
    across, down = width * cos + height * sin, width * sin + height * cos
    return np.stack([x - across, y - down, x + across, y + down], 1)


def _areas(boxes: Floats) -> Floats:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def _spread(shapes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the variances in x and y and the covariance, (n,) each."""
    width, height = shapes[:, 2] ** 2 / 12, shapes[:, 3] ** 2 / 12
    cos, sin = np.cos(shapes[:, 4]), np.sin(shapes[:, 4])
    return (
        width * cos**2 + height * sin**2,
        width * sin**2 + height * cos**2,
        (width - height) * cos * sin,
    )
