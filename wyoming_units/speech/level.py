"""How loud a turn is: the level of the noise, that of the speaker, and what lies far below the speaker."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SILENT = -90.0
"""Level of digital silence, in dB of full scale."""
_SMOOTHING = 0.1
"""Seconds over which levels are smoothed: about a syllable."""
_FLOOR_RISE = 3.0
"""dB in a second by which the noise may grow; down it goes at once (minimum statistics, R. Martin, 2001)."""
_RISE, _FALL = 0.2, 5.0
"""Seconds in which the speaker's level follows louder and softer speech."""
_FAR = 15.0
"""dB below the speaker: another room, a television across this one."""
_NEAR_FLOOR = 6.0
"""dB above the noise up to which a sound is hardly more than noise."""
_LEAST_CONTRAST = 12.0
"""dB between speaker and noise under which levels tell nothing."""


def level(samples: NDArray[np.float32]) -> float:
    """Return the root mean square of samples, in dB of full scale."""
    power = float(np.dot(samples, samples)) / max(len(samples), 1)
    return max(_SILENT, 10 * math.log10(power)) if power else _SILENT


class Levels:
    """Follows one turn; needs no calibration."""

    def __init__(self) -> None:
        self.floor: float | None = None
        """Of the noise, in dB."""
        self.speaker: float | None = None
        """Of the louder syllables that were said, in dB."""
        self._now: float | None = None

    def add(self, level: float, duration: float, *, speech: bool) -> None:
        """Take the level of the next seconds, and whether a voice is heard in them."""
        share = min(1.0, duration / _SMOOTHING)
        self._now = level if self._now is None else self._now + share * (level - self._now)
        floor = self._now if self.floor is None else self.floor + _FLOOR_RISE * duration
        self.floor = min(floor, self._now)
        if speech and not self.far:
            known = self._now if self.speaker is None else self.speaker
            seconds = _RISE if self._now > known else _FALL
            self.speaker = known + min(1.0, duration / seconds) * (self._now - known)

    @property
    def far(self) -> bool:
        """Return whether what sounds now is far below the speaker."""
        if self.floor is None or self.speaker is None or self._now is None:
            return False
        if self.speaker - self.floor < _LEAST_CONTRAST:
            return False
        return self._now < max(self.speaker - _FAR, self.floor + _NEAR_FLOOR)
