"""Recordings of the test data, and an end of speech that no voice detector had a say in.

The label: in each 10 ms the power of four bands, between 200 and 7 500 Hz, is compared with the recording's own noise,
the quietest tenth of it in that band. Speech ends where, for the last time, some band was at least 9 dB above its noise
for 50 ms. Hiss such as a final "s" stands out in the upper bands even where it is no louder than the noise as a whole.
"""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .wire import RATE, Pcm

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("WYOMING_UNITS_TEST_DATA") or ROOT.parent / "shared" / "data").resolve()

_STEP, _WINDOW = 160, 400
_BANDS = ((200, 1000), (1000, 2500), (2500, 4500), (4500, 7500))
_ABOVE = 9.0
"""dB."""
_LASTING = 5
"""Steps."""


@dataclass(frozen=True)
class Recording:
    """Somebody says something."""

    name: str
    audio: Pcm
    ends: float
    """Seconds from its start to the end of speech."""

    def then_silence(self, seconds: float) -> Recording:
        """Return it with the noise of its own room after it."""
        audio = np.concatenate([self.audio, room_noise(self.audio, seconds)])
        return Recording(self.name, audio, self.ends)


def read(path: Path) -> Recording:
    """Return a recording of 16 bit, mono, at 16 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2), path
        audio = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return Recording(path.stem, audio, end_of_speech(audio))


def room_noise(audio: Pcm, seconds: float) -> Pcm:
    """Return noise with level and spectrum of the quietest tenth of a recording."""
    windows = audio[: len(audio) // _WINDOW * _WINDOW].reshape(-1, _WINDOW).astype(float)
    quietest = np.argsort((windows**2).mean(axis=1))[: max(1, len(windows) // 10)]
    spectrum = np.sqrt((np.abs(np.fft.rfft(windows[quietest])) ** 2).mean(axis=0))
    size = round(seconds * RATE)
    white = np.fft.rfft(np.random.default_rng(len(audio)).normal(size=size))
    shape = np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(spectrum)), spectrum)
    noise = np.fft.irfft(white * shape / np.sqrt(_WINDOW), size)
    return np.asarray(noise.round(), np.int16)


def end_of_speech(audio: Pcm) -> float:
    """Return the labelled end in seconds; the length of the audio where nothing stands out."""
    windows = np.lib.stride_tricks.sliding_window_view(audio.astype(float), _WINDOW)[::_STEP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW))) ** 2
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    bands = [power[:, (hertz >= low) & (hertz < high)].sum(axis=1) for low, high in _BANDS]
    levels = 10 * np.log10(np.array(bands) + 1)
    loud = (levels > np.percentile(levels, 10, axis=1, keepdims=True) + _ABOVE).any(axis=0)
    lasting = np.convolve(loud, np.ones(_LASTING), "valid") == _LASTING
    if not lasting.any():
        return len(audio) / RATE
    last = int(np.nonzero(lasting)[0][-1]) + _LASTING - 1
    return (last * _STEP + (_WINDOW + _STEP) / 2) / RATE
