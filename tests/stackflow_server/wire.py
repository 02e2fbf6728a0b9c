"""A client that writes bytes and reads lines, for tests of the server itself."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

PATIENCE = 5.0
_QUIET = 0.15


class Wire:
    """One connection; knows of no client of ours."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._ids = itertools.count(1)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def send(self, work_id: str, action: str, **more: Any) -> str:
        """Send a request, `data` last; return its id."""
        request_id = str(next(self._ids))
        told = {"request_id": request_id, "work_id": work_id, "action": action, **more}
        await self.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        return request_id

    async def line(self) -> dict[str, Any]:
        """Return the next reply."""
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        assert line.endswith(b"\n"), line
        told: dict[str, Any] = json.loads(line)
        return told

    async def call(self, work_id: str, action: str, **more: Any) -> dict[str, Any]:
        """Send a request and return the next reply, which is to it."""
        request_id = await self.send(work_id, action, **more)
        reply = await self.line()
        assert reply["request_id"] == request_id, reply
        return reply

    async def setup(self, unit: str, **data: Any) -> str:
        """Set a task up; return its work id."""
        whole = {"enoutput": True, **data}
        reply = await self.call(unit, "setup", object=f"{unit}.setup", data=whole)
        assert reply["error"]["code"] == 0, reply
        work_id: str = reply["work_id"]
        return work_id

    async def infer(self, work_id: str, kind: str, data: Any) -> str:
        """Send data; bytes go as base64."""
        told = base64.b64encode(data).decode() if isinstance(data, bytes) else data
        return await self.send(work_id, "inference", object=kind, data=told)

    async def deltas(self) -> list[dict[str, Any]]:
        """Return the pieces of a streamed answer up to the one that finishes."""
        pieces = [(await self.line())["data"]]
        while not pieces[-1]["finish"]:
            pieces.append((await self.line())["data"])
        return pieces

    async def silent(self, seconds: float = _QUIET) -> bool:
        """Return whether nothing comes for a while."""
        try:
            return not await asyncio.wait_for(self.reader.read(1), seconds)
        except asyncio.TimeoutError:
            return True

    async def closed(self) -> None:
        """Wait until the server hangs up."""
        assert await asyncio.wait_for(self.reader.read(), PATIENCE) == b""


@asynccontextmanager
async def wired(port: int, *, retry: bool = False) -> AsyncIterator[Wire]:
    """Connect to a server, again and again on wish until it listens."""
    deadline = time.monotonic() + (PATIENCE if retry else 0)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 25)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.01)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
