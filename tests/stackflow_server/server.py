"""A stand-in for an AX630C module: the StackFlow protocol with its defects, over TCP and a pseudo terminal."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from typing_extensions import Self

from .faults import Faults
from .framing import Signal
from .minds import Minds
from .modes import TOTAL, Mode, modes
from .peers import Peer, SerialPeer, TcpPeer
from .protocol import REACE_RESET, RELEASES, Message, Refused, read_message, write_reply
from .sysunit import Sys
from .task import Room, Setup, Task, Unit
from .units_asr import Asr, Whisper
from .units_audio import Kws, Vad
from .units_llm import Llm, Vlm
from .units_tts import Melotts, Tts
from .units_vision import DepthAnything, Yolo

T = TypeVar("T")
_UNITS: tuple[type[Unit], ...] = (
    Kws,
    Vad,
    Asr,
    Whisper,
    Tts,
    Melotts,
    Llm,
    Vlm,
    Yolo,
    DepthAnything,
)
_FIRST = 1_000
"""Number of the first task."""


class StackFlowServer:
    """A module. Use as an asynchronous context manager, or in a thread of its own with `running`."""

    def __init__(
        self,
        *,
        version: str = "1.6",
        minds: Minds | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        models: tuple[str, ...] | None = None,
        setup_seconds: float = 0.0,
        restart_seconds: float = 0.2,
        serial: bool = False,
    ) -> None:
        """Choose a release, what answers, the installed models (None: all there are) and how long things take."""
        assert version in RELEASES, version
        self.version, self.host, self.port = version, host, port
        self.minds = minds or Minds()
        self.modes = modes(version, models)
        self.faults = Faults(self)
        self.requests: list[Message] = []
        """All requests that could be parsed."""
        self.forbidden: list[Message] = []
        """Those that no client of ours may send."""
        self.stolen: list[dict[str, Any]] = []
        """Replies that went to another client, see `Faults.steal`."""
        self.connections = 0
        """How many clients have connected so far."""
        self.units: dict[str, Unit] = {}
        self.device: str | None = None
        """Path of the pseudo terminal."""
        self.setup_seconds, self.restart_seconds = setup_seconds, restart_seconds
        self.room: Room
        self._serial = serial
        self._sys = Sys(self)
        self._next = _FIRST
        self._peers: set[Peer] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop
        self._thread = 0
        self._arrived = threading.Condition()

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the port of before where there was one."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self.room = Room(
            release=self.version, minds=self.minds, faults=self.faults, send=self._send
        )
        self._boot()
        await self._listen()
        if self._serial:
            peer = SerialPeer(self.faults, raw=self.room.since("1.5"))
            self.device = peer.device
            self._spawn(self._attend(peer))

    async def stop(self) -> None:
        """Go away."""
        self._shut()
        for peer in list(self._peers):
            peer.close()
        jobs = [*self._jobs]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def restart(self, seconds: float) -> None:
        """End all tasks, close everything, refuse for some seconds, come back."""
        self._shut()
        self.hang_up()
        await asyncio.sleep(seconds)
        self._boot()
        await self._listen()

    def hang_up(self) -> None:
        """Close all TCP connections; their tasks stay."""
        for peer in list(self._peers):
            if not peer.serial:
                peer.close()
                self._peers.discard(peer)

    def _boot(self) -> None:
        self._next = _FIRST
        self.units = {unit.name: unit(self.room) for unit in _UNITS if self.room.since(unit.since)}

    def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for unit in self.units.values():
            for task in unit.tasks.values():
                task.close()
        self.units = {}

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connect, self.host, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def reset_soon(self) -> None:
        """Restart once the replies that are under way have been sent."""
        self._spawn(self._reset())

    async def _reset(self) -> None:
        await asyncio.sleep(0)
        await asyncio.gather(*(peer.flushed() for peer in self._peers))
        await self.restart(self.restart_seconds)
        for peer in self._peers:
            if peer.serial:
                peer.send(write_reply("0", "sys", message="reset over"))

    # -- for tests

    def in_loop(self) -> bool:
        """Return whether the caller is in the server's own thread."""
        return threading.get_ident() == self._thread

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Let the server's loop run a coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def asked(
        self, action: str, unit: str | None = None, *, count: int = 1, timeout: float = 5.0
    ) -> list[Message]:
        """Wait, not in the server's own thread, until an action was asked for so often; return all such requests."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._matching(action, unit)) >= count, timeout)
            return self._matching(action, unit)

    def _matching(self, action: str, unit: str | None) -> list[Message]:
        return [r for r in self.requests if r.action == action and unit in {None, r.unit}]

    def occupy(self, unit: str) -> None:
        """Let somebody else hold all tasks of a unit, see `Faults.full`."""
        there = self.units[unit]
        mode = next(mode for mode in self.modes.values() if there.serves(mode))
        setup = dict.fromkeys(there.required, "") | {
            "model": mode.name,
            "response_format": f"{unit}.other",
            "enoutput": True,
            "input": [],
        }
        while len(there.tasks) < there.limit:
            self._add(there, setup, mode)

    def steal(self, work_id: str) -> None:
        """Send a task's output elsewhere, see `Faults.steal`."""
        task = self._task(work_id)
        assert task, work_id
        task.owner = None

    def memory_used(self) -> int:
        """Return the KB of memory of the NPU that loaded models hold."""
        tasks = [task for unit in self.units.values() for task in unit.tasks.values()]
        return sum(task.mode.cmm for task in tasks)

    # -- connections

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = TcpPeer((reader, writer), self.faults, raw=self.room.since("1.5"))
        self.connections += 1
        job = asyncio.current_task()
        assert job
        self._jobs.add(job)
        try:
            await self._attend(peer)
        finally:
            self._jobs.discard(job)

    async def _attend(self, peer: Peer) -> None:
        """Serve a client until it hangs up; its tasks stay."""
        self._peers.add(peer)
        try:
            async for segment in peer.segments():
                for found in peer.splitter.feed(segment):
                    if isinstance(found, Signal):
                        peer.send(REACE_RESET)
                    else:
                        await self._take(peer, found)
        finally:
            if peer in self._peers:
                self._peers.discard(peer)
                peer.close()

    async def _take(self, peer: Peer, text: str) -> None:
        try:
            message = read_message(text)
        except Refused as refusal:
            peer.send(write_reply("0", "sys", code=refusal.code))
            return
        with self._arrived:
            self.requests.append(message)
            self._arrived.notify_all()
        # Data of an inference is pushed, all else is a call that is answered when it is done.
        if message.action == "inference" and message.unit != "sys":
            await self._answer(peer, message)
        else:
            self._spawn(self._answer(peer, message))

    async def _answer(self, peer: Peer, message: Message) -> None:
        told: dict[str, Any] | None
        try:
            if message.unit == "sys":
                told = dict(await self._sys.answer(message))
            else:
                told = await self._act(peer, message)
        except Refused as refusal:
            told = {"code": refusal.code, "work_id": refusal.work_id}
        if told is not None:
            work_id = told.pop("work_id", None) or message.work_id
            peer.send(write_reply(message.request_id, work_id, **told))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _send(self, owner: object, request_id: str, work_id: str, **told: Any) -> None:
        line = write_reply(request_id, work_id, **told)
        if isinstance(owner, Peer):
            owner.send(line)
        else:
            self.stolen.append(json.loads(line))

    # -- units

    def _task(self, work_id: str) -> Task | None:
        unit = self.units.get(work_id.partition(".")[0])
        return unit.tasks.get(work_id) if unit else None

    def _add(self, unit: Unit, setup: Setup, mode: Mode) -> Task:
        work_id = f"{unit.name}.{self._next}"
        self._next += 1
        unit.tasks[work_id] = task = unit.task(self.room, unit, work_id, setup, mode)
        return task

    async def _act(self, peer: Peer, message: Message) -> dict[str, Any] | None:
        """Do what a unit is asked for; return the reply, None for an inference that was taken."""
        unit = self.units.get(message.unit)
        if unit is None or unit.name in self.faults.dead:
            raise Refused(-9)
        if (code := self.faults.take_error(unit.name)) is not None:
            raise Refused(code)
        if message.action == "inference":
            if (task := unit.tasks.get(message.work_id)) is None:
                raise Refused(-4)
            task.owner = peer
            await task.infer(message)
            return None
        async with unit.turn:
            if message.action == "setup":
                return await self._setup(peer, message, unit)
            return await self._command(peer, message, unit)

    async def _setup(self, peer: Peer, message: Message, unit: Unit) -> dict[str, Any]:
        await asyncio.sleep(self.setup_seconds)
        if len(unit.tasks) >= unit.limit:
            raise Refused(-21, unit.name)
        setup = unit.read_setup(message)
        mode = self.modes.get(setup["model"])
        if mode is None or not unit.serves(mode) or mode.cmm > TOTAL - self.memory_used():
            raise Refused(-5, unit.bad_setup or unit.name)
        task = self._add(unit, setup, mode)
        task.owner, task.request_id, task.setup_id = peer, message.request_id, message.request_id
        return {"work_id": task.work_id}

    async def _command(self, peer: Peer, message: Message, unit: Unit) -> dict[str, Any]:
        if message.action == "taskinfo" and message.work_id == unit.name:
            return {"object": f"{unit.name}.tasklist", "data": list(unit.tasks)}
        if (task := unit.tasks.get(message.work_id)) is None:
            raise Refused(-6)
        task.owner = peer
        if message.action == "taskinfo":
            return {"object": f"{unit.name}.taskinfo", "data": task.told()}
        if message.action == "exit":
            unit.tasks.pop(task.work_id).close()
        elif message.action == "pause":
            task.pause()
        elif message.action == "work":
            task.resume()
        elif message.action == "trigger":
            await task.trigger()
        elif message.action in {"link", "unlink"}:
            self._link(task, message)
        else:
            raise Refused(-18)
        return {}

    def _link(self, task: Task, message: Message) -> None:
        target = message.data.partition(".")[0]
        if message.object != "work_id" or target not in task.unit.targets:
            raise Refused(-22)
        if message.action == "link" and (target == "sys" or self._task(message.data)):
            task.links.append(message.data)
        elif message.action == "unlink" and message.data in task.links:
            task.links.remove(message.data)
        else:
            raise Refused(-20)


@contextmanager
def running(**options: Any) -> Iterator[StackFlowServer]:
    """Run a server in a thread and an event loop of its own, for clients that block."""
    server = StackFlowServer(**options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stackflow", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
