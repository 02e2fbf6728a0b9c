"""The tts unit: plain `synthesize`, and `synthesize-start/chunk/stop` for text that is still being written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar

from wyoming.audio import AudioChunk, AudioStart
from wyoming.event import Event
from wyoming.tts import SynthesizeStopped

from wyoming_units.engines.base import Audio, Model, SynthesisRequest, Synthesizer
from wyoming_units.errors import TooLarge, UnknownVoice, Unsupported
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.sentences import SentenceSplitter
from wyoming_units.speech.speakable import speakable
from wyoming_units.units.audio import to_pcm
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs, speaks
from wyoming_units.units.read import MOST_TEXT, mapping, optional_text, text
from wyoming_units.wire.requests import Request, Route


class TtsUnit:
    """Speaks text, sentence by sentence, so that long texts of one client do not hold up others."""

    kind: ClassVar[str] = "tts"

    def __init__(self, synthesizers: Sequence[Synthesizer] = ()) -> None:
        self._programs = Programs(self.kind, synthesizers)
        self.lanes = self._programs.lanes
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

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the voices as programs."""
        return {
            "tts": self._programs.info(
                lambda info: program(info, "voices", supports_synthesize_streaming=True)
            )
        }

    async def _plain(self, request: Request) -> None:
        speech = await self._begin(request)
        splitter = SentenceSplitter(speech.language)
        for sentence in (*splitter.push(text(request.opener)), *splitter.flush()):
            await speech.say(sentence)
        await speech.end()

    async def _streaming(self, request: Request) -> None:
        speech = await self._begin(request)
        splitter = SentenceSplitter(speech.language)
        length = 0
        async for arrival in request:
            if arrival.event.type != "synthesize-chunk":
                continue
            piece = text(arrival.event)
            length += len(piece)
            if length > MOST_TEXT:
                raise TooLarge(f"the text is over the limit of {MOST_TEXT} characters")
            for sentence in splitter.push(piece):
                await speech.say(sentence)
        for sentence in splitter.flush():
            await speech.say(sentence)
        await speech.end()
        await request.send(SynthesizeStopped())

    async def _begin(self, request: Request) -> _Speech:
        """Choose the voice, so that a wrong one is told before any audio."""
        name, language = _voice(request.opener)
        lane = self._programs.choose(request, model=name, language=language)
        voice = await lane.call(request.client, lane.engine.voice, name, language)
        # A text is read by the rules of the language in which it will be spoken.
        spoken = language if language and speaks(voice, language) else voice.languages[0]
        return _Speech(lane, request, voice, spoken)


class _Speech:
    """The audio of one request: one `audio-start`, the sentences, one `audio-stop`."""

    def __init__(
        self, lane: Lane[Synthesizer], request: Request, voice: Model, language: str
    ) -> None:
        self._lane = lane
        self._request = request
        self._voice = voice
        self.language = language
        self._timings = Timings()
        self._samples = 0
        self._started = False

    async def say(self, sentence: str) -> None:
        """Send the audio of a sentence as it is made."""
        words = speakable(sentence, self.language)
        if not words:
            return
        wanted = SynthesisRequest(text=words, voice=self._voice.name, language=self.language)
        pieces = self._lane.stream(
            self._request.client, partial(self._lane.engine.synthesize, wanted)
        )
        async with aclosing(pieces):
            with self._timings.span("decode"):
                async for piece in pieces:
                    await self._send(piece)

    async def end(self) -> None:
        """Send the end of the audio, which may be empty, with the timings."""
        await self._start()
        context = self._timings.as_context(self._samples / self._voice.rate)
        await self._request.send(Event(type="audio-stop", data={"context": context}))

    async def _send(self, piece: Audio) -> None:
        await self._start()
        self._timings.mark("first_chunk")
        self._samples += len(piece)
        audio = to_pcm(piece)
        await self._request.send(
            AudioChunk(rate=self._voice.rate, width=2, channels=1, audio=audio)
        )

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            await self._request.send(AudioStart(rate=self._voice.rate, width=2, channels=1))


def _voice(opener: Event) -> tuple[str | None, str | None]:
    """Return the name and language of the wanted voice."""
    if opener.data.get("text_format") not in (None, "text"):
        raise Unsupported("only plain text can be spoken, no SSML")
    voice = mapping(opener.data, "voice")
    if speaker := optional_text(voice, "speaker"):
        raise UnknownVoice(f"no voice has a speaker {speaker!r}")
    return optional_text(voice, "name"), optional_text(voice, "language")
