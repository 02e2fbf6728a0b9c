"""How the module takes bytes apart: counted braces, raw blocks, and fields that are looked for as text."""

from __future__ import annotations

import base64
import re
from enum import Enum

_BRACE = re.compile(rb"[{}]")
_BACKSLASH = 0x5C
_RAW = b'{"RAW":'
_BLOCK = 16
"""Bytes that the module's parser takes at once where there is no brace among them."""
_NUMBER_ENDS = re.compile(r"[,}]")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|([nt\\"rb]))')
_PLAIN = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "r": "\r", "b": "\b"}
_SURROGATES = range(0xD800, 0xE000)


class Signal(Enum):
    """What a splitter finds besides messages."""

    RESET = "more braces were closed than opened"


class Splitter:
    """Cuts the bytes of one connection into messages by counting braces, inside strings as well."""

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._buffer = bytearray()
        self._depth = 0
        self._last = 0
        self._block: bytearray | None = None
        self._length = 0

    def feed(self, segment: bytes) -> list[str | Signal]:
        """Take what one read of the socket gave; return the messages that ended in it."""
        found: list[str | Signal] = []
        at = 0
        while at < len(segment):
            if self._block is not None:
                at = self._fill(segment, at, found)
                continue
            brace = _BRACE.search(segment, at)
            end = brace.start() if brace else len(segment)
            self._between(segment[at:end])
            if brace:
                self._count(segment[end], segment[end - 1] if end else self._last, found)
            at = end + 1
        self._last = segment[-1] if segment else self._last
        return found

    def _between(self, filler: bytes) -> None:
        """Take bytes that hold no brace; outside of messages whole blocks go into the next one."""
        if not self._depth:
            filler = filler[: len(filler) // _BLOCK * _BLOCK]
        self._buffer += filler

    def _count(self, brace: int, previous: int, found: list[str | Signal]) -> None:
        if previous == _BACKSLASH:
            if self._depth:
                self._buffer.append(brace)
            return
        self._depth += 1 if brace == ord("{") else -1
        self._buffer.append(brace)
        if self._depth < 0:
            self._depth = 0
            self._buffer.clear()
            found.append(Signal.RESET)
        elif not self._depth:
            self._close(found)

    def _close(self, found: list[str | Signal]) -> None:
        """End a message, which is dropped where anything stands before its first brace."""
        if self._raw and self._buffer.startswith(_RAW):
            length = field(self._buffer.decode("utf-8", "replace"), "RAW")
            self._length = int(length) if length.isdecimal() else 0
            self._block = bytearray()
            return
        if self._buffer.startswith(b"{"):
            found.append(self._buffer.decode("utf-8", "replace"))
        self._buffer.clear()

    def _fill(self, segment: bytes, at: int, found: list[str | Signal]) -> int:
        """Take bytes of a raw block; return where in the segment to go on."""
        assert self._block is not None
        taken = segment[at : at + self._length - len(self._block)]
        self._block += taken
        at += len(taken)
        if len(self._block) < self._length:
            return at
        header = self._buffer[:-1].decode("utf-8", "replace")
        found.append(f'{header},"data":"{base64.b64encode(self._block).decode()}"}}')
        self._block = None
        self._buffer.clear()
        return at + 1 if at < len(segment) else at


def field(text: str, key: str) -> str:
    """Return the value after the first `"key"` as the units' own helper finds it, "" where it is missing."""
    start = text.find(f'"{key}"')
    if start < 0:
        return ""
    colon = text.find(":", start + len(key) + 2)
    if colon < 0:
        return ""
    value = text[colon + 1 :].lstrip()
    if value.startswith('"'):
        return unescape(value[1 : _string_end(value)])
    if value.startswith("{"):
        return value[: _object_end(value)]
    end = _NUMBER_ENDS.search(value)
    return (value[: end.start()] if end else value).strip()


def _string_end(value: str) -> int:
    """Return where a string ends: at the first quote whose previous character is no backslash."""
    end = value.find('"', 1)
    while end > 0 and value[end - 1] == "\\":
        end = value.find('"', end + 1)
    return end if end > 0 else len(value)


def _object_end(value: str) -> int:
    depth = 0
    for brace in re.finditer(r"[{}]", value):
        depth += 1 if brace.group() == "{" else -1
        if not depth:
            return brace.end()
    return len(value)


def unescape(text: str) -> str:
    """Undo the escapes that the helper knows; surrogates are left as they were sent."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    if match[2]:
        return _PLAIN[match[2]]
    code = int(match[1], 16)
    return match[0] if code in _SURROGATES else chr(code)
