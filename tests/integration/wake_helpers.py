"""What the tests of the wake word engines share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from wyoming.audio import AudioChunk, AudioStart
from wyoming.event import Event

from tests.integration.recordings import data, read_wav
from tests.integration.tones import NOBODY, Engine, OfflineEar, silence, understood
from wyoming_units.engines.base import (
    RATE,
    Audio,
    EngineInfo,
    Model,
    Recognition,
    RecognitionRequest,
    Wake,
    WakeDetector,
)
from wyoming_units.errors import UnknownWakeWord
from wyoming_units.units.wake import WakeUnit
from wyoming_units.wire.requests import Arrival, Request

STEP = 1_024
"""Samples of the pieces in which recordings are fed."""


class Recorder:
    """Stands where a trigger is and keeps the scores."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def heard(self, score: float, at: float) -> bool:
        self.scores.append(score)
        return False


def clip(name: str) -> Audio:
    """Return one of the recordings of wake words."""
    return read_wav(data(f"media/wake/{name}.wav"))


def pieces(audio: Audio, step: int = STEP) -> Iterator[Audio]:
    """Cut a recording."""
    return (audio[start : start + step] for start in range(0, len(audio), step))


def listen(
    engine: WakeDetector, audio: Audio, names: Sequence[str] = (), step: int = STEP
) -> list[Wake]:
    """Return what is heard in a recording."""
    stream = engine.start(names)
    wakes = [wake for piece in pieces(audio, step) for wake in stream.feed(piece)]
    stream.close()
    return wakes


def heard(engine: WakeDetector, audio: Audio, names: Sequence[str] = ()) -> list[str]:
    """Return the names of what is heard in a recording."""
    return [wake.name for wake in listen(engine, audio, names)]


def phrases(engine: WakeDetector) -> dict[str, str | None]:
    """Return what an engine offers: phrase by name."""
    return {model.name: model.phrase for model in engine.info.models}


# -- wake words of tones, and a wake unit without a node


class ToneWake(Engine):
    """Hears words of tones wherever they are; where it is `open`, any such words."""

    def __init__(self, *, open_vocabulary: bool = False, **words: str) -> None:
        """A word is heard at its tones, such as "on", and says that it is "Turn on"."""
        self.words = words
        self.info = EngineInfo(
            name="typed" if open_vocabulary else "tones",
            description="",
            version="1",
            attribution=NOBODY,
            models=tuple(
                Model(
                    name=name,
                    languages=("en",),
                    description="",
                    attribution=NOBODY,
                    phrase=name.replace("_", " ").title(),
                )
                for name in words
            ),
            open_vocabulary=open_vocabulary,
        )

    def start(self, names: Sequence[str]) -> ToneWakeStream:
        tones = dict(self.words)
        for name in names:
            if name not in tones and not self.info.open_vocabulary:
                raise UnknownWakeWord(name)
        return ToneWakeStream({name: tones.get(name, name) for name in names or tones})


class ToneWakeStream:
    def __init__(self, tones: Mapping[str, str]) -> None:
        self.tones = tones
        self.counts = dict.fromkeys(tones, 0)
        self.samples = silence(0)

    def feed(self, samples: Audio) -> Sequence[Wake]:
        self.samples = np.concatenate([self.samples, samples])
        text = understood(self.samples)
        wakes = []
        for name, tones in self.tones.items():
            if (count := text.count(tones)) > self.counts[name]:
                self.counts[name] = count
                wakes.append(Wake(name=name, at=len(self.samples) / RATE))
        return wakes

    def close(self) -> None:
        """Hold nothing."""


class GatedEar(OfflineEar):
    """Understands once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.asked: list[RecognitionRequest] = []

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        self.asked.append(request)
        self.begun.set()
        assert self.gate.wait(20)
        return super().recognize(samples, request)


class Stream:
    """One request to a wake unit."""

    def __init__(self, unit: WakeUnit, *names: str) -> None:
        self.answers: asyncio.Queue[Event] = asyncio.Queue()
        self.request = Request(
            unit.routes[0],
            Event(type="detect", data={"names": list(names)}),
            inbox=1 << 24,
            send=self.answers.put,
            client="10.0.0.1",
            selected={},
            begun=False,
        )
        self.task = asyncio.create_task(self.request.answer())
        self.request._arrivals.append(
            Arrival(AudioStart(rate=RATE, width=2, channels=1).event(), 0)
        )

    async def say(self, *parts: Audio, step: float = 0.08) -> None:
        """Send audio in pieces of so many seconds."""
        audio = np.concatenate(parts)
        size = round(step * RATE)
        for start in range(0, len(audio), size):
            pcm = (audio[start : start + size] * 32_767).astype("<i2").tobytes()
            chunk = AudioChunk(rate=RATE, width=2, channels=1, audio=pcm)
            await self.request.put(Arrival(chunk.event(), 0))

    async def heard(self) -> tuple[str, int]:
        """Return the name and the time of the next detection."""
        event = await asyncio.wait_for(self.answers.get(), 10)
        assert event.type == "detection"
        return event.data["name"], event.data["timestamp"]

    async def end(self) -> list[str]:
        """End the audio; return what comes then: words, and "" for none at all."""
        self.request.finish()
        if error := await asyncio.wait_for(self.task, 10):
            raise error
        left = [self.answers.get_nowait() for _ in range(self.answers.qsize())]
        assert [event.type for event in left if not event.data.get("name")] in (
            [],
            ["not-detected"],
        )
        return [event.data.get("name") or "" for event in left]

    async def leave(self) -> None:
        """Do what a connection does with the request of a client that goes away."""
        self.task.cancel()
        await asyncio.wait({self.task})


async def until(reached: Callable[[], Any]) -> None:
    """Let others run until something is so."""
    for _ in range(2_000):
        if reached():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("never so")
