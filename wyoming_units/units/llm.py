"""The llm unit: `chat` -> `chat-start`, `chat-chunk`, `chat-stop`; `transcript` -> `handled-…`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from time import perf_counter
from typing import Any, ClassVar
from uuid import uuid4

from wyoming.event import Event
from wyoming.handle import Handled, HandledChunk, HandledStart, HandledStop

from wyoming_units.chat import choices, schema
from wyoming_units.chat.exchange import Called, ChatRequest, Said, Thought, Weighed
from wyoming_units.chat.options import ChatOptions
from wyoming_units.engines.base import ChatModel, EngineInfo, Model
from wyoming_units.errors import Unsupported
from wyoming_units.observe.timing import Timings
from wyoming_units.units.answers import Answers, Told
from wyoming_units.units.base import program
from wyoming_units.units.chatting import Wanted, spoken_of, wanted_of, with_pictures
from wyoming_units.units.conversations import Conversations
from wyoming_units.units.lane import Lane
from wyoming_units.units.past import Past
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import language
from wyoming_units.units.writing import Writing
from wyoming_units.wire.requests import Request, Route

_LANGUAGES = (
    *(
        "ar",
        "bg",
        "cs",
        "da",
        "de",
        "el",
        "en",
        "es",
        "fa",
        "fi",
        "fr",
        "he",
        "hi",
        "hu",
        "id",
        "it",
    ),
    *("ja", "ko", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sv", "th", "tr", "uk", "vi", "zh"),
)
"""What a model is taken to speak where nobody says."""


class LlmUnit:
    """Lets language models answer."""

    kind: ClassVar[str] = "llm"

    def __init__(
        self, models: Sequence[ChatModel] = (), *, options: ChatOptions | None = None
    ) -> None:
        self.programs = Programs(self.kind, models)
        self._options = options or ChatOptions()
        self._answers = Answers()
        self._past = Past()
        self._conversations = Conversations(self._options.forget)
        self.routes = (
            Route(opener="chat", run=self._chat),
            Route(opener="transcript", run=self._transcript),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the models and what they can do as programs, and as those that plain clients know."""
        return {"llm": self.programs.info(_program), "handle": self.programs.info(_plain_program)}

    async def _chat(self, request: Request) -> None:
        timings = Timings()
        wanted = wanted_of(request.opener)
        if wanted.request.schema is not None:
            await asyncio.to_thread(schema.check, wanted.request.schema)
        if wanted.key is None:
            await self._answer(request, wanted, timings)
            return
        name = (request.client, wanted.key)
        async with self._answers.alone(name) as kept:
            if kept is None:
                await self._answer(request, wanted, timings, partial(self._answers.keep, name))
                return
        for kind, data in kept:
            if kind == "chat-stop":
                data |= {"cached": True, "context": timings.as_context()}
            await request.send(Event(type=kind, data=data))

    async def _answer(
        self,
        request: Request,
        wanted: Wanted,
        timings: Timings,
        keep: Callable[[Sequence[Told]], None] = lambda _: None,
    ) -> None:
        """Have a model answer; the answer is kept before its end is told, which the client may not hear."""
        lane = self.programs.choose(request, model=wanted.request.model)
        answer = _Answer(request, wanted)
        writing = Writing(timings)
        async with _turn(lane, request.client, timings):
            model = _model(lane.engine.info, wanted.request.model)
            asked = await self._asked(request, wanted, model)
            await answer.tell("chat-start", {"model": wanted.request.model or model.name})
            async with aclosing(writing.pieces(lane.engine, asked)) as pieces:
                async for piece in pieces:
                    await answer.take(piece)
        found = {} if asked.prepare else await answer.check()
        ended = writing.ended
        stop = {
            # Weighing ends after one token, which is no answer that was cut off.
            "finish_reason": "stop" if found else ended.reason,
            "usage": asdict(ended.usage),
            "cached": False,
            **found,
            "context": writing.context(),
        }
        keep([*answer.told, ("chat-stop", stop)])
        await request.send(Event(type="chat-stop", data=stop))
        if ended.reason in ("stop", "length"):
            self._past.follow(lane, request.client, wanted, model, answer.text)

    async def _asked(self, request: Request, wanted: Wanted, model: Model) -> ChatRequest:
        """Return what the engine is asked."""
        messages = self._past.read(request.client, wanted, model)
        if wanted.choices and not wanted.request.prepare:
            messages = choices.ask(messages, wanted.choices)
        if wanted.pictures:
            messages = await asyncio.to_thread(with_pictures, messages, wanted.pictures)
        return replace(wanted.request, messages=messages)

    async def _transcript(self, request: Request) -> None:
        timings = Timings()
        said, conversation = spoken_of(request.opener)
        conversation = conversation or uuid4().hex
        name = (request.client, conversation)
        wanted = Wanted(
            request=ChatRequest(
                messages=(
                    {"role": "system", "content": self._options.prompt},
                    *self._conversations.messages(name),
                    {"role": "user", "content": said},
                ),
                max_tokens=self._options.max_tokens,
                session=conversation,
            ),
            history=self._options.history,
        )
        lane = self.programs.choose(request, language=language(request.opener))
        writing = Writing(timings)
        answer = ""
        async with _turn(lane, request.client, timings):
            model = _model(lane.engine.info, None)
            asked = await self._asked(request, wanted, model)
            await request.send(HandledStart(context={"conversation_id": conversation}))
            async with aclosing(writing.pieces(lane.engine, asked)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Said):
                        answer += piece.text
                        await request.send(HandledChunk(text=piece.text))
        if answer:
            self._conversations.add(name, said, answer)
        context = {"conversation_id": conversation, **writing.context()}
        await request.send(Handled(text=answer, context=context))
        await request.send(HandledStop())
        self._past.follow(lane, request.client, wanted, model, answer)


class _Answer:
    """What a client was told of an answer, and what is told only when it is whole."""

    def __init__(self, request: Request, wanted: Wanted) -> None:
        self.told: list[Told] = []
        self.text = ""
        self._request = request
        self._wanted = wanted
        self._called = False
        self._weighed: Weighed | None = None

    async def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event."""
        self.told.append((kind, data))
        await self._request.send(Event(type=kind, data=data))

    async def take(self, piece: Said | Thought | Called | Weighed) -> None:
        """Tell a piece, unless it must be checked or weighed first."""
        if isinstance(piece, Weighed):
            self._weighed = piece
        elif isinstance(piece, Thought):
            await self.tell("chat-chunk", {"thinking": piece.text})
        elif isinstance(piece, Called):
            self._called = True
            call = asdict(piece.call)
            await self.tell("chat-chunk", {"tool_call": call})
        else:
            self.text += piece.text
            if self._wanted.request.schema is None and not self._wanted.choices:
                await self.tell("chat-chunk", {"text": piece.text})

    async def check(self) -> dict[str, Any]:
        """Tell the JSON that was wanted, or return the probabilities; `EngineFailed` for what is none."""
        wanted = self._wanted
        if wanted.choices:
            if self._weighed is None:
                raise Unsupported("the model does not tell how likely its answers are")
            likely = choices.probabilities(self._weighed.logprobs, len(wanted.choices))
            return {"probabilities": likely}
        if wanted.request.schema is not None and not (self._called and not self.text.strip()):
            found = await asyncio.to_thread(schema.answer, self.text, wanted.request.schema)
            await self.tell("chat-chunk", {"text": found})
        return {}


@asynccontextmanager
async def _turn(lane: Lane[ChatModel], client: str, timings: Timings) -> AsyncIterator[None]:
    """Take the turn of a client; `Info` is made anew where the engine has found out more about itself."""
    began = perf_counter()
    async with lane.turn(client):
        timings.set("queue", perf_counter() - began)
        before = lane.engine.info
        try:
            yield
        finally:
            if lane.engine.info is not before:
                lane.changed()


def _model(info: EngineInfo, name: str | None) -> Model:
    """Return the model of a name, else the first one: the engine refuses a name that it does not have."""
    unknown = Model(
        name=name or info.name, languages=(), description="", attribution=info.attribution
    )
    first = next(iter(info.models), unknown)
    return next((model for model in info.models if model.name == name), first)


def _program(info: EngineInfo) -> dict[str, Any]:
    return program(
        info,
        "models",
        "supports_tools",
        "supports_images",
        "supports_choices",
        "context_length",
    )


def _plain_program(info: EngineInfo) -> dict[str, Any]:
    models = tuple(replace(model, languages=model.languages or _LANGUAGES) for model in info.models)
    return program(replace(info, models=models), "models", supports_handled_streaming=True)
