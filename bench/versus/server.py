"""A server under test: a process of its own that is started, measured and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from .wire import describe

_NICE = 10
_launcher = ThreadPoolExecutor(1)
"""Starts servers: niceness belongs to threads, and children inherit that of the one that starts them."""


@dataclass(frozen=True)
class Side:
    """One server of a comparison; `{port}` and `{folder}` in its command are filled in."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A started server."""

    pid: int
    port: int
    began: float
    """When it was started, by `perf_counter`."""
    described: float
    """Seconds until its first answer to `describe`."""

    def cpu(self) -> float:
        """Return the seconds of CPU time up to now, of its ended children too."""
        living = sum(time.clock_gettime((~pid << 3) | 2) for pid in _family(self.pid))
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return living + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Return the resident memory in MB."""
        pages = (
            Path(f"/proc/{pid}/statm").read_text("ascii").split()[1] for pid in _family(self.pid)
        )
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def peak(self) -> float:
        """Return the highest resident memory of the process itself in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


async def launch(*command: str) -> subprocess.Popen[str]:
    """Start a helper with the priority of a server, this package in its path, pipes to it and from it."""
    pipe = subprocess.PIPE
    where = Path(__file__).parents[1]
    start = partial(subprocess.Popen[str], command, stdin=pipe, stdout=pipe, text=True, cwd=where)
    return await asyncio.get_running_loop().run_in_executor(_launcher, start)


def step_back() -> None:
    """Give this thread, the client, a lower priority than the servers have."""
    _launcher.submit(int).result()  # its thread begins with the old priority
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@contextlib.asynccontextmanager
async def running(side: Side) -> AsyncIterator[Running]:
    """Run a server until it answers and then for a while; `RuntimeError` with its last words."""
    with TemporaryDirectory(prefix="bench-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        log = Path(folder, "log.txt")
        began = perf_counter()
        process = _launcher.submit(_start, side, port, folder, log).result()
        try:
            described = await _first_answer(process, port, log) - began
            yield Running(process.pid, port, began, described)
        finally:
            await asyncio.to_thread(_end, process)


def _start(side: Side, port: int, folder: str, log: Path) -> subprocess.Popen[bytes]:
    command = [part.format(port=port, folder=folder) for part in side.command]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, env={**environment, **side.environment}
        )


async def _first_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> float:
    for _ in range(6000):
        with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError):
            await describe(port)
            return perf_counter()
        if process.poll() is not None:
            break
        await asyncio.sleep(0.01)
    raise RuntimeError(f"the server does not come up: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", "replace").strip().splitlines()[-5:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
            yield from _family(int(child))
