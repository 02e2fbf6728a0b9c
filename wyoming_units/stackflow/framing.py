"""How messages travel: requests are told apart by counting braces, replies by newlines.

The server counts braces inside strings too, so none may be sent there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NONE = "None"
"""The object of a request that has none."""


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
    raise NotImplementedError


def encode_raw(request_id: str, work_id: str, action: str, object: str, payload: bytes) -> bytes:  # noqa: A002
    """Return a request whose data, sent as they are, reach the unit as base64; needs StackFlow 1.5."""
    raise NotImplementedError


class Splitter:
    """Cuts what a module sends into replies."""

    def feed(self, data: bytes) -> list[Reply]:
        """Take the next bytes and return the replies that they complete; `EngineFailed` for what is none."""
        raise NotImplementedError
