"""What an answer of a model's server that is none means to who asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from wyoming_units.chat.exchange import ChatRequest
from wyoming_units.errors import (
    BadRequest,
    Busy,
    EngineFailed,
    UnitError,
    UnknownModel,
    Unsupported,
)

PATIENCE = 2.0
"""Longest pause, in seconds, that a server may ask for before the next try."""
_BUSY = (429, 503)
_PASSING = (*_BUSY, 500, 502, 504)
_NO_SUCH_PATH = (404, 405, 501)
_PICTURES = ("image", "vision", "multimodal", "mmproj")
_LONGEST = 300
"""Characters of a server's message that are handed on."""
_MODEL_GONE = re.compile(
    r"model.*(not found|does not exist|not exist|unknown|not loaded|not available)"
    r"|(no such|unknown|invalid) model",
    re.IGNORECASE | re.DOTALL,
)


class Again(Exception):
    """The work failed in a way that may pass: `error` is what to tell when it does not."""

    def __init__(self, error: UnitError, wait: float | None = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait
        """Least seconds until the next try; None: there shall be none."""


class Lost(Again):
    """Nobody answers at the address, or the connection broke."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, message: str, retry_after: str = "") -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        seconds = float(retry_after) if re.fullmatch(r"\d+(\.\d+)?", retry_after) else 0.0
        self.wait = seconds if seconds <= PATIENCE else None

    @property
    def no_such_path(self) -> bool:
        """Return True where the server does not have what was asked for at all."""
        said = self.message.lower()
        lacks = any(word in said for word in ("tool", *_PICTURES))
        return self.status in _NO_SUCH_PATH and not (lacks or _MODEL_GONE.search(said))

    @property
    def no_such_form(self) -> bool:
        """Return True where the server does not take what the request said, rather than how long it is."""
        return self.status in {400, 422} and "context" not in self.message.lower()


def message_of(body: str) -> str:
    """Return what a server says about an error, in one line, "" where it says nothing."""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        told = "" if "<html" in body.lower() else body
    return _plain(told)


def _plain(told: Any) -> str:
    while isinstance(told, Mapping):
        told = next((told[key] for key in ("error", "message", "detail") if told.get(key)), "")
    return " ".join(str(told).split())[:_LONGEST]


def check_event(event: Mapping[str, Any]) -> None:
    """Raise the failure that an event within a stream tells of."""
    if error := event.get("error"):
        raise EngineFailed(f"the model's server failed: {_plain(error) or 'it does not say why'}")


def has_images(request: ChatRequest) -> bool:
    """Return True when pictures are among the messages."""
    return any(
        isinstance(content := message.get("content"), list)
        and any(part.get("type") == "image_url" for part in content)
        for message in request.messages
    )


def refusal(refused: Refused, request: ChatRequest, host: str, model: str) -> UnitError | Again:
    """Return what to tell of an error of the server, within `Again` where it may pass."""
    status, said = refused.status, refused.message
    why = f": {said}" if said else ""
    if status in {401, 403}:
        return EngineFailed(f"the model's server at {host} refused the token")
    if _MODEL_GONE.search(said) and status in {400, 404}:
        return UnknownModel(f"the model's server has no model {model!r}{why}")
    if status in {400, 422, 500, 501} and (cannot := _cannot(said.lower(), request)):
        return Unsupported(f"the model does not take {cannot}{why}")
    if status in {400, 413, 422}:
        return BadRequest(f"the model's server does not take the request{why}")
    if status in _BUSY:
        return Again(Busy(f"the model's server is busy{why}"), refused.wait)
    failed = EngineFailed(f"the model's server failed with {status}{why}")
    return Again(failed, refused.wait) if status in _PASSING else failed


def _cannot(said: str, request: ChatRequest) -> str | None:
    if request.tools and "tool" in said:
        return "tools"
    if has_images(request) and any(word in said for word in _PICTURES):
        return "images"
    return None
