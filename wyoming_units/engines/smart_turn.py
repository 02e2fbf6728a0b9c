"""Smart Turn 3: hears in how somebody pauses whether they have finished.

A Whisper encoder with a classifier (https://github.com/pipecat-ai/smart-turn), in an ONNX file that takes the
spectrogram of the last 8 seconds.
"""

from __future__ import annotations

import os
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import only_file
from wyoming_units.engines._onnxruntime import open_session
from wyoming_units.engines.base import RATE, Attribution, Audio, EngineInfo, Model
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.mel import log_mel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_BANDS, _FRAMES = 80, 800
_SAMPLES = 8 * RATE
_MIRRORED = 40
"""Samples behind the end that its last frame reaches."""


class SmartTurnDetector:
    """Judges the last 8 seconds of a turn."""

    def __init__(self, *, model: LocalModel) -> None:
        """Find the model's file, which is read by `load`; `EngineFailed` where there is none."""
        self._model = model
        self._path = only_file(model.path)
        self._session: InferenceSession | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        url = "https://github.com/pipecat-ai/smart-turn"
        return EngineInfo(
            name="smart-turn",
            description="Smart Turn on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=Attribution(name="Daily", url=url),
            models=(
                Model(
                    name=self._model.name,
                    languages=self._model.languages,
                    description=self._model.description or self._model.name,
                    attribution=Attribution(
                        name=self._model.author or "Daily", url=self._model.upstream or url
                    ),
                ),
            ),
            parallel=os.cpu_count() or 1,
        )

    def load(self) -> None:
        """Load the network and run it once; `EngineFailed` where it takes or gives something else."""
        session = open_session(self._path)
        shapes = [tensor.shape for tensor in session.get_inputs()]
        if len(shapes) != 1 or shapes[0][1:] != [_BANDS, _FRAMES]:
            raise EngineFailed(
                f"{self._path} is no Smart Turn 3: it takes {shapes}, not [[n, {_BANDS}, {_FRAMES}]]"
            )
        _probability(session, np.zeros(RATE, np.float32), self._path)
        self._session = session

    def close(self) -> None:
        """Free the network."""
        self._session = None

    def finished(self, samples: Audio) -> float:
        """Return the probability that the turn is over after these samples of it."""
        if self._session is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        return _probability(self._session, samples, self._path)


def features(samples: Audio) -> NDArray[np.float32]:
    """Return the network's input, shape (80, 800): silence comes before a shorter turn."""
    last = samples[-_SAMPLES:]
    turn = np.pad(last, (_SAMPLES - len(last), 0))
    turn = (turn - turn.mean()) / np.sqrt(turn.var() + 1e-7)
    return log_mel(np.pad(turn, (0, _MIRRORED), mode="reflect").astype(np.float32), _BANDS)


def _probability(session: InferenceSession, samples: Audio, path: Path) -> float:
    name = session.get_inputs()[0].name
    found = np.ravel(session.run(None, {name: features(samples)[None]})[0])
    if len(found) != 1 or not 0 <= found[0] <= 1:
        raise EngineFailed(f"{path} is no Smart Turn 3: it gives {found[:3]}, not one probability")
    return float(found[0])
