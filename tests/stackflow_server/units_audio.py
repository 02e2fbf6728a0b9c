"""Units that listen to a stream of audio: wake words and voice activity."""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar

import numpy as np

from .minds import RATE, Samples
from .protocol import Refused
from .task import Given, Setup, Task, Unit

_PHRASE = re.compile(r"^(?P<words>.*?)(?:\s+:[\d.]+)?(?:\s+#[\d.]+)?(?:\s+@(?P<name>\S+))?\s*$")
_NPU_CHUNK = 5_120
"""Samples that the wake word model of the NPU takes at a time."""
_NPU_PHRASES = ("hi m5",)
_DEFAULT = ("HELLO",)
"""What keywords.txt of the sherpa models has."""
_WINDOW = 512
_MIN_SILENCE = 0.5
"""Seconds after which the voice has ended."""


def to_samples(pcm: bytes) -> Samples:
    """Return the samples of s16le; half a sample at the end is left out."""
    return np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int16)


class KwsTask(Task):
    """Listens for phrases; an event carries the request id of setup."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._phrases = phrases(self.setup)
        self._npu = self.mode.params.get("model_type") == "axera"
        spoken = _NPU_PHRASES if self._npu else tuple(self._phrases)
        self._listen = self.room.minds.wake(spoken)
        self._fired = float("-inf")

    async def work(self, given: Given) -> None:
        samples = to_samples(given.data)
        if self.paused or (self._npu and len(samples) != _NPU_CHUNK):
            return
        for phrase in await self.run(self._listen, samples):
            await self._fire(self._phrases.get(phrase, phrase))

    async def trigger(self) -> None:
        if not self.room.since("main"):
            raise Refused(-18)
        now = time.monotonic()
        if self.room.since("dev") and now - self._fired < 2:
            raise Refused(-10)
        self._fired = now
        await self._fire(next(iter(self._phrases.values()), ""))

    async def _fire(self, keyword: str) -> None:
        told: Any = True
        if "json" in self.format:
            told = {"keyword": keyword, "start_time": 0.0, "timestamps": [], "tokens": []}
        await self.say(told, request_id=self.setup_id)


class Kws(Unit):
    """Wake words."""

    name = "kws"
    takes = "kws"
    targets: ClassVar[tuple[str, ...]] = ("sys",)
    task = KwsTask

    def fits(self, setup: Setup) -> bool:
        """Return whether all phrases are spelled as the tokens of the model are: no small letters."""
        return super().fits(setup) and all(words == words.upper() for words in phrases(setup))


def phrases(setup: Setup) -> dict[str, str]:
    """Return the phrases to listen for, and what an event calls each."""
    given = setup.get("kws", _DEFAULT)
    lines = [given] if isinstance(given, str) else given
    found = {}
    for line in lines:
        match = _PHRASE.match(line)
        assert match
        found[match["words"].strip()] = match["name"] or match["words"].strip()
    return found


class VadTask(Task):
    """Tells when a voice begins and ends."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._judge = self.room.minds.voice()
        self._rest = np.zeros(0, np.int16)
        self._speaking = False
        self._silence = 0

    async def work(self, given: Given) -> None:
        audio = np.concatenate([self._rest, to_samples(given.data)])
        whole = len(audio) - len(audio) % _WINDOW
        self._rest = audio[whole:]
        for window in audio[:whole].reshape(-1, _WINDOW):
            await self._take(voiced=await self.run(self._judge, window))

    async def _take(self, *, voiced: bool) -> None:
        self._silence = 0 if voiced else self._silence + _WINDOW
        least = self.setup.get("silero_vad.min_silence_duration", _MIN_SILENCE)
        ended = self._speaking and self._silence >= least * RATE
        if ended or (voiced and not self._speaking):
            self._speaking = voiced
            await self.say(voiced)


class Vad(Unit):
    """Voice activity."""

    name = "vad"
    since = "1.4"
    takes = "vad"
    targets: ClassVar[tuple[str, ...]] = ("kws", "sys")
    task = VadTask
