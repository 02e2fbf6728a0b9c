"""Of boxes on one thing the best is kept, and all things keep one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.vision.boxes import iou, nms, turned_iou, upright

NUMBERS = st.floats(0, 100, width=32)
BOXES = st.lists(
    st.tuples(NUMBERS, NUMBERS, st.floats(1, 60, width=32), st.floats(1, 60, width=32)),
    min_size=1,
    max_size=150,
)


def plain_iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = width * height if width > 0 and height > 0 else 0.0
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@settings(deadline=None)
@given(BOXES, st.integers(0, 2**32), st.booleans())
def test_nothing_kept_overlaps_and_everything_left_out_does(
    raw: list[tuple[float, ...]], seed: int, agnostic: bool
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in raw], np.float32)
    random = np.random.default_rng(seed)
    scores = random.random(len(boxes)).astype(np.float32)
    classes = random.integers(0, 3, len(boxes)).astype(np.intp)

    kept = nms(boxes, scores, None if agnostic else classes, threshold=0.45, most=1000).tolist()

    assert len(set(kept)) == len(kept)
    assert scores[kept].tolist() == sorted(scores[kept].tolist(), reverse=True)
    rivals = {
        one: [
            other
            for other in kept
            if other != one
            and (agnostic or classes[one] == classes[other])
            and plain_iou(boxes[one].tolist(), boxes[other].tolist()) > 0.45 + 1e-4
        ]
        for one in range(len(boxes))
    }
    assert not any(rivals[one] for one in kept)
    for one in set(range(len(boxes))) - set(kept):
        near = [
            other
            for other in kept
            if (agnostic or classes[one] == classes[other])
            and plain_iou(boxes[one].tolist(), boxes[other].tolist()) > 0.45 - 1e-4
        ]
        assert any(scores[other] >= scores[one] for other in near)


@settings(deadline=None)
@given(BOXES)
def test_what_is_kept_is_kept_again_and_fewer_are_the_first_of_all(
    raw: list[tuple[float, ...]],
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in raw], np.float32)
    scores = np.linspace(1, 0.1, len(boxes), dtype=np.float32)
    kept = nms(boxes, scores, None, threshold=0.5, most=1000)

    again = nms(boxes[kept], scores[kept], None, threshold=0.5, most=1000)
    few = nms(boxes, scores, None, threshold=0.5, most=3)

    assert again.tolist() == list(range(len(kept)))
    assert few.tolist() == kept[:3].tolist()


def test_overlap_of_boxes() -> None:
    a = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]], np.float32)
    assert iou(a, b)[0].tolist() == pytest.approx([1, 1 / 3, 0, 0], abs=1e-6)
    assert not iou(a, b)[1].any()


def test_turned_boxes_overlap_as_they_lie_not_as_their_upright_boxes_do() -> None:
    angle = math.pi / 4
    step = 14 / math.sqrt(2)
    ships = np.array([[50, 50, 100, 10, angle], [50 - step, 50 + step, 100, 10, angle]], np.float32)
    overlaps = turned_iou(ships, ships)
    assert iou(upright(ships), upright(ships))[0, 1] > 0.6
    assert overlaps[0, 1] < 0.3
    assert overlaps.diagonal().tolist() == pytest.approx([1, 1], abs=0.01)
    assert nms(
        ships, np.array([0.9, 0.8], np.float32), None, threshold=0.45, overlap=turned_iou
    ).tolist() == [0, 1]


def test_a_box_turned_by_a_quarter_is_one_with_its_sides_exchanged() -> None:
    box = np.array([[50, 50, 80, 20, 0]], np.float32)
    turned = np.array([[50, 50, 20, 80, math.pi / 2]], np.float32)
    assert turned_iou(box, turned)[0, 0] > 0.98
    assert upright(turned)[0].tolist() == pytest.approx([10, 40, 90, 60], abs=1e-4)
