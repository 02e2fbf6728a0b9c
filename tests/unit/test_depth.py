"""Distances of objects, and the calibration of a camera by places whose distances are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.vision.depth import FAR, Calibration, KnownPoint, depth_png16, distances
from wyoming_units.vision.scene import Box, DepthMap, Found, Mask, Scene

WIDTH, HEIGHT = 1280, 720
ROWS, COLUMNS = 196, 252
"""Of the depth maps: another size and another shape than the picture's."""
NEAR, MIDDLE = (
    KnownPoint(x=0.1, y=0.9, distance=3.75),
    KnownPoint(x=0.9, y=0.7, distance=7.5),
)
"""On the ground of `yard`."""


def yard(*standing: tuple[float, float, float]) -> np.ndarray:
    """Return inverse metres of flat ground below the sky, with boards (left, right, metres) standing on it."""
    y = (np.arange(ROWS) + 0.5) / ROWS
    inverse = np.repeat((np.maximum(y - 0.5, 0) / 1.5)[:, None], COLUMNS, axis=1)
    for left, right, metres in sorted(standing, key=lambda board: -board[2]):
        columns = slice(int(left * COLUMNS), int(right * COLUMNS))
        foot = int((0.5 + 1.5 / metres) * ROWS)
        top = int((0.5 - 0.25 / metres) * ROWS)
        inverse[top:foot, columns] = 1 / metres
    return inverse


def board(left: float, right: float, metres: float) -> Found:
    top, foot = 0.5 - 0.25 / metres, min(0.5 + 1.5 / metres, 1)
    box = (left * WIDTH, top * HEIGHT, right * WIDTH, foot * HEIGHT)
    return Found(label="person", confidence=0.9, box=box)


def relative(
    inverse: np.ndarray, scale: float, shift: float, noise: float = 0, seed: int = 0
) -> DepthMap:
    rng = np.random.default_rng(seed)
    values = (
        scale * (inverse + noise * rng.standard_normal(inverse.shape) * np.ptp(inverse)) + shift
    )
    return DepthMap(values=values.astype(np.float32), metric=False)


def seen(depth: DepthMap, *objects: Found) -> Scene:
    return distances(Scene(width=WIDTH, height=HEIGHT, objects=objects, depth=depth))


def rle(cells: np.ndarray) -> Mask:
    runs = [(bool(value), len(list(run))) for value, run in groupby(cells.T.ravel().tolist())]
    counts = ([0] if runs[0][0] else []) + [length for _, length in runs]
    return Mask(width=cells.shape[1], height=cells.shape[0], counts=tuple(counts))


# -- objects


def test_a_scene_without_depth_is_left_as_it_is() -> None:
    scene = Scene(width=WIDTH, height=HEIGHT, objects=(board(0.2, 0.4, 5),))
    assert distances(scene) is scene


def test_relative_depth_gives_nearness_and_no_metres() -> None:
    depth = relative(yard((0.2, 0.3, 4), (0.6, 0.7, 12)), 700, 20)
    near, far = seen(depth, board(0.2, 0.3, 4), board(0.6, 0.7, 12)).objects
    assert near.nearness is not None
    assert far.nearness is not None
    assert 1 >= near.nearness > far.nearness > 0
    assert near.distance is None
    assert far.distance is None


def test_metric_depth_gives_metres_and_the_same_order() -> None:
    metres = 1 / np.maximum(yard((0.2, 0.3, 4), (0.6, 0.7, 12)), 1 / 80)
    depth = DepthMap(values=metres.astype(np.float32), metric=True)
    near, far = seen(depth, board(0.2, 0.3, 4), board(0.6, 0.7, 12)).objects
    assert near.distance == pytest.approx(4, rel=0.01)
    assert far.distance == pytest.approx(12, rel=0.01)
    assert near.nearness is not None
    assert far.nearness is not None
    assert near.nearness > far.nearness


def test_the_background_beside_the_head_and_between_the_legs_does_not_count() -> None:
    inverse = np.full((ROWS, COLUMNS), 1 / 30)
    box = (500.0, 100.0, 700.0, 700.0)
    top, bottom = int(100 / 720 * ROWS), int(700 / 720 * ROWS)
    for left, right, start, stop in (
        (560, 640, 0, 0.2),
        (530, 670, 0.2, 0.55),
        (530, 590, 0.55, 1),
        (615, 670, 0.55, 1),
    ):
        rows = slice(int(top + start * (bottom - top)), int(top + stop * (bottom - top)))
        inverse[rows, int(left / 1280 * COLUMNS) : int(right / 1280 * COLUMNS)] = 1 / 5
    depth = DepthMap(values=(1 / inverse).astype(np.float32), metric=True)
    (person,) = seen(depth, Found(label="person", confidence=1, box=box)).objects
    assert person.distance == pytest.approx(5, rel=0.01)


def test_a_mask_says_which_cells_count() -> None:
    inverse = np.full((ROWS, COLUMNS), 1 / 20)
    inverse[:, : COLUMNS // 2] = 1 / 2
    depth = DepthMap(values=(1 / inverse).astype(np.float32), metric=True)
    grid = np.zeros((90, 160), bool)
    grid[20:70, 85:110] = True
    box: Box = (400, 160, 880, 560)
    near, far = seen(
        depth,
        Found(label="car", confidence=1, box=box, mask=rle(~grid)),
        Found(label="car", confidence=1, box=box, mask=rle(grid)),
    ).objects
    assert near.distance == pytest.approx(2, rel=0.01)
    assert far.distance == pytest.approx(20, rel=0.01)


@given(
    box=st.tuples(*[st.floats(-2000, 4000)] * 4),
    empty=st.booleans(),
    metric=st.booleans(),
    flat=st.booleans(),
)
def test_any_box_has_a_nearness(box: Box, *, empty: bool, metric: bool, flat: bool) -> None:
    values = np.full((7, 9), 3) if flat else 1 + np.arange(63).reshape(7, 9)
    mask = rle(np.zeros((4, 4), bool)) if empty else None
    depth = DepthMap(values=values.astype(np.float32), metric=metric)
    (found,) = seen(depth, Found(label="x", confidence=1, box=box, mask=mask)).objects
    assert found.nearness is not None
    assert 0 <= found.nearness <= 1
    assert (found.distance is None) is not metric


# -- calibration


def test_without_known_points_a_map_stays_as_it_is() -> None:
    depth = relative(yard(), 5, 1)
    assert Calibration().metric(depth) is depth


@pytest.mark.parametrize("points", [(NEAR,), (NEAR, MIDDLE), (MIDDLE, NEAR)], ids=len)
@given(scale=st.floats(1e-3, 1e4), shift=st.floats(-100, 100))
def test_one_picture_is_measured_whatever_the_scale_of_its_depth(
    points: tuple[KnownPoint, ...], scale: float, shift: float
) -> None:
    depth = relative(yard((0.4, 0.5, 5)), scale, shift * scale)
    metric = Calibration(points).metric(depth)
    assert metric.metric
    (found,) = seen(metric, board(0.4, 0.5, 5)).objects
    assert found.distance == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("points", [(NEAR,), (NEAR, MIDDLE)], ids=len)
@pytest.mark.parametrize("seed", range(4))
def test_distances_hold_while_the_scale_drifts_and_somebody_stands_before_a_known_place(
    points: tuple[KnownPoint, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    calibration = Calibration(points)
    scale, shift = 500.0, 30.0
    for look in range(90):
        scale *= float(np.exp(rng.normal(0, 0.1)))
        shift += float(rng.normal(0, 0.02)) * scale
        metres = float(rng.uniform(2.8, 12))
        left = 0.25 + 0.4 * (look % 20) / 20
        boards = [(left, left + 0.08, metres)]
        if 30 <= look < 50:  # large, and close to the camera
            boards.append((0.02, 0.2, 2.5))
        depth = relative(yard(*boards), scale, shift, noise=0.003, seed=look)
        found, *_ = seen(calibration.metric(depth), board(*boards[0])).objects
        assert found.distance == pytest.approx(metres, rel=0.05), look


def test_two_known_points_measure_a_room_without_a_far_end() -> None:
    def room(scale: float) -> DepthMap:
        inverse = np.maximum(yard((0.5, 0.6, 4)), 1 / 6)  # a wall, 6 m away
        return relative(inverse, scale, 3 * scale)

    points = (NEAR, KnownPoint(x=0.1, y=0.2, distance=6))
    calibration = Calibration(points)
    for scale in (10, 30, 7):
        metric = calibration.metric(room(scale))
        (found,) = seen(metric, board(0.5, 0.6, 4)).objects
        assert found.distance == pytest.approx(4, rel=0.05)


def test_a_metric_map_is_put_right_by_a_known_point() -> None:
    metres = 1 / np.maximum(yard((0.4, 0.5, 5)), 1 / 80)
    wrong = DepthMap(values=(0.6 * metres).astype(np.float32), metric=True)
    for points in ((NEAR,), (NEAR, MIDDLE)):
        (found,) = seen(Calibration(points).metric(wrong), board(0.4, 0.5, 5)).objects
        assert found.distance == pytest.approx(5, rel=0.05)


def test_what_is_as_far_as_the_sky_has_no_distance() -> None:
    bird = Found(label="bird", confidence=1, box=(600, 50, 700, 120))
    for points in ((NEAR,), (NEAR, MIDDLE)):
        (found,) = seen(Calibration(points).metric(relative(yard(), 40, 9)), bird).objects
        assert found.distance is None
        assert found.nearness is not None
        assert found.nearness < 0.05


@pytest.mark.parametrize(
    "points",
    [
        (NEAR, replace(NEAR, distance=8)),
        (NEAR, replace(MIDDLE, distance=NEAR.distance)),
        (replace(NEAR, distance=20), replace(MIDDLE, distance=2)),
        (KnownPoint(x=0.5, y=0.1, distance=30),),
    ],
    ids=["equal-depth", "equal-distance", "inverted", "in-the-sky"],
)
def test_known_points_that_cannot_be_give_no_metres(points: tuple[KnownPoint, ...]) -> None:
    calibration = Calibration(points)
    for scale in (40, 60):
        metric = calibration.metric(relative(yard((0.4, 0.5, 5)), scale, 9))
        (found,) = seen(metric, board(0.4, 0.5, 5)).objects
        assert not metric.metric
        assert found.distance is None
        assert found.nearness is not None


SCALES = st.floats(-1e3, 1e3).map(lambda value: round(value, 4))
"""Without numbers so small that float32 cannot tell them apart."""


@settings(deadline=None)
@given(
    maps=st.lists(
        st.tuples(SCALES, SCALES, st.integers(0, 99)),
        min_size=1,
        max_size=4,
    ),
    points=st.lists(
        st.builds(KnownPoint, x=st.floats(0, 1), y=st.floats(0, 1), distance=st.floats(0.1, 500)),
        min_size=1,
        max_size=2,
    ),
)
def test_metres_are_positive_and_finite_whatever_is_seen(
    maps: list[tuple[float, float, int]], points: list[KnownPoint]
) -> None:
    calibration = Calibration(points)
    for scale, shift, seed in maps:
        noise = np.random.default_rng(seed).standard_normal((28, 42))
        metric = calibration.metric(
            DepthMap(values=(scale * noise + shift).astype(np.float32), metric=False)
        )
        if metric.metric:
            assert np.isfinite(metric.values).all()
            assert metric.values.min() > 0
            assert metric.values.max() <= FAR * 1.001


# -- as it is told


def test_a_metric_map_is_told_in_metres_times_its_scale() -> None:
    values, scale, metric = depth_png16(
        DepthMap(values=np.array([[0.5, 4, 500]], np.float32), metric=True)
    )
    assert metric
    assert values.dtype == np.uint16
    assert (values[0, :2] / scale).tolist() == [0.5, 4]
    assert values[0, 2] == 65535


def test_a_relative_map_is_told_from_0_to_65535_for_the_nearest() -> None:
    inverse = yard((0.4, 0.5, 5))
    inverse[0, 0] = 1e6  # one absurd cell
    values, scale, metric = depth_png16(relative(inverse, 3, -8))
    assert not metric
    assert scale == 65535
    assert values[0, 1] == 0
    assert values[-1, 5] == 65535
    assert 0.5 < values[ROWS // 2, int(0.45 * COLUMNS)] / 65535 < 0.7
