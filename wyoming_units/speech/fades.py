"""The edges of a piece of speech: its silence is cut off, and it fades in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Audio = NDArray[np.float32]

SILENCE = 0.008
"""Amplitude (-42 dBFS) below which a voice is silent; above the noise that neural voices leave."""
LEAD = 0.03
"""Seconds kept before the first sound: soft consonants begin below `SILENCE`."""
TAIL = 0.06
"""Seconds kept after the last sound: vowels die away below it."""

_NOTHING: _Audio = np.zeros(0, np.float32)


class Edges:
    """Takes one piece of speech as it is made and gives it back with clean edges.

    What is silent is held back until more sound follows; the pauses inside the piece stay.
    """

    def __init__(self, rate: int, fade: float) -> None:
        """Prepare for audio of `rate` Hz and fades of so many seconds."""
        self._lead = round(rate * LEAD)
        self._tail = round(rate * TAIL)
        count = round(rate * fade)
        self._fade: _Audio = (0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(1, count))).astype(
            np.float32
        )
        """Gain of the first samples, from 0: half a cosine wave."""
        self._given = 0
        self._heard = False
        self._quiet = 0
        """Samples since the last sound, all of them held back but the tail."""
        self._held = _NOTHING

    def push(self, samples: _Audio) -> _Audio:
        """Take the next samples, shape (n,), and return those that are certain."""
        sounds = np.flatnonzero(np.abs(samples) > SILENCE)
        held = np.concatenate((self._held, samples))
        if not self._heard:
            if not len(sounds):
                self._held = held[max(0, len(held) - self._lead) :]
                return _NOTHING
            self._heard = True
            held = held[max(0, len(self._held) + int(sounds[0]) - self._lead) :]
        self._quiet = (
            len(samples) - 1 - int(sounds[-1]) if len(sounds) else self._quiet + len(samples)
        )
        ready = len(held) - max(self._quiet - self._tail, 0) - len(self._fade)
        ready = max(0, ready)
        self._held = held[ready:]
        return self._faded_in(held[:ready])

    def finish(self) -> _Audio:
        """Return the rest of the piece, faded out; empty where there was no sound at all."""
        if not self._heard:
            return _NOTHING
        rest = self._held[: len(self._held) - max(self._quiet - self._tail, 0)]
        rest = self._faded_in(rest)
        count = min(len(rest), len(self._fade))
        if count:
            rest[len(rest) - count :] *= self._fade[::-1][-count:]
        return rest

    def _faded_in(self, samples: _Audio) -> _Audio:
        """Return a copy, its beginning softened where it is that of the piece."""
        faded = samples.copy()
        gain = self._fade[self._given : self._given + len(faded)]
        faded[: len(gain)] *= gain
        self._given += len(faded)
        return faded
