"""The tts unit: plain `synthesize`, and `synthesize-start/chunk/stop` for text that is still being written."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar

from wyoming.event import Event
from wyoming.tts import SynthesizeStopped

from wyoming_units.engines.base import Model, SynthesisRequest, Synthesizer
from wyoming_units.errors import BadRequest, TooLarge, UnknownVoice
from wyoming_units.speech.sentences import SentenceSplitter
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.speech.ssml import SPEEDS, Silence, parse_ssml
from wyoming_units.units._speech import Part, Speaker, Speech
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs, speaks
from wyoming_units.units.read import MOST_TEXT, choice, context, mapping, optional_text, text
from wyoming_units.units.replies import ReplyCache
from wyoming_units.wire.requests import Arrival, Request, Route

_MOST_VOICES = 256
"""Choices of a voice that are remembered."""


class TtsUnit:
    """Speaks text piece by piece, so that long texts of one client do not hold up others."""

    kind: ClassVar[str] = "tts"

    def __init__(
        self,
        synthesizers: Sequence[Synthesizer] = (),
        options: SpeakingOptions = SpeakingOptions(),  # noqa: B008 - it is frozen
    ) -> None:
        self._options = options
        self.programs = Programs(self.kind, synthesizers)
        self._cache = ReplyCache(
            entries=options.cache_entries,
            most_bytes=options.cache_bytes,
            length=options.cache_length,
        )
        self._voices: dict[tuple[weakref.ref[Synthesizer], str | None, str | None], Model] = {}
        self.routes = (
            Route(opener="synthesize", run=self._plain),
            Route(
                opener="synthesize-start",
                run=self._streaming,
                # `synthesize` repeats the whole text for servers that cannot stream.
                body=frozenset({"synthesize-chunk", "synthesize"}),
                end="synthesize-stop",
            ),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the voices as programs."""
        return {
            "tts": self.programs.info(
                lambda info: program(info, "voices", supports_synthesize_streaming=True)
            )
        }

    async def _plain(self, request: Request) -> None:
        ssml = _is_ssml(request.opener)
        speaker = await self._speaker(request)
        parts = self._marked_up if ssml else self._whole
        await Speech(request, speaker).say(parts(text(request.opener), speaker.usual))

    async def _streaming(self, request: Request) -> None:
        ssml = _is_ssml(request.opener)
        speaker = await self._speaker(request)
        parts = self._collected if ssml else self._written
        await Speech(request, speaker).say(parts(request, speaker.usual))
        await request.send(SynthesizeStopped())

    async def _speaker(self, request: Request) -> Speaker:
        """Choose the voice, so that a wrong one is told before any audio."""
        wanted = mapping(request.opener.data, "voice")
        name, language = optional_text(wanted, "name"), optional_text(wanted, "language")
        individual, speed = optional_text(wanted, "speaker"), _speed(request.opener)
        lane = self.programs.choose(request, model=name, language=language)
        voice = await self._voice(lane, request.client, name, language)
        if individual and individual not in voice.speakers:
            raise UnknownVoice(f"voice {voice.name!r} has no speaker {individual!r}")
        usual = SynthesisRequest(
            text="",
            voice=voice.name,
            # A text is read by the rules of the language in which it will be spoken.
            language=language if language and speaks(voice, language) else voice.languages[0],
            speaker=individual,
            speed=speed,
        )
        return Speaker(
            lane=lane, voice=voice, usual=usual, cache=self._cache, options=self._options
        )

    async def _voice(
        self, lane: Lane[Synthesizer], client: str, name: str | None, language: str | None
    ) -> Model:
        """Ask the engine once: the next time, nobody waits in the lane for the answer."""
        key = (weakref.ref(lane.engine), name, language)
        if key not in self._voices:
            voice = await lane.call(client, lane.engine.voice, name, language)
            if len(self._voices) >= _MOST_VOICES:
                self._voices.clear()
            self._voices[key] = voice
        return self._voices[key]

    # -- what is said

    def _splitter(self, language: str | None) -> SentenceSplitter:
        options = self._options
        return SentenceSplitter(
            language, first_length=options.first_length, max_length=options.max_length
        )

    async def _whole(self, written: str, usual: SynthesisRequest) -> AsyncGenerator[Part, None]:
        splitter = self._splitter(usual.language)
        for piece in (*splitter.push(written), *splitter.flush()):
            yield piece

    async def _written(
        self, request: Request, usual: SynthesisRequest
    ) -> AsyncGenerator[Part, None]:
        """Yield the pieces of a text as it is written, and what there is when the writer hesitates."""
        splitter = self._splitter(usual.language)
        async with aclosing(_texts(request, self._options.flush_after)) as texts:
            async for more in texts:
                for piece in splitter.pause() if more is None else splitter.push(more):
                    yield piece
        for piece in splitter.flush():
            yield piece

    async def _marked_up(self, ssml: str, usual: SynthesisRequest) -> AsyncGenerator[Part, None]:
        splitter = self._splitter(usual.language)
        for said in parse_ssml(ssml, usual.speed):
            if isinstance(said, Silence):
                yield said
                continue
            *pieces, last = splitter.push(said.text + "\n")
            last = last if said.ends else replace(last, end="word")
            for piece in (*pieces, last):
                yield replace(piece, speed=said.speed)

    async def _collected(
        self, request: Request, usual: SynthesisRequest
    ) -> AsyncGenerator[Part, None]:
        """Yield the parts of SSML that came in pieces: it is read when it is complete."""
        ssml = ""
        async with aclosing(_texts(request, None)) as texts:
            async for more in texts:
                ssml += more or ""
        async with aclosing(self._marked_up(ssml, usual)) as parts:
            async for part in parts:
                yield part


async def _texts(request: Request, patience: float | None) -> AsyncGenerator[str | None, None]:
    """Yield the text of a stream as it comes, None when nothing came for `patience` seconds."""
    length = 0
    arrivals = request.__aiter__()
    while True:
        coming = asyncio.ensure_future(_next(arrivals))
        try:
            done, _ = await asyncio.wait({coming}, timeout=patience)
            if not done:
                yield None
            arrival = await coming
        finally:
            coming.cancel()
        if arrival is None:
            return
        if arrival.event.type != "synthesize-chunk":
            continue
        more = text(arrival.event)
        length += len(more)
        if length > MOST_TEXT:
            raise TooLarge(f"the text is over the limit of {MOST_TEXT} characters")
        yield more


async def _next(arrivals: AsyncIterator[Arrival]) -> Arrival | None:
    async for arrival in arrivals:
        return arrival
    return None


def _is_ssml(opener: Event) -> bool:
    return choice(opener.data, "text_format", ("text", "ssml")) == "ssml"


def _speed(opener: Event) -> float:
    """Return `context.speed`, 1 where there is none."""
    speed = context(opener).get("speed")
    if speed is None:
        return 1.0
    slowest, fastest = SPEEDS
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise BadRequest("context.speed must be a number")
    if not slowest <= speed <= fastest:
        raise BadRequest(f"context.speed goes from {slowest:g} to {fastest:g}, not {speed!r}")
    return float(speed)
