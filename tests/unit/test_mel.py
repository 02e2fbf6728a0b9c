"""Spectrograms are those that Whisper was trained with, calculated here by their definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.speech.mel import log_mel

RATE, WINDOW, HOP = 16_000, 400, 160
Doubles = NDArray[np.float64]


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(0, 0.1, samples).astype(np.float32)


def hertz(mel: Doubles) -> Doubles:
    """Return the frequencies of Slaney's mels: linear up to 1 kHz, then 27 of them for a factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def triangles(bands: int) -> Doubles:
    top = 15 + 27 * np.log(8) / np.log(6.4)
    edges = hertz(np.linspace(0, top, bands + 2))
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    rows = []
    for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
        heights = np.interp(bins, [left, centre, right], [0, 1, 0], left=0, right=0)
        rows.append(heights * 2 / (right - left))
    return np.array(rows)


def by_definition(samples: NDArray[np.float32], bands: int) -> Doubles:
    """Return the spectrogram with a plain Fourier sum, frame by frame."""
    audio = samples.astype(float)
    before, after = audio[WINDOW // 2 : 0 : -1], np.zeros(WINDOW)
    padded = np.concatenate([before, audio, after])
    times = np.arange(WINDOW)
    hann = np.sin(np.pi * times / WINDOW) ** 2
    waves = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW // 2 + 1), times) / WINDOW)
    power = [
        np.abs(waves @ (hann * padded[start : start + WINDOW])) ** 2
        for start in range(0, len(samples) // HOP * HOP, HOP)
    ]
    logs = np.log10(np.maximum(triangles(bands) @ np.transpose(power), 1e-10))
    return np.asarray((np.maximum(logs, logs.max() - 8) + 4) / 4)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("samples", [400, 2_000, RATE + 77])
def test_spectrograms_are_those_of_the_definition(bands: int, samples: int) -> None:
    audio = noise(samples)
    expected = by_definition(audio, bands)
    found = log_mel(audio, bands)
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (bands, samples // HOP)
    assert np.abs(found - expected).max() < 1e-4


def test_what_is_far_below_the_loudest_is_cut_off() -> None:
    audio = noise(RATE)
    audio[RATE // 2 :] *= 1e-6
    found = log_mel(audio, 80)
    assert found.min() == pytest.approx(found.max() - 2, abs=1e-6)
    assert np.abs(found - by_definition(audio, 80)).max() < 1e-4


def test_silence_is_the_same_everywhere() -> None:
    found = log_mel(np.zeros(RATE, np.float32))
    assert np.unique(found).tolist() == [pytest.approx(-1.5)]


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (159, 0), (160, 1), (4_799, 29)])
def test_a_frame_is_10_ms(samples: int, frames: int) -> None:
    assert log_mel(noise(samples)).shape == (80, frames)
