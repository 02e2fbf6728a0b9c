"""Server-sent events (WHATWG HTML, 9.2) out of bytes that are cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from wyoming_units.errors import EngineFailed

MOST = 1 << 20
"""Bytes of one line, or of one answer that is not a stream."""
_DONE = "[DONE]"


class EventParser:
    """Takes the bytes of a stream and gives the data of its events."""

    def __init__(self) -> None:
        self._rest = bytearray()
        """Of a line that has not ended."""
        self._seen = 0
        """Bytes of it in which no end of a line is."""
        self._data: list[str] = []
        self._size = 0
        self._swallow = False
        """Whether a line ended with CR, so that a LF which comes next belongs to it."""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the data of all events that end in these bytes; `EngineFailed` for one that is too long."""
        if self._swallow and data:
            data = data.removeprefix(b"\n")
            self._swallow = False
        self._rest += data
        while (line := self._line()) is not None:
            yield from self._take(line)
        self._limit(len(self._rest))

    def finish(self) -> Iterator[str]:
        """Yield the last event, where the stream ended without the empty line after it."""
        if self._rest:
            yield from self._take(bytes(self._rest))
            self._rest.clear()
        yield from self._take(b"")

    def _line(self) -> bytes | None:
        ends = [at for end in (b"\n", b"\r") if (at := self._rest.find(end, self._seen)) >= 0]
        if not ends:
            self._seen = len(self._rest)
            return None
        at = min(ends)
        line = bytes(self._rest[:at])
        after = at + 1
        if self._rest[at : at + 1] == b"\r":
            self._swallow = after == len(self._rest)
            after += self._rest[after : after + 1] == b"\n"
        del self._rest[:after]
        self._seen = 0
        return line

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data, self._size = [], 0
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._limit(self._size + len(value))
            self._size += len(value)
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))

    @staticmethod
    def _limit(size: int) -> None:
        if size > MOST:
            raise EngineFailed("the model's server sent a line of more than 1 MiB")


def read_event(data: str) -> Mapping[str, Any] | None:
    """Return what an event says, None for the one that ends a stream; `EngineFailed` for what is no JSON object."""
    if data.strip() == _DONE:
        return None
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise EngineFailed("the model's server sent what is no JSON object")
    return event
