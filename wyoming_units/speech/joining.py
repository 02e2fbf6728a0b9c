"""Speech decoded in blocks of a fixed size: which blocks, and how they become one sound again.

A decoder hears some frames around the one that it says, so what it makes of a block's edges differs from what it
would make of the whole. Neighbours overlap: in the middle of what both have, one fades into the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Audio = NDArray[np.float32]

_NOTHING: _Audio = np.zeros(0, np.float32)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Frames that are decoded at once."""

    start: int
    stop: int
    """The first frame after them."""
    last: bool


def blocks(frames: int, size: int, overlap: int) -> list[Block]:
    """Return what covers all frames, in blocks of `size` of which each shares at least `overlap` with the next.

    The last one ends with the frames; only one that has all of them is shorter. `overlap` is below `size`.
    """
    starts = [*range(0, frames - size, size - overlap), max(0, frames - size)] if frames > 0 else []
    return [
        Block(start=start, stop=min(start + size, frames), last=number == len(starts) - 1)
        for number, start in enumerate(starts)
    ]


class Joiner:
    """Takes the sound of one block after the other and gives back what is certain."""

    def __init__(self, *, hop: int, overlap: int, fade: int, total: int) -> None:
        """Prepare for `hop` samples per frame, blocks that overlap by so many frames, and `total` samples.

        A fade is so many samples long, no more than there are in an overlap.
        """
        self._hop = hop
        self._back = (overlap * hop + fade) // 2
        """Samples from where the fade into the next block begins to the end of a block."""
        self._total = total
        ramp = (np.arange(fade) + 0.5) / max(1, fade)
        self._ramp: _Audio = ramp.astype(np.float32)
        self._given = 0
        self._held = _NOTHING
        """What the block before has for the fade."""

    def push(self, block: Block, audio: _Audio) -> _Audio:
        """Take the samples of the next block, padding included, and return those that will not change."""
        first = self._given - block.start * self._hop
        audio = audio[first : (block.stop - block.start) * self._hop].copy()
        count = len(self._held)
        audio[:count] += (self._held - audio[:count]) * (1 - self._ramp[:count])
        ready = len(audio) - (0 if block.last else self._back)
        self._held = audio[ready : ready + len(self._ramp)]
        left = max(0, self._total - self._given)
        self._given += ready
        return audio[: min(ready, left)]
