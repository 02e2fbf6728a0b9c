"""Questions with one answer, and the ids that tell whose answer is whose."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from wyoming_units.errors import TimedOut
from wyoming_units.stackflow.codes import GARBLED, explain
from wyoming_units.stackflow.framing import NONE, Reply, encode
from wyoming_units.stackflow.link import Link

# Other clients count too: the ids of two of them must not meet on a stream that one took from the other.
_PREFIX = f"{secrets.token_hex(4)}-"
_COUNTER = itertools.count(1)


def next_id() -> str:
    """Return a request id that no other request has."""
    return f"{_PREFIX}{next(_COUNTER)}"


def number_of(request_id: str) -> int:
    """Return the how-manieth of our requests it was, 0 where it is none of ours."""
    number = request_id.removeprefix(_PREFIX)
    return int(number) if number != request_id and number.isdecimal() else 0


def ask(
    link: Link,
    work_id: str,
    action: str,
    timeout: float,
    object: str = NONE,  # noqa: A002  StackFlow's word
    data: str | Mapping[str, Any] | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Reply:
    """Ask and return the answer, whatever its code; `check` is called whenever the link is woken.

    `TimedOut`, `EngineFailed` where the module is gone or cannot read the request.
    """
    request_id = next_id()
    link.send(encode(request_id, work_id, action, object, data))
    reply = await_answer(link, request_id, timeout, check=check)
    if reply is None:
        raise TimedOut(f"the module did not answer {action} of {work_id} in {timeout:g} s")
    return reply


def await_answer(
    link: Link, request_id: str, timeout: float, *, check: Callable[[], None]
) -> Reply | None:
    """Return the answer to a request, None after `timeout` seconds; drops all else."""
    until = time.monotonic() + timeout
    while True:
        check()
        left = until - time.monotonic()
        reply = link.receive(max(0.0, left))
        if reply is None and left <= 0:
            return None
        if reply is None:
            continue
        if reply.request_id == request_id:
            return reply
        if reply.code in GARBLED and not number_of(reply.request_id):
            raise explain(reply, "sys", "")
