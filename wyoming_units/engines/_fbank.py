"""Filter banks as Kaldi computes them, by kaldi-native-fbank, for networks that were trained with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from wyoming_units.engines.base import RATE, Audio
from wyoming_units.errors import EngineFailed

if TYPE_CHECKING:
    from kaldi_native_fbank import OnlineFbank

BANDS = 80
_PIECE = 1_600
"""Samples that the library takes at a time; how many does not matter for what it computes."""
SENSE_VOICE = {
    "frame_opts.window_type": "hamming",
    "frame_opts.snip_edges": True,
    "mel_opts.high_freq": 0.0,
}
KEYWORDS = {"frame_opts.window_type": "povey", "frame_opts.snip_edges": False}


class Frames:
    """Frames (80,) of one stream of audio; the same whatever the pieces in which it comes."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options` are the library's own, by dotted names, beside those that all share; `EngineFailed`."""
        self._bank = _bank(options)
        self._taken = 0

    def feed(self, samples: Audio, *, last: bool = False) -> Audio:
        """Take the next samples, the `last` where none follow; return the frames (n, 80) that they complete."""
        scaled = samples * np.float32(32_768)
        for at in range(0, len(scaled), _PIECE):
            self._bank.accept_waveform(RATE, scaled[at : at + _PIECE].tolist())
        if last:
            self._bank.input_finished()
        count = self._bank.num_frames_ready
        ready = range(self._taken, count)
        # A copy: what the library gives is its own memory, which it frees next.
        frames = np.array([self._bank.get_frame(index) for index in ready], np.float32)
        self._bank.pop(len(ready))
        self._taken = count
        return frames.reshape(-1, BANDS)


def _bank(options: Mapping[str, Any]) -> OnlineFbank:
    from kaldi_native_fbank import FbankOptions, OnlineFbank

    made = FbankOptions()
    made.frame_opts.samp_freq = RATE
    made.frame_opts.dither = 0.0  # noise would only make results differ from call to call
    made.mel_opts.num_bins = BANDS
    for name, value in options.items():
        *path, key = name.split(".")
        place = made
        for part in path:
            place = getattr(place, part)
        try:
            setattr(place, key, value)
        except (AttributeError, TypeError):
            raise EngineFailed(f"filter banks have no {name} {value!r}") from None
    return OnlineFbank(made)
