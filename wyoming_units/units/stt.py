"""The stt unit: `transcribe`, audio -> `transcript`; it decides itself when the speaker has finished."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar

from wyoming.asr import Transcript
from wyoming.event import Event

from wyoming_units.engines.base import (
    RATE,
    Audio,
    Recognition,
    RecognitionRequest,
    RecognitionStream,
    Recognizer,
    VoiceDetector,
    VoiceStream,
)
from wyoming_units.errors import TooLarge
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.endpoint import Ending, EndOfTurn, VoiceFrame, end_of_turn
from wyoming_units.speech.home import Home
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.read import home, language, optional_text
from wyoming_units.wire.requests import Arrival, Request, Route

MOST_SECONDS = 60.0
"""Of one utterance."""


class SttUnit:
    """Turns utterances into text; without a voice detector the client must end them."""

    kind: ClassVar[str] = "stt"

    def __init__(
        self,
        recognizer: Recognizer,
        voice_detector: VoiceDetector | None,
        default_home: Home | None = None,
    ) -> None:
        self._lane = Lane(recognizer)
        self._vad = Lane(voice_detector) if voice_detector else None
        self._home = default_home
        self.routes = (
            Route(
                opener="transcribe",
                run=self._transcribe,
                body=AUDIO_BODY,
                begin="audio-start",
                end="audio-stop",
            ),
        )

    def programs(self) -> dict[str, list[dict[str, Any]]]:
        """Return the recogniser's models as a program."""
        if self._lane.failed:
            return {}
        return {
            "asr": [
                program(
                    self._lane.engine.info,
                    "models",
                    supports_transcript_streaming=False,
                    requires_external_vad=self._vad is None or self._vad.failed,
                    prefers_auto_gain_enabled=True,
                    prefers_noise_reduction_enabled=True,
                )
            ]
        }

    def load(self) -> list[asyncio.Task[None]]:
        """Begin to load the recogniser and the voice detector."""
        return [lane.load() for lane in (self._lane, self._vad) if lane]

    async def close(self) -> None:
        """Close the recogniser and the voice detector."""
        for lane in (self._lane, self._vad):
            if lane:
                await lane.close()

    async def _transcribe(self, request: Request) -> None:
        timings = Timings()
        wanted, rules = self._read(request.opener)
        async with AsyncExitStack() as stack:
            with timings.span("queue"):
                stream = await stack.enter_async_context(
                    self._lane.session(lambda: self._lane.engine.start(wanted))
                )
                voice = None
                if self._vad is not None and not self._vad.failed:
                    voice = await stack.enter_async_context(
                        self._vad.session(self._vad.engine.start)
                    )
            frame = self._vad.engine.frame / RATE if self._vad else 0.0
            utterance = _Utterance(stream=stream, voice=voice, rules=rules, frame=frame)
            ending = None
            async for arrival in request:
                ending = await self._lane.call(utterance.feed, arrival)
                if ending is not None:
                    timings.mark("endpoint")
                    break
            text = ""
            if ending is not Ending.NO_SPEECH and utterance.seconds:
                with timings.span("finish"):
                    text = (await self._lane.call(utterance.finish)).text
        timings.set("decode", utterance.spent)
        await request.send(
            Transcript(
                text=text, language=wanted.language, context=timings.as_context(utterance.seconds)
            )
        )

    def _read(self, opener: Event) -> tuple[RecognitionRequest, EndOfTurn]:
        known = home(opener) or self._home
        wanted = RecognitionRequest(
            model=optional_text(opener.data, "name"),
            language=language(opener) or (known.language if known else None),
            home=known,
        )
        return wanted, end_of_turn(optional_text(opener.data, "vad_sensitivity"))


@dataclass(kw_only=True)
class _Utterance:
    """One utterance in a worker: audio to the recogniser, and to the rules that end the turn."""

    stream: RecognitionStream
    voice: VoiceStream | None
    rules: EndOfTurn
    frame: float
    """Seconds per frame of the voice detector."""
    seconds: float = 0.0
    """Of audio so far."""
    spent: float = 0.0
    """Seconds of computing."""
    audio: AudioInput = field(default_factory=AudioInput)

    def feed(self, arrival: Arrival) -> Ending | None:
        """Take an audio event; return why the turn is over, None while it is not."""
        began = perf_counter()
        samples = self.audio.read(arrival.event)
        ending = self._hear(samples, arrival.at) if len(samples) else None
        self.spent += perf_counter() - began
        return ending

    def finish(self) -> Recognition:
        """Return what was said."""
        began = perf_counter()
        if len(rest := self.audio.flush()):
            self.stream.feed(rest)
        recognition = self.stream.finish()
        self.spent += perf_counter() - began
        return recognition

    def _hear(self, samples: Audio, at: float) -> Ending | None:
        self.seconds += len(samples) / RATE
        if self.seconds > MOST_SECONDS:
            raise TooLarge(f"the utterance is longer than {MOST_SECONDS:g} s")
        partial = self.stream.feed(samples)
        for probability in self.voice.feed(samples) if self.voice else ():
            ending = self.rules.update(
                VoiceFrame(
                    probability=probability, duration=self.frame, arrived=at, transcript=partial
                )
            )
            if ending is not None:
                return ending
        return None
