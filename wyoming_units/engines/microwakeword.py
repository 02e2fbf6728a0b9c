"""microWakeWord: small streaming wake word models, with the front end and models of pymicro-wakeword.

Models: https://github.com/kahrendt/microWakeWord. An interpreter looks at 40 spectral features per
10 ms, a few frames at a time; a word is heard when the mean of its last outputs is above a cutoff.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError, field_validator

from wyoming_units.engines._tflite import Interpreter, TfLite, Weights, package_folder
from wyoming_units.engines._wake import chosen, usable, with_settings, word_end
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Wake,
    WakeSettings,
)
from wyoming_units.errors import EngineFailed
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

        A file that is no wake word is left out and logged, here or when it is loaded. `words` sets how
        single words are heard; `UnknownWakeWord`, `BadRequest`.
        """
        paths = (*sorted((package_folder(_PACKAGE) / "models").glob("*.json")), *map(Path, models))
        self._words = usable({path.stem: path for path in paths}, _read, again=False)
        self._rules = with_settings({n: word.rule for n, word in self._words.items()}, words)
        self._weights: dict[str, Weights] | None = None
        self.info = self._describe()
        """All words with their phrases; after `load` without those that could not be loaded."""

    def _describe(self) -> EngineInfo:
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
        weights = usable(self._words, partial(_load, TfLite(_PACKAGE)))
        self._words = {name: self._words[name] for name in weights}
        self.info = self._describe()
        self._weights = weights

    def close(self) -> None:
        """Drop the models; each lives on until its last stream is closed."""
        self._weights = None

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for `names` (all words when empty); `UnknownWakeWord` if one is not known."""
        words = chosen(names, self._words)
        if self._weights is None:
            raise EngineFailed("microWakeWord is not loaded")
        return _Stream([_Listener(self._words[n], self._weights[n], self._rules[n]) for n in words])


class _Micro(BaseModel):
    """How the outputs of a model make a detection."""

    probability_cutoff: float = Field(gt=0, lt=1)
    sliding_window_size: int = Field(ge=1, le=1_000)
    """Outputs that the mean is taken of; usual are 5 to 20."""
    feature_step_size: Literal[10] = 10
    """Milliseconds."""


class _Config(BaseModel):
    """A file as https://esphome.io/components/micro_wake_word describes it."""

    type: Literal["micro"] = "micro"
    wake_word: str = Field(min_length=1)
    author: str = ""
    website: str = ""
    model: str
    trained_languages: list[str] = []
    version: int | float | str | None = None
    micro: _Micro

    @field_validator("wake_word")
    @classmethod
    def _is_no_voice_detector(cls, value: str) -> str:
        if value == "vad":
            raise ValueError("it finds voices, no wake word")
        return value


@dataclass(frozen=True, kw_only=True)
class _Word:
    """A wake word as its configuration tells it."""

    model: Model
    weights: Path
    rule: TriggerRule
    window: int
    """Outputs that the mean is taken of."""


def _read(path: Path) -> _Word:
    """Return what a configuration tells; `EngineFailed` where it is missing or makes no sense."""
    try:
        config = _Config.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EngineFailed(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        why = " ".join((*map(str, first["loc"]), first["msg"]))
        raise EngineFailed(f"{path} is no microWakeWord configuration: {why}") from None
    weights = path.parent / config.model
    if not weights.is_file():
        raise EngineFailed(f"{path} names {config.model}, which is not beside it")
    return _Word(
        model=Model(
            name=path.stem,
            languages=tuple(config.trained_languages),
            description=config.wake_word,
            attribution=Attribution(name=config.author, url=config.website),
            version=None if config.version is None else str(config.version),
            phrase=config.wake_word,
        ),
        weights=weights,
        rule=TriggerRule(threshold=config.micro.probability_cutoff),
        window=config.micro.sliding_window_size,
    )


def _load(tflite: TfLite, word: _Word) -> Weights:
    """Return the weights of a word; `EngineFailed` where they are no model of this kind."""
    weights = Weights(tflite, word.weights)
    listener = _Listener(word, weights, word.rule)
    list(listener.heard(np.zeros((listener.stride, _FEATURES), np.float32), range(listener.stride)))
    listener.free()
    return weights


class _Listener:
    """One word in one stream: an interpreter of its own, for its state cannot be set back."""

    def __init__(self, word: _Word, weights: Weights, rule: TriggerRule) -> None:
        self.name = word.model.name
        self._trigger = Trigger(rule)
        self._window = word.window
        self._probabilities: deque[float] = deque(maxlen=word.window)
        self._graph = graph = Interpreter(weights, accelerate=True)
        self.free = graph.free
        shape = graph.input.shape
        if len(shape) != 3 or shape[0] != 1 or shape[2] != _FEATURES or graph.output.size != 1:
            what = f"{list(shape)} -> {list(graph.output.shape)}"
            raise EngineFailed(f"{weights.path} is no microWakeWord model: it computes {what}")
        self.stride = shape[1]
        """Frames that the graph takes at a time."""
        self._input_code = _Quantisation(weights, graph.input.dtype, graph.input_scale)
        self._output_code = _Quantisation(weights, graph.output.dtype, graph.output_scale)
        self._frames = np.empty((0, _FEATURES), self._graph.input.dtype)

    def heard(self, frames: NDArray[np.float32], ends: Sequence[int]) -> Iterator[int]:
        """Take features of 10 ms each, and the samples at which they end; yield where the word did."""
        stride = self.stride
        waiting = len(self._frames)
        stored = np.concatenate((self._frames, self._input_code.encode(frames)))
        whole = len(stored) - len(stored) % stride
        self._frames = stored[whole:]
        for start in range(0, whole, stride):
            self._graph.input[0] = stored[start : start + stride]
            self._graph.invoke()
            self._probabilities.append(self._output_code.decode(int(self._graph.output.flat[0])))
            end = ends[start + stride - waiting - 1]
            if len(self._probabilities) == self._window and self._trigger.heard(
                sum(self._probabilities) / self._window, end / RATE
            ):
                yield end


class _Quantisation:
    """How a tensor stores real numbers in 8 bits: real = (stored - zero) * scale."""

    def __init__(self, weights: Weights, dtype: np.dtype[Any], scale: tuple[float, int]) -> None:
        if dtype.kind not in "iu" or not scale[0] > 0:
            raise EngineFailed(f"{weights.path} is no microWakeWord model: it is not quantised")
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
