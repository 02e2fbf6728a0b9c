"""The second look at a wake word: whether speech-to-text hears the phrase too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wyoming_units.engines.base import RATE, Audio, RecognitionRequest, Recognizer, WakeSettings
from wyoming_units.speech.likeness import ENOUGH, likeness
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs, speaks

_LOGGER = logging.getLogger(__name__)

_BEFORE, _AFTER = 2.0, 0.3
"""Seconds around the end of a word that are recognised; what comes later is not waited for."""
_KEPT = round((_BEFORE + 1.0) * RATE)
"""Samples kept of what came before the newest ones; a word is detected well within 1 s of its end."""
_PATIENCE = 1.5
"""Seconds after which a word counts without having been looked at."""


class Recent:
    """The last audio of a stream."""

    def __init__(self) -> None:
        self._audio: Audio = np.zeros(0, np.float32)
        self._end = 0

    def add(self, samples: Audio) -> None:
        """Take the next samples."""
        self._audio = np.concatenate((self._audio[-_KEPT:], samples))
        self._end += len(samples)

    def around(self, at: float) -> Audio:
        """Return the audio around a time in seconds from the stream's start."""
        begin = self._end - len(self._audio)
        start, stop = (max(0, round(edge * RATE) - begin) for edge in (at - _BEFORE, at + _AFTER))
        return self._audio[start:stop]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A detection that is to be looked at."""

    name: str
    phrase: str
    languages: tuple[str, ...]
    audio: Audio


class WakeCheck:
    """Which words speech-to-text must hear too, and whether it does."""

    def __init__(
        self, words: Mapping[str, WakeSettings], recognizers: Programs[Recognizer] | None
    ) -> None:
        """Without a recogniser that writes down whatever is said, every word counts."""
        self._names = {name for name, settings in words.items() if settings.check}
        self._recognizers = recognizers

    def wanted(self, names: Sequence[str]) -> bool:
        """Return whether one of these words, of all words where there are none, is to be looked at."""
        return not self._names.isdisjoint(names or self._names)

    async def confirms(self, client: str, suspect: Suspect) -> bool:
        """Return whether speech-to-text hears the word; True where it cannot tell, or not in time."""
        lane = self._lane(suspect)
        if lane is None:
            return True
        looking = asyncio.create_task(_text(client, lane, suspect))
        looking.add_done_callback(_look)
        try:
            await asyncio.wait({looking}, timeout=_PATIENCE)
        finally:
            given_up = looking.cancel()
        if given_up or looking.cancelled() or looking.exception() is not None:
            why = f"more than {_PATIENCE} s" if given_up else _look(looking)
            _LOGGER.warning("a wake word counts, for speech-to-text could not check it: %s", why)
            return True
        like = likeness(suspect.phrase, looking.result())
        _LOGGER.debug("speech-to-text heard %.2f of the wake word %s", like, suspect.name)
        return like >= ENOUGH

    def _lane(self, suspect: Suspect) -> Lane[Recognizer] | None:
        """Return the recogniser that looks: one that has the word's language, else the first."""
        lanes = self._recognizers.lanes if self._recognizers is not None else ()
        free = [lane for lane in lanes if lane.engine.info.open_vocabulary and not lane.failed]
        return min(free, key=lambda lane: _language(lane, suspect) is None, default=None)


class Checks:
    """The detections of one stream that are being looked at."""

    def __init__(self, check: WakeCheck, client: str) -> None:
        self.confirmed = False
        """Whether one of them was told."""
        self._check = check
        self._client = client
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, suspect: Suspect, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell of a word once it is confirmed; one that is being looked at already is no news."""
        if suspect.name not in self._running:
            task = asyncio.create_task(self._follow(suspect, tell))
            self._running[suspect.name] = task
            task.add_done_callback(_look)

    async def _follow(self, suspect: Suspect, tell: Callable[[], Awaitable[None]]) -> None:
        try:
            if await self._check.confirms(self._client, suspect):
                self.confirmed = True
                await tell()
        finally:
            del self._running[suspect.name]

    async def finish(self) -> None:
        """Wait for those that are still looked at."""
        if self._running:
            await asyncio.wait(self._running.values())

    def close(self) -> None:
        """Give them up."""
        for task in self._running.values():
            task.cancel()


async def _text(client: str, lane: Lane[Recognizer], suspect: Suspect) -> str:
    wanted = RecognitionRequest(language=_language(lane, suspect))
    return await lane.call(client, _recognize, lane.engine, suspect.audio, wanted)


def _recognize(engine: Recognizer, audio: Audio, wanted: RecognitionRequest) -> str:
    if hasattr(engine, "recognize"):
        return engine.recognize(audio, wanted).text
    stream = engine.start(wanted)
    try:
        stream.feed(audio)
        return stream.finish().text
    finally:
        stream.close()


def _language(lane: Lane[Recognizer], suspect: Suspect) -> str | None:
    """Return the first of a word's languages that a recogniser has."""
    models = lane.engine.info.models
    return next(
        (code for code in suspect.languages if any(speaks(model, code) for model in models)), None
    )


def _look(task: asyncio.Task[Any]) -> BaseException | None:
    """Return why a task failed; asyncio would log it otherwise."""
    return None if task.cancelled() else task.exception()
