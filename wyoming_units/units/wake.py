"""The wake unit: `detect`, audio -> `detection`*, `not-detected`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
from wyoming.event import Event
from wyoming.wake import Detection, NotDetected

from wyoming_units.engines.base import Wake, WakeDetector, WakeStream
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import texts
from wyoming_units.wire.requests import Request, Route

_PIECE = 0.08
"""Seconds of audio that are worth a worker's attention. Home Assistant sends 10 ms at a time, which take less
to be listened to than to be handed over; no engine looks at steps longer than this."""


class WakeUnit:
    """Tells when a wake word is heard in a stream."""

    kind: ClassVar[str] = "wake"

    def __init__(self, detectors: Sequence[WakeDetector] = ()) -> None:
        self.programs = Programs(self.kind, detectors)
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
        return {"wake": self.programs.info(lambda info: program(info, "models", "phrase"))}

    async def _detect(self, request: Request) -> None:
        heard = False
        began: int | None = None
        async with AsyncExitStack() as stack:
            ears = [
                _Ear(lane=lane, stream=await stack.enter_async_context(session))
                for lane, session in self._sessions(request)
            ]
            async for events in _pieces(request):
                if began is None:
                    began = _timestamp(events[0])
                for ear in ears:
                    for wake in await ear.lane.call(request.client, ear.feed, events):
                        heard = True
                        at = began + round(wake.at * 1000)
                        await request.send(Detection(name=wake.name, timestamp=at))
        if not heard:
            await request.send(NotDetected())

    def _sessions(
        self, request: Request
    ) -> list[tuple[Lane[WakeDetector], AbstractAsyncContextManager[WakeStream]]]:
        """Return a stream of each program that has some of the wanted words."""
        shares: dict[Lane[WakeDetector], list[str]] = {}
        names = texts(request.opener.data, "names")
        for name in names:
            shares.setdefault(self.programs.choose(request, model=name), []).append(name)
        if not names:
            shares[self.programs.choose(request)] = []
        return [
            (lane, lane.session(request.client, partial(lane.engine.start, share)))
            for lane, share in shares.items()
        ]


@dataclass(kw_only=True)
class _Ear:
    """One stream of one program."""

    lane: Lane[WakeDetector]
    stream: WakeStream
    audio: AudioInput = field(default_factory=AudioInput)

    def feed(self, events: Sequence[Event]) -> Sequence[Wake]:
        """Take audio events; return the words that ended in them."""
        return self.stream.feed(np.concatenate([self.audio.read(event) for event in events]))


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
