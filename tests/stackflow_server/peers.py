"""Who is connected: clients over TCP, and the one behind the serial line."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from .faults import Faults
from .framing import Splitter


class Peer:
    """A client that replies are queued for, so that they arrive in order and in the pieces that faults want."""

    serial = False

    def __init__(self, faults: Faults, *, raw: bool) -> None:
        self.splitter = Splitter(raw=raw)
        self._faults = faults
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write_all())

    def send(self, line: bytes) -> None:
        """Queue a reply."""
        self._outgoing.put_nowait(line)

    async def flushed(self) -> None:
        """Wait until all replies are on their way, as long as somebody takes them."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._outgoing.join(), 1)

    def close(self) -> None:
        """Hang up."""
        self._writer.cancel()

    def segments(self) -> AsyncIterator[bytes]:
        """Yield what each read gives until the client hangs up."""
        raise NotImplementedError

    async def write(self, data: bytes) -> None:
        """Put bytes on the line."""
        raise NotImplementedError

    async def _write_all(self) -> None:
        while True:
            line = await self._outgoing.get()
            with suppress(OSError):
                for piece in self._pieces(line):
                    await self.write(piece)
                    if len(piece) < len(line):
                        await asyncio.sleep(0.001)  # or the pieces would travel together
            self._outgoing.task_done()

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        if split := self._faults.split_at:
            yield line[:split]
            line = line[split:]
        size = self._faults.cut_every or max(1, len(line))
        for start in range(0, len(line), size):
            yield line[start : start + size]


class TcpPeer(Peer):
    """A TCP client."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        faults: Faults,
        *,
        raw: bool,
    ) -> None:
        super().__init__(faults, raw=raw)
        self._reader, self._stream = streams

    async def segments(self) -> AsyncIterator[bytes]:
        with suppress(ConnectionError):
            while segment := await self._reader.read(1 << 16):
                yield segment

    async def write(self, data: bytes) -> None:
        self._stream.write(data)
        await self._stream.drain()

    def close(self) -> None:
        super().close()
        self._stream.close()


class SerialPeer(Peer):
    """Who has opened the other end of a pseudo terminal."""

    serial = True

    def __init__(self, faults: Faults, *, raw: bool) -> None:
        super().__init__(faults, raw=raw)
        self._master, self._slave = os.openpty()  # the other end stays open, or reading would fail
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)

    async def segments(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._master, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                with suppress(BlockingIOError):
                    yield os.read(self._master, 1 << 12)
        finally:
            loop.remove_reader(self._master)

    async def write(self, data: bytes) -> None:
        while data:
            with suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]
                continue
            await asyncio.sleep(0.005)

    def close(self) -> None:
        super().close()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
