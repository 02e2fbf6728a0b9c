"""How loud a turn is: levels of the noise and of the speaker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.speech.level import Levels, level


def test_the_noise_is_measured_without_calibration() -> None:
    levels = Levels()
    for _ in range(100):
        levels.add(-50, 0.01, speech=False)
    assert levels.floor == pytest.approx(-50)
    for _ in range(100):
        levels.add(-20, 0.01, speech=True)
    assert levels.floor == pytest.approx(-47)  # 3 dB a second upwards
    assert levels.speaker == pytest.approx(-20, abs=3)
    for _ in range(50):
        levels.add(-65, 0.01, speech=False)
    assert levels.floor == pytest.approx(-65, abs=1)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(np.ones(100), 0), (np.full(100, 0.1), -20), (np.zeros(100), -90), (np.zeros(0), -90)],
)
def test_levels_are_in_decibels_of_full_scale(samples: NDArray[Any], expected: float) -> None:
    assert level(samples.astype(np.float32)) == pytest.approx(expected, abs=0.01)


def heard(*stretches: tuple[float, float, bool]) -> Levels:
    """Return the levels after stretches of (level in dB, seconds, whether it is speech)."""
    levels = Levels()
    for decibels, seconds, speech in stretches:
        for _ in range(round(seconds * 1000)):
            levels.add(decibels, 0.001, speech=speech)
    return levels


@pytest.mark.parametrize(("decibels", "far"), [(-34.9, False), (-35.1, True)])
def test_far_is_15_decibels_below_the_speaker(decibels: float, far: bool) -> None:
    assert heard((-60, 1, False), (-20, 3, True), (decibels, 2, False)).far is far


@pytest.mark.parametrize(("decibels", "far"), [(-21.1, True), (-20.9, False)])
def test_what_is_less_than_6_decibels_above_the_noise_is_far_too(
    decibels: float, far: bool
) -> None:
    """In a loud room, where the noise is at -27 in the end: it rises by 3 dB in a second at most."""
    before = ((-33.0, 1.0, False), (-10.0, 1.0, True), (-30.0, 1.0, False))
    assert heard(*before, (decibels, 1, False)).far is far


@pytest.mark.parametrize(("decibels", "far"), [(-31.9, False), (-32.1, True)])
def test_levels_count_from_a_contrast_of_12_decibels_on(decibels: float, far: bool) -> None:
    levels = heard((decibels - 9, 1, False), (-20, 3, True), (decibels, 1, False))
    assert levels.floor == pytest.approx(decibels, abs=0.01)
    assert levels.far is far


def test_levels_are_smoothed_over_a_tenth_of_a_second() -> None:
    levels = heard((-60, 1, False))
    levels.add(-20, 0.05, speech=False)
    assert levels._now == pytest.approx(-40)
    levels.add(-20, 0.1, speech=False)
    assert levels._now == pytest.approx(-20)


def test_the_speaker_is_followed_up_in_a_fifth_of_a_second_and_down_in_five() -> None:
    levels = heard((-30, 1, True))
    levels.add(-20, 0.1, speech=True)
    assert levels.speaker == pytest.approx(-25)
    levels.add(-25 - 6, 0.1, speech=True)
    assert levels.speaker == pytest.approx(-25 - 6 * 0.1 / 5)
