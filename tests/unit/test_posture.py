"""Posture, by joints of a simple body that is bent in space and seen from all sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.unit.skeletons import Array, body, box, person
from wyoming_units.vision.posture import posture

LEGS, ANKLES, SHOULDERS, HIPS = slice(13, 17), slice(15, 17), slice(5, 7), slice(11, 13)
sizes = st.floats(6, 600)
seeds = st.integers(0, 10_000)
around = st.floats(-180, 180)
pitches = st.floats(0, 25)


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high)


def told(joints: Array, size: float = 100, seed: int = 0) -> str | None:
    seen = person(joints, size=size, noise=0.015, seed=seed)
    return posture(seen, box(seen))


@given(
    lean=between(-10, 25),
    step=between(-25, 25),
    knees=st.tuples(between(0, 20), between(0, 20)),
    turned=around,
    pitch=pitches,
    size=sizes,
    seed=seeds,
)
def test_who_stands_or_walks_is_standing_from_all_sides(
    lean: float,
    step: float,
    knees: tuple[float, float],
    turned: float,
    pitch: float,
    size: float,
    seed: int,
) -> None:
    shanks = (step - knees[0], -step - knees[1])
    joints = body(lean=lean, thighs=(step, -step), shanks=shanks, turned=turned, pitch=pitch)

    assert told(joints, size, seed) == "standing"


@given(
    lean=between(-20, 25),
    thighs=st.tuples(between(80, 100), between(80, 100)),
    shanks=st.tuples(between(-20, 20), between(-20, 20)),
    turned=around,
    pitch=between(0, 20),
    size=sizes,
    seed=seeds,
)
def test_who_sits_on_a_chair_is_sitting_from_all_sides(
    lean: float,
    thighs: tuple[float, float],
    shanks: tuple[float, float],
    turned: float,
    pitch: float,
    size: float,
    seed: int,
) -> None:
    joints = body(lean=lean, thighs=thighs, shanks=shanks, turned=turned, pitch=pitch)

    assert told(joints, size, seed) == "sitting"


@given(lean=between(-20, 10), turned=around, pitch=between(0, 15), size=sizes, seed=seeds)
def test_who_sits_on_the_floor_is_sitting(
    lean: float, turned: float, pitch: float, size: float, seed: int
) -> None:
    joints = body(lean=lean, thighs=(88, 88), shanks=(85, 85), turned=turned, pitch=pitch)

    assert told(joints, size, seed) == "sitting"


@given(
    rolled=between(-90, 90),
    knees=between(0, 25),
    turned=between(50, 130),
    back=st.booleans(),
    pitch=pitches,
    size=sizes,
    seed=seeds,
)
def test_who_lies_across_the_picture_is_lying_on_back_or_side(
    rolled: float, knees: float, turned: float, back: bool, pitch: float, size: float, seed: int
) -> None:
    joints = body(
        thighs=(knees, knees),
        shanks=(-knees, -knees),
        lies=True,
        rolled=rolled,
        turned=-turned if back else turned,
        pitch=pitch,
    )

    assert told(joints, size, seed) == "lying"


@given(
    lean=between(-25, 95),
    thigh=between(-20, 100),
    shank=between(-30, 20),
    turned=around,
    pitch=between(0, 30),
    seed=seeds,
)
def test_nobody_on_feet_or_on_a_chair_is_told_to_be_lying(
    lean: float, thigh: float, shank: float, turned: float, pitch: float, seed: int
) -> None:
    lean = min(lean, 95 - 0.6 * max(thigh, 0))
    joints = body(
        lean=lean, thighs=(thigh, thigh), shanks=(shank, shank), turned=turned, pitch=pitch
    )

    assert told(joints, seed=seed) != "lying"


@pytest.mark.parametrize("turned", [-90, -60, 60, 90])
def test_who_bends_down_still_stands(turned: float) -> None:
    assert told(body(lean=90, thighs=(-5, -5), shanks=(-5, -5), turned=turned)) == "standing"


@pytest.mark.parametrize("turned", [-90, 90])
def test_legs_that_hang_from_a_bed_are_not_stood_on(turned: float) -> None:
    joints = body(lean=-88, thighs=(88, 88), shanks=(0, 0), turned=turned)

    assert told(joints) != "standing"


def test_who_lies_with_the_head_towards_the_camera_does_not_stand() -> None:
    joints = body(lies=True, turned=180, pitch=20)

    assert told(joints) == "lying"


def test_who_lies_along_the_view_is_not_told_to_stand_or_sit() -> None:
    assert told(body(lies=True, turned=0, pitch=20)) is None


@pytest.mark.parametrize("hidden", [SHOULDERS, HIPS, LEGS])
def test_nothing_is_told_of_somebody_whose_torso_or_legs_are_hidden(hidden: slice) -> None:
    seen = person(body())
    seen[hidden, 2] = 0.3

    assert posture(seen, box(seen)) is None


def test_one_seen_side_is_enough() -> None:
    for joints, wanted in (
        (body(), "standing"),
        (body(thighs=(90, 90), turned=80), "sitting"),
    ):
        seen = person(joints)
        seen[6::2] = (9999, -9999, 0.1)

        assert posture(seen, box(seen)) == wanted


def test_hidden_feet_do_not_matter() -> None:
    for joints, wanted in (
        (body(), "standing"),
        (body(thighs=(90, 90), turned=30), "sitting"),
        (body(lies=True, turned=90), "lying"),
    ):
        seen = person(joints)
        seen[ANKLES] = (9999, -9999, 0.1)

        assert posture(seen, box(seen)) == wanted


def test_a_lying_torso_without_legs_lies_if_it_is_wider_than_high() -> None:
    seen = person(body(lies=True, turned=90))
    seen[LEGS, 2] = 0.1

    assert posture(seen, (300, 450, 650, 520)) == "lying"
    assert posture(seen, (300, 100, 650, 900)) is None


def test_joints_in_one_place_tell_nothing() -> None:
    points = np.full((17, 3), 1, np.float32)

    assert posture(points, (0, 0, 2, 2)) is None
