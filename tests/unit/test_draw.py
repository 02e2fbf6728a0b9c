"""What is drawn: where it shall be, in the colour of its label, and nothing anywhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from wyoming_units.vision.draw import annotate, colour_depth, colour_of, mark
from wyoming_units.vision.rle import encode
from wyoming_units.vision.scene import Box, DepthMap, Found, Pixels, Scene

GREY = 120


def grey(width: int = 320, height: int = 240) -> Pixels:
    return np.full((height, width, 3), GREY, np.uint8)


def found(box: Box, label: str = "person", **more: object) -> Found:
    return Found(label=label, confidence=0.87, box=box, **more)  # type: ignore[arg-type]


def changed(drawn: Pixels, before: Pixels | None = None) -> NDArray[np.bool_]:
    """Return which pixels were drawn on."""
    drawn_on: NDArray[np.bool_] = np.any(drawn != (GREY if before is None else before), axis=2)
    return drawn_on


def coloured(drawn: Pixels, label: str) -> NDArray[np.bool_]:
    """Return which pixels have just the colour of a label."""
    same: NDArray[np.bool_] = np.all(drawn == np.array(colour_of(label), np.uint8), axis=2)
    return same


def slope() -> NDArray[np.float32]:
    """Return nearness that grows from the top to the bottom."""
    return np.repeat(np.linspace(0.1, 1, 50, dtype=np.float32)[:, None], 40, axis=1)


def test_a_picture_with_nothing_in_it_stays_as_it_is_and_the_given_one_always() -> None:
    pixels = grey()
    assert not changed(annotate(pixels, Scene(width=320, height=240))).any()
    assert changed(mark(pixels, found((50, 80, 150, 200)))).any()
    assert not changed(pixels).any()


def test_a_box_is_drawn_in_the_colour_of_its_label_and_not_what_is_in_it() -> None:
    drawn = mark(grey(), found((50, 80, 150, 200)))
    for row, column in ((140, 50), (140, 149), (80, 100), (199, 100)):
        near = coloured(drawn, "person")[row - 2 : row + 3, column - 2 : column + 3]
        assert near.any(), (row, column)
    assert not changed(drawn)[95:190, 60:140].any()
    assert not changed(drawn)[:, 200:].any()


def test_a_scene_is_drawn_into_a_picture_of_another_size() -> None:
    scene = Scene(width=3200, height=2400, objects=(found((500, 800, 1500, 2000)),))
    assert (annotate(grey(), scene) == mark(grey(), found((50, 80, 150, 200)))).all()


def test_each_label_has_its_own_colour() -> None:
    labels = ("person", "car", "bus", "dog", "zebra", "sports ball", "tv", "toothbrush")
    assert len({colour_of(label) for label in labels}) == len(labels)


@pytest.mark.parametrize("size", [(320, 240), (1920, 1080), (3840, 2160)])
def test_lines_are_as_thick_as_the_picture_is_large(size: tuple[int, int]) -> None:
    width, height = size
    drawn = mark(grey(width, height), found((width / 4, height / 4, width / 2, height * 0.75)))
    across = coloured(drawn, "person")[round(height * 0.6), : round(width * 0.3)]
    assert across.sum() == pytest.approx(max(1.5, height / 270), abs=1)


@pytest.mark.parametrize("box", [(0, 0, 60, 60), (280, 0, 320, 40), (-50, -50, 30, 30)])
def test_a_name_is_within_the_picture_wherever_its_box_is(box: Box) -> None:
    inside = coloured(mark(grey(), found((100, 100, 200, 200))), "person").sum()
    at_the_edge = coloured(mark(grey(), found(box)), "person").sum()
    assert at_the_edge > inside / 2


def test_names_do_not_hide_each_other() -> None:
    box = (60.0, 60.0, 200.0, 200.0)
    people = Scene(width=320, height=240, objects=(found(box), found(box, "car")))
    both = annotate(grey(), people)
    for label in ("person", "car"):
        alone = coloured(mark(grey(), found(box, label)), label)[:60].sum()
        assert coloured(both, label)[:100].sum() > 0.8 * alone


def test_how_far_how_and_what_with_is_written_beside_the_name() -> None:
    box = (20.0, 100.0, 300.0, 230.0)
    plain = coloured(mark(grey(), found(box)), "person").sum()
    for more in ({"distance": 4.2}, {"posture": "sitting"}, {"gesture": "thumb-up"}):
        assert coloured(mark(grey(), found(box, **more)), "person").sum() > plain, more


def test_a_mask_is_laid_over_the_object_so_that_it_can_still_be_seen() -> None:
    cells = np.zeros((24, 32), bool)
    cells[12:20, 6:10] = True
    drawn = mark(grey(), found((50, 80, 150, 220), mask=encode(cells)))
    object_, beside = drawn[130:190, 65:95], drawn[130:190, 115:140]
    towards = np.array(colour_of("person")) - GREY
    part = ((object_.astype(int) - GREY) / towards).mean()
    assert 0.2 < part < 0.6
    assert (beside == GREY).all()


@pytest.mark.parametrize("joints", [17, 21])
def test_only_joints_that_are_certain_are_drawn(joints: int) -> None:
    points = np.full((joints, 3), (110, 160, 0.1), np.float32)
    box = (50.0, 60.0, 300.0, 230.0)
    plain = mark(grey(), found(box))
    assert (mark(grey(), found(box, keypoints=points)) == plain).all()
    points[5:9] = [(100, 120, 0.9), (200, 120, 0.9), (200, 200, 0.9), (100, 200, 0.9)]
    more = changed(mark(grey(), found(box, keypoints=points)), plain)
    for x, y, _ in points[5:9].astype(int):
        assert more[y, x]
    assert more[120, 150]  # the limb between two of them
    assert not more[150:170, 104:118].any()


def test_a_turned_box_is_drawn_turned() -> None:
    # 100 x 40, turned by 30 degrees about (160, 140).
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    across, down = (100 * cos + 40 * sin) / 2, (100 * sin + 40 * cos) / 2
    box = (160 - across, 140 - down, 160 + across, 140 + down)
    drawn = changed(mark(grey(), found(box, "ship", angle=math.pi / 6)))
    for along, aside in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        x = 160 + along * 50 * cos - aside * 20 * sin
        y = 140 + along * 50 * sin + aside * 20 * cos
        assert drawn[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].any(), (x, y)
    right, bottom = round(box[2]), round(box[3])
    assert not drawn[bottom - 10 : bottom + 3, round(box[0]) : round(box[0]) + 20].any()
    assert not drawn[round(box[1]) + 10 : round(box[1]) + 20, right - 10 :].any()


def test_a_zone_can_be_seen_through_and_ends_at_its_corners() -> None:
    door = ("door", [(0.5, 0.25), (0.9, 0.25), (0.9, 0.9), (0.5, 0.9)])
    drawn = annotate(grey(), Scene(width=320, height=240), zones=[door])
    within = drawn[120:200, 180:270].astype(int)
    assert 5 < abs(within - GREY).max() < 60
    assert not changed(drawn)[:, :150].any()
    assert not changed(drawn)[:50].any()


@pytest.mark.parametrize("metric", [False, True])
def test_what_is_near_is_bright_and_what_is_far_is_dark(metric: bool) -> None:
    depth = DepthMap(values=np.reciprocal(slope()) if metric else slope(), metric=metric)
    drawn = colour_depth(depth, 200, 300)
    assert drawn.shape == (300, 200, 3)
    light = drawn[:, :100].astype(int).sum(axis=2).mean(axis=1)
    assert light[0] < 100
    assert light[-1] > 500
    assert (np.diff(light) > -8).all()


def test_metres_are_told_beside_a_map_that_has_them() -> None:
    relative = colour_depth(DepthMap(values=slope(), metric=False), 200, 300)
    metric = colour_depth(DepthMap(values=np.reciprocal(slope()), metric=True), 200, 300)
    differs = np.any(np.abs(relative.astype(int) - metric) > 40, axis=2)
    assert differs[:, 120:].any()
    assert not differs[:, :100].any()


def test_a_wall_is_a_map_as_well() -> None:
    for metric in (False, True):
        wall = DepthMap(values=np.full((10, 10), 2, np.float32), metric=metric)
        assert colour_depth(wall, 64, 48).shape == (48, 64, 3)


side = st.floats(-3000, 3000, width=32)
scenes = st.builds(
    Found,
    label=st.text(max_size=60),
    confidence=st.floats(0, 1),
    box=st.tuples(side, side, side, side),
    angle=st.none() | st.floats(-4, 4),
    distance=st.none() | st.floats(0, 1000),
    keypoints=st.none() | st.lists(st.tuples(side, side, st.floats(0, 1)), min_size=17, max_size=17)
    .map(lambda points: np.array(points, np.float32)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(scenes, max_size=5), st.integers(1, 90), st.integers(1, 90))
def test_whatever_is_found_can_be_drawn(objects: list[Found], width: int, height: int) -> None:
    scene = Scene(width=width, height=height, objects=tuple(objects))
    zone = ("äöü · zone", [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)])
    drawn = annotate(grey(width, height), scene, zones=[zone])
    assert drawn.shape == (height, width, 3)
