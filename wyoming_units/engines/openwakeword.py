"""openWakeWord: wake words on Google's speech embedding, with the library and models of pyopen-wakeword.

Models: https://github.com/dscripka/openWakeWord. Every 80 ms a spectrogram and one embedding are computed,
and each word has a small classifier of the last embeddings. None of these networks keeps a state, so all
streams share a few interpreters, and a stream is no more than 25 kB of numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._openwakeword_head import Head, check_file, read_head
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

_PACKAGE = "pyopen_wakeword"
_STEP = 1_280
"""Samples between two embeddings: 80 ms."""
_WINDOW = 1_760
"""Samples that the spectrogram of one step is made from."""
_BANDS = 32
_STEP_FRAMES = 8
"""Spectrogram frames of one step."""
_EMBEDDED_FRAMES = 76
_KEPT_FRAMES = 80
"""The library embeds the oldest 76 of 80 frames; the same here, for the same scores."""
_THREADS = 4
"""Each has its interpreters, 10 MB, and serves some 80 streams on a desktop processor."""
_DEFAULT = TriggerRule(threshold=0.5)
"""Models do not say; this is what openWakeWord's own server does."""
_FRONT = ("melspectrogram", "embedding_model")
"""Models of the wheel that are no words."""


class OpenWakeWordDetector:
    """Listens for the words of the wheel and for the user's own."""

    def __init__(
        self,
        *,
        models: Sequence[Path] = (),
        words: Mapping[str, WakeSettings] | None = None,
    ) -> None:
        """Add classifiers (tflite, onnx); a known name replaces that word. `words` sets how words are heard.

        A file that is no classifier is left out and logged, here or when it is loaded.
        """
        folder = package_folder(_PACKAGE) / "models"
        self._front_paths = [folder / f"{name}.tflite" for name in _FRONT]
        paths = (*sorted(folder.glob("*.tflite")), *map(Path, models))
        own = {_word_name(path): path for path in paths if path.stem not in _FRONT}
        self._paths = usable(own, _checked, again=False)
        self._rules = with_settings(dict.fromkeys(self._paths, _DEFAULT), words)
        self._pool: _Pool | None = None
        self.info = self._describe()
        """All words with their phrases; after `load` without those that could not be loaded."""

    def _describe(self) -> EngineInfo:
        author = Attribution(name="dscripka", url="https://github.com/dscripka/openWakeWord")
        return EngineInfo(
            name="openwakeword",
            description="openWakeWord",
            version=version("pyopen-wakeword"),
            attribution=Attribution(
                name="Open Home Foundation", url="https://github.com/rhasspy/pyopen-wakeword"
            ),
            models=tuple(
                Model(
                    name=name,
                    languages=("en",),
                    description=_phrase(name),
                    attribution=author,
                    phrase=_phrase(name),
                )
                for name in self._paths
            ),
            parallel=min(_THREADS, os.cpu_count() or 1),
        )

    def load(self) -> None:
        """Read all models and compute the state of a stream that has heard nothing but silence."""
        tflite = TfLite(_PACKAGE)
        spectrogram, embedding = (Weights(tflite, path) for path in self._front_paths)
        heads = usable(self._paths, partial(read_head, tflite))
        pool = _Pool(spectrogram, embedding, heads)
        with pool.borrow() as graphs:
            self._silence = _Silence.of(graphs)
            self._windows = {name: graphs.head(name).window for name in heads}
        self._paths = {name: self._paths[name] for name in heads}
        self.info = self._describe()
        self._pool = pool

    def close(self) -> None:
        """Drop the models; they live on until the last stream is closed."""
        self._pool = None

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for `names` (all words when empty); `UnknownWakeWord` if one is not known."""
        words = chosen(names, self._paths)
        if self._pool is None:
            raise EngineFailed("openWakeWord is not loaded")
        triggers = {name: Trigger(self._rules[name]) for name in words}
        window = max((self._windows[name] for name in words), default=1)
        return _Stream(self._pool, self._silence, triggers, window)


class _Graphs:
    """One interpreter of each network."""

    def __init__(
        self, spectrogram: Weights, embedding: Weights, heads: Mapping[str, Callable[[], Head]]
    ) -> None:
        self._spectrogram = Interpreter(spectrogram, shape=(1, _WINDOW), accelerate=True)
        self._embedding = Interpreter(
            embedding, shape=(1, _EMBEDDED_FRAMES, _BANDS, 1), accelerate=True
        )
        self._heads: dict[str, Head] = {}
        self._make = heads

    def frames(self, samples: Audio) -> Audio:
        """Return the spectrogram, shape (8, 32), of 1 760 samples in the scale of 16-bit PCM."""
        self._spectrogram.input[0] = samples
        self._spectrogram.invoke()
        scaled: Audio = self._spectrogram.output[0, 0] / np.float32(10) + np.float32(2)
        return scaled

    def embed(self, frames: Audio) -> Audio:
        """Return the embedding, shape (96,), of 76 frames; valid until the next call."""
        self._embedding.input[0, :, :, 0] = frames
        self._embedding.invoke()
        embedding: Audio = self._embedding.output[0, 0, 0]
        return embedding

    def head(self, name: str) -> Head:
        """Return the classifier of a word, made when it is first asked for."""
        head = self._heads.get(name)
        if head is None:
            head = self._heads[name] = self._make[name]()
        return head


class _Pool:
    """As many sets of interpreters as threads have worked at once."""

    def __init__(
        self, spectrogram: Weights, embedding: Weights, heads: Mapping[str, Callable[[], Head]]
    ) -> None:
        self._weights = spectrogram, embedding, heads
        self._idle: list[_Graphs] = []

    @contextmanager
    def borrow(self) -> Iterator[_Graphs]:
        """Lend a set to the caller alone."""
        try:
            graphs = self._idle.pop()
        except IndexError:
            graphs = _Graphs(*self._weights)
        try:
            yield graphs
        finally:
            self._idle.append(graphs)


@dataclass(frozen=True, kw_only=True)
class _Silence:
    """What the networks make of silence, with which the library fills a new stream (8 s of it)."""

    frame: NDArray[np.float32]
    embedding: NDArray[np.float32]

    @classmethod
    def of(cls, graphs: _Graphs) -> _Silence:
        frame = graphs.frames(np.zeros(_WINDOW, np.float32))[0]
        return cls(
            frame=frame, embedding=graphs.embed(np.tile(frame, (_EMBEDDED_FRAMES, 1))).copy()
        )


class _Stream:
    """The last audio, spectrogram and embeddings of one stream, and its words' triggers."""

    def __init__(
        self, pool: _Pool, silence: _Silence, triggers: Mapping[str, Trigger], window: int
    ) -> None:
        self._pool = pool
        self._triggers = triggers
        self._rest: Audio = np.zeros(_STEP, np.float32)
        self._frames: Audio = np.tile(silence.frame, (_KEPT_FRAMES, 1))
        self._embeddings: Audio = np.tile(silence.embedding, (window, 1))
        self._position = -_STEP

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples and return the words that ended in them."""
        audio: Audio = np.concatenate((self._rest, samples * np.float32(32_768)))
        steps = max(0, (len(audio) - _WINDOW) // _STEP + 1)
        wakes: list[Wake] = []
        if steps and self._triggers:
            with self._pool.borrow() as graphs:
                for step in range(steps):
                    start = step * _STEP
                    wakes += self._listen(graphs, audio[start : start + _WINDOW])
        self._rest = audio[steps * _STEP :]
        return wakes

    def _listen(self, graphs: _Graphs, audio: Audio) -> list[Wake]:
        self._position += _STEP
        self._frames[:-_STEP_FRAMES] = self._frames[_STEP_FRAMES:]
        self._frames[-_STEP_FRAMES:] = graphs.frames(audio)
        self._embeddings[:-1] = self._embeddings[1:]
        self._embeddings[-1] = graphs.embed(self._frames[:_EMBEDDED_FRAMES])
        now = (self._position + _WINDOW - _STEP) / RATE
        return [
            Wake(name=name, at=word_end(now))
            for name, trigger in self._triggers.items()
            if trigger.heard(graphs.head(name).score(self._embeddings), now)
        ]

    def close(self) -> None:
        """Let go of the interpreters; a closed stream hears nothing."""
        self._triggers = {}


def _checked(path: Path) -> Path:
    check_file(path)
    return path


def _word_name(path: Path) -> str:
    """Return the name of a classifier: its file's, without a version as in `computer_v2`."""
    return re.sub(r"_v[0-9.]+$", "", path.stem)


def _phrase(name: str) -> str:
    return re.sub("[_-]+", " ", name).title()
