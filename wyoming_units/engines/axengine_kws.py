"""The keyword spotter that M5Stack has made for the NPU of an AX630C: one network, one phrase."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import (
    Session,
    engine_info,
    files_of,
    open_session,
    read_mode,
)
from wyoming_units.engines._fbank import BANDS, KEYWORDS, Frames
from wyoming_units.engines._wake import chosen, with_settings, word_end
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Wake,
    WakeSettings,
)
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.trigger import Trigger, TriggerRule

_STEP = RATE // 100
"""Samples from one frame to the next."""
_AUTHOR = Attribution(name="M5Stack", url="https://docs.m5stack.com/en/stackflow/models/intro")
_PHRASE = "Hi M5"
"""Of the model that M5Stack ships."""
_OPTIONS = ("frame_opts.", "mel_opts.", "energy_floor")
"""Settings of the model's file that are those of the filter banks."""


@dataclass(frozen=True, kw_only=True)
class _Spotter:
    session: Session
    frames: int
    """That go in at a time."""

    def silence(self) -> Audio:
        """Return what the network remembers of nothing."""
        return np.zeros([size or 1 for size in self.session.inputs[1].shape], np.float32)

    def judge(self, frames: Audio, memory: Audio) -> tuple[Audio, Audio]:
        """Return the score of each frame, and what is remembered."""
        feats, cache = (tensor.name for tensor in self.session.inputs)
        outputs = self.session.run({feats: frames[None], cache: memory}).values()
        # The cache is the output that has its shape; the other one is scores, for one word.
        scores = next(one for one in outputs if one.shape != memory.shape)
        kept = next(one for one in outputs if one.shape == memory.shape)
        return scores.reshape(self.frames, -1)[:, -1], kept


class AxKeywordSpotter:
    """Listens for the one phrase of a network; all streams share it, each with a memory of its own."""

    def __init__(
        self, *, model: LocalModel, words: Mapping[str, WakeSettings] | None = None
    ) -> None:
        """Find the file and read how its scores are meant; `words` sets how easily its word is heard."""
        self._model = model
        mode = str(model.options.get("mode", model.name))
        told = read_mode(model.path, mode)
        folder = files_of(model.path, mode) if model.path.is_dir() else model.path.parent
        named = folder / str(told.get("model", "kws.axmodel"))
        self._path = named if model.path.is_dir() else model.path
        if not self._path.is_file():
            raise EngineFailed(f"{self._path} does not exist")
        self._phrase = str(model.options.get("phrase", _PHRASE))
        self._name = re.sub(r"\W+", "_", self._phrase.lower())
        rule = TriggerRule(
            threshold=float(told.get("threshold", 0.9)),
            level=int(told.get("min_continuous_frames", 5)),
            refractory=float(told.get("REFRACTORY_TIME_MS", 2000)) / 1000,
        )
        self._rules = with_settings({self._name: rule}, words)
        self._banks = KEYWORDS | {
            key: value for key, value in told.items() if key.startswith(_OPTIONS)
        }
        self._spotter: _Spotter | None = None

    @property
    def info(self) -> EngineInfo:
        """Return the one word."""
        return engine_info(
            "axengine-kws",
            "Keyword spotter on the NPU",
            self._model,
            _AUTHOR,
            parallel=min(2, os.cpu_count() or 1),
            name=self._name,
            languages=self._model.languages or ("en",),
            description=self._phrase,
            phrase=self._phrase,
        )

    def load(self) -> None:
        """Load the network and let it hear silence; `EngineFailed` where it is none of this kind."""
        session = open_session(self._path)
        try:
            self._spotter = self._read(session)
        except BaseException:
            session.close()
            raise

    def _read(self, session: Session) -> _Spotter:
        Frames(self._banks)
        shapes = [tensor.shape for tensor in session.inputs]
        feats = shapes[0] if len(shapes) == 2 else ()
        if len(feats) != 3 or feats[0] != 1 or feats[2] != BANDS or not feats[1]:
            raise EngineFailed(f"{self._path} takes {shapes}, which is no keyword spotter")
        kept = [tensor for tensor in session.outputs if tensor.shape == shapes[1]]
        if len(session.outputs) != 2 or len(kept) != 1:
            raise EngineFailed(f"{self._path} does not give scores and what it remembers")
        spotter = _Spotter(session=session, frames=feats[1])
        spotter.judge(np.zeros((feats[1], BANDS), np.float32), spotter.silence())
        return spotter

    def close(self) -> None:
        """Let go of the network."""
        spotter, self._spotter = self._spotter, None
        if spotter is not None:
            spotter.session.close()

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for the word; `UnknownWakeWord` for any other."""
        chosen(names, self._rules)
        if self._spotter is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        return _Stream(self._spotter, Frames(self._banks), self._name, self._rules[self._name])


class _Stream:
    """The frames of one stream that make no whole step yet, and what the network remembers of it."""

    def __init__(self, spotter: _Spotter, frames: Frames, name: str, rule: TriggerRule) -> None:
        self._spotter = spotter
        self._frames = frames
        self._name = name
        self._trigger = Trigger(rule)
        self._memory = spotter.silence()
        self._rest: Audio = np.empty((0, BANDS), np.float32)
        self._judged = 0
        """Frames."""

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples and return the detections that ended in them."""
        rest = np.concatenate((self._rest, self._frames.feed(samples)))
        wakes: list[Wake] = []
        step = self._spotter.frames
        while len(rest) >= step:
            scores, self._memory = self._spotter.judge(rest[:step], self._memory)
            rest = rest[step:]
            for score in scores:
                self._judged += 1
                now = self._judged * _STEP / RATE
                if self._trigger.heard(float(score), now):
                    wakes.append(Wake(name=self._name, at=word_end(now)))
        self._rest = rest
        return wakes

    def close(self) -> None:
        """Hold nothing that has to be given back."""
