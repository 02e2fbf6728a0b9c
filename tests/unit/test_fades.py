"""The edges of a piece of speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from wyoming_units.speech.fades import Edges

RATE = 16_000
LEAD_SAMPLES, TAIL_SAMPLES = 480, 960  # 30 and 60 ms


def edged(audio: NDArray[np.float32], step: int = 10**9, fade: float = 0.0) -> NDArray[np.float32]:
    edges = Edges(RATE, fade)
    made = [edges.push(audio[start : start + step]) for start in range(0, len(audio), step)]
    return np.concatenate([np.zeros(0, np.float32), *made, edges.finish()])


def sound(samples: int, level: float = 0.5) -> NDArray[np.float32]:
    return np.full(samples, level, np.float32)


def silence(samples: int) -> NDArray[np.float32]:
    return np.zeros(samples, np.float32)


def test_silence_around_a_piece_is_cut_but_for_a_little() -> None:
    audio = np.concatenate((silence(5000), sound(1000), silence(5000)))
    kept = edged(audio)
    assert len(kept) == LEAD_SAMPLES + 1000 + TAIL_SAMPLES
    assert np.array_equal(np.flatnonzero(kept), np.arange(LEAD_SAMPLES, LEAD_SAMPLES + 1000))


def test_less_silence_than_that_is_kept_whole() -> None:
    audio = np.concatenate((silence(100), sound(1000), silence(200)))
    assert np.array_equal(edged(audio), audio)


def test_pauses_inside_a_piece_stay() -> None:
    audio = np.concatenate((sound(500), silence(20_000), sound(500)))
    assert np.array_equal(edged(audio), audio)


@pytest.mark.parametrize(("level", "kept"), [(0.0079, 0), (0.0081, 100)])
def test_what_is_quieter_than_the_threshold_is_silence(level: float, kept: int) -> None:
    assert len(edged(sound(100, level))) == kept
    assert len(edged(sound(100, -level))) == kept


@pytest.mark.parametrize("audio", [silence(0), silence(50_000)])
def test_a_piece_without_sound_is_nothing(audio: NDArray[np.float32]) -> None:
    assert len(edged(audio, 960)) == 0


def test_a_piece_rises_from_nothing_and_falls_to_nothing() -> None:
    kept = edged(sound(1000), fade=0.01)
    assert len(kept) == 1000
    assert kept[0] == kept[-1] == 0
    assert np.all(np.diff(kept[:160]) >= 0)
    assert np.all(np.diff(kept[-160:]) <= 0)
    assert np.all(kept[160:-160] == 0.5)
    assert kept[80] == pytest.approx(0.25)
    assert np.array_equal(kept, kept[::-1])


def test_a_piece_shorter_than_its_fades_is_still_soft() -> None:
    kept = edged(sound(100), fade=0.01)
    assert len(kept) == 100
    assert np.abs(np.diff(kept, prepend=0, append=0)).max() < 0.01


def test_sound_comes_out_at_once_but_for_the_length_of_a_fade() -> None:
    edges = Edges(RATE, 0.01)
    assert len(edges.push(sound(1000))) == 840
    assert len(edges.push(sound(1000))) == 1000


def test_no_audio_is_held_back_for_ever_while_a_piece_begins() -> None:
    edges = Edges(RATE, 0.01)
    for _ in range(100):
        assert len(edges.push(silence(960))) == 0
    assert len(edges.push(sound(960))) == LEAD_SAMPLES + 960 - 160


def test_the_input_is_not_changed() -> None:
    audio = sound(1000)
    edged(audio, fade=0.01)
    assert np.all(audio == 0.5)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3000)), max_size=8),
    st.integers(1, 2000),
    st.sampled_from([0.0, 0.005, 0.05]),
)
def test_the_size_of_the_pushes_makes_no_difference(
    parts: list[tuple[bool, int]], step: int, fade: float
) -> None:
    audio = np.concatenate(
        [silence(0), *(sound(count) if loud else silence(count) for loud, count in parts)]
    )
    assert np.allclose(edged(audio, step, fade), edged(audio, fade=fade), atol=1e-6)
