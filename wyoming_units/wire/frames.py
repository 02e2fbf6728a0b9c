"""Frames: one JSON line, then data bytes, then payload bytes (Wyoming 1.10), read with limits."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadFrame, TimedOut, TooLarge
from wyoming_units.wire.limits import Limits

_VERSION = "1.10"


class FrameReader:
    """Reads the frames of one connection; its stream must have the limit `limits.header`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        limits: Limits,
        *,
        quiet: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read from `reader`; while `quiet()` is true the peer need not send anything, as it listens."""
        self._reader = reader
        self._quiet = quiet
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._due = math.inf
        self._between = False
        """Whether no frame has begun."""
        self._late = ""
        self._watch: asyncio.TimerHandle | None = None

    async def read(self) -> Event | None:
        """Read one frame, None at a clean end; `BadFrame`, `TooLarge`, `TimedOut` or a connection error.

        Nothing is allocated for what a header merely declares.
        """
        reader, limits = self._reader, self._limits
        try:
            self._expect(limits.idle, "nothing was sent")
            self._between = True
            first = await reader.read(1)
            self._between = False
            if not first:
                return None
            self._expect(limits.frame, "the frame was not finished")
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
        finally:
            self._due = math.inf

    def close(self) -> None:
        """Stop watching the clock."""
        if self._watch is not None:
            self._watch.cancel()

    def _expect(self, seconds: float, late: str) -> None:
        """Let reads fail with `TimedOut` after `seconds`.

        A timer for every frame would cost as much as reading it. One stands for many: when it goes off
        too early, it is set anew.
        """
        self._due = self._loop.time() + seconds
        self._late = f"{late} within {seconds:g} s"
        if self._watch is None or self._watch.when() > self._due:
            self.close()
            self._watch = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._between and self._due <= self._loop.time() and self._quiet():
            self._due = self._loop.time() + self._limits.idle
        if self._due <= self._loop.time():
            self._reader.set_exception(TimedOut(self._late))
        elif self._due < math.inf:
            self._watch = self._loop.call_at(self._due, self._look)


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
