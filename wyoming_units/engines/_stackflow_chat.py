"""Language models on StackFlow: what a conversation becomes there, and answers on their way to the event loop.

A model reads a system prompt, which is fixed when its task is set up, and one sentence of a user. Models that keep
what was said before (`precompute_len`) go on with it; all others answer the last sentence alone, as there is no
room for more: 128 tokens, 256 for some.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Said
from wyoming_units.chat.options import ChatOptions
from wyoming_units.chat.thinking import Thinking
from wyoming_units.chat.window import Message, fit, limit_of
from wyoming_units.engines._stackflow import Service, delta_of, engine_info, model_of
from wyoming_units.engines.base import EngineInfo
from wyoming_units.errors import (
    BadRequest,
    Cancelled,
    EngineFailed,
    TimedOut,
    UnitError,
    UnknownModel,
    Unsupported,
)
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk, Task

_PREFILL = 128
"""Tokens of a prompt, where neither name nor package of a model says how many."""
_LENGTH, _ANSWER = 1023, 256
"""Tokens of prompt and answer together; of the answer alone, with models that keep what was said before."""
_PER_REPLY = 3
"""Tokens that a model writes between two replies."""
_SETUP_SECONDS = 120.0
"""Models of a billion parameters and more take half a minute to load, and a tokenizer starts with them."""
_RESET, _RESET_SECONDS = "reset", 10.0
"""What makes a model forget, and how long that may take."""

Put = Callable[[Delta], None]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A message but for its place: who said what, and what was shown with it (data URLs)."""

    role: str
    text: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a request means to a model."""

    system: str
    before: tuple[Turn, ...]
    last: Turn
    """The user's sentence that is to be answered."""


@dataclass
class _Job:
    """An answer that is being written, in whatever thread."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: int | None = None
    left: bool = False
    """Whether nobody waits for it any more."""


class StackFlowModel:
    """A language model of a module. One answer at a time, in a thread of its own."""

    name: ClassVar[str]
    """In the table of engines."""
    sees: ClassVar[bool] = False

    def __init__(
        self,
        *,
        mode: Mode,
        module: ModuleAt,
        prompt: str = ChatOptions().prompt,
        first_token: float = 30.0,
        between_tokens: float = 20.0,
    ) -> None:
        """Prepare; nothing is sent.

        `prompt` is the system prompt of conversations without one, with which the model is loaded; another one makes
        the module load it anew, which takes five seconds and more. `first_token` and `between_tokens` are the
        seconds that it has for each.
        """
        self._mode = mode
        self._prompt = prompt
        self._first, self._between = first_token, between_tokens
        self._limit = limit_of(mode.name, mode.parameters) or _PREFILL
        kept = mode.parameters.get("precompute_len")
        self.keeps = isinstance(kept, int) and kept > 0
        """Whether the module keeps what was said before."""
        self._length = self._limit + _ANSWER if self.keeps else _LENGTH
        self._kept: tuple[Turn, ...] | None = ()
        """The conversation that it keeps; None where nobody knows what is left of one."""
        self._service = Service(module, mode, setup_seconds=_SETUP_SECONDS)
        self._pool: ThreadPoolExecutor | None = None
        model = model_of(mode, supports_images=self.sees, context_length=self._length)
        self._info = engine_info(self.name, model)

    @property
    def info(self) -> EngineInfo:
        """Return the one model; always the same."""
        return self._info

    def load(self) -> None:
        """Let the module load the model."""
        self._service.try_to_open(self._task(self._prompt))
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)

    def close(self) -> None:
        """End the task; an answer that is being written ends."""
        pool, self._pool = self._pool, None
        self._service.close()
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        self._kept = ()

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer as it is written, `Ended` last; closing it ends the work at once.

        `temperature` and `schema` do nothing: the module takes neither with a sentence.
        """
        self._check(request)
        asked = _asked(request, self._prompt)
        self._check_pictures(len(asked.last.pictures))
        fit(self._read(asked), self._limit, self._mode.name)
        async with aclosing(self._pieces(partial(self._answer, request, asked))) as pieces:
            async for piece in pieces:
                yield piece

    # -- what the models differ in

    def _words(self, text: str, *, think: bool) -> str:
        """Return a user's sentence as the unit takes it."""
        return text

    def _show(self, talk: Talk, pictures: Sequence[bytes]) -> None:
        """Send the pictures that a sentence is about."""

    def _opened(self, pictures: Sequence[str]) -> Sequence[bytes]:
        """Return pictures (data URLs) as the unit takes them; `BadImage`."""
        return ()

    # -- asking

    def _check(self, request: ChatRequest) -> None:
        name = self._mode.name
        if request.model not in (None, name):
            raise UnknownModel(f"{self.name} has {name}, not {request.model}")
        if request.tools:
            raise Unsupported(f"{name} cannot call tools")
        if request.weigh:
            raise Unsupported(f"{name} does not tell probabilities")
        if self._pool is None:
            raise EngineFailed(f"{name} is not loaded")

    def _check_pictures(self, count: int) -> None:
        if count and not self.sees:
            raise Unsupported(f"{self._mode.name} does not see images")
        if count > 1 and not self.keeps:
            raise Unsupported(f"{self._mode.name} looks at one image at a time, not at {count}")

    def _read(self, asked: Asked) -> list[Message]:
        """Return what of a conversation the model shall read, as messages."""
        before = asked.before if self.keeps else ()
        system = {"role": "system", "content": asked.system}
        return [system, *(_message(turn) for turn in (*before, asked.last))]

    def _task(self, system: str) -> Task:
        unit = self._mode.unit
        told = {"prompt": system, **({"system_prompt": system} if self.keeps else {})}
        return self._service.task(
            response_format=f"{unit}.utf-8.stream",
            input=f"{unit}.utf-8.stream",
            max_token_len=self._length,
            **told,
        )

    # -- in the thread

    def _answer(self, request: ChatRequest, asked: Asked, job: _Job, put: Put) -> None:
        pictures = self._opened(asked.last.pictures)
        task = self._task(asked.system)
        if request.prepare:
            task.open()
            put(Ended("prepared"))
        else:
            task.run(partial(self._say, request, asked, pictures, job, put))

    def _say(
        self,
        request: ChatRequest,
        asked: Asked,
        pictures: Sequence[bytes],
        job: _Job,
        put: Put,
        talk: Talk,
    ) -> None:
        if job.left:
            raise Cancelled("nobody waits for the answer")
        try:
            if self.keeps:
                self._go_on(asked, talk)
            self._show(talk, pictures)
            words = self._words(asked.last.text, think=request.think)
            talk.send_text(f"{self._mode.unit}.utf-8", words)
            said = self._listen(talk, request.max_tokens, put)
        except (Cancelled, TimedOut):
            with suppress(UnitError):
                talk.act("pause")
            raise
        answer = Turn(role="assistant", text=said.strip())
        self._kept = (*asked.before, asked.last, answer)

    def _go_on(self, asked: Asked, talk: Talk) -> None:
        """Make the model forget, where it keeps another conversation, or more than there is room for."""
        messages = self._read(asked)
        fits = len(fit(messages, self._limit, self._mode.name)) == len(messages)
        kept, self._kept = self._kept, None
        if kept == () or (kept == asked.before and fits):
            return
        talk.send_text(f"{self._mode.unit}.utf-8", _RESET)
        while not delta_of(talk.receive(_RESET_SECONDS).data)[1]:
            pass

    def _listen(self, talk: Talk, most: int | None, put: Put) -> str:
        """Put the pieces of an answer; return what was said. `Cancelled` once it is as long as it may be."""
        thinking = Thinking(unopened="deepseek-r1" in self._mode.name.lower())
        said, replies, last = "", 0, False
        while not last:
            text, last = delta_of(talk.receive(self._between if replies else self._first).data)
            replies += 1
            enough = not last and most is not None and replies * _PER_REPLY >= most
            pieces = [*thinking.push(text), *(thinking.flush() if last or enough else ())]
            for piece in pieces:
                said += piece.text if isinstance(piece, Said) else ""
                put(piece)
            if enough:
                put(Ended("length"))
                raise Cancelled("the answer is long enough")
        put(Ended("stop"))
        return said

    # -- between the thread and the event loop

    async def _pieces(self, work: Callable[[_Job, Put], None]) -> AsyncGenerator[Delta, None]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Delta | Exception] = asyncio.Queue()
        job = _Job()

        def put(piece: Delta | Exception) -> None:
            if not job.left:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def run() -> None:
            with job.lock:
                job.thread = threading.get_ident()
            try:
                work(job, put)
            except UnitError as err:
                put(err)
            except Exception as err:  # noqa: BLE001  whoever waits gets it
                put(EngineFailed(f"{self._mode.name} failed: {err}"))
            finally:
                with job.lock:
                    job.thread = None

        assert self._pool is not None
        waiting = self._pool.submit(run)
        piece: Delta | Exception | None = None
        try:
            while not isinstance(piece, Ended):
                piece = await pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            job.left = True
            waiting.cancel()
            with job.lock:  # the thread may have the next answer to write by now
                if job.thread is not None and not isinstance(piece, Ended):
                    self._service.interrupt(job.thread)


def _asked(request: ChatRequest, prompt: str) -> Asked:
    """Return what is asked; `BadRequest` where no user says anything."""
    turns = [_turn(message) for message in request.messages]
    last = next((at for at in reversed(range(len(turns))) if turns[at].role == "user"), None)
    if last is None:
        raise BadRequest("there is no message of a user to answer")
    system = "\n\n".join(turn.text for turn in turns if turn.role == "system")
    before = tuple(turn for turn in turns[:last] if turn.role != "system")
    return Asked(system=system or prompt, before=before, last=turns[last])


def _turn(message: Mapping[str, Any]) -> Turn:
    content = message.get("content") or ""
    plain = isinstance(content, str)
    parts: Sequence[Any] = [{"type": "text", "text": content}] if plain else content
    texts = [part["text"] for part in parts if part["type"] == "text"]
    urls = tuple(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    return Turn(role=message["role"], text="\n".join(texts).strip(), pictures=urls)


def _message(turn: Turn) -> Message:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in turn.pictures]
    return {"role": turn.role, "content": [{"type": "text", "text": turn.text}, *pictures]}
