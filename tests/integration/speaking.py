"""The tts unit on a real socket, and a voice that takes as long as a test allows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wyoming.client import AsyncTcpClient
from wyoming.event import Event, Eventable

from wyoming_units.engines.base import (
    Attribution,
    Emit,
    EngineInfo,
    Model,
    SynthesisRequest,
    Synthesizer,
)
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.units.tts import TtsUnit
from wyoming_units.wire.frames import encode
from wyoming_units.wire.requests import Route
from wyoming_units.wire.server import Server

RATE = 22_050
MAKER = Attribution(name="test", url="https://example.com")
LONG = (
    "There are three lights on in the kitchen and two more in the hall behind the front door which "
    "nobody has used since the summer because the lock is broken and the key was lost in the garden."
)


class Tones:
    """Stands for the time that a voice takes: 50 ms of tone per word, made when the test allows it."""

    def __init__(self, *, held: bool = False) -> None:
        self.requests: list[SynthesisRequest] = []
        self.begun = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)
        self.stopped = threading.Event()
        self.held = held
        self.failure: Exception | None = None

    @property
    def info(self) -> EngineInfo:
        voice = Model(
            name="tone",
            languages=("en",),
            description="",
            attribution=MAKER,
            rate=RATE,
            speakers=("low", "high"),
        )
        return EngineInfo(
            name="tones", description="", version="1", attribution=MAKER, models=(voice,)
        )

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.requests]

    def load(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to free."""

    def voice(self, name: str | None, language: str | None) -> Model:
        return self.info.models[0]

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        self.requests.append(request)
        self.begun.release()
        if self.failure:
            raise self.failure
        for _ in request.text.split():
            if self.held:
                self.allowed.acquire()
            if not emit(tone(0.05)):
                self.stopped.set()
                return

    async def until_begun(self) -> None:
        """Wait for the next call of the engine."""
        assert await asyncio.to_thread(self.begun.acquire, timeout=5)

    def allow(self, words: int = 10_000) -> None:
        """Let the engine make so many words."""
        self.allowed.release(words)


def tone(seconds: float, silent: float = 0.0) -> NDArray[np.float32]:
    """Return a tone that begins and ends at full swing, with silence around it."""
    wave = 0.5 * np.cos(2 * np.pi * 440 * np.arange(round(RATE * seconds)) / RATE)
    return np.pad(wave, round(RATE * silent)).astype(np.float32)


class Alone:
    """A service with one unit."""

    def __init__(self, unit: TtsUnit) -> None:
        self.unit = unit
        self.routes = {route.opener: route for route in unit.routes}
        self.programs: dict[str, str] = {}

    routes: dict[str, Route]

    def info_frame(self) -> bytes:
        domains = ("asr", "handle", "intent", "wake", "mic", "snd")
        return encode(Event(type="info", data={key: [] for key in domains} | self.unit.info()))

    def stats(self) -> dict[str, Any]:
        return {"waiting": sum(lane.state()["waiting"] for lane in self.unit.lanes)}


@asynccontextmanager
async def serving(
    *engines: Synthesizer, options: SpeakingOptions | None = None
) -> AsyncIterator[int]:
    """Serve the unit on a free port."""
    unit = TtsUnit(engines, options or SpeakingOptions())
    await asyncio.gather(*(lane.load() for lane in unit.lanes))
    server = Server(Alone(unit))
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop(grace=0.1)
        for engine in engines:
            if isinstance(engine, Tones):
                engine.allow()
        for lane in unit.lanes:
            await lane.close()


class Peer:
    """The library's client."""

    def __init__(self, client: AsyncTcpClient) -> None:
        self._client = client

    async def send(self, *events: Eventable | Event) -> None:
        for event in events:
            await self._client.write_event(event if isinstance(event, Event) else event.event())

    async def next(self) -> Event:
        event = await asyncio.wait_for(self._client.read_event(), 5)
        assert event is not None
        return event

    async def until(self, *last: str) -> list[Event]:
        """Return the events up to the first of a type in `last`."""
        events = [await self.next()]
        while events[-1].type not in last:
            events.append(await self.next())
        return events

    async def until_waiting(self, calls: int) -> None:
        """Wait until so many calls wait for the engine."""
        waiting = -1
        while waiting != calls:
            await self.send(Event(type="stats"))
            waiting = (await self.next()).data["waiting"]

    async def say(self, text: str, **data: Any) -> list[Event]:
        """Return the whole answer to a plain request."""
        await self.send(Event(type="synthesize", data={"text": text, **data}))
        return await self.until("audio-stop", "error")


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    async with AsyncTcpClient("127.0.0.1", port) as client:
        yield Peer(client)


def pcm(events: list[Event]) -> bytes:
    return b"".join(event.payload or b"" for event in events)


def samples(events: list[Event]) -> NDArray[np.float32]:
    return (np.frombuffer(pcm(events), "<i2") / 32_767).astype(np.float32)


def seconds(events: list[Event]) -> float:
    return len(samples(events)) / RATE


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events if event.type != "audio-chunk"]
