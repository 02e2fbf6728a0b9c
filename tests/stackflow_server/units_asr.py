"""Units that write down what is said: streaming and SenseVoice recognisers, and whisper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from .minds import RATE, Samples
from .protocol import Refused
from .task import Given, Setup, Task, Unit
from .units_audio import to_samples

_QUIET = 50
"""Samples below are silence."""
_WHISPER_LANGUAGES = "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur"
_LONGEST = 30 * RATE
_CHUNK = RATE * 32 // 100
"""Samples that streaming models take at a time."""
_PAUSE = RATE // 2
"""Samples of silence between two segments of SenseVoice's own voice detector."""


class AsrTask(Task):
    """Recognises while it hears, or whole utterances, whichever the model does."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._heard = np.zeros(0, np.int16)
        self._text = ""
        self._index = 0
        self._decoded = 0

    async def work(self, given: Given) -> None:
        samples = to_samples(given.data)
        if self.paused:
            return
        if self.mode.name.startswith("sherpa-"):
            await self._stream(samples)
        else:
            await self._utterance(samples)

    # -- streaming models

    async def _stream(self, samples: Samples) -> None:
        self._heard = np.concatenate([self._heard, samples])
        if len(self._heard) - self._decoded >= _CHUNK or self._ended():
            self._decoded = len(self._heard)
            text = (await self.run(self.room.minds.hear, self._heard, "en")).lower()
            if text and text != self._text:
                self._text = text
                await self._tell(text, finish=False)
        if self._ended():
            await self._finish()

    def _ended(self) -> bool:
        """Return whether an endpoint rule fires."""
        loud = np.flatnonzero(np.abs(self._heard.astype(int)) > _QUIET)
        trailing = len(self._heard) - (int(loud[-1]) + 1 if len(loud) else 0)
        least = self._rule(2, "min_trailing_silence") if self._text else None
        if least is None:
            least = self._rule(1, "min_trailing_silence")
        longest = self._rule(3, "min_utterance_length")
        return trailing >= least * RATE or len(self._heard) >= longest * RATE

    def _rule(self, number: int, what: str) -> float:
        long = f"endpoint_config.rule{number}.{what}"
        return float(self.setup.get(long, self.setup.get(f"rule{number}", self.mode.params[long])))

    async def _finish(self) -> None:
        text = self._text
        self._heard, self._text, self._decoded = np.zeros(0, np.int16), "", 0
        if text or self.room.since("dev"):
            await self._tell(f"{text}." if text else "", finish=True)

    async def _tell(self, text: str, *, finish: bool) -> None:
        if self.streams:
            await self.say_delta(self._index, text, finish=finish)
            self._index = 0 if finish else self._index + 1
        elif finish:
            await self.say(text)

    # -- SenseVoice

    async def _utterance(self, samples: Samples) -> None:
        hear = self.room.minds.hear
        texts = [await self.run(hear, each, "auto") for each in segments(samples)]
        if self.room.since("dev"):
            for text in texts:
                await self._tell(text, finish=False)
        key = "model_config.sense_voice.use_itn"
        dot = "" if self.setup.get(key, self.mode.params[key]) else "."
        text = " ".join(filter(None, texts))
        await self._tell(text + dot if text else "", finish=True)


def segments(samples: Samples) -> Iterator[Samples]:
    """Yield the parts of a recording that half a second of silence or more is between."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > _QUIET)
    if len(loud):
        for part in np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE) + 1):
            yield samples[part[0] : part[-1] + 1]


class Asr(Unit):
    """Streaming zipformers and SenseVoice."""

    name = "asr"
    takes = "asr"
    targets: ClassVar[tuple[str, ...]] = ("kws", "sys")
    task = AsrTask


class WhisperTask(Task):
    """Recognises whole utterances; an empty result is not sent but in English and Japanese."""

    async def work(self, given: Given) -> None:
        pcm = given.data
        if "mp3" in given.object:
            raise Refused(-11)  # nothing here decodes it
        if "wav" in given.object:
            pcm = pcm[pcm.find(b"data") + 8 :]
        language = self.setup["language"]
        if language not in _WHISPER_LANGUAGES.split():
            language = "zh"
        samples = to_samples(pcm)[:_LONGEST]
        text = await self.run(self.room.minds.hear, samples, language)
        if not text and language not in {"en", "ja"}:
            return
        if self.streams:
            await self.say_delta(0, f"{text}.", finish=True)
        else:
            await self.say(f"{text}.")


class Whisper(Unit):
    """Whisper on the NPU."""

    name = "whisper"
    since = "1.4"
    takes = "whisper"
    required: ClassVar[tuple[str, ...]] = (*Unit.required, "language")
    bad_setup = "asr"
    inputs_key = "inputs_"
    targets: ClassVar[tuple[str, ...]] = ("kws", "vad", "sys")
    task = WhisperTask

    def fits(self, setup: Setup) -> bool:
        return super().fits(setup) and isinstance(setup["language"], str)
