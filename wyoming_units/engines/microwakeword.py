"""microWakeWord: small streaming wake word models, with the front end and models of pymicro-wakeword.

Models: https://github.com/kahrendt/microWakeWord. An interpreter looks at 40 spectral features per
10 ms, a few frames at a time; a word is heard when the mean of its last outputs is above a cutoff.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._tflite import Interpreter, TfLite, Weights, package_folder
from wyoming_units.engines._wake import chosen, with_settings, word_end
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Wake,
    WakeSettings,
)
from wyoming_units.errors import BadRequest, EngineFailed
from wyoming_units.speech.trigger import Trigger, TriggerRule

_PACKAGE = "pymicro_wakeword"
_STEP = RATE // 100
"""Samples per feature frame."""
_FEATURES = 40


class MicroWakeWordDetector:
    """Listens for the words of the wheel and for the user's own."""

    def __init__(
        self,
        *,
        models: Sequence[Path] = (),
        words: Mapping[str, WakeSettings] | None = None,
    ) -> None:
        """Add configurations (JSON beside its tflite); a known name replaces that word.

        `words` sets how single words are heard; `UnknownWakeWord`, `BadRequest`.
        """
        paths = (*sorted((package_folder(_PACKAGE) / "models").glob("*.json")), *map(Path, models))
        self._words = {path.stem: _Word(path) for path in paths}
        self._rules = with_settings({n: word.rule for n, word in self._words.items()}, words)

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
            parallel=1,  # 10 ms take 20 us: more threads would only wait for each other
        )

    def load(self) -> None:
        """Read all models; their streams share the weights."""
        tflite = TfLite(_PACKAGE)
        for word in self._words.values():
            word.load(tflite)

    def close(self) -> None:
        """Drop the models; each lives on until its last stream is closed."""
        self._words.clear()

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for `names` (all words when empty); `UnknownWakeWord` if one is not known."""
        return _Stream(
            [_Listener(self._words[name], self._rules[name]) for name in chosen(names, self._words)]
        )


class _Word:
    """A configuration and, once loaded, its weights."""

    def __init__(self, path: Path) -> None:
        try:
            config: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
            self.rule = TriggerRule(threshold=float(config["micro"]["probability_cutoff"]))
            self.window = int(config["micro"]["sliding_window_size"])
            self._path = path.parent / config["model"]
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
        except (OSError, ValueError, KeyError, TypeError, BadRequest) as error:
            raise EngineFailed(f"{path} is no microWakeWord configuration: {error!r}") from error

    def load(self, tflite: TfLite) -> None:
        self.weights = Weights(tflite, self._path)


class _Listener:
    """One word in one stream: an interpreter of its own, for its state cannot be set back."""

    def __init__(self, word: _Word, rule: TriggerRule) -> None:
        self.name = word.model.name
        self._trigger = Trigger(rule)
        self._window = word.window
        self._probabilities: deque[float] = deque(maxlen=word.window)
        self._graph = Interpreter(word.weights, accelerate=True)
        self.free = self._graph.free
        # The graph says how many frames it takes at a time.
        if self._graph.input.ndim != 3 or self._graph.input.shape[2] != _FEATURES:
            raise EngineFailed(f"the wake word {self.name} does not take {_FEATURES} features")
        self._input_code = _Quantisation(self._graph.input.dtype, self._graph.input_scale)
        self._output_code = _Quantisation(self._graph.output.dtype, self._graph.output_scale)
        self._frames = np.empty((0, _FEATURES), self._graph.input.dtype)

    def heard(self, frames: NDArray[np.float32], ends: Sequence[int]) -> Iterator[int]:
        """Take features of 10 ms each, and the samples at which they end; yield where the word did."""
        stride = self._graph.input.shape[1]
        waiting = len(self._frames)
        stored = np.concatenate((self._frames, self._input_code.encode(frames)))
        whole = len(stored) - len(stored) % stride
        self._frames = stored[whole:]
        for start in range(0, whole, stride):
            self._graph.input[0] = stored[start : start + stride]
            self._graph.invoke()
            self._probabilities.append(self._output_code.decode(int(self._graph.output[0, 0])))
            end = ends[start + stride - waiting - 1]
            if len(self._probabilities) == self._window and self._trigger.heard(
                sum(self._probabilities) / self._window, end / RATE
            ):
                yield end


class _Quantisation:
    """How a tensor stores real numbers in 8 bits: real = (stored - zero) * scale."""

    def __init__(self, dtype: np.dtype[Any], scale: tuple[float, int]) -> None:
        if dtype.kind not in "iu":
            raise EngineFailed("a microWakeWord model must be quantised to 8 bits")
        self._dtype = dtype
        self._limits = np.iinfo(dtype)
        self._scale, self._zero = scale

    def encode(self, values: NDArray[np.float32]) -> NDArray[np.integer[Any]]:
        """Return the stored form; what is out of range is clipped, not wrapped."""
        scaled = values / self._scale
        scaled += self._zero
        np.rint(scaled, out=scaled)
        np.maximum(scaled, self._limits.min, out=scaled)  # np.clip takes four times as long
        np.minimum(scaled, self._limits.max, out=scaled)
        return scaled.astype(self._dtype)

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
        frames: list[Sequence[float]] = []
        ends: list[int] = []
        offset = 0
        while offset + 2 * _STEP <= len(pcm):
            output = self._frontend.process_samples(pcm[offset : offset + 2 * _STEP])
            offset += 2 * output.samples_read
            self._position += output.samples_read
            if output.features:
                frames.append(output.features)
                ends.append(self._position)
        self._rest = pcm[offset:]
        return self._listen(np.array(frames, np.float32), ends) if frames else []

    def _listen(self, frames: NDArray[np.float32], ends: Sequence[int]) -> list[Wake]:
        wakes = [
            Wake(name=listener.name, at=word_end(end / RATE))
            for listener in self._listeners
            for end in listener.heard(frames, ends)
        ]
        return sorted(wakes, key=lambda wake: wake.at)

    def close(self) -> None:
        """Free the interpreters."""
        for listener in self._listeners:
            listener.free()
        self._listeners = ()


def _to_pcm(samples: Audio) -> bytes:
    scaled = samples * np.float32(32_768)
    np.rint(scaled, out=scaled)
    np.maximum(scaled, -32_768, out=scaled)
    np.minimum(scaled, 32_767, out=scaled)
    return scaled.astype(np.int16).tobytes()
