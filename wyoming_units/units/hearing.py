"""The two ways to recognise an utterance: while it is spoken, and as a whole."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

from wyoming_units.engines.base import (
    Audio,
    OfflineRecognizer,
    Partial,
    Recognition,
    RecognitionRequest,
    RecognitionStream,
    StreamingRecognizer,
)
from wyoming_units.units.lane import Lane
from wyoming_units.units.listener import Listener
from wyoming_units.units.trial import Trial

_CJK = re.compile("[\u3000-\u9fff\uff00-\uffef]")
_COMMIT = 1.0
"""Seconds of silence after which what was said before it is decoded for good."""


class Hearing(Protocol):
    """Recognises one utterance; `follow` after all audio that came, `finish` once."""

    spent: float
    """Seconds of computing, waiting for others not counted."""

    @property
    def partial(self) -> Partial | None:
        """Return what is understood so far."""

    async def follow(self, samples: Audio) -> None:
        """Take the next samples, with the turn as it is now."""

    async def finish(self) -> Recognition:
        """Return the text of all audio."""

    def close(self) -> None:
        """Give up what is still being computed."""


class Streaming:
    """An engine that listens along."""

    def __init__(
        self, client: str, lane: Lane[StreamingRecognizer], stream: RecognitionStream
    ) -> None:
        self.spent = 0.0
        self.partial: Partial | None = None
        self._client = client
        self._lane = lane
        self._stream = stream

    async def follow(self, samples: Audio) -> None:
        """Feed the stream."""
        if len(samples):
            self.partial = await self._lane.call(self._client, self._feed, samples) or self.partial

    async def finish(self) -> Recognition:
        """End the stream."""
        return await self._lane.call(self._client, self._finish)

    def close(self) -> None:
        """Do nothing: the session of the stream ends by itself."""

    def _feed(self, samples: Audio) -> Partial | None:
        began = perf_counter()
        partial = self._stream.feed(samples)
        self.spent += perf_counter() - began
        return partial

    def _finish(self) -> Recognition:
        began = perf_counter()
        recognition = self._stream.finish()
        self.spent += perf_counter() - began
        return recognition


class Offline:
    """An engine that needs whole recordings: it begins on trial at each silence.

    After a long silence the text counts for good, and its audio is not decoded again.
    """

    def __init__(
        self,
        client: str,
        lane: Lane[OfflineRecognizer],
        wanted: RecognitionRequest,
        listener: Listener,
        after: float,
    ) -> None:
        """Begin trials after so many seconds of silence."""
        self.spent = 0.0
        self._client = client
        self._lane = lane
        self._wanted = wanted
        self._listener = listener
        self._trial = Trial(after, self._decode)
        self._said: list[str] = []
        self._cursor = 0
        """Index of the first sample that is not decoded for good."""
        self._tried = 0
        """Index after the last sample of the trial."""

    @property
    def partial(self) -> Partial | None:
        """Return the text up to the silence that there is now."""
        result = self._trial.result
        if result is None and not self._said:
            return None
        return Partial(text=_joined(*self._said, result.text if result else ""))

    async def follow(self, samples: Audio) -> None:
        """Begin a trial, drop one or let it count, as the turn wants it."""
        turn = self._listener.turn
        if turn is None:
            return
        self._trial.follow(turn)
        if (result := self._trial.result) is not None and turn.quiet.lasted(_COMMIT):
            self._said.append(result.text)
            self._cursor = self._tried
            self._trial.drop()

    async def finish(self) -> Recognition:
        """Return the text: that of the trial, where nothing was said since."""
        turn = self._listener.turn
        if self._said and not self._trial.begun and turn and not self._trial.news(turn):
            return Recognition(text=_joined(*self._said))
        last = await self._trial.final()
        return replace(last, text=_joined(*self._said, last.text))

    def close(self) -> None:
        """Give up the trial."""
        self._trial.drop()

    def _decode(self) -> Coroutine[Any, Any, Recognition]:
        """Take the audio at once, for more of it comes while the engine works."""
        samples = self._listener.since(self._cursor)
        self._tried = self._listener.length
        wanted = replace(self._wanted, before=_joined(*self._said))
        return self._lane.call(self._client, self._recognize, samples, wanted)

    def _recognize(self, samples: Audio, wanted: RecognitionRequest) -> Recognition:
        began = perf_counter()
        recognition = self._lane.engine.recognize(samples, wanted)
        self.spent += perf_counter() - began
        return recognition


def _joined(*texts: str) -> str:
    """Return texts one after the other, with a space where their writing has them."""
    whole = ""
    for text in texts:
        gap = " " if whole and text and not (_CJK.match(whole[-1]) or _CJK.match(text)) else ""
        whole += gap + text
    return whole
