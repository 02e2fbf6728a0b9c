"""A module of a few lines whose every answer a test can rewrite; it counts braces as the protocol says.

PYTEST_DONT_REWRITE: modules import it before pytest looks at their plugins.
"""

from __future__ import annotations

import base64
import json
import os
import pty
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.module import Module, ModuleAt
from wyoming_units.stackflow.task import Talk, Task

LIMITS = {"llm": 2, "vlm": 2, "yolo": 2}


@dataclass
class Request:
    """A message of a client."""

    line: Connection
    message: dict[str, Any]
    raw: bool = False

    @property
    def action(self) -> str:
        return str(self.message["action"])

    @property
    def work_id(self) -> str:
        return str(self.message["work_id"])

    @property
    def id(self) -> str:
        return str(self.message["request_id"])

    @property
    def object(self) -> str:
        return str(self.message["object"])

    @property
    def data(self) -> Any:
        return self.message.get("data")

    def answer(self, data: Any = "None", *, code: int = 0, work_id: str = "", **more: Any) -> None:
        """Send one reply."""
        reply = {
            "created": 1731488402,
            "data": data,
            "error": {"code": code, "message": more.pop("message", "")},
            "object": more.pop("object", "None"),
            "request_id": more.pop("request_id", self.id),
            "work_id": work_id or self.work_id,
        }
        self.line.send(json.dumps(reply).encode() + b"\n")


Handler = Callable[[Request], None]


class Wire:
    """The module's end of a serial line, as a socket."""

    def __init__(self) -> None:
        far, near = pty.openpty()
        tty.setraw(near)
        self.address = Address(device=os.ttyname(near))
        # As objects they close once.
        self._far, self._near = (open(end, "rb", buffering=0) for end in (far, near))  # noqa: PTH123, SIM115

    def recv(self, most: int) -> bytes:
        return os.read(self._far.fileno(), most)

    def sendall(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._far.fileno(), data) :]

    def shutdown(self, _how: int) -> None:
        self._near.close()

    def close(self) -> None:
        self._far.close()


@dataclass
class Connection:
    """A client of the module."""

    sock: socket.socket | Wire
    rest: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes) -> None:
        with suppress(OSError):
            self.sock.sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self.sock.close()

    def requests(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield messages until the client goes away."""
        while True:
            end = whole(self.rest)
            if not end:
                if not (data := self.sock.recv(1 << 16)):
                    return
                self.rest += data
                continue
            message = json.loads(self.rest[:end])
            del self.rest[:end]
            size = message.pop("RAW", None)
            if size is not None:
                while len(self.rest) < size + 1:
                    self.rest += self.sock.recv(1 << 16)
                message["data"] = base64.b64encode(self.rest[:size]).decode()
                del self.rest[: size + 1]
            yield message, size is not None


def whole(data: bytearray) -> int:
    """Return where the first message ends, counting braces wherever they are; 0: not yet."""
    depth, before = 0, 0
    while data[:1] == b"\n":
        del data[:1]
    for at, byte in enumerate(data):
        if byte in b"{}" and before != ord("\\"):
            depth += 1 if byte == ord("{") else -1
            if depth == 0:
                return at + 1
        before = byte
    return 0


class ScriptedModule:
    """Sets tasks up and echoes what they are given, unless told otherwise."""

    def __init__(self, *, cmm: dict[str, int] | None = None) -> None:
        self.cmm = cmm
        """None: a firmware before 1.5."""
        self.costs: dict[str, int] = {}
        """KB of each model."""
        self.tasks: dict[str, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.lines: list[Connection] = []
        self.handlers: dict[str, Handler] = {}
        self.port = 0
        self._numbers = count(1000)
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self.up()

    # -- what tests do

    def up(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse all, and forget the tasks."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.tasks.clear()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connections alone."""
        for line in self.lines:
            line.close()
        self.lines.clear()

    def plug(self) -> Address:
        """Serve at a serial line too and return where that is."""
        wire = Wire()
        line = Connection(wire)
        self.lines.append(line)
        threading.Thread(target=self._serve, args=(line,), daemon=True).start()
        return wire.address

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port)

    def asked(self, action: str, work_id: str = "") -> list[Request]:
        """Return the requests of an action, for one task or all."""
        return [r for r in list(self.requests) if r.action == action and work_id in {"", r.work_id}]

    def await_request(self, action: str, number: int = 1) -> Request:
        """Return the n-th request of an action."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked(action)) >= number, 10), action
            return self.asked(action)[number - 1]

    # -- what a module does

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line = Connection(listener.accept()[0])
                self.lines.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: Connection) -> None:
        with suppress(OSError), closing(line):
            for message, raw in line.requests():
                request = Request(line, message, raw)
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                own: Handler = getattr(self, request.action, self._unknown)
                self.handlers.get(request.action, own)(request)

    def _unknown(self, request: Request) -> None:
        request.answer(code=-3, message="action match false")

    def cmminfo(self, request: Request) -> None:
        if self.cmm is None:
            self._unknown(request)
            return
        used = sum(self.costs.get(task["model"], 0) for task in self.tasks.values())
        request.answer(
            {"total": self.cmm["total"], "used": used, "remain": self.cmm["total"] - used}
        )

    def setup(self, request: Request) -> None:
        unit = request.work_id
        if sum(key.startswith(f"{unit}.") for key in self.tasks) >= LIMITS.get(unit, 1):
            request.answer(code=-21, message="task full")
            return
        work_id = f"{unit}.{next(self._numbers)}"
        self.tasks[work_id] = request.data
        request.answer(work_id=work_id)

    def exit(self, request: Request) -> None:
        found = self.tasks.pop(request.work_id, None)
        request.answer(code=0 if found is not None else -6)

    def taskinfo(self, request: Request) -> None:
        if "." not in request.work_id:
            request.answer([key for key in self.tasks if key.startswith(f"{request.work_id}.")])
        elif task := self.tasks.get(request.work_id):
            told = {"enoutput": True, "inputs": [task["input"]], "model": task["model"]}
            request.answer({**told, "response_format": task["response_format"]})
        else:
            request.answer(code=-6, message="Unit Does Not Exist")

    def pause(self, request: Request) -> None:
        request.answer()

    def inference(self, request: Request) -> None:
        if request.work_id not in self.tasks:
            request.answer(code=-4, message="inference data push false")
            return
        request.answer({"index": 0, "delta": request.data, "finish": True}, object="echo.stream")


@contextmanager
def scripted(**options: Any) -> Iterator[tuple[ScriptedModule, Module]]:
    """Run a module and give it with our view of it."""
    server = ScriptedModule(**options)
    try:
        yield server, Module(ModuleAt(address=server.address))
    finally:
        server.down()


def setup_of(model: str = "echo-small", unit: str = "llm") -> dict[str, Any]:
    """Return the settings of a task."""
    return {"model": model, "response_format": f"{unit}.utf-8.stream", "input": f"{unit}.utf-8"}


def llm(module: Module, model: str = "echo-small", **options: Any) -> Task:
    return module.task("llm", setup_of(model), **{"settle": 0.05, **options})


def echo(talk: Talk, text: str = "hello", seconds: float = 5) -> str:
    talk.send("llm.utf-8.stream", {"delta": text, "index": 0, "finish": True})
    return str(talk.receive(seconds).data["delta"]["delta"])


def started(
    task: Task, pool: ThreadPoolExecutor, call: Callable[[Talk], Any]
) -> tuple[Future[Any], int]:
    """Run a call in a thread that is told."""
    thread: list[int] = []
    began = threading.Event()

    def work() -> Any:
        thread.append(threading.get_ident())
        began.set()
        return task.run(call)

    future = pool.submit(work)
    assert began.wait(5)
    return future, thread[0]


def picture(talk: Talk) -> Any:
    """Send what a brace counter stumbles over and return what has arrived of it, in base64."""
    talk.send_bytes("vlm.jpeg.base64", b"{{{")
    return talk.receive(5).data["delta"]


Both = tuple[ScriptedModule, Module]
"""A module, and our object for it."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture(name="both")
def _both() -> Iterator[Both]:
    with scripted(cmm={"total": 3 << 20}) as both:
        yield both
