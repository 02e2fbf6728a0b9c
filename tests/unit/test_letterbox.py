"""What is found in a network's input is where it is in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

pytest.importorskip("PIL")

from wyoming_units.vision.feed import Feed
from wyoming_units.vision.letterbox import GREY, fit

SIDES = st.integers(1, 8000)
INPUTS = st.sampled_from([(320, 320), (640, 640), (416, 416), (640, 352)])


@given(SIDES, SIDES, INPUTS, st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_a_point_goes_in_and_comes_back(
    width: int, height: int, size: tuple[int, int], centred: bool, x: float, y: float
) -> None:
    box = fit(width, height, size, centred=centred)
    inside = (box.left + x * box.inner[0], box.top + y * box.inner[1])

    back = box.undo(np.array([inside]))[0]

    assert back == pytest.approx((x * width, y * height), abs=0.01 + 1e-5 * max(width, height))


@given(SIDES, SIDES, INPUTS, st.booleans())
def test_a_picture_fills_one_side_and_never_leaves_the_input(
    width: int, height: int, size: tuple[int, int], centred: bool
) -> None:
    box = fit(width, height, size, centred=centred)
    right, bottom = box.left + box.inner[0], box.top + box.inner[1]

    assert box.left >= 0
    assert box.top >= 0
    assert right <= size[0]
    assert bottom <= size[1]
    assert box.inner[0] == size[0] or box.inner[1] == size[1]
    if not centred:
        assert (box.left, box.top) == (0, 0)
    else:
        assert abs((size[0] - right) - box.left) <= 1
        assert abs((size[1] - bottom) - box.top) <= 1


def test_boxes_end_at_the_edges_of_the_picture() -> None:
    box = fit(1280, 720, (640, 640))
    assert box.boxes(np.array([[-10, 100, 700, 600.0]])).tolist() == [[0, 0, 1280, 720]]


@pytest.mark.parametrize("size", [(200, 100), (100, 300), (1999, 1201), (1, 1), (640, 640)])
def test_the_picture_is_scaled_into_grey(size: tuple[int, int]) -> None:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 200
    box = fit(width, height, (640, 640))

    whole = box.apply(image)

    inner = whole[box.top : box.top + box.inner[1], box.left : box.left + box.inner[0]]
    assert whole.shape == (640, 640, 3)
    assert (inner == (200, 0, 0)).all()
    assert (whole == GREY).all(axis=2).sum() == 640 * 640 - box.inner[0] * box.inner[1]


def test_what_is_in_a_corner_stays_in_that_corner() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[:30, -40:] = 255
    box = fit(400, 300, (320, 320))
    bright = np.argwhere(box.apply(image)[..., 0] > 200)[:, ::-1]
    where = box.undo(np.array([bright.min(axis=0), bright.max(axis=0) + 1]))
    assert where.ravel().tolist() == pytest.approx([360, 0, 400, 30], abs=2)


def test_networks_get_numbers_channels_and_axes_as_they_want_them() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[0, 3] = (255, 128, 64)

    usual = Feed(size=(4, 2)).tensor(image)
    assert usual.dtype == np.float32
    assert usual.shape == (1, 3, 2, 4)
    assert usual[0, :, 0, 3].tolist() == pytest.approx([1, 128 / 255, 64 / 255])

    raw = Feed(size=(4, 2), channels_last=True, kind="uint8").tensor(image)
    assert raw.dtype == np.uint8
    assert (raw[0] == image).all()

    half = Feed(size=(4, 2), kind="float16").tensor(image)
    assert half.dtype == np.float16
    assert float(half[0, 1, 0, 3]) == pytest.approx(128 / 255, abs=1e-3)

    other = Feed(size=(4, 2), bgr=True, mean=(4, 8, 5), scale=(2, 4, 10)).tensor(image)
    assert other[0, :, 0, 3].tolist() == pytest.approx([30, 30, 25])
    assert other[0, :, 1, 0].tolist() == pytest.approx([-2, -2, -0.5])
