"""The wake unit: `detect`, audio -> `detection`*, `not-detected`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from wyoming.event import Event
from wyoming.wake import Detect, Detection, NotDetected

from wyoming_units.engines.base import Wake, WakeDetector, WakeStream
from wyoming_units.errors import BadRequest
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.wire.requests import Request, Route


class WakeUnit:
    """Tells when a wake word is heard in a stream."""

    kind: ClassVar[str] = "wake"

    def __init__(self, detector: WakeDetector) -> None:
        self._lane = Lane(detector)
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

    def programs(self) -> dict[str, list[dict[str, Any]]]:
        """Return the wake words as a program."""
        if self._lane.failed:
            return {}
        return {"wake": [program(self._lane.engine.info, "models", "phrase")]}

    def load(self) -> list[asyncio.Task[None]]:
        """Begin to load the detector."""
        return [self._lane.load()]

    async def close(self) -> None:
        """Close the detector."""
        await self._lane.close()

    async def _detect(self, request: Request) -> None:
        names = _names(request.opener)
        audio = AudioInput()
        heard = False
        began: int | None = None
        async with self._lane.session(lambda: self._lane.engine.start(names)) as stream:
            async for arrival in request:
                if began is None:
                    began = _timestamp(arrival.event)
                for wake in await self._lane.call(_feed, stream, audio, arrival.event):
                    heard = True
                    at = began + round(wake.at * 1000)
                    await request.send(Detection(name=wake.name, timestamp=at))
        if not heard:
            await request.send(NotDetected())


def _feed(stream: WakeStream, audio: AudioInput, event: Event) -> Sequence[Wake]:
    return stream.feed(audio.read(event))


def _names(opener: Event) -> list[str]:
    names = Detect.from_event(opener).names
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest("names must be a list of texts")
    return names


def _timestamp(event: Event) -> int:
    """Return the client's time of the first audio in ms, on which detections are counted; else 0."""
    timestamp = event.data.get("timestamp")
    return timestamp if isinstance(timestamp, int) else 0
