"""A peer that writes bytes, as a broken or hostile client would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Raw:
    """Bytes to a port and frames back; knows nothing of our client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.payload = b""
        """Of the last frame."""

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def event(
        self, kind: str, data: dict[str, Any] | None = None, payload: bytes = b""
    ) -> None:
        """Send a well-formed frame."""
        header: dict[str, Any] = {"type": kind, "data": data or {}}
        if payload:
            header["payload_length"] = len(payload)
        await self.write(json.dumps(header).encode() + b"\n" + payload)

    async def frame(self, timeout: float = 5.0) -> dict[str, Any] | None:
        """Return type and data of the next frame; None where the peer hung up."""
        line = await asyncio.wait_for(self.reader.readline(), timeout)
        if not line:
            return None
        header = json.loads(line)
        data = json.loads(await self.reader.readexactly(header.get("data_length", 0)) or b"{}")
        self.payload = await self.reader.readexactly(header.get("payload_length", 0))
        return {"type": header["type"], **header.get("data", {}), **data}

    async def frames_until(self, kind: str) -> list[dict[str, Any]]:
        """Return all frames up to the first of a kind."""
        frames = []
        while not frames or frames[-1]["type"] != kind:
            frame = await self.frame()
            assert frame is not None, f"hung up before {kind}: {frames}"
            frames.append(frame)
        return frames

    async def silent(self, seconds: float = 0.1) -> bool:
        """Return True when nothing more comes."""
        try:
            return await asyncio.wait_for(self.reader.read(1), seconds) is None
        except asyncio.TimeoutError:
            return True


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[Raw]:
    """Connect to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
