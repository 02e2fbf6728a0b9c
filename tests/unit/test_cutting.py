"""Long recordings are cut where nobody speaks."""

from __future__ import annotations

import numpy as np
import pytest

from wyoming_units.speech.cutting import cut_quietly

RATE = 16_000


def speech(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time = np.arange(round(seconds * RATE))
    return np.sin(time / 10, dtype=np.float32)


@pytest.mark.parametrize("seconds", [0, 0.1, 9.99, 10, 10.01, 25, 61.7])
def test_parts_are_short_enough_and_together_the_whole(seconds: float) -> None:
    audio = np.random.default_rng(1).normal(0, 1, round(seconds * RATE)).astype(np.float32)
    parts = list(cut_quietly(audio, 10 * RATE))
    assert max(map(len, parts)) <= 10 * RATE
    assert np.array_equal(np.concatenate(parts), audio)
    assert all(len(part) >= 7.5 * RATE for part in parts[:-1])


def test_a_recording_that_is_short_enough_is_one_part() -> None:
    audio = speech(10)
    (part,) = cut_quietly(audio, 10 * RATE)
    assert np.shares_memory(part, audio)
    assert len(part) == len(audio)


def test_the_cut_is_in_the_pause() -> None:
    audio = speech(26)
    audio[int(8.7 * RATE) : int(8.9 * RATE)] = 0
    audio[int(17.0 * RATE) : int(17.1 * RATE)] *= 0.01
    first, second, _ = (len(part) / RATE for part in cut_quietly(audio, 10 * RATE))
    assert 8.7 <= first <= 8.9
    assert 16.98 <= first + second <= 17.1
