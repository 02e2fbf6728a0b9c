"""Masks as run lengths and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Mask


def encode(cells: NDArray[np.bool_]) -> Mask:
    """Return the run lengths of a grid of cells, shape (height, width)."""
    height, width = cells.shape
    flat = np.concatenate([[False], cells.ravel(order="F")])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.concatenate([[0], ends, [cells.size]])
    return Mask(width=width, height=height, counts=tuple((ends[1:] - ends[:-1]).tolist()))


def decode(mask: Mask) -> NDArray[np.bool_]:
    """Return the cells, shape (height, width); `ValueError` where the runs are not as long as the grid."""
    belongs = np.arange(len(mask.counts)) % 2 == 1
    return np.repeat(belongs, mask.counts).reshape((mask.height, mask.width), order="F")
