"""Frames: one JSON line, then data bytes, then payload bytes (Wyoming 1.10), read with limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadFrame, TimedOut, TooLarge
from wyoming_units.wire.limits import Limits

_VERSION = "1.10"


async def read_event(reader: asyncio.StreamReader, limits: Limits) -> Event | None:
    """Read one frame, None at a clean end; `BadFrame`, `TooLarge`, `TimedOut` or a connection error.

    Nothing is allocated for what a header merely declares. `reader` must have the limit `limits.header`.
    """
    with _deadline(reader, limits.idle, "nothing was sent"):
        first = await reader.read(1)
    if not first:
        return None
    with _deadline(reader, limits.frame, "the frame was not finished"):
        line = first if first == b"\n" else first + await _line(reader)
        header = _object(line, "header")
        event_type = header.get("type")
        if not isinstance(event_type, str):
            raise BadFrame("the header has no type")
        data_length = _length(header, "data_length", limits.data)
        payload_length = _length(header, "payload_length", limits.payload_of(event_type))
        data = header.get("data") or {}
        if not isinstance(data, dict):
            raise BadFrame("data must be an object")
        if data_length:
            data = {**data, **_object(await reader.readexactly(data_length), "data")}
        payload = await reader.readexactly(payload_length) if payload_length else None
    return Event(type=event_type, data=data, payload=payload)


def encode(event: Event) -> bytes:
    """Return the bytes of one frame."""
    header: dict[str, Any] = {"type": event.type, "version": _VERSION}
    data = json.dumps(event.data, ensure_ascii=False).encode() if event.data else b""
    payload = event.payload or b""
    if data:
        header["data_length"] = len(data)
    if payload:
        header["payload_length"] = len(payload)
    return b"".join((json.dumps(header).encode(), b"\n", data, payload))


@contextmanager
def _deadline(reader: asyncio.StreamReader, seconds: float, what: str) -> Iterator[None]:
    """Make reads fail with `TimedOut` after `seconds`; far cheaper per frame than a task or `wait_for`."""
    error = TimedOut(f"{what} within {seconds:g} s")
    handle = asyncio.get_running_loop().call_later(seconds, reader.set_exception, error)
    try:
        yield
    finally:
        handle.cancel()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise TooLarge("the header line is too long") from None


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        text = raw.decode()
        value = _JSON.decode(text)
        if "\\u" in text:  # half of a surrogate pair is JSON, but no text that could be sent on
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadFrame(f"the {what} is no JSON") from None
    if not isinstance(value, dict):
        raise BadFrame(f"the {what} must be a JSON object")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
"""Without the NaN and Infinity that Python's own would take."""


def _length(header: dict[str, Any], key: str, most: int) -> int:
    value = header.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadFrame(f"{key} must be a whole number of bytes")
    if value > most:
        raise TooLarge(f"{key} {value} is over the limit of {most} bytes")
    return value
