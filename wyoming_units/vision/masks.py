"""Outlines of objects, from the prototypes that a network mixes them of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.letterbox import Letterbox
from wyoming_units.vision.rle import encode
from wyoming_units.vision.scene import Mask

Floats = NDArray[np.float32]


def picture_part(prototypes: Floats, letterbox: Letterbox) -> Floats:
    """Return the prototypes (m, rows, columns) of the picture, without those of the grey around it."""
    rows, columns = prototypes.shape[1:]
    across, down = columns / letterbox.size[0], rows / letterbox.size[1]
    x = _cells(letterbox.left * across, (letterbox.left + letterbox.inner[0]) * across, columns)
    y = _cells(letterbox.top * down, (letterbox.top + letterbox.inner[1]) * down, rows)
    return prototypes[:, y, x]


def mask(weights: Floats, prototypes: Floats, box: Floats, letterbox: Letterbox) -> Mask:
    """Return one object's outline, inside its box in the picture; `prototypes` are of the picture's part."""
    rows, columns = prototypes.shape[1:]
    across, down = columns / letterbox.width, rows / letterbox.height
    x = _cells(box[0] * across, box[2] * across, columns)
    y = _cells(box[1] * down, box[3] * down, rows)
    cells = np.zeros((rows, columns), bool, order="F")  # as the runs go
    cells[y, x] = np.tensordot(weights, prototypes[:, y, x], 1) > 0  # a probability over one half
    return encode(cells)


def _cells(start: float, stop: float, count: int) -> slice:
    """Return the cells, at least one, whose middles lie in a range."""
    first = min(max(round(float(start)), 0), count - 1)
    return slice(first, min(max(round(float(stop)), first + 1), count))
