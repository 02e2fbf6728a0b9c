"""Whisper's spectrogram: logarithms of 80 or 128 mel bands, 100 frames in a second.

A. Radford et al., https://arxiv.org/abs/2212.04356, section 2.2; mel scale of M. Slaney's Auditory Toolbox.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_RATE = 16_000
_WINDOW = 400
_HOP = 160
_RANGE = 8.0
"""Powers of ten below the loudest band at which values are cut off."""
_LINEAR = 200 / 3
"""Hz in a mel below 1 kHz; above, 27 mels are a factor of 6.4."""
_KNEE = 1_000.0
_BLOCK = 8
"""Frames that are multiplied at once."""


def log_mel(samples: NDArray[np.float32], bands: int = 80) -> NDArray[np.float32]:
    """Return the spectrogram of mono samples at 16 kHz, shape (bands, samples // 160), about in [-1, 1.5]."""
    if len(samples) < _HOP:
        return np.zeros((bands, 0), np.float32)
    # The first frame is centred on the first sample: what is before it is its mirror image.
    padded = np.pad(np.pad(samples, (0, _WINDOW)), (_WINDOW // 2, 0), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    frames = frames[: len(samples) // _HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logs = np.log10(np.maximum(_in_bands(power, bands), 1e-10))
    return np.asarray((np.maximum(logs, logs.max() - _RANGE) + 4) / 4, np.float32)


def _in_bands(power: NDArray[np.float32], bands: int) -> NDArray[np.float32]:
    """Return the power by band, shape (bands, frames).

    Few frames at a time: a larger product is shared among threads, whose waiting costs ten times the product.
    """
    count = len(power)
    power = np.pad(power, ((0, -count % _BLOCK), (0, 0)))
    product = power.reshape(-1, _BLOCK, power.shape[1]) @ _filters(bands).T
    return product.reshape(-1, bands)[:count].T


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float32]:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=2)
def _filters(bands: int) -> NDArray[np.float32]:
    """Return triangles of equal area, shape (bands, frequencies)."""
    top = _to_mel(_RATE / 2)
    edges = np.array([_to_hz(mel) for mel in np.linspace(0, top, bands + 2)])[:, None]
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / _RATE)[None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    return np.asarray(triangles, np.float32)


def _to_mel(hz: float) -> float:
    if hz < _KNEE:
        return hz / _LINEAR
    return _KNEE / _LINEAR + 27 * math.log(hz / _KNEE) / math.log(6.4)


def _to_hz(mel: float) -> float:
    knee = _KNEE / _LINEAR
    return mel * _LINEAR if mel < knee else float(_KNEE * 6.4 ** ((mel - knee) / 27))
