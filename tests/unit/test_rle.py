"""A mask is the same after it was written as run lengths and read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from wyoming_units.vision.rle import decode, encode
from wyoming_units.vision.scene import Mask

GRIDS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(GRIDS)
def test_cells_come_back(cells: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    mask = encode(cells)
    assert (mask.height, mask.width) == cells.shape
    assert sum(mask.counts) == cells.size
    assert all(count > 0 for count in mask.counts[1:])
    assert (decode(mask) == cells).all()


def test_runs_go_down_the_columns_and_begin_outside() -> None:
    cells = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert encode(cells).counts == (2, 3, 1)
    assert encode(~cells).counts == (0, 2, 3, 1)
    assert encode(np.zeros((2, 3), bool)).counts == (6,)
    assert encode(np.ones((2, 3), bool)).counts == (0, 6)


def test_runs_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        decode(Mask(width=3, height=2, counts=(2, 3)))
