"""The speech of one request: text becomes audio in pieces, ahead of what is being sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from wyoming.audio import AudioChunk, AudioStart
from wyoming.event import Event

from wyoming_units.engines.base import Audio, Model, SynthesisRequest, Synthesizer
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.fades import Edges
from wyoming_units.speech.sentences import Piece
from wyoming_units.speech.speakable import speakable
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.speech.ssml import Silence
from wyoming_units.units._ahead import ahead
from wyoming_units.units.audio import to_pcm
from wyoming_units.units.lane import Lane
from wyoming_units.units.replies import ReplyCache
from wyoming_units.wire.requests import Request

_CHUNK = 0.1
"""Seconds of audio in one event, at most."""

Part = Piece | Silence
"""What a request has said: one after the other."""


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Who speaks a request, and how."""

    lane: Lane[Synthesizer]
    voice: Model
    usual: SynthesisRequest
    """Everything but the text; a piece may have a speed of its own."""
    cache: ReplyCache
    options: SpeakingOptions


class Speech:
    """The audio of one request: one `audio-start`, whatever is said, one `audio-stop`.

    The voice is chosen once, so the sample rate never changes. One piece at a time waits in the
    lane: between two pieces of a long text, other requests have their turn.
    """

    def __init__(self, request: Request, speaker: Speaker) -> None:
        self._request = request
        self._speaker = speaker
        self._rate = speaker.voice.rate
        self._timings = Timings()
        self._queue = 0.0
        self._decode = 0.0
        self._samples = 0
        self._started = False

    async def say(self, parts: AsyncGenerator[Part, None]) -> None:
        """Send the audio of all parts, each as soon as it is made, then the end with the timings."""
        most = max(1, round(self._speaker.options.ahead / _CHUNK))
        with self._speaker.lane.hold():
            async with aclosing(ahead(self._chunks(ahead(parts)), most)) as chunks:
                async for chunk in chunks:
                    await self._send(chunk)
        await self._start()
        self._timings.set("queue", self._queue)
        self._timings.set("decode", self._decode)
        context = self._timings.as_context(self._samples / self._rate)
        await self._request.send(Event(type="audio-stop", data={"context": context}))

    # -- making

    async def _chunks(self, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[bytes, None]:
        """Yield all audio as PCM in pieces for one event each."""
        size = 2 * max(1, round(self._rate * _CHUNK))
        async with aclosing(self._audio(parts)) as audio:
            async for pcm in audio:
                for start in range(0, len(pcm), size):
                    yield pcm[start : start + size]

    async def _audio(self, parts: AsyncGenerator[Part, None]) -> AsyncGenerator[bytes, None]:
        """Yield the PCM of the parts, with the pauses between them."""
        options = self._speaker.options
        pauses = {"sentence": options.sentence_pause, "clause": options.clause_pause, "word": 0.0}
        pause, asked = 0.0, False
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Silence):
                    pause, asked = part.seconds + pause * asked, True
                    continue
                spoken = False
                async with aclosing(self._spoken(part)) as pieces:
                    async for pcm in pieces:
                        if not spoken:
                            yield self._silence(pause)
                        spoken = True
                        yield pcm
                if spoken:
                    pause, asked = pauses[part.end], False
        yield self._silence(pause * asked)

    async def _spoken(self, piece: Piece) -> AsyncGenerator[bytes, None]:
        """Yield the PCM of one piece, at once where it was said before."""
        speaker = self._speaker
        usual = speaker.usual
        words = speakable(piece.text, usual.language)
        if not words:
            return
        wanted = replace(usual, text=words, speed=piece.speed or usual.speed)
        engine = speaker.lane.engine
        kept = speaker.cache.get(engine, wanted)
        if kept is not None:
            yield kept
            return
        made: list[bytes] = []
        produce = partial(self._synthesize, wanted, perf_counter())
        async with aclosing(speaker.lane.stream(self._request.client, produce)) as pieces:
            async for pcm in pieces:
                made.append(pcm)
                if pcm:
                    yield pcm
        speaker.cache.put(engine, wanted, b"".join(made))

    def _synthesize(
        self, wanted: SynthesisRequest, asked_at: float, emit: Callable[[bytes], bool]
    ) -> None:
        """Speak in the engine's thread; also the work on the samples is done there."""
        began = perf_counter()
        self._queue += began - asked_at
        edges = Edges(self._rate, self._speaker.options.fade)

        def take(samples: Audio) -> bool:
            return emit(to_pcm(edges.push(samples)))

        self._speaker.lane.engine.synthesize(wanted, take)
        emit(to_pcm(edges.finish()))
        self._decode += perf_counter() - began

    def _silence(self, seconds: float) -> bytes:
        return bytes(2 * round(self._rate * seconds))

    # -- sending

    async def _send(self, pcm: bytes) -> None:
        await self._start()
        self._timings.mark("first_chunk")
        self._samples += len(pcm) // 2
        await self._request.send(AudioChunk(rate=self._rate, width=2, channels=1, audio=pcm))

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            await self._request.send(AudioStart(rate=self._rate, width=2, channels=1))
