"""What all units and their tasks do alike: setup, one task's queue, streamed input, replies on its route."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .framing import field
from .minds import Minds
from .modes import Mode
from .protocol import RELEASES, Message, Refused

if TYPE_CHECKING:
    from .faults import Faults

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")
Setup = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Given:
    """The data of an inference, put together and decoded."""

    object: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a unit needs of its server."""

    release: str
    minds: Minds
    faults: Faults
    send: Callable[..., Awaitable[None]]
    """Takes a connection and what `write_reply` takes."""

    def since(self, release: str) -> bool:
        """Return whether the module is that new."""
        return RELEASES.index(self.release) >= RELEASES.index(release)


class Task:
    """One task: a model that was set up, and the connection that its output goes to."""

    depth: ClassVar[int] = 0
    """Inferences that may wait; more are dropped without a word. 0 is without a bound."""
    always_base64: ClassVar[bool] = False
    """Whether data is base64 whatever `object` says."""

    def __init__(self, room: Room, unit: Unit, work_id: str, setup: Setup, mode: Mode) -> None:
        self.room, self.unit, self.work_id, self.setup, self.mode = room, unit, work_id, setup, mode
        self.owner: object = None
        """The connection that last asked for something."""
        self.request_id = "0"
        """Of the last inference, before any of setup."""
        self.setup_id = "0"
        self.paused = False
        self.links = list(inputs(setup))
        self._queue: asyncio.Queue[Given] = asyncio.Queue(self.depth)
        self._worker = asyncio.create_task(self._work())

    # -- commands

    def close(self) -> None:
        """End the task and whatever it does."""
        self._worker.cancel()

    def told(self) -> dict[str, Any]:
        """Return what `taskinfo` says."""
        return {
            "enoutput": self.setup["enoutput"],
            self.unit.inputs_key: self.links,
            "model": self.setup["model"],
            "response_format": self.format,
        }

    async def infer(self, message: Message) -> None:
        """Take data; replies come when they come."""
        self.request_id = message.request_id
        try:
            data = self.unit.collect(message, always_base64=self.always_base64)
        except Refused as refusal:
            await self.fail(refusal.code)
            return
        # Nothing listens for what the task was not set up to take.
        if data is not None and self.unit.takes_data(self.setup):
            given = Given(object=message.object, data=data)
            if not self._queue.full():
                self._queue.put_nowait(given)

    def pause(self) -> None:
        """Do nothing until `resume`."""
        self.paused = True

    def resume(self) -> None:
        """Go on."""
        self.paused = False

    async def trigger(self) -> None:
        """Do what `trigger` does; `Refused` with -18 where there is no such thing."""
        raise Refused(-18)

    # -- work

    async def work(self, given: Given) -> None:
        """Run the model once."""
        raise NotImplementedError

    async def _work(self) -> None:
        while True:
            given = await self._queue.get()
            if self.room.faults.silent:
                continue
            await asyncio.sleep(self.room.faults.delay)
            try:
                await self.work(given)
            except Refused as refusal:
                await self.fail(refusal.code)
            except Exception:  # whatever a client sent must not end the task
                _LOGGER.exception("%s", self.work_id)
                await self.fail(-11)

    async def run(self, mind: Callable[..., T], *inputs: Any) -> T:
        """Call a mind in a thread; `Refused` with -11 where it fails."""
        try:
            return await asyncio.to_thread(mind, *inputs)
        except Exception:  # noqa: BLE001  whatever a stand-in raises is a failed run
            raise Refused(-11) from None

    # -- output

    @property
    def format(self) -> str:
        return str(self.setup["response_format"])

    @property
    def streams(self) -> bool:
        return "stream" in self.format

    async def say(self, data: Any, *, request_id: str | None = None) -> None:
        """Send output to the connection that asked last, unless setup wanted none."""
        if self.setup["enoutput"] and "sys" not in self.format:
            told = request_id or self.request_id
            await self.room.send(self.owner, told, self.work_id, object=self.format, data=data)

    async def say_delta(self, index: int, delta: str, *, finish: bool) -> None:
        """Send a piece of streamed output."""
        times = 2 if finish and self.room.faults.extra_final else 1
        for _ in range(times):
            await self.say({"delta": delta, "finish": finish, "index": index})
        if not finish:
            await asyncio.sleep(self.room.faults.pace)

    async def fail(self, code: int) -> None:
        """Send an error."""
        await self.room.send(self.owner, self.request_id, self.work_id, code=code)


class Unit:
    """One process of the module: checks setups, makes tasks and keeps their streamed input."""

    name: ClassVar[str]
    since: ClassVar[str] = "1.2"
    limit: ClassVar[int] = 1
    required: ClassVar[tuple[str, ...]] = ("model", "response_format", "enoutput")
    takes: ClassVar[str]
    """What an input must contain so that data of inferences is taken."""
    targets: ClassVar[tuple[str, ...]] = ()
    """Units and sources that it can be linked to."""
    inputs_key: ClassVar[str] = "inputs"
    bad_json: ClassVar[str | None] = None
    """The careless name in replies to a setup that cannot be parsed."""
    bad_setup: ClassVar[str | None] = None
    """The careless name in replies to a setup that lacks something."""
    task: ClassVar[type[Task]]

    def __init__(self, room: Room) -> None:
        self.room = room
        self.tasks: dict[str, Task] = {}
        self.turn = asyncio.Lock()
        """Commands of a unit are done one after the other."""
        self._stream: dict[int, str] = {}

    def read_setup(self, message: Message) -> Setup:
        """Return the data of a setup; `Refused` with -2 or -5."""
        try:
            setup = json.loads(message.data)
        except ValueError:
            setup = None
        if not isinstance(setup, dict):
            raise Refused(-2, self.bad_json or self.name)
        if any(key not in setup for key in self.required) or not self.fits(setup):
            raise Refused(-5, self.bad_setup or self.name)
        return setup

    def fits(self, setup: Setup) -> bool:
        """Return whether there is nothing wrong with what was set."""
        return all(isinstance(setup[key], str) for key in ("model", "response_format"))

    def serves(self, mode: Mode) -> bool:
        """Return whether a model is one of this unit's."""
        return mode.unit == self.name

    def takes_data(self, setup: Setup) -> bool:
        """Return whether a task takes data of inferences, not the microphone's or another unit's."""
        given = inputs(setup)
        return any(self.takes in each for each in given) and not any("sys" in i for i in given)

    def collect(self, message: Message, *, always_base64: bool) -> bytes | None:
        """Return the data of an inference, None where a stream goes on; `Refused` with -23, -24, -25."""
        data = message.data
        if "stream" in message.object:
            streamed = self._collect_stream(data)
            if streamed is None:
                return None
            data = streamed
        if not data:
            raise Refused(-24)
        if always_base64 or "base64" in message.object:
            return _decoded(data)
        return data.encode("utf-8", "replace")

    def _collect_stream(self, data: str) -> str | None:
        """Add a piece to the one stream of this process; return all of it at its end."""
        index, finish = field(data, "index"), field(data, "finish")
        if not index.isdecimal():
            self._stream.clear()
            raise Refused(-25)
        self._stream[int(index)] = field(data, "delta")
        if finish != "true":
            return None
        pieces, self._stream = self._stream, {}
        if sorted(pieces) != list(range(len(pieces))):
            raise Refused(-25)
        return "".join(pieces[i] for i in range(len(pieces)))


def inputs(setup: Setup) -> Sequence[str]:
    """Return the inputs of a setup, which may be one or a list."""
    given = setup.get("input", [])
    return [given] if isinstance(given, str) else [each for each in given if isinstance(each, str)]


def _decoded(data: str) -> bytes:
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(-23) from None
    if not decoded:
        raise Refused(-24)
    return decoded
