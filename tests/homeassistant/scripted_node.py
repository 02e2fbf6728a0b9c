"""A Wyoming server that answers what a test tells it to; written from the protocol, not from our client."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from wyoming.event import Event, Eventable, async_read_event, async_write_event
from wyoming.ping import Pong

NODE_ID = "0f8fad5bd9cb469fa16570867728950e"
POLLED = ("describe", "stats", "ping")
CREDIT = {"name": "Somebody", "url": "https://example.org"}


def artifact(name: str, **more: Any) -> dict[str, Any]:
    """Return what every program, model and voice of an `info` event says."""
    return {
        "name": name,
        "description": f"{name} of the test",
        "attribution": CREDIT,
        "installed": True,
        "version": "1.0",
        **more,
    }


def node_info(**changes: Any) -> dict[str, Any]:
    """Return the `info` of a node with one unit of each kind."""
    info = {
        "asr": [
            artifact(
                "ears",
                requires_external_vad=False,
                prefers_auto_gain_enabled=False,
                prefers_noise_reduction_enabled=True,
                models=[
                    artifact("ears-en", languages=["en", "en-US"]),
                    artifact("ears-nl", languages=["nl"], installed=False),
                ],
            )
        ],
        "tts": [
            artifact(
                "mouth",
                supports_synthesize_streaming=True,
                voices=[
                    artifact("alba", languages=["en-GB"]),
                    artifact("amy", languages=["en-US", "en"]),
                    artifact("thorsten", languages=["de"]),
                ],
            )
        ],
        "wake": [
            artifact(
                "sentinel",
                models=[
                    artifact("alexa", languages=["en"], phrase="Alexa"),
                    artifact("okay_nabu", languages=["en"], phrase="Okay Nabu"),
                    artifact("not_here", languages=["en"], phrase="Not here", installed=False),
                ],
            )
        ],
        "intent": [artifact("mind", models=[artifact("mind-en", languages=["en"])])],
        "node": {"id": NODE_ID, "name": "Cellar", "version": "0.1.0", "protocol": 1},
    }
    return {key: value for key, value in (info | changes).items() if value is not None}


def vision_info() -> list[dict[str, Any]]:
    """Return the `vision` of a node that does everything but turned boxes."""
    labels = ["person", "bicycle", "car", "dog", "cat", "traffic light"]
    return [
        artifact(
            "eyes", models=[artifact("yolo-n", languages=[], tasks=["detect"], labels=labels)]
        ),
        artifact(
            "limbs",
            models=[
                artifact("pose-n", languages=[], tasks=["pose"], labels=["person"]),
                artifact("hand-n", languages=[], tasks=["hand"], labels=["hand"]),
            ],
        ),
        artifact("far", models=[artifact("depth-s", languages=[], tasks=["depth"], labels=[])]),
        artifact(
            "not-here",
            models=[
                artifact("big", languages=[], tasks=["oriented"], labels=["ship"], installed=False)
            ],
        ),
    ]


def llm_info(*models: dict[str, Any], program: str = "brain") -> list[dict[str, Any]]:
    """Return the `llm` of a node: `models`, or one that calls tools and one that is small."""
    return [artifact(program, models=[*(models or (llm_model("big"), small_model()))])]


def llm_model(name: str, **more: Any) -> dict[str, Any]:
    """Return a language model that can do everything, but for what `more` says of it."""
    able = {"supports_tools": True, "supports_images": True, "supports_choices": True}
    return artifact(name, languages=[], **{**able, "context_length": 32768, **more})


def small_model(name: str = "small") -> dict[str, Any]:
    """Return a language model of a small machine."""
    unable = {"supports_tools": False, "supports_images": False, "supports_choices": False}
    return llm_model(name, **unable, context_length=1024)


def engine(unit: str, name: str, **more: Any) -> dict[str, Any]:
    """Return what `stats` tells of an engine."""
    told = {"state": "ready", "load_ms": 812.0, "waiting": 0, "running": 0}
    return {"unit": unit, "name": name, **told, "served": 0, "refused": 0, "failed": 0, **more}


def node_stats(*engines: dict[str, Any]) -> dict[str, Any]:
    """Return the `stats` of a node."""
    return {"uptime": 12.5, "memory": 123_456_789, "connections": 1, "engines": [*engines]}


type Answer = Callable[[Connection, Event], Awaitable[None]]


class Connection:
    """The server's end of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.received: list[Event] = []

    async def send(self, message: Eventable) -> None:
        await async_write_event(message.event(), self._writer)

    async def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def hang_up(self) -> None:
        self._writer.close()

    def types(self) -> list[str]:
        return [event.type for event in self.received]

    def all(self, event_type: str) -> list[Event]:
        return [event for event in self.received if event.type == event_type]


def reply(*messages: Eventable) -> Answer:
    """Return an answer that sends messages."""

    async def answer(connection: Connection, _event: Event) -> None:
        for message in messages:
            await connection.send(message)

    return answer


def after(count: int, answer: Answer) -> Answer:
    """Return an answer that is given once, to the event number `count` of its type."""

    async def counted(connection: Connection, event: Event) -> None:
        if len(connection.all(event.type)) == count:
            await answer(connection, event)

    return counted


async def hang_up(connection: Connection, _event: Event) -> None:
    connection.hang_up()


def in_turn(*answers: Answer) -> Answer:
    """Return an answer that is another one each time, over all connections; the last one stays."""
    left = [*answers]

    async def answer(connection: Connection, event: Event) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(connection, event)

    return answer


TIMING = {"queue": 3.0, "first_token": 40.0, "total": 200.0}


def tool_call(call_id: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    """Return the piece of an answer that has a tool called."""
    return {"tool_call": {"id": call_id, "name": name, "arguments": arguments}}


def chat_stop(finish_reason: str = "stop", **more: Any) -> Raw:
    """Return the end of an answer."""
    usage = {"prompt": 120, "completion": 12, "cached": 100}
    told = {"finish_reason": finish_reason, "usage": usage, "cached": False}
    return Raw("chat-stop", told | {"context": {"timing": TIMING, "rate": 25.0}} | more)


def chat(*pieces: str | dict[str, Any], **stop: Any) -> Answer:
    """Return the whole answer of a language model: texts, and other pieces as they are.

    `stop` goes into its end. A request to prepare is answered as such.
    """
    calls = any(isinstance(piece, dict) and "tool_call" in piece for piece in pieces)
    stop = {"finish_reason": "tool_calls" if calls else "stop", **stop}

    async def answer(connection: Connection, event: Event) -> None:
        await connection.send(Raw("chat-start", {"model": event.data.get("model") or "big"}))
        if event.data.get("prepare"):
            await connection.send(chat_stop("prepared"))
            return
        for piece in pieces:
            data = {"text": piece} if isinstance(piece, str) else piece
            await connection.send(Raw("chat-chunk", data))
        await connection.send(chat_stop(**stop))

    return answer


def begin_chat(*texts: str) -> Answer:
    """Return the beginning of an answer that never ends."""
    chunks = [Raw("chat-chunk", {"text": text}) for text in texts]
    return reply(Raw("chat-start", {"model": "big"}), *chunks)


class ScriptedNode:
    """Describes itself, remembers all that it is sent, and answers by event type."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = node_info()
        self.stats: dict[str, Any] | None = None
        """What is told of the engines; None as a node that is too old to tell."""
        self.answers: dict[str, Answer] = {
            "describe": self._describe,
            "stats": self._count,
            "ping": reply(Pong()),
        }
        self.requests: list[Connection] = []
        """Connections that asked for more than a description, oldest first."""
        self.open = 0
        self.described = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    async def _describe(self, connection: Connection, _event: Event) -> None:
        self.described += 1
        await connection.send(Raw("info", self.info))

    async def _count(self, connection: Connection, _event: Event) -> None:
        if self.stats is not None:
            await connection.send(Raw("stats", self.stats))

    async def start(self, host: str = "127.0.0.1") -> Self:
        self._server = await asyncio.start_server(self._serve, host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server.close_clients()
            await self._server.wait_closed()
            self._server = None

    async def request(self) -> Connection:
        """Return the newest request as soon as there is one that is over."""
        await self.until(lambda: self.requests and not self.open)
        return self.requests[-1]

    async def received(self, event_type: str) -> None:
        """Wait until the newest request sent an event of a type."""
        await self.until(lambda: self.requests and self.requests[-1].all(event_type))

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds that changes with what is sent here."""
        async with asyncio.timeout(5):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        self.open += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while (event := await async_read_event(reader)) is not None:
                    if event.type not in POLLED and connection not in self.requests:
                        self.requests.append(connection)
                    connection.received.append(event)
                    self._changed.set()
                    if (answer := self.answers.get(event.type)) is not None:
                        await answer(connection, event)
        finally:
            self.open -= 1
            self._changed.set()
            writer.close()


class Raw(Eventable):
    """An event of any type and data."""

    def __init__(self, event_type: str, data: Any, **parts: bytes) -> None:
        """`parts` are told of in the data, `_` in their names being `-`."""
        if parts:
            told = [
                {"name": name.replace("_", "-"), "mime": "image/*", "length": len(part)}
                for name, part in parts.items()
            ]
            data = {**data, "parts": told}
        self._event = Event(type=event_type, data=data, payload=b"".join(parts.values()) or None)

    def event(self) -> Event:
        return self._event

    @staticmethod
    def is_type(event_type: str) -> bool:
        raise NotImplementedError

    @staticmethod
    def from_event(event: Event) -> Eventable:
        raise NotImplementedError
