"""Asks a node: one TCP connection per request, Wyoming events over it, every wait bounded."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from homeassistant.exceptions import HomeAssistantError
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_read_event, async_write_event
from wyoming.info import (
    AsrProgram,
    Describe,
    Info,
    IntentProgram,
    SelectProgram,
    TtsProgram,
    WakeProgram,
)
from wyoming.ping import Ping, Pong

from .const import DOMAIN, PROTOCOL
from .language_model import ChatRequest, Ended, LlmModel, LlmProgram, Piece, piece_of
from .pictures import ImageAnalysis, VisionModel, VisionProgram

CONNECT_TIMEOUT = 5.0
DESCRIBE_TIMEOUT = 5.0
STATS_TIMEOUT = 2.0
SEND_TIMEOUT = 10.0
ANSWER_TIMEOUT = 30.0
"""Seconds from the end of a request to its answer, and between the parts of an answer."""

CHAT_TIMEOUT = 120.0
"""Seconds between the pieces of a language model's answer; the node itself gives up before."""

LINE_LIMIT = 1024 * 1024
"""Longest header line; other servers put a whole `info` into it."""

UNITS: Final = ("wake", "stt", "tts", "intent", "llm", "vision")
"""The units that become devices, as `NodeInfo.programs`, ids and translations name them."""

type Program = AsrProgram | IntentProgram | LlmProgram | TtsProgram | VisionProgram | WakeProgram

# What the library's codecs raise on frames that are JSON, but not what they should be.
_CODEC_ERRORS = (AttributeError, EOFError, KeyError, TypeError, ValueError)


class NodeError(HomeAssistantError):
    """A node could not be asked, or refused; the key names both an exception and a flow error."""

    def __init__(self, key: str, **placeholders: str) -> None:
        super().__init__(
            translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
        )
        self.key = key
        self.placeholders = placeholders


def parse[T: Eventable](codec: type[T], event: Event) -> T:
    """Return an event as a message of its type; `NodeError` when its content makes no sense."""
    # The library declares what all codecs return by the name of their base class.
    return read(codec.from_event, event)  # type: ignore[return-value]


def read[T](reader: Callable[[Event], T], event: Event) -> T:
    """Return what `reader` makes of an event; `NodeError` when its content makes no sense."""
    try:
        return reader(event)
    except _CODEC_ERRORS as err:
        raise NodeError("bad_answer", event=event.type) from err


@dataclass(frozen=True, kw_only=True)
class NodeInfo:
    """What a node says about itself."""

    id: str
    """Stable for the life of the node's data folder."""
    name: str
    version: str
    info: Info = field(compare=False)
    raw: dict[str, Any] = field(repr=False)
    """The whole `info` event, with the parts that the Wyoming library does not know."""
    vision: tuple[VisionProgram, ...]
    llm: tuple[LlmProgram, ...]

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read an `info` event; `NodeError` for a server that is no node, or too new a one."""
        info = parse(Info, event)
        match event.data.get("node"):
            case {"id": str(node_id), "name": str(name), "version": str(version), "protocol": v}:
                if v != PROTOCOL:
                    raise NodeError("unsupported_protocol", protocol=str(v), name=name)
                return cls(
                    id=node_id,
                    name=name,
                    version=version,
                    info=info,
                    raw=event.data,
                    vision=read(_vision, event),
                    llm=read(_llm, event),
                )
        programs = [*info.asr, *info.tts, *info.wake, *info.intent, *info.handle]
        names = ", ".join(program.name for program in programs) or "-"
        raise NodeError("not_a_node", programs=names)

    def programs(self, unit: str) -> list[Program]:
        """Return the programs of a unit that can be used; the first serves requests that name none."""
        info = self.info
        programs: dict[str, list[Program]] = {
            "wake": [*info.wake],
            "stt": [*info.asr],
            "tts": [*info.tts],
            "intent": [*info.intent],
            "llm": [*self.llm],
            "vision": [*self.vision],
        }
        return [program for program in programs[unit] if program.installed]

    def program(self, unit: str, name: str) -> Program | None:
        """Return the program of that name, None where it is not offered."""
        return next((program for program in self.programs(unit) if program.name == name), None)

    def models(self, tasks: Iterable[str]) -> list[VisionModel]:
        """Return the installed models that do any of `tasks`; the first ones serve requests that name none."""
        return [
            model
            for program in self.programs("vision")
            if isinstance(program, VisionProgram)
            for model in program.models
            if model.installed and {*tasks} & {*model.tasks}
        ]

    def language_models(self, program: str | None = None) -> list[LlmModel]:
        """Return the installed language models, of one program or of all; the first is the usual one."""
        return [
            model
            for each in self.llm
            if each.installed and program in (None, each.name)
            for model in each.models
            if model.installed
        ]

    def hears_any_phrase(self, program: str) -> bool:
        """Return whether a wake word program takes phrases that it does not list."""
        return any(
            each["name"] == program and each.get("open_vocabulary") is True
            for each in self.raw.get("wake") or ()
        )


def _vision(event: Event) -> tuple[VisionProgram, ...]:
    return tuple(VisionProgram.from_dict(each) for each in event.data.get("vision") or ())


def _llm(event: Event) -> tuple[LlmProgram, ...]:
    return tuple(LlmProgram.from_dict(each) for each in event.data.get("llm") or ())


@dataclass(frozen=True, kw_only=True)
class EngineStats:
    """How an engine of a node does, which has one model of a program, or all of them."""

    state: str
    """`loading`, `ready`, `unloaded` or `failed`."""
    waiting: int
    """Requests that wait for it."""
    memory: int | None
    """What its model takes, bytes; None where that is not known."""


@dataclass(frozen=True, kw_only=True)
class NodeStats:
    """What a node counts."""

    memory: int
    """Resident memory of its process, bytes."""
    engines: dict[tuple[str, str], list[EngineStats]]
    """By unit and program name."""
    raw: dict[str, Any] = field(repr=False)
    """The whole `stats` event."""

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read a `stats` event; `NodeError` when its content makes no sense."""
        engines: dict[tuple[str, str], list[EngineStats]] = {}
        try:
            for engine in event.data["engines"]:
                memory = engine.get("memory")
                told = EngineStats(
                    state=str(engine["state"]),
                    waiting=int(engine["waiting"]),
                    memory=None if memory is None else int(memory),
                )
                program = (str(engine["unit"]), str(engine["name"]))
                engines.setdefault(program, []).append(told)
            return cls(memory=int(event.data["memory"]), engines=engines, raw=event.data)
        except _CODEC_ERRORS as err:
            raise NodeError("bad_answer", event=event.type) from err


class NodeConnection:
    """An open connection; everything it raises is a `NodeError`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Eventable | Event) -> None:
        """Send one message."""
        event = message if isinstance(message, Event) else message.event()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await async_write_event(event, self._writer)
        except OSError as err:
            raise NodeError("connection_lost") from err

    async def receive(self, patience: float = ANSWER_TIMEOUT) -> Event:
        """Return the next event within so many seconds; an `error` event is raised with its text."""
        try:
            async with asyncio.timeout(patience):
                return await self._read()
        except TimeoutError as err:
            raise NodeError("no_answer") from err

    async def _read(self) -> Event:
        try:
            event = await async_read_event(self._reader)
        except (OSError, *_CODEC_ERRORS) as err:
            raise NodeError("connection_lost") from err
        if event is None:
            raise NodeError("connection_lost")
        if Error.is_type(event.type):
            error = parse(Error, event)
            raise NodeError("node_error", text=error.text, code=error.code or "-")
        return event

    async def answers(self, upload: asyncio.Task[Any]) -> AsyncGenerator[Event]:
        """Yield events while `upload` runs and after it; the time for an answer counts from its end.

        Ends the upload when it is closed. Raises what the upload raised, but for a broken
        connection: what the node said before it hung up tells more.
        """
        try:
            while True:
                yield await self._receive_during(upload)
        finally:
            upload.cancel()
            await asyncio.gather(upload, return_exceptions=True)

    async def _receive_during(self, upload: asyncio.Task[Any]) -> Event:
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait((reading, upload), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and (error := upload.exception()):
                if not isinstance(error, NodeError):
                    raise error
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return await reading
        except TimeoutError as err:
            raise NodeError("no_answer") from err
        finally:
            reading.cancel()


@dataclass(frozen=True, kw_only=True)
class Node:
    """Where a node is."""

    host: str
    port: int

    @asynccontextmanager
    async def connect(self, program: str | None = None) -> AsyncGenerator[NodeConnection]:
        """Open a connection, to one `program` where the node has several of that kind.

        Leaving with an error or a cancellation cuts it at once.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, limit=LINE_LIMIT
                )
        except (OSError, ValueError) as err:  # ValueError: a name that cannot be a host name
            raise NodeError("cannot_connect", host=self.host, port=str(self.port)) from err
        try:
            connection = NodeConnection(reader, writer)
            if program is not None:
                await connection.send(SelectProgram(name=program))
            yield connection
        except BaseException:
            writer.transport.abort()
            raise
        finally:
            writer.close()

    async def describe(self) -> NodeInfo:
        """Return what the node is; `NodeError` when it cannot be reached or is no node."""
        async with self.connect() as connection:
            return await self._describe(connection)

    async def poll(self) -> tuple[NodeInfo, NodeStats | None]:
        """Return what the node is and what it counts, None from one that does not tell."""
        async with self.connect() as connection:
            return await self._describe(connection), await _stats(connection)

    async def analyze(
        self,
        image: bytes,
        mime: str,
        *,
        tasks: Sequence[str],
        labels: Sequence[str] = (),
        model: str | None = None,
        min_confidence: float | None = None,
        want: Sequence[str] = (),
        calibration: Sequence[dict[str, Any]] = (),
    ) -> ImageAnalysis:
        """Return what is in a picture (JPEG, PNG or WebP); `NodeError` when it is not told."""
        asked = {
            "tasks": [*tasks],
            "labels": [*labels],
            "model": model,
            "min_confidence": min_confidence,
            "want": [*want],
            "calibration": [*calibration],
        }
        data = {key: value for key, value in asked.items() if value not in (None, [])}
        async with self.connect() as connection:
            await connection.send(with_image("analyze-image", data, image, mime))
            while (event := await connection.receive()).type != "image-analysis":
                pass
            return read(ImageAnalysis.from_event, event)

    async def chat(self, request: ChatRequest, program: str | None = None) -> AsyncGenerator[Piece]:
        """Yield the pieces of an answer, `Ended` last; closing it ends the model's work.

        `NodeError` when there is no answer, or no end of it.
        """
        async with self.connect(program) as connection:
            await connection.send(request.event())
            while True:
                event = await connection.receive(CHAT_TIMEOUT)
                if (piece := read(piece_of, event)) is not None:
                    yield piece
                if isinstance(piece, Ended):
                    return

    async def _describe(self, connection: NodeConnection) -> NodeInfo:
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT):
                await connection.send(Describe())
                while not Info.is_type((event := await connection.receive()).type):
                    pass
        except (NodeError, TimeoutError) as err:
            if isinstance(err, NodeError) and err.key == "node_error":
                raise
            raise NodeError("no_description", host=self.host, port=str(self.port)) from err
        return NodeInfo.from_event(event)


def with_image(event_type: str, data: dict[str, Any], image: bytes, mime: str) -> Event:
    """Return an event that carries a picture."""
    part = {"name": "image", "mime": mime, "length": len(image)}
    return Event(type=event_type, data={**data, "parts": [part]}, payload=image)


async def _stats(connection: NodeConnection) -> NodeStats | None:
    """Ask for `stats`; a node that does not know the event answers only the `ping` behind it."""
    try:
        async with asyncio.timeout(STATS_TIMEOUT):
            await connection.send(Event(type="stats"))
            await connection.send(Ping())
            while (event := await connection.receive()).type != "stats":
                if Pong.is_type(event.type):
                    return None
            return NodeStats.from_event(event)
    except NodeError, TimeoutError:
        return None
