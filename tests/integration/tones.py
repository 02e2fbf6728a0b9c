"""A language of tones, with engines that really hear it: small enough for tests that need to know every sample."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from wyoming.audio import AudioChunk, AudioStart
from wyoming.event import Event

from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Partial,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.speech.endpoint import VoiceThresholds
from wyoming_units.units.stt import SttUnit
from wyoming_units.wire.requests import Arrival, Request

WORDS = {400: "turn", 600: "on", 800: "the", 1000: "light", 1200: "lamp.", 1400: "please"}
_TONES = {word: frequency for frequency, word in WORDS.items()}
_FRAME = 160
_NOON = 100.0
"""When the clock of a talk begins."""
NOBODY = Attribution(name="", url="")


def spoken(text: str, seconds: float = 0.2) -> Audio:
    """Return the tones of words, a fifth of a second each; "_" is silence."""
    time = np.arange(round(seconds * RATE)) / RATE
    parts = [
        np.zeros(len(time)) if word == "_" else 0.3 * np.sin(2 * np.pi * _TONES[word] * time)
        for word in text.split()
    ]
    return np.concatenate(parts).astype(np.float32)


def silence(seconds: float) -> Audio:
    """Return digital silence."""
    return np.zeros(round(seconds * RATE), np.float32)


def understood(samples: Audio) -> str:
    """Return the words of tones: the strongest of them in each hundredth of a second."""
    words: list[str] = []
    last = ""
    for start in range(0, len(samples) - _FRAME + 1, _FRAME):
        frame = samples[start : start + _FRAME]
        word = ""
        if np.abs(frame).max() > 0.05:
            spectrum = np.abs(np.fft.rfft(frame))
            word = WORDS[min(WORDS, key=lambda tone: abs(tone - 100 * int(spectrum.argmax())))]
        if word and word != last:
            words.append(word)
        last = word
    return " ".join(words)


def _info(name: str, *, parallel: int = 1) -> EngineInfo:
    model = Model(name=f"{name}-model", languages=("en",), description="", attribution=NOBODY)
    return EngineInfo(
        name=name,
        description="",
        version="1",
        attribution=NOBODY,
        models=(model,),
        parallel=parallel,
        open_vocabulary=True,
    )


class Engine:
    """What all of these engines are."""

    info = _info("tones")

    def load(self) -> None:
        """Need nothing."""

    def close(self) -> None:
        """Hold nothing."""


class OfflineEar(Engine):
    """Understands recordings, and remembers which it was given."""

    def __init__(self) -> None:
        self.decoded: list[tuple[float, str]] = []
        """Seconds of each recording, and what was said before it."""
        self.broken = False

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        self.decoded.append((round(len(samples) / RATE, 3), request.before))
        if self.broken:
            raise ZeroDivisionError
        return Recognition(text=understood(samples), language="en")


class StreamingEar(Engine):
    """Understands while it listens; "turn on the light" cannot go on."""

    def start(self, request: RecognitionRequest) -> StreamingEarStream:
        return StreamingEarStream()


class StreamingEarStream:
    def __init__(self) -> None:
        self.samples = silence(0)
        self.text = ""

    def feed(self, samples: Audio) -> Partial | None:
        self.samples = np.concatenate([self.samples, samples])
        if (text := understood(self.samples)) == self.text:
            return None
        self.text = text
        return Partial(text=text, complete=text == "turn on the light")

    def finish(self) -> Recognition:
        return Recognition(text=self.text)

    def close(self) -> None:
        """Hold nothing."""


class Loudness(Engine):
    """A voice detector that takes everything loud for a voice."""

    info = _info("loudness")
    frame = _FRAME
    thresholds = VoiceThresholds(least=0.02)

    def start(self) -> LoudnessStream:
        return LoudnessStream()


class LoudnessStream:
    def __init__(self) -> None:
        self.rest = silence(0)

    def feed(self, samples: Audio) -> Sequence[float]:
        audio = np.concatenate([self.rest, samples])
        whole = len(audio) - len(audio) % _FRAME
        self.rest = audio[whole:]
        return [float(np.abs(frame).max() > 0.05) for frame in audio[:whole].reshape(-1, _FRAME)]

    def close(self) -> None:
        """Hold nothing."""


class Talk:
    """One request to an stt unit, on a clock that goes as the audio does."""

    def __init__(self, unit: SttUnit, **opener: Any) -> None:
        route = unit.routes[0]
        self.answers: list[Event] = []
        self._lanes = unit.lanes
        self.request = Request(
            route,
            Event(type="transcribe", data=opener),
            inbox=1 << 20,
            send=self._take,
            client="10.0.0.1",
            selected={},
            begun=False,
        )
        self._now = _NOON
        self._task = asyncio.create_task(self.request.answer())
        self.request._arrivals.append(
            Arrival(AudioStart(rate=RATE, width=2, channels=1).event(), self._now)
        )

    async def _take(self, event: Event) -> None:
        self.answers.append(event)

    async def say(self, samples: Audio, *, pace: float = 1.0, chunk: float = 0.02) -> None:
        """Send audio `pace` times as fast as it is spoken, until the unit has answered."""
        step = round(chunk * RATE)
        for start in range(0, len(samples), step):
            if self._task.done():
                return
            piece = samples[start : start + step]
            self._now += len(piece) / RATE / pace
            pcm = (piece * 32_767).astype("<i2").tobytes()
            event = AudioChunk(rate=RATE, width=2, channels=1, audio=pcm).event()
            await self.request.put(Arrival(event, self._now))
            await self.settle()

    async def settle(self) -> None:
        """Wait until the unit has dealt with all that it was sent."""
        quiet = 0
        while quiet < 3 and not self._task.done():
            await asyncio.sleep(0.0002)
            busy = self.request._arrivals or any(lane.state()["running"] for lane in self._lanes)
            quiet = 0 if busy else quiet + 1

    async def stop(self) -> Event:
        """End the audio and return the transcript."""
        self.request.finish()
        return await self.transcript()

    async def transcript(self) -> Event:
        """Return the transcript, once the unit has found the end of the turn."""
        error = await asyncio.wait_for(self._task, 10)
        if error is not None:
            raise error
        return next(event for event in self.answers if event.type == "transcript")

    @property
    def heard(self) -> float:
        """Return the seconds of audio that were sent, where they went at the pace of speech."""
        return self._now - _NOON

    @property
    def ended(self) -> bool:
        """Return whether the unit has answered."""
        return self._task.done()

    async def leave(self) -> None:
        """Do what a connection does with the request of a client that goes away."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def chunks(self) -> list[dict[str, Any]]:
        """Return the data of all texts that may yet change."""
        return [event.data for event in self.answers if event.type == "transcript-chunk"]
