"""How messages travel: requests are told apart by counting braces, replies by newlines.

The server counts braces inside strings too, so none may be sent there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wyoming_units.errors import EngineFailed

NONE = "None"
"""The object of a request that has none."""
MOST = 32 << 20
"""Bytes of a reply."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_SHORT = 4096
"""Bytes up to which a rest without a newline is tried: the one message that comes so is shorter."""
_JSON = json.JSONDecoder(strict=False)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One message of a module."""

    request_id: str
    work_id: str
    object: str
    data: Any
    code: int
    """0: all is well."""
    message: str


def encode(
    request_id: str,
    work_id: str,
    action: str,
    object: str = NONE,  # noqa: A002  StackFlow's word
    data: str | Mapping[str, Any] | None = None,
) -> bytes:
    """Return a request as bytes: on one line, `data` last, no braces or backslashes in its strings."""
    message = _envelope(request_id, work_id, action, object)
    if data is not None:
        message["data"] = data if isinstance(data, str) else dict(data)
    return _write(message) + b"\n"


def encode_raw(request_id: str, work_id: str, action: str, object: str, payload: bytes) -> bytes:  # noqa: A002
    """Return a request whose data, sent as they are, reach the unit as base64; needs StackFlow 1.5."""
    header = _write({"RAW": len(payload), **_envelope(request_id, work_id, action, object)})
    # The server skips the byte after the data.
    return b"".join((header, payload, b"\n"))


def _envelope(request_id: str, work_id: str, action: str, object_: str) -> dict[str, Any]:
    # Units look for the first place where a key's name stands, so `data` may only follow.
    return {"request_id": request_id, "work_id": work_id, "action": action, "object": object_}


def _write(message: Mapping[str, Any]) -> bytes:
    # Units do not know surrogate pairs: no ASCII escapes for what lies beyond U+FFFF.
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return _STRING.sub(_defuse, text).encode("utf-8", "replace")


def _defuse(found: re.Match[str]) -> str:
    """Return a JSON string without what the server counts, or takes for an escape of the closing quote."""
    text = found[0].replace("\\\\", "\\u005c")
    return text.replace("{", "\\u007b").replace("}", "\\u007d")


class Splitter:
    """Cuts what a module sends into replies."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0
        """Bytes of the rest that hold no newline."""

    def feed(self, data: bytes) -> list[Reply]:
        """Take the next bytes and return the replies that they complete; `EngineFailed` for what is none.

        After an error the next call goes on behind the line that was wrong.
        """
        self._rest += data
        replies: list[Reply] = []
        while (end := self._rest.find(b"\n", self._seen)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._seen = 0
            replies += _replies(line)
        self._seen = len(self._rest)
        if self._seen > MOST:
            self._rest.clear()
            self._seen = 0
            raise EngineFailed(f"the module sent a message of more than {MOST >> 20} MiB")
        if self._seen <= _SHORT and (alone := _alone(bytes(self._rest))):
            self._rest.clear()
            self._seen = 0
            replies += alone
        return replies


def _alone(rest: bytes) -> list[Reply]:
    """Return the reply that has no newline: nothing that ends an object can be the beginning of a longer one."""
    if not rest.rstrip().endswith(b"}"):
        return []
    try:
        return _replies(rest)
    except EngineFailed:
        return []


def _replies(line: bytes) -> list[Reply]:
    """Return what stands on a line: one reply, or more where one before had no newline."""
    if len(line) > MOST:
        raise EngineFailed(f"the module sent a message of more than {MOST >> 20} MiB")
    try:
        return [
            _reply(item) for item in _objects(line.decode("utf-8", "replace").strip("\0\r\n\t "))
        ]
    except (ValueError, RecursionError) as err:
        raise EngineFailed("the module sent what is no StackFlow message") from err


def _objects(text: str) -> Iterator[dict[str, Any]]:
    at = 0
    while at < len(text):
        item, at = _JSON.raw_decode(text, at)
        if not isinstance(item, dict):
            raise ValueError("no object")  # noqa: TRY004  as what is no JSON
        yield item
        while at < len(text) and text[at].isspace():
            at += 1


def _reply(item: Mapping[str, Any]) -> Reply:
    error = item.get("error")
    error = error if isinstance(error, dict) else {}
    code = error.get("code", 0)
    return Reply(
        request_id=str(item.get("request_id", "")),
        work_id=str(item.get("work_id", "")),
        object=str(item.get("object", NONE)),
        data=item.get("data"),
        code=code if isinstance(code, int) else -99,
        message=str(error.get("message", "")),
    )
