"""A scripted host of language models on loopback, after the public APIs of OpenAI, llama.cpp, Ollama and vLLM."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeVar

from aiohttp import web
from typing_extensions import Self

T = TypeVar("T")
Kind = Literal["plain", "llama.cpp", "ollama", "vllm"]

GENERATING = ("/v1/chat/completions", "/completion", "/v1/completions")
"""Paths that are recorded in `requests` and answered by the script; all others describe the server."""
DONE = b"data: [DONE]\n\n"


class Act(Enum):
    """What a server may do instead of sending a piece."""

    CUT = "cut the connection"
    HANG = "say nothing until the client leaves or the server stops"


CUT, HANG = Act.CUT, Act.HANG
Piece = bytes | float | asyncio.Event | Act
"""Bytes that are sent as they are, seconds to wait, an event to wait for, or an act."""


class Asked(NamedTuple):
    """A request that came."""

    path: str
    body: bytes
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request gets."""

    pieces: tuple[Piece, ...] = ()
    status: int = 200
    mime: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Piece = 0.0
    """What happens before the head of the answer."""


class ModelServer:
    """Answers each request with the next of `answers`, or with `usual` where there is none.

    Use as an asynchronous context manager, or `start` and `stop` it, as often as wanted on the same port.
    """

    def __init__(
        self,
        kind: Kind = "plain",
        *,
        models: tuple[str, ...] = ("small",),
        slots: int = 1,
        context: int = 4096,
        tools: bool = True,
        images: bool = False,
        thinking: bool = False,
        template: str = "",
        token: str | None = None,
    ) -> None:
        self.kind, self.models, self.slots, self.context = kind, models, slots, context
        self.tools, self.images, self.thinking = tools, images, thinking
        self.template, self.token = template, token
        self.answers: deque[Answer] = deque()
        self.usual = says("Hello")
        self.missing: set[str] = set()
        """Paths that this server has not: 404."""
        self.requests: list[Asked] = []
        self.probes: list[str] = []
        """Paths that were asked for besides."""
        self.departures: list[float] = []
        """When clients went away before their answer had ended, in `time.monotonic`."""
        self.disconnected = asyncio.Event()
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._arrival = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the port of before where there was one."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Go away: nothing listens any more, and what is connected is cut off."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def asked(self, count: int = 1) -> Asked:
        """Wait until so many requests have come; return the last of them."""
        while len(self.requests) < count:
            self._arrival.clear()
            await asyncio.wait_for(self._arrival.wait(), 5)
        return self.requests[count - 1]

    # -- answering

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response(_error("Invalid API Key"), status=401)
        if request.path not in GENERATING:
            self.probes.append(request.path)
            if request.path not in self.missing and (told := self._tells(request.path, body)):
                return web.json_response(told)
            return web.json_response(_error("File Not Found"), status=404)
        asked = json.loads(body)
        if not asked:  # somebody finds out whether there is such a path
            self.probes.append(request.path)
            missing = request.path in self.missing
            return web.json_response(_error("messages are missing"), status=404 if missing else 400)
        self.requests.append(Asked(request.path, body, asked, dict(request.headers)))
        self._arrival.set()
        if request.path in self.missing:
            return web.json_response(_error("File Not Found"), status=404)
        answer = self.answers.popleft() if self.answers else self.usual
        try:
            return await self._play(request, answer)
        except (asyncio.CancelledError, ConnectionError):
            if self._runner is not None:
                self.departures.append(time.monotonic())
                self.disconnected.set()
            raise

    async def _play(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_type = answer.mime
        for piece in (answer.before, None, *answer.pieces):
            if piece is None:
                await response.prepare(request)
            elif isinstance(piece, bytes):
                await response.write(piece)
            elif isinstance(piece, asyncio.Event):
                await piece.wait()
            elif piece is CUT:
                assert request.transport is not None
                request.transport.close()
                return response
            elif piece is HANG:
                await asyncio.Event().wait()
            elif isinstance(piece, float):
                await asyncio.sleep(piece)
        await response.write_eof()
        return response

    def _tells(self, path: str, body: bytes) -> dict[str, Any] | None:
        """Return what a server of this kind says at a path, None where it has none."""
        if path == "/v1/models":
            return {"object": "list", "data": [self._model(name) for name in self.models]}
        if path == "/props" and self.kind == "llama.cpp":
            return {
                "default_generation_settings": {"n_ctx": self.context},
                "total_slots": self.slots,
                "chat_template": self.template,
                "chat_template_caps": {"supports_tools": self.tools},
                "modalities": {"vision": self.images, "audio": False},
                "build_info": "b7000-0123456",
            }
        if path == "/api/version" and self.kind == "ollama":
            return {"version": "0.12.6"}
        if path == "/api/show" and self.kind == "ollama":
            assert json.loads(body)["model"] in self.models
            can = {"completion": True, "tools": self.tools, "vision": self.images}
            can["thinking"] = self.thinking
            told = {"general.architecture": "llama", "llama.context_length": self.context}
            return {"capabilities": [each for each in can if can[each]], "model_info": told}
        return {"version": "0.11.0"} if path == "/version" and self.kind == "vllm" else None

    def _model(self, name: str) -> dict[str, Any]:
        length = {"max_model_len": self.context} if self.kind == "vllm" else {}
        return {"id": name, "object": "model", "owned_by": "me", **length}


class ThreadedModelServer:
    """The same in a thread and an event loop of its own, for tests that keep theirs busy."""

    def __init__(self, kind: Kind = "plain", **options: Any) -> None:
        self.server = ModelServer(kind, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return self.server.url

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.server.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Let the server's loop run a coroutine; from another thread, which waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def set(self, event: asyncio.Event) -> None:
        """Set an event that an answer waits for."""
        self._loop.call_soon_threadsafe(event.set)


# -- usual answers


def sse(data: Mapping[str, Any]) -> bytes:
    """Return one event of a stream."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """Return one `chat.completion.chunk`."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return sse({"object": "chat.completion.chunk", "choices": [choice]})


_CACHED = {"cached_tokens": 8}
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": _CACHED}
COUNTED = sse({"object": "chat.completion.chunk", "choices": [], "usage": USAGE})
"""The last chunk, which `stream_options.include_usage` asks for."""


def says(*texts: str | Piece, finish: str = "stop") -> Answer:
    """Answer with texts; anything else among them is played as it is."""
    pieces = [chunk({"content": each}) if isinstance(each, str) else each for each in texts]
    first = chunk({"role": "assistant", "content": ""})
    return Answer(pieces=(first, *pieces, chunk({}, finish), COUNTED, DONE))


def thinks(thought: str, *texts: str | Piece, key: str = "reasoning_content") -> Answer:
    """Think, then answer."""
    return says(chunk({key: thought}), *texts)


def calls(
    name: str, arguments: Mapping[str, Any], *, pieces: int = 3, call_id: str = "call_1"
) -> Answer:
    """Call one tool, its arguments cut into pieces."""
    text = json.dumps(arguments, ensure_ascii=False)
    size = -(-len(text) // pieces)
    head = {"index": 0, "id": call_id, "type": "function"}
    parts = [chunk({"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})]
    for start in range(0, len(text), size):
        piece = {"arguments": text[start : start + size]}
        parts.append(chunk({"tool_calls": [{"index": 0, "function": piece}]}))
    return says(*parts, finish="tool_calls")


def weighs(logprobs: Mapping[str, float]) -> Answer:
    """Answer with the most likely token of some, and say how likely each is."""
    top = [{"token": token, "logprob": each, "bytes": None} for token, each in logprobs.items()]
    best = max(top, key=lambda each: each["logprob"] or 0.0)
    told = {"content": [{**best, "top_logprobs": top}]}
    return says(chunk({"content": best["token"]}, logprobs=told), finish="length")


def refuses(status: int, message: str, **headers: str) -> Answer:
    """Answer with an error."""
    return Answer(
        pieces=(json.dumps(_error(message)).encode(),),
        status=status,
        mime="application/json",
        headers={key.replace("_", "-").title(): value for key, value in headers.items()},
    )


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}
