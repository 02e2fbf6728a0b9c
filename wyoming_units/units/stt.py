"""The stt unit: `transcribe`, audio -> `transcript`; it decides itself when the speaker has finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from wyoming.asr import Transcript
from wyoming.event import Event

from wyoming_units.engines.base import (
    RATE,
    Audio,
    Engine,
    EngineInfo,
    OfflineRecognizer,
    Punctuator,
    RecognitionRequest,
    Recognizer,
    SpeakerIdentifier,
    StreamingRecognizer,
    TurnDetector,
    VoiceDetector,
)
from wyoming_units.errors import BadRequest, UnitError
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.endpoint import (
    DEFAULT_SENSITIVITY,
    SENSITIVITIES,
    Ending,
    EndOfTurn,
    TurnOptions,
)
from wyoming_units.speech.home import Home
from wyoming_units.units.audio import AUDIO_BODY
from wyoming_units.units.base import program
from wyoming_units.units.hearing import Hearing, Offline, Streaming
from wyoming_units.units.lane import Lane
from wyoming_units.units.listener import Follower, Listener
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import (
    choice,
    context,
    flag,
    home,
    language,
    mapping,
    optional_text,
    texts,
)
from wyoming_units.units.trial import Trial
from wyoming_units.wire.requests import Arrival, Request, Route

_LOGGER = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

_LEAST, _MOST = 0.05, 60.0
"""Seconds that a rule of the end of turn may be set to."""
_BATCH = 8
"""Audio events of a recording that a worker takes at a time: half a second, where they are 64 ms."""
_JUDGED = 8.0
"""Seconds of a turn's end that a turn detection model hears."""


@dataclass(frozen=True, kw_only=True)
class Helpers:
    """Engines that help to recognise an utterance; each may be missing."""

    vad: Lane[VoiceDetector] | None = None
    turn: Lane[TurnDetector] | None = None
    speaker: Lane[SpeakerIdentifier] | None = None
    punctuation: Lane[Punctuator] | None = None

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return those that there are."""
        every = (getattr(self, helper.name) for helper in fields(self))
        return tuple(lane for lane in every if lane is not None)


class SttUnit:
    """Turns utterances into text; without a voice detector the client must end them."""

    kind: ClassVar[str] = "stt"

    def __init__(
        self,
        recognizers: Sequence[Recognizer] = (),
        helpers: Helpers | None = None,
        *,
        default_home: Home | None = None,
        turn: Mapping[str, float] | None = None,
    ) -> None:
        """`turn` changes fields of the default `TurnOptions`."""
        self.programs: Programs[Recognizer] = Programs(self.kind, recognizers)
        self.helpers = helpers or Helpers()
        self._home = default_home
        self._sensitivities = {
            **SENSITIVITIES,
            DEFAULT_SENSITIVITY: replace(SENSITIVITIES[DEFAULT_SENSITIVITY], **(turn or {})),
        }
        self.routes = (
            Route(
                opener="transcribe",
                run=self._transcribe,
                body=AUDIO_BODY,
                begin="audio-start",
                end="audio-stop",
            ),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return recognisers and helpers."""
        return (*self.programs.lanes, *self.helpers.lanes)

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the recognisers' models as programs."""
        return {"asr": self.programs.info(self._program)}

    def _program(self, info: EngineInfo) -> dict[str, Any]:
        return program(
            info,
            "models",
            supports_transcript_streaming=True,
            requires_external_vad=_working(self.helpers.vad) is None,
            prefers_auto_gain_enabled=True,
            prefers_noise_reduction_enabled=True,
        )

    async def _transcribe(self, request: Request) -> None:
        wanted = self._read(request.opener)
        lane = self.programs.choose(
            request, model=wanted.recognition.model, language=wanted.recognition.language
        )
        async with AsyncExitStack() as stack:
            timings = Timings()
            with timings.span("queue"):
                listener = await self._listen(request, wanted, stack)
                hearing = await _hear(request, lane, wanted, listener, stack)
            utterance = _Utterance(request, wanted, self.helpers, listener, hearing)
            stack.callback(utterance.close)
            await utterance.take_audio(timings)
            with timings.span("finish"):
                transcript = await utterance.finish()
            timings.set("decode", hearing.spent)
            told = timings.as_context(listener.seconds)
            transcript.context = {**told, **(transcript.context or {})}
            await utterance.tell(transcript)

    def _read(self, opener: Event) -> _Wanted:
        known = home(opener) or self._home
        asked = context(opener)
        options = self._sensitivities[
            choice(opener.data, "vad_sensitivity", self._sensitivities) or DEFAULT_SENSITIVITY
        ]
        ends = choice(asked, "end_of_turn", ("unit", "client"))
        return _Wanted(
            recognition=RecognitionRequest(
                model=optional_text(opener.data, "name"),
                language=language(opener) or (known.language if known else None),
                home=known,
                terms=(
                    *texts(opener.data, "transcript_names"),
                    *texts(opener.data, "transcript_terms"),
                ),
            ),
            options=_changed(options, mapping(asked, "turn")),
            ends_itself=ends != "client",
            partials=flag(asked, "partials"),
        )

    async def _listen(self, request: Request, wanted: _Wanted, stack: AsyncExitStack) -> Listener:
        """Begin to take audio, and to watch for the end of the turn where that can be seen."""
        lane = _working(self.helpers.vad)
        if lane is None:
            return Listener(follower=None)
        voice = await stack.enter_async_context(lane.session(request.client, lane.engine.start))
        rules = wanted.options.rules() if wanted.ends_itself else ()
        return Listener(
            follower=Follower(
                voice=voice,
                rules=EndOfTurn(rules, lane.engine.thresholds),
                frame=lane.engine.frame / RATE,
                least=wanted.options.shortest / 2,  # frames lag behind audio
            )
        )


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What an opener asks for."""

    recognition: RecognitionRequest
    options: TurnOptions
    ends_itself: bool
    """Whether the unit ends the turn, else the client does."""
    partials: bool
    """Whether the client wants texts that may yet change."""


class _Utterance:
    """One utterance from its first audio to its transcript."""

    def __init__(
        self,
        request: Request,
        wanted: _Wanted,
        helpers: Helpers,
        listener: Listener,
        hearing: Hearing,
    ) -> None:
        self._request = request
        self._wanted = wanted
        self._voice = helpers.vad
        self._punctuation = _working(helpers.punctuation)
        self._listener = listener
        self._hearing = hearing
        self._ending: Ending | None = None
        self._told = ""
        self._started = False
        client, options = request.client, wanted.options
        self._turn = _trial(
            client,
            helpers.turn,
            options.finished,
            lambda: listener.since()[-int(_JUDGED * RATE) :],
            lambda engine: engine.finished,
        )
        self._speaker = _trial(
            client, helpers.speaker, options.draft, listener.since, lambda engine: engine.identify
        )

    async def take_audio(self, timings: Timings) -> None:
        """Take audio until the turn is over."""
        async for arrivals in self._request.batches(_BATCH):
            samples, self._ending = await self._hear(arrivals)
            if self._ending is not None:
                timings.mark("endpoint")
                return
            await self._follow(samples)
        await self._hearing.follow(self._listener.flush())

    async def _hear(self, arrivals: Sequence[Arrival]) -> tuple[Audio, Ending | None]:
        """Read audio and show it to the voice detector, in its worker."""
        hear = partial(self._listener.hear, arrivals)
        if self._listener.follower is None or self._voice is None:
            return await asyncio.to_thread(hear)
        return await self._voice.call(self._request.client, hear)

    async def _follow(self, samples: Audio) -> None:
        """Let everyone know of new audio, and the rules and the client of what was understood."""
        await self._hearing.follow(samples)
        follower = self._listener.follower
        if follower is not None:
            follower.rules.understood(self._hearing.partial)
            if follower.turn is not None:
                self._try(follower.rules)
        await self._tell_partial()

    def _try(self, rules: EndOfTurn) -> None:
        turn = self._listener.turn
        assert turn is not None
        if self._speaker is not None:
            self._speaker.follow(turn)
        if self._turn is not None and self._wanted.ends_itself:
            self._turn.follow(turn)
            if (finished := self._turn.result) is not None:
                rules.judged(finished)

    async def finish(self) -> Transcript:
        """Return what was said, and by whom."""
        language = self._wanted.recognition.language
        if self._ending is Ending.NO_SPEECH or not self._listener.length:
            return Transcript(text="", language=language)
        speaker = asyncio.create_task(self._speaker.final()) if self._speaker else None
        try:
            heard = await self._hearing.finish()
            text = await self._punctuated(heard.text)
            who = await speaker if speaker else None
        finally:
            if speaker is not None:
                speaker.cancel()
        return Transcript(
            text=text,
            language=heard.language or language,
            context={"speaker_id": who} if who else None,
        )

    async def _punctuated(self, text: str) -> str:
        if not text or self._punctuation is None:
            return text
        engine = self._punctuation.engine
        return await self._punctuation.call(self._request.client, engine.punctuate, text)

    async def tell(self, transcript: Transcript) -> None:
        """Send the text as a stream of one piece, which old clients take for nothing, and whole."""
        await self._start()
        if transcript.text and transcript.text != self._told:
            await self._tell_text(transcript.text)
        await self._request.send(transcript)
        await self._request.send(Event(type="transcript-stop"))

    async def _tell_partial(self) -> None:
        partial = self._hearing.partial
        if self._wanted.partials and partial is not None and partial.text != self._told:
            await self._start()
            await self._tell_text(partial.text)

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            language = self._wanted.recognition.language
            data = {"language": language} if language else {}
            await self._request.send(Event(type="transcript-start", data=data))

    async def _tell_text(self, text: str) -> None:
        """Send the new part of a text, or all of it where the old one was wrong."""
        grows = text.startswith(self._told)
        data: dict[str, Any] = {"text": text[len(self._told) :] if grows else text}
        if self._wanted.partials:
            data |= {"partial": text} if grows else {"partial": text, "replaces": True}
        self._told = text
        await self._request.send(Event(type="transcript-chunk", data=data))

    def close(self) -> None:
        """Give up what is still being computed."""
        self._hearing.close()
        for trial in (self._turn, self._speaker):
            if trial is not None:
                trial.drop()


def _working(lane: Lane[E] | None) -> Lane[E] | None:
    """Return a lane unless its engine failed."""
    return None if lane is None or lane.failed else lane


def _trial(
    client: str,
    lane: Lane[E] | None,
    after: float,
    take: Callable[[], Audio],
    ask: Callable[[E], Callable[[Audio], T | None]],
) -> Trial[T | None] | None:
    """Return a trial of a helper, whose failure costs nothing but its help; None where it is missing."""
    working = _working(lane)
    if working is None:
        return None

    async def safely(samples: Audio) -> T | None:
        try:
            return await working.call(client, ask(working.engine), samples)
        except UnitError as error:
            _LOGGER.warning("%s did not help: %s", working.name, error)
            return None

    return Trial(after, lambda: safely(take()))


async def _hear(
    request: Request,
    lane: Lane[Recognizer],
    wanted: _Wanted,
    listener: Listener,
    stack: AsyncExitStack,
) -> Hearing:
    """Begin to recognise in the way of the engine."""
    if hasattr(lane.engine, "recognize"):
        offline = cast("Lane[OfflineRecognizer]", lane)
        return Offline(request.client, offline, wanted.recognition, listener, wanted.options.draft)
    streaming = cast("Lane[StreamingRecognizer]", lane)
    start = partial(streaming.engine.start, wanted.recognition)
    session = streaming.session(request.client, start)
    return Streaming(request.client, streaming, await stack.enter_async_context(session))


def _changed(options: TurnOptions, changes: Mapping[str, Any]) -> TurnOptions:
    """Return options with what a client wants otherwise; `BadRequest`."""
    known = {option.name for option in fields(options)}
    for name, seconds in changes.items():
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if name not in known or not number or not _LEAST <= seconds <= _MOST:
            raise BadRequest(
                f"turn.{name}: {seconds!r} is not one of {', '.join(sorted(known))}, "
                f"in seconds from {_LEAST:g} to {_MOST:g}"
            )
    return replace(options, **changes)
