"""Words of the StackFlow protocol: releases, error codes, requests and replies as bytes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from .framing import field

RELEASES = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "main", "dev")
"""Oldest first; `main` and `dev` are the branches after 1.7."""

ERRORS = {
    0: "",
    -1: "reace reset",
    -2: "json format error",
    -3: "action match false",
    -4: "inference data push false",
    -5: "Model loading failed.",
    -6: "Unit Does Not Exist",
    -7: "unknown operation",
    -8: "unit resource allocation failed.",
    -9: "unit call false",
    -10: "not available at the moment.",
    -11: "Model run failed.",
    -12: "not initialised",
    -13: "already working",
    -14: "not working",
    -15: "no updateable modules",
    -16: "no module available for update",
    -17: "file open error",
    -18: "not have unit action!",
    -20: "link false",
    -21: "task full",
    -22: "config param format error",
    -23: "Base64 decoding error",
    -24: "The inference data is empty",
    -25: "Stream data index error",
}
"""All codes that the module sends."""

REACE_RESET = (
    b'{"request_id": "0","work_id": "sys","created": 1731488402,'
    b'"error":{"code":-1, "message":"reace reset"}}'
)
"""The only message that no newline ends."""


class Refused(Exception):
    """A request gets an error code."""

    def __init__(self, code: int, work_id: str | None = None) -> None:
        super().__init__(code, ERRORS[code])
        self.code = code
        self.work_id = work_id
        """What stands in the reply in place of the addressee."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A request, its fields as units read them: textually."""

    request_id: str
    work_id: str
    action: str
    object: str
    data: str
    text: str
    """All of it."""

    @property
    def unit(self) -> str:
        return self.work_id.partition(".")[0] or "sys"


def read_message(text: str) -> Message:
    """Return a request; `Refused` with -2 for no JSON, or envelope fields that are no strings."""
    try:
        told = json.loads(text)
    except ValueError:
        raise Refused(-2) from None
    if not all(isinstance(told.get(key), str) for key in ("request_id", "work_id", "action")):
        raise Refused(-2)
    return Message(
        request_id=field(text, "request_id"),
        work_id=field(text, "work_id") or "sys",
        action=field(text, "action"),
        object=field(text, "object"),
        data=field(text, "data"),
        text=text,
    )


def write_reply(
    request_id: str,
    work_id: str,
    *,
    object: str = "None",  # noqa: A002  the protocol's own name
    data: Any = "None",
    code: int = 0,
    message: str | None = None,
) -> bytes:
    """Return a line: keys alphabetical, a newline at the end."""
    told = {
        "created": int(time.time()),
        "data": data,
        "error": {"code": code, "message": ERRORS[code] if message is None else message},
        "object": object,
        "request_id": request_id,
        "work_id": work_id,
    }
    return (
        json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    )
