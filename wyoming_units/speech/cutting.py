"""Cuts recordings where they are quietest, for recognisers that hear only so much at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK = 320
"""Samples that are compared: 20 ms."""


def cut_quietly(samples: NDArray[np.float32], longest: int) -> Iterator[NDArray[np.float32]]:
    """Yield a recording at 16 kHz in parts of at most `longest` samples, cut in their last quarter."""
    while len(samples) > longest:
        last = samples[longest - longest // 4 : longest]
        power = np.square(last[: len(last) // _BLOCK * _BLOCK]).reshape(-1, _BLOCK).sum(axis=1)
        cut = longest - longest // 4 + int(power.argmin()) * _BLOCK
        yield samples[:cut]
        samples = samples[cut:]
    yield samples
