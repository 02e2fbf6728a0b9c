"""microWakeWord: small streaming wake word models, with the front end and models of pymicro-wakeword.

Models: https://github.com/kahrendt/microWakeWord. An interpreter looks at 40 spectral features per
10 ms, a few frames at a time; a word is heard when the mean of its last outputs is above a cutoff.
"""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.base import RATE, Attribution, Audio, EngineInfo, Model, Wake
from wyoming_units.errors import EngineFailed, UnknownWakeWord

_STEP = RATE // 100
"""Samples per feature frame."""
_FEATURES = 40
_REFRACTORY = 2 * RATE
"""Samples after a word in which it is not heard again: one utterance, one detection."""


_TYPES: Mapping[int, type[np.integer[Any]]] = {3: np.uint8, 9: np.int8}
"""TfLiteType of TensorFlow Lite's `c_api_types.h`."""


class MicroWakeWordDetector:
    """Listens for the words of the wheel and for the user's own."""

    def __init__(self, *, models: Sequence[Path] = ()) -> None:
        """Add microWakeWord configurations (JSON beside its tflite); a known name replaces that word."""
        paths = (*sorted((_package() / "models").glob("*.json")), *map(Path, models))
        self._words = {path.stem: _Word(path) for path in paths}

    @cached_property
    def info(self) -> EngineInfo:
        """Return all words with their phrases."""
        return EngineInfo(
            name="microwakeword",
            description="microWakeWord",
            version=version("pymicro-wakeword"),
            attribution=Attribution(
                name="OHF Voice", url="https://github.com/OHF-Voice/pymicro-wakeword"
            ),
            models=tuple(word.model for word in self._words.values()),
            parallel=os.cpu_count() or 1,
        )

    def load(self) -> None:
        """Read all models; their streams share the weights."""
        from pymicro_wakeword.wakeword import TfLiteWakeWord

        library = next((_package() / "lib").glob("*tensorflowlite_c.*"), None)
        if library is None:
            raise EngineFailed("pymicro-wakeword has no TensorFlow Lite library for this machine")
        tflite = TfLiteWakeWord(library).lib  # declares the functions that are used below
        for word in self._words.values():
            word.load(tflite)

    def close(self) -> None:
        """Drop the models; each lives on until its last stream is closed."""
        self._words.clear()

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for `names` (all words when empty); `UnknownWakeWord` if one is not known."""
        for name in names:
            if name not in self._words:
                known = ", ".join(self._words)
                raise UnknownWakeWord(f"no wake word is called {name!r}; there are: {known}")
        chosen = dict.fromkeys(names or self._words)
        return _Stream([_Listener(self._words[name]) for name in chosen])


class _Word:
    """A configuration and, once loaded, its weights."""

    def __init__(self, path: Path) -> None:
        try:
            config: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
            self.cutoff = float(config["micro"]["probability_cutoff"])
            self.window = int(config["micro"]["sliding_window_size"])
            self._weights = path.parent / config["model"]
            self.model = Model(
                name=path.stem,
                languages=tuple(config.get("trained_languages", ())),
                description=config["wake_word"],
                attribution=Attribution(
                    name=config.get("author", ""), url=config.get("website", "")
                ),
                version=str(config["version"]) if "version" in config else None,
                phrase=config["wake_word"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineFailed(f"{path} is no microWakeWord configuration: {error!r}") from error

    def load(self, tflite: ctypes.CDLL) -> None:
        self.tflite = tflite
        self.pointer = tflite.TfLiteModelCreateFromFile(os.fsencode(self._weights))
        if not self.pointer:
            raise EngineFailed(f"{self._weights} is no TensorFlow Lite model")
        weakref.finalize(self, tflite.TfLiteModelDelete, self.pointer)


class _Listener:
    """One word in one stream: an interpreter of its own, so no stream inherits another's state."""

    def __init__(self, word: _Word) -> None:
        self.name = word.model.name
        self._word = word  # keeps the weights
        self._probabilities: deque[float] = deque(maxlen=word.window)
        self._deaf_until = 0
        self._create(word)
        # The graph says how many frames it takes at a time.
        stride = self._tflite.TfLiteTensorDim(self._input, 1)
        self._frames = np.empty((stride, _FEATURES), np.float32)
        self._filled = 0
        if self._tflite.TfLiteTensorByteSize(self._input) != self._frames.size:
            raise EngineFailed(f"the wake word {self.name} does not take {_FEATURES} features")

    def _create(self, word: _Word) -> None:
        self._tflite = tflite = word.tflite
        self._interpreter = tflite.TfLiteInterpreterCreate(word.pointer, None)
        if not self._interpreter:
            raise EngineFailed(f"the wake word {self.name} does not run on this machine")
        self.free = weakref.finalize(self, _delete, word, self._interpreter)
        if tflite.TfLiteInterpreterAllocateTensors(self._interpreter):
            raise EngineFailed(f"no memory for the wake word {self.name}")
        self._input = tflite.TfLiteInterpreterGetInputTensor(self._interpreter, 0)
        self._output = tflite.TfLiteInterpreterGetOutputTensor(self._interpreter, 0)
        self._input_code = _Quantisation(tflite, self._input)
        self._output_code = _Quantisation(tflite, self._output)

    def heard(self, frame: Sequence[float], position: int) -> bool:
        """Take the features of 10 ms that end at this sample; return whether the word ended here."""
        self._frames[self._filled] = frame
        self._filled += 1
        if self._filled < len(self._frames):
            return False
        self._filled = 0
        self._probabilities.append(self._infer())
        if position < self._deaf_until or len(self._probabilities) < self._word.window:
            return False
        if sum(self._probabilities) / self._word.window <= self._word.cutoff:
            return False
        self._deaf_until = position + _REFRACTORY
        return True

    def _infer(self) -> float:
        features = self._input_code.encode(self._frames)
        self._tflite.TfLiteTensorCopyFromBuffer(self._input, features.ctypes.data, features.nbytes)
        if self._tflite.TfLiteInterpreterInvoke(self._interpreter):
            raise EngineFailed(f"the wake word {self.name} failed")
        output = np.empty(1, self._output_code.dtype)
        self._tflite.TfLiteTensorCopyToBuffer(self._output, output.ctypes.data, output.nbytes)
        return self._output_code.decode(int(output[0]))


class _Quantisation:
    """How a tensor stores real numbers in 8 bits: real = (stored - zero) * scale."""

    def __init__(self, tflite: ctypes.CDLL, tensor: int) -> None:
        kind = tflite.TfLiteTensorType(tensor)
        if kind not in _TYPES:
            raise EngineFailed("a wake word model must be quantised to 8 bits")
        self.dtype = _TYPES[kind]
        self._limits = np.iinfo(self.dtype)
        parameters = tflite.TfLiteTensorQuantizationParams(tensor)
        self._scale: float = parameters.scale
        self._zero: int = parameters.zero_point

    def encode(self, values: NDArray[np.float32]) -> NDArray[np.integer[Any]]:
        """Return the stored form; what is out of range is clipped, not wrapped."""
        scaled = values / self._scale
        scaled += self._zero
        np.rint(scaled, out=scaled)
        np.clip(scaled, self._limits.min, self._limits.max, out=scaled)
        return scaled.astype(self.dtype)

    def decode(self, stored: int) -> float:
        return (stored - self._zero) * self._scale


class _Stream:
    """Cuts audio into steps and shows the features of each to all listeners."""

    def __init__(self, listeners: Sequence[_Listener]) -> None:
        from pymicro_features import MicroFrontend

        self._listeners = listeners
        self._frontend = MicroFrontend()
        self._rest = b""
        self._position = 0

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples and return the words that ended in them."""
        pcm = self._rest + _to_pcm(samples)
        wakes: list[Wake] = []
        offset = 0
        while offset + 2 * _STEP <= len(pcm):
            output = self._frontend.process_samples(pcm[offset : offset + 2 * _STEP])
            offset += 2 * output.samples_read
            self._position += output.samples_read
            if output.features:
                wakes += self._listen(output.features)
        self._rest = pcm[offset:]
        return wakes

    def _listen(self, features: Sequence[float]) -> list[Wake]:
        return [
            Wake(name=listener.name, at=self._position / RATE)
            for listener in self._listeners
            if listener.heard(features, self._position)
        ]

    def close(self) -> None:
        """Free the interpreters."""
        for listener in self._listeners:
            listener.free()
        self._listeners = ()


def _package() -> Path:
    """Return the folder of pymicro-wakeword without importing it."""
    spec = find_spec("pymicro_wakeword")
    if spec is None or spec.origin is None:
        raise EngineFailed("pymicro-wakeword is not installed")
    return Path(spec.origin).parent


def _delete(word: _Word, interpreter: int) -> None:
    word.tflite.TfLiteInterpreterDelete(interpreter)


def _to_pcm(samples: Audio) -> bytes:
    scaled: NDArray[np.float32] = np.clip(np.rint(samples * 32_768), -32_768, 32_767)
    return scaled.astype(np.int16).tobytes()
