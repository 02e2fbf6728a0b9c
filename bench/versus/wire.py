"""The smallest Wyoming client, written from the protocol: both sides are measured with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
PIECE = 512
"""Samples of a piece of audio: 32 ms, as satellites send them."""

Pcm = NDArray[np.int16]


@dataclass(frozen=True)
class Event:
    """One message."""

    type: str
    data: dict[str, Any]
    payload: bytes
    arrived: float


@dataclass
class Link:
    """A connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, kind: str, payload: bytes = b"", **data: Any) -> None:
        """Send one message; keywords are its data."""
        self.writer.write(encode(kind, payload, **data))
        await self.writer.drain()

    async def read(self) -> Event:
        """Return the next message; `EOFError` where the server hung up."""
        line = await self.reader.readline()
        if not line:
            raise EOFError("the server hung up")
        head = json.loads(line)
        data = head.get("data") or {}
        if length := head.get("data_length"):
            data = {**data, **json.loads(await self.reader.readexactly(length))}
        payload = await self.reader.readexactly(head.get("payload_length") or 0)
        return Event(head["type"], data, payload, perf_counter())

    async def wait_for(self, *kinds: str) -> Event:
        """Return the next message of these kinds, or an `error`."""
        while (event := await self.read()).type not in {*kinds, "error"}:
            pass
        return event


def encode(kind: str, payload: bytes = b"", **data: Any) -> bytes:
    """Return a message as its bytes."""
    body = json.dumps(data).encode()
    head = {"type": kind, "version": "1.10.2", "data_length": len(body)}
    if payload:
        head["payload_length"] = len(payload)
    return json.dumps(head).encode() + b"\n" + body + payload


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncIterator[Link]:
    """Open a connection for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Link(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def pieces(audio: Pcm, size: int = PIECE) -> list[bytes]:
    """Return audio as the payloads of `audio-chunk`."""
    return [audio[start : start + size].tobytes() for start in range(0, len(audio), size)]


async def send_piece(link: Link, payload: bytes) -> None:
    """Send a piece of audio."""
    await link.send("audio-chunk", payload, rate=RATE, width=2, channels=1)


async def send_live(link: Link, audio: Pcm, size: int = PIECE) -> None:
    """Send audio as a microphone does: each piece when its last sample was spoken."""
    began = perf_counter()
    for number, payload in enumerate(pieces(audio, size), 1):
        await asyncio.sleep(began + number * size / RATE - perf_counter())
        await send_piece(link, payload)


async def describe(port: int) -> dict[str, Any]:
    """Return what a server offers, asked on a new connection as Home Assistant does."""
    async with connect(port) as link:
        await link.send("describe")
        return (await link.wait_for("info")).data
