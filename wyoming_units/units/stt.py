"""The stt unit: `transcribe`, audio -> `transcript`; it decides itself when the speaker has finished."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, ClassVar

from wyoming.asr import Transcript
from wyoming.event import Event

from wyoming_units.engines.base import (
    RATE,
    Audio,
    EngineInfo,
    Recognition,
    RecognitionRequest,
    RecognitionStream,
    Recognizer,
    VoiceDetector,
    VoiceStream,
)
from wyoming_units.errors import TooLarge
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.endpoint import (
    DEFAULT_SENSITIVITY,
    SILENCE,
    Ending,
    EndOfTurn,
    Quiet,
    VoiceFrame,
    end_of_turn,
)
from wyoming_units.speech.home import Home
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import choice, context, home, language, optional_text
from wyoming_units.wire.requests import Arrival, Request, Route

MOST_SECONDS = 60.0
"""Of one utterance."""

_BATCH = 8
"""Audio events of a recording that a worker takes at a time: half a second, where they are 64 ms."""
_SHORTEST = min(SILENCE.values()) / 2
"""Seconds that must have been lived before any silence can have been; half, as frames lag behind audio."""


class SttUnit:
    """Turns utterances into text; without a voice detector the client must end them."""

    kind: ClassVar[str] = "stt"

    def __init__(
        self,
        recognizers: Sequence[Recognizer] = (),
        voice_detector: VoiceDetector | None = None,
        default_home: Home | None = None,
    ) -> None:
        self._programs = Programs(self.kind, recognizers)
        self._vad = Lane("vad", voice_detector) if voice_detector else None
        self._home = default_home
        self.lanes: tuple[Lane[Any], ...] = self._programs.lanes
        if self._vad is not None:
            self.lanes += (self._vad,)
        self.routes = (
            Route(
                opener="transcribe",
                run=self._transcribe,
                body=AUDIO_BODY,
                begin="audio-start",
                end="audio-stop",
            ),
        )

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the recognisers' models as programs."""
        return {"asr": self._programs.info(self._program)}

    def _program(self, info: EngineInfo) -> dict[str, Any]:
        return program(
            info,
            "models",
            supports_transcript_streaming=False,
            requires_external_vad=self._vad is None or self._vad.failed,
            prefers_auto_gain_enabled=True,
            prefers_noise_reduction_enabled=True,
        )

    async def _transcribe(self, request: Request) -> None:
        timings = Timings()
        wanted, rules = self._read(request.opener)
        lane = self._programs.choose(request, model=wanted.model, language=wanted.language)
        async with AsyncExitStack() as stack:
            with timings.span("queue"):
                start = partial(lane.engine.start, wanted)
                stream = await stack.enter_async_context(lane.session(request.client, start))
                turn = await self._follow(request, rules, stack)
            utterance = _Utterance(stream=stream, turn=turn)
            ending = None
            async for arrivals in request.batches(_BATCH):
                ending = await lane.call(request.client, utterance.feed, arrivals)
                if ending is not None:
                    timings.mark("endpoint")
                    break
            text = ""
            if ending is not Ending.NO_SPEECH and utterance.seconds:
                with timings.span("finish"):
                    text = (await lane.call(request.client, utterance.finish)).text
        timings.set("decode", utterance.spent)
        await request.send(
            Transcript(
                text=text, language=wanted.language, context=timings.as_context(utterance.seconds)
            )
        )

    def _read(self, opener: Event) -> tuple[RecognitionRequest, EndOfTurn | None]:
        """Return what to recognise, and the rules that end the turn unless the client wants to."""
        known = home(opener) or self._home
        wanted = RecognitionRequest(
            model=optional_text(opener.data, "name"),
            language=language(opener) or (known.language if known else None),
            home=known,
        )
        silence = choice(opener.data, "vad_sensitivity", SILENCE) or DEFAULT_SENSITIVITY
        ends = choice(context(opener), "end_of_turn", ("unit", "client"))
        return wanted, None if ends == "client" else end_of_turn(silence)

    async def _follow(
        self, request: Request, rules: EndOfTurn | None, stack: AsyncExitStack
    ) -> _Turn | None:
        """Begin to watch for the end of the turn; None where that is the client's part."""
        if rules is None or self._vad is None or self._vad.failed:
            return None
        vad = self._vad.engine
        voice = await stack.enter_async_context(self._vad.session(request.client, vad.start))
        return _Turn(voice=voice, rules=rules, frame=vad.frame / RATE)


@dataclass(kw_only=True)
class _Turn:
    """What ends an utterance."""

    voice: VoiceStream
    rules: EndOfTurn
    frame: float
    """Seconds per frame of the voice detector."""
    lived: Quiet | None = None
    """How all of the audio came."""
    unjudged: list[tuple[Audio, float, str | None]] = field(default_factory=list)

    def hear(self, samples: Audio, at: float, partial_text: str | None) -> Ending | None:
        """Take audio that came at a moment; return why the turn is over, None while it is not.

        A recording, of which no silence was lived, is not judged: nothing could end it.
        """
        self.lived = self.lived or Quiet(at)
        self.lived.add(len(samples) / RATE, at)
        self.unjudged.append((samples, at, partial_text))
        if not self.lived.lasted(_SHORTEST):
            return None
        waiting, self.unjudged = self.unjudged, []
        endings = (self._judge(*each) for each in waiting)
        return next((ending for ending in endings if ending is not None), None)

    def _judge(self, samples: Audio, at: float, partial_text: str | None) -> Ending | None:
        for probability in self.voice.feed(samples):
            frame = VoiceFrame(
                probability=probability, duration=self.frame, arrived=at, transcript=partial_text
            )
            if (ending := self.rules.update(frame)) is not None:
                return ending
        return None


@dataclass(kw_only=True)
class _Utterance:
    """One utterance in a worker: audio to the recogniser, and to the rules that end the turn."""

    stream: RecognitionStream
    turn: _Turn | None
    seconds: float = 0.0
    """Of audio so far."""
    spent: float = 0.0
    """Seconds of computing."""
    audio: AudioInput = field(default_factory=AudioInput)

    def feed(self, arrivals: Sequence[Arrival]) -> Ending | None:
        """Take audio events; return why the turn is over, None while it is not."""
        began = perf_counter()
        ending = None
        for arrival in arrivals:
            samples = self.audio.read(arrival.event)
            if len(samples) and (ending := self._hear(samples, arrival.at)) is not None:
                break
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
        partial_text = self.stream.feed(samples)
        return self.turn.hear(samples, at, partial_text) if self.turn else None
