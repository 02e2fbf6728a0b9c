"""Child processes that end with us, and free ports for them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path


class DemoError(Exception):
    """A failure told to the user in one line."""


class Child:
    """A process in a group of its own (Ctrl-C reaches it through us), its output in a log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, name: str, program: str, *arguments: str | Path, log: Path) -> Child:
        """Start a program of our own environment; what it prints goes to `log`."""
        programs = Path(sys.executable).parent
        path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                programs / program,
                *arguments,
                env=os.environ | {"PATH": path},  # Home Assistant calls ffmpeg
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, process, log)

    def check(self) -> None:
        """Raise `DemoError` once it has ended."""
        if (code := self._process.returncode) is not None:
            raise DemoError(f"{self.name} ended (exit status {code}); its output is in {self.log}")

    async def ended(self) -> None:
        """Wait until it ends by itself, which is a failure."""
        await self._process.wait()
        self.check()

    async def stop(self, patience: float = 20.0) -> None:
        """Ask it to end, and end its whole group after `patience` seconds."""
        try:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


async def poll[Found](
    look: Callable[[], Awaitable[Found | None]], seconds: float, complaint: str
) -> Found:
    """Return the first answer of `look` that is not None; `DemoError` with `complaint` if none comes."""
    try:
        async with asyncio.timeout(seconds):
            while (found := await look()) is None:  # noqa: ASYNC110  (the other side has no event)
                await asyncio.sleep(0.1)
            return found
    except TimeoutError:
        raise DemoError(f"{complaint} within {seconds:.0f} s") from None


def choose_port(wanted: int | None, default: int, host: str) -> int:
    """Return `wanted`, else `default`, else a free port; `DemoError` when `wanted` is taken."""
    if wanted is not None:
        if not _is_free(wanted, host):
            raise DemoError(f"port {wanted} is in use")
        return wanted
    return default if _is_free(default, host) else _free_port(host)


def _is_free(port: int, host: str) -> bool:
    with socket.socket() as probe:
        # As servers do it: connections that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port
