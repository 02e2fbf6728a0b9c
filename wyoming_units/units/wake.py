"""The wake unit: `detect`, audio -> `detection`*, `not-detected`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
from wyoming.event import Event
from wyoming.wake import Detection, NotDetected

from wyoming_units.engines.base import (
    Audio,
    EngineInfo,
    Recognizer,
    Wake,
    WakeDetector,
    WakeSettings,
    WakeStream,
)
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import texts
from wyoming_units.units.wake_check import Checks, Recent, Suspect, WakeCheck
from wyoming_units.wire.requests import Request, Route

_PIECE = 0.08
"""Seconds of audio that are worth a worker's attention. Home Assistant sends 10 ms at a time, which take less
to be listened to than to be handed over; no engine looks at steps longer than this."""


class WakeUnit:
    """Tells when a wake word is heard in a stream."""

    kind: ClassVar[str] = "wake"

    def __init__(
        self,
        detectors: Sequence[WakeDetector] = (),
        *,
        words: Mapping[str, WakeSettings] | None = None,
        recognizers: Programs[Recognizer] | None = None,
    ) -> None:
        """Words whose settings want a check count once one of the `recognizers` has heard them too."""
        self.programs = Programs(self.kind, detectors)
        self._check = WakeCheck(words or {}, recognizers)
        self.routes = (
            Route(
                opener="detect",
                run=self._detect,
                body=AUDIO_BODY,
                begin="audio-start",
                end="audio-stop",
                endless=True,
            ),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the wake words as programs."""
        return {"wake": self.programs.info(_program)}

    async def _detect(self, request: Request) -> None:
        heard = False
        began: int | None = None
        async with AsyncExitStack() as stack:
            ears = [
                _Ear(
                    lane=lane,
                    stream=await stack.enter_async_context(session),
                    recent=Recent() if self._check.wanted(share) else None,
                )
                for lane, share, session in self._sessions(request)
            ]
            checks = Checks(self._check, request.client)
            stack.callback(checks.close)
            async for events in _pieces(request):
                if began is None:
                    began = _timestamp(events[0])
                for ear in ears:
                    for wake, audio in await ear.lane.call(request.client, ear.feed, events):
                        at = began + round(wake.at * 1000)
                        tell = partial(request.send, Detection(name=wake.name, timestamp=at))
                        if audio is not None and self._check.wanted([wake.name]):
                            checks.begin(_suspect(ear.lane, wake.name, audio), tell)
                        else:
                            heard = True
                            await tell()
            await checks.finish()
        if not heard and not checks.confirmed:
            await request.send(NotDetected())

    def _sessions(
        self, request: Request
    ) -> list[tuple[Lane[WakeDetector], list[str], AbstractAsyncContextManager[WakeStream]]]:
        """Return each program that has some of the wanted words, these words, and a stream for them."""
        shares: dict[Lane[WakeDetector], list[str]] = {}
        names = texts(request.opener.data, "names")
        for name in names:
            shares.setdefault(self.programs.choose(request, model=name), []).append(name)
        if not names:
            shares[self.programs.choose(request)] = []
        return [
            (lane, share, lane.session(request.client, partial(lane.engine.start, share)))
            for lane, share in shares.items()
        ]


@dataclass(kw_only=True)
class _Ear:
    """One stream of one program."""

    lane: Lane[WakeDetector]
    stream: WakeStream
    recent: Recent | None
    """Where a word of the stream may have to be looked at again."""
    audio: AudioInput = field(default_factory=AudioInput)

    def feed(self, events: Sequence[Event]) -> list[tuple[Wake, Audio | None]]:
        """Take audio events; return the words that ended in them, with their sound where it is kept."""
        samples = np.concatenate([self.audio.read(event) for event in events])
        wakes = self.stream.feed(samples)
        if self.recent is None:
            return [(wake, None) for wake in wakes]
        self.recent.add(samples)
        return [(wake, self.recent.around(wake.at)) for wake in wakes]


def _program(info: EngineInfo) -> dict[str, Any]:
    flags = {"open_vocabulary": True} if info.open_vocabulary else {}
    return program(info, "models", "phrase", **flags)


def _suspect(lane: Lane[WakeDetector], name: str, audio: Audio) -> Suspect:
    """Return a detection with what its program tells of the word; a typed one is its own phrase."""
    models = lane.engine.info.models
    model = next((model for model in models if model.name == name), None)
    languages = [code for known in models for code in known.languages]
    return Suspect(
        name=name,
        phrase=(model and model.phrase) or name,
        languages=tuple(model.languages if model else languages),
        audio=audio,
    )


async def _pieces(request: Request) -> AsyncIterator[list[Event]]:
    """Yield the audio events of a request, several at a time where each is short."""
    events: list[Event] = []
    gathered = 0
    async for arrival in request:
        events.append(arrival.event)
        gathered += len(arrival.event.payload or b"")
        request.gather = _bytes_of(_PIECE, arrival.event)
        if gathered >= request.gather:
            yield events
            events, gathered = [], 0
    if events:
        yield events


def _bytes_of(seconds: float, event: Event) -> int:
    """Return how much audio like that of an event is so long; 0 where the event makes no sense."""
    match event.data:
        case {"rate": int(rate), "width": int(width), "channels": int(channels)}:
            return max(0, int(seconds * rate) * width * channels)
    return 0


def _timestamp(event: Event) -> int:
    """Return the client's time of the first audio in ms, on which detections are counted; else 0."""
    timestamp = event.data.get("timestamp")
    return timestamp if isinstance(timestamp, int) else 0
