"""Language models behind a server that speaks OpenAI's API: llama.cpp, Ollama, vLLM and many others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from wyoming_units import __version__
from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Weighed
from wyoming_units.chat.templates import Prompt, shape_of, write_jinja
from wyoming_units.chat.window import fit, tools_tokens
from wyoming_units.engines._openai_body import (
    COMPLETION,
    Slots,
    Way,
    chat_body,
    completion_body,
    completions_body,
)
from wyoming_units.engines._openai_deltas import Reader
from wyoming_units.engines._openai_errors import Again, Lost, Refused, has_images, refusal
from wyoming_units.engines._openai_link import Address, Link
from wyoming_units.engines._openai_server import CHAT, MAKERS, Found, Server
from wyoming_units.engines.base import EngineInfo, Model
from wyoming_units.errors import BadRequest, EngineFailed, UnknownModel, Unsupported

_LOGGER = logging.getLogger(__name__)
_PAUSE = 0.25
"""Seconds before the second try; doubled each time."""
_PARALLEL = 4
_UNNAMED = "default"
"""What a model is called as long as its server has not told."""


class OpenAiChat:
    """Lets the models of one server answer. The server may come and go."""

    def __init__(
        self,
        *,
        url: str,
        token: str | None = None,
        model: str | None = None,
        first_token: float = 60.0,
        between_tokens: float = 20.0,
        connect: float = 3.0,
        retries: int = 2,
        parallel: int | None = None,
        tools: bool | None = None,
        images: bool | None = None,
        choices: bool | None = None,
        context: int | None = None,
        template: str | None = None,
        languages: Sequence[str] = (),
    ) -> None:
        """Take the settings; `BadRequest`.

        `first_token`, `between_tokens` and `connect` are the seconds that the server has for each. `retries`
        is how often a request that failed before its first token is sent again. `tools`, `images`, `choices`
        and `context` (tokens) say what the models can, where the server does not tell it right; a `context` lifts
        the limit of prompts that the name of a model for an NPU implies. `template` names the shape of prompts for
        a server that knows no chats.
        """
        if parallel is not None and parallel < 1:
            raise BadRequest("option parallel must be at least 1")
        shape_of(template, "")
        self._address = Address.read(url, token)
        self._wanted = model
        self._first, self._between, self._connect = first_token, between_tokens, connect
        self._retries = retries
        self._parallel = parallel or _PARALLEL
        self._tools, self._images, self._choices = tools, images, choices
        self._context = context
        self._template = template
        self._languages = tuple(languages)
        self._server = Server()
        self._way = Way()
        self._weighs = True
        self._slots = Slots()
        self._link: Link | None = None
        self._info = self._describe()

    @property
    def info(self) -> EngineInfo:
        """Return what the server offers; another object whenever that has changed."""
        return self._info

    @property
    def report(self) -> Mapping[str, Any]:
        """Return which server it is and whether it answers."""
        server = self._server
        return {
            "server": server.kind,
            "version": server.version,
            "url": self._address.base,
            "reachable": server.reachable,
            "slots": server.slots,
        }

    def load(self) -> None:
        """Find out, within three seconds, what the server is. It may be away: it is asked again later."""
        loop = asyncio.new_event_loop()
        try:
            self._learn(loop.run_until_complete(self._look()))
        finally:
            loop.close()  # asyncio.run would wait for a name server that does not answer
        if not self._server.reachable:
            _LOGGER.warning("the model's server at %s cannot be reached yet", self._address.host)

    async def _look(self) -> Server:
        link = Link(self._address, self._connect)
        try:
            return await link.probe()
        finally:
            await link.close()

    def close(self) -> None:
        """Close all connections; from a worker thread."""
        link, self._link = self._link, None
        if link is not None and link.loop.is_running():
            asyncio.run_coroutine_threadsafe(link.close(), link.loop).result()

    # -- what is known of the server

    def _learn(self, server: Server) -> None:
        if server.reachable:
            known = server.models or (() if server.settled else self._server.models)
            self._server = replace(server, models=known)
            self._way, self._weighs = Way(path=CHAT if server.chats else COMPLETION), True
        else:
            self._server = replace(self._server, reachable=False, settled=False)
        self._tell()

    def _tell(self) -> None:
        info = self._describe()
        if info != self._info:
            self._info = info

    def _offered(self) -> tuple[Found, ...]:
        """Return the models with what the settings say of them."""
        found = self._server.models
        if self._way.path != CHAT:
            found = tuple(replace(each, tools=False, images=False) for each in found)
        if (name := self._wanted) is not None:
            named = [each for each in found if each.name in {name, f"{name}:latest"}]
            if not named and self._server.kind == "llama.cpp" and len(found) == 1:
                named = list(found)  # it has one model, whatever that is called
            found = (replace(named[0] if named else Found(name=name), name=name),)
        return tuple(
            replace(
                each,
                tools=each.tools if self._tools is None else self._tools,
                images=each.images if self._images is None else self._images,
                context=each.context if self._context is None else self._context,
                prompt=each.prompt if self._context is None else None,
            )
            for each in found or (Found(name=_UNNAMED),)
        )

    def _describe(self) -> EngineInfo:
        kind = self._server.kind
        models = tuple(
            Model(
                name=each.name,
                languages=self._languages,
                description=f"{_shown(each.name)} on {self._address.host}",
                attribution=MAKERS[kind],
                supports_tools=each.tools,
                supports_images=each.images,
                supports_choices=self._can_weigh,
                context_length=each.context,
            )
            for each in self._offered()
        )
        return EngineInfo(
            name="openai",
            description=f"Language model server: {kind}",
            version=__version__,
            attribution=MAKERS[kind],
            models=models,
            parallel=self._parallel,
        )

    @property
    def _can_weigh(self) -> bool:
        return self._weighs if self._choices is None else self._choices

    # -- answering

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer as it is written, `Ended` last; what fails before the first piece is tried again."""
        link = self._link
        if link is None or link.loop is not asyncio.get_running_loop():
            link = self._link = Link(self._address, self._connect)
        for attempt in count():
            said = False
            try:
                await self._meet(link)
                async with aclosing(self._answer(link, request)) as pieces:
                    async for piece in pieces:
                        said = True
                        yield piece
                return
            except Again as again:
                if isinstance(again, Lost):
                    self._learn(Server())
                if said or attempt >= self._retries or again.wait is None:
                    raise again.error from again
                pause = max(_PAUSE * 2**attempt, again.wait)
            await asyncio.sleep(pause)

    async def _meet(self, link: Link) -> None:
        """Find out what the server is, where that is not known; `Lost`."""
        async with link.meeting:
            if self._server.settled:
                return
            server = await link.probe()
            self._learn(server)
        if not server.reachable:
            raise self._address.unreachable()

    async def _answer(self, link: Link, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Ask in the way that the server is known to understand, then in others."""
        model = self._model(request)
        if model.prompt is not None:
            taken = tools_tokens(request.tools)
            kept = fit(request.messages, model.prompt, model.name, taken=taken)
            request = replace(request, messages=kept)
        way = self._way
        while True:
            try:
                async with aclosing(self._ask(link, request, model, way)) as pieces:
                    async for piece in pieces:
                        if way != self._way:
                            self._way = way
                            self._tell()
                        yield piece
                return
            except Refused as refused:
                other = way.after(refused, request)
                if other is None:
                    raise self._failure(refused, request, model) from refused
                way = other

    def _failure(self, refused: Refused, request: ChatRequest, model: Found) -> Exception:
        host = self._address.host
        if refused.no_such_path:
            self._way = Way()
            return EngineFailed(f"the model's server at {host} speaks neither chat nor completion")
        if request.weigh and refused.no_such_form:
            return self._cannot_weigh(model)
        failure = refusal(refused, request, host, model.name)
        if isinstance(failure, UnknownModel):
            self._server = replace(self._server, settled=False)
        return failure

    def _model(self, request: ChatRequest) -> Found:
        """Return the model that shall answer; `UnknownModel`, `Unsupported` where it is known not to be able."""
        offered = self._offered()
        name = request.model
        if name is None or name == _UNNAMED:
            model = offered[0]
        elif (named := next((each for each in offered if each.name == name), None)) is not None:
            model = named
        elif not self._server.settled:
            model = Found(name=name)
        else:
            there = ", ".join(each.name for each in offered)
            raise UnknownModel(f"the model's server has no model {name!r}; there are: {there}")
        if self._server.settled and request.tools and not model.tools:
            raise Unsupported(f"model {model.name} cannot call tools")
        if self._server.settled and has_images(request) and not model.images:
            raise Unsupported(f"model {model.name} does not see images")
        if request.weigh and not self._can_weigh:
            raise self._cannot_weigh(model)
        return model

    def _cannot_weigh(self, model: Found) -> Unsupported:
        # llama.cpp can, and may have met half a character.
        self._weighs = self._server.kind == "llama.cpp"
        self._tell()
        return Unsupported(f"the server of model {model.name} does not tell probabilities")

    async def _ask(
        self, link: Link, request: ChatRequest, model: Found, way: Way
    ) -> AsyncGenerator[Delta, None]:
        """Ask once and yield what was wanted of the answer."""
        reader = Reader(trim=way.path != CHAT)
        slot = self._slots.of(request.session, self._server.slots)
        write = partial(self._body, request, model, way, slot)
        # Megabytes of pictures take a tenth of a second to be written.
        body = await asyncio.to_thread(write) if has_images(request) else write()
        waits = {"first": self._first, "between": self._between}
        weighed = False
        async with aclosing(link.answer(way.path, body, reader, **waits)) as pieces:
            async for piece in pieces:
                if request.prepare or weighed or isinstance(piece, Weighed) != request.weigh:
                    continue
                weighed = request.weigh
                yield piece
        if request.weigh and not weighed:
            raise self._cannot_weigh(model)
        yield Ended("prepared" if request.prepare else reader.reason or "stop", reader.usage)

    def _body(self, request: ChatRequest, model: Found, way: Way, slot: int | None) -> bytes:
        if way.path == CHAT:
            return chat_body(request, self._server, model, way, slot)
        for has, what in ((request.tools, "tools"), (has_images(request), "images")):
            if has:
                raise Unsupported(f"the model's server knows no chats, so it takes no {what}")
        prompt = self._prompt(request, model)
        if way.path == COMPLETION:
            return completion_body(request, self._server, prompt.text, prompt.stop, slot)
        return completions_body(request, model, prompt.text, prompt.stop)

    def _prompt(self, request: ChatRequest, model: Found) -> Prompt:
        source = self._server.template
        if source is not None and self._template is None:
            return write_jinja(source, request.messages, think=request.think)
        return shape_of(self._template, model.name).write(request.messages)


def _shown(name: str) -> str:
    """Return a model's name for people: llama.cpp calls one by the path of its file, others by owner and name."""
    return PurePosixPath(name).name if name.endswith(".gguf") else name
