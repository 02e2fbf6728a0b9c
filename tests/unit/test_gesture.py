"""Gestures, by joints of a simple hand that is turned every way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.unit.skeletons import hand, person
from wyoming_units.vision.gesture import gesture

NAMES = ("index", "middle", "ring", "little")
STRETCHED = st.floats(0, 7)
CURLED = st.floats(65, 95)
ROLLED = st.floats(-180, 180)
OUT_OF_PLANE = st.floats(-30, 30)

THUMBS = {"open-palm": "out", "fist": "in", "pointing": "in"}
FINGERS = {"open-palm": NAMES, "fist": (), "pointing": ("index",)}


def curls(stretched: tuple[str, ...]) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(
        {name: STRETCHED if name in stretched else CURLED for name in NAMES}
    )


@pytest.mark.parametrize("wanted", list(FINGERS))
@given(
    data=st.data(),
    mirrored=st.booleans(),
    rolled=ROLLED,
    turned=OUT_OF_PLANE,
    tilted=OUT_OF_PLANE,
    size=st.floats(8, 400),
    seed=st.integers(0, 10_000),
)
def test_a_gesture_is_known_whichever_way_the_hand_is_turned(
    wanted: str,
    data: st.DataObject,
    mirrored: bool,
    rolled: float,
    turned: float,
    tilted: float,
    size: float,
    seed: int,
) -> None:
    joints = hand(
        curls=data.draw(curls(FINGERS[wanted])),
        thumb=THUMBS[wanted],
        mirrored=mirrored,
        rolled=rolled,
        turned=turned,
        tilted=tilted,
    )

    assert gesture(person(joints, size=size, noise=0.008, seed=seed)) == wanted


@given(
    fingers=curls(()),
    mirrored=st.booleans(),
    aside=st.floats(-25, 25),
    turned=OUT_OF_PLANE,
    tilted=OUT_OF_PLANE,
    size=st.floats(8, 400),
    seed=st.integers(0, 10_000),
)
def test_a_thumb_points_up_or_down_as_the_picture_shows_it(
    fingers: dict[str, float],
    mirrored: bool,
    aside: float,
    turned: float,
    tilted: float,
    size: float,
    seed: int,
) -> None:
    up = hand(curls=fingers, thumb="up", rolled=-90 + aside, turned=turned, tilted=tilted)
    up = up * (-1 if mirrored else 1, 1)

    assert gesture(person(up, size=size, noise=0.008, seed=seed)) == "thumb-up"
    assert gesture(person(up * (1, -1), size=size, noise=0.008, seed=seed)) == "thumb-down"


@pytest.mark.parametrize("rolled", [0, 180])
def test_a_thumb_to_the_side_is_neither_up_nor_down(rolled: float) -> None:
    joints = hand(curls=dict.fromkeys(NAMES, 80), thumb="up", rolled=rolled)

    assert gesture(person(joints)) is None


@pytest.mark.parametrize(
    "stretched", [("index", "middle"), ("index", "little"), ("middle",), NAMES[:3], NAMES[1:]]
)
def test_other_signs_are_no_gesture(stretched: tuple[str, ...]) -> None:
    bent = {name: 0.0 if name in stretched else 80.0 for name in NAMES}

    assert gesture(person(hand(curls=bent, thumb="in"))) is None


def test_four_fingers_without_a_thumb_are_no_open_palm() -> None:
    assert gesture(person(hand(thumb="in"))) is None


def test_a_half_closed_hand_is_no_open_palm() -> None:
    joints = hand(curls=dict.fromkeys(NAMES, 40))

    assert gesture(person(joints)) != "open-palm"


@pytest.mark.parametrize("joint", [0, 4, 8, 20])
def test_nothing_is_told_of_a_hand_that_is_partly_hidden(joint: int) -> None:
    seen = person(hand())
    assert gesture(seen) == "open-palm"
    seen[joint, 2] = 0.2

    assert gesture(seen) is None


def test_joints_in_one_place_tell_nothing() -> None:
    assert gesture(np.full((21, 3), 1, np.float32)) is None
