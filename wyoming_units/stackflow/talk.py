"""What a call says to its task, and hears from it."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wyoming_units.errors import EngineFailed, TimedOut, UnitError
from wyoming_units.stackflow.asking import next_id, number_of
from wyoming_units.stackflow.codes import GARBLED, GONE, explain
from wyoming_units.stackflow.framing import Reply, encode, encode_raw
from wyoming_units.stackflow.link import Link

if TYPE_CHECKING:
    from wyoming_units.stackflow.module import Module

_BASE64 = ".base64"


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A task as it is set up at the module."""

    link: Link
    work_id: str
    setup_id: str
    """Request that set it up: events of sound bear its id."""


class Talk:
    """What a call may say to its task, and hear from it."""

    def __init__(
        self, module: Module, unit: str, model: str, ended: Callable[[Talk], None]
    ) -> None:
        self.thread = threading.get_ident()
        """In which it speaks or listens."""
        self.touched = time.monotonic()
        """When that thread last did."""
        self.broken = False
        """Whether the connection is of no more use."""
        self.gone = False
        """Whether the module says that it has no such task."""
        self.answered = False
        """Whether something has been heard since the task was taken, or taken again."""
        self.first = 0
        """Number of the first request of this call."""
        self.doubts = 0
        """How many times the call was made before, with answers that may come yet."""
        self._module = module
        self._unit = unit
        self._model = model
        self._ended = ended
        self._seat: Seat | None = None
        self._acts: set[str] = set()
        self._raw = False
        self._sent = False
        """Whether something was sent whose answer is not known to be over."""
        self._owed = False
        """Whether an answer has begun and not ended, or is late."""
        self._stop = threading.Event()
        self._reason: UnitError | None = None

    # -- what a call uses

    def send(self, object: str, data: str | Mapping[str, Any]) -> None:  # noqa: A002
        """Send an `inference`."""
        self._send(encode(next_id(), self._place().work_id, "inference", object, data))

    def send_text(self, object: str, text: str) -> None:  # noqa: A002
        """Send a text as base64, to an `object` without that ending: nothing in it can break the framing."""
        self.send(object + _BASE64, b64encode(text.encode("utf-8", "replace")).decode())

    def send_bytes(self, object: str, payload: bytes) -> None:  # noqa: A002
        """Send sound or a picture, raw where the module takes that, else in base64; `object` names base64."""
        if not self._module.takes_raw():
            self.send(object, b64encode(payload).decode())
            return
        self._raw = True
        self._send(encode_raw(next_id(), self._place().work_id, "inference", object, payload))

    def act(self, action: str) -> None:
        """Send an action of the task, such as `pause`, whose acknowledgement is not waited for.

        Also after the call was interrupted, and from another thread.
        """
        seat, request_id = self._place(), next_id()
        self._acts.add(request_id)
        seat.link.send(encode(request_id, seat.work_id, action))

    def receive(self, seconds: float) -> Reply:
        """Return the next reply to what this call has sent, or an event of the task.

        `TimedOut` after `seconds` without any; `EngineFailed` tells what an error code means, or that the
        module is gone; `Cancelled` when the call was interrupted.
        """
        reply = self._next(seconds)
        if reply is None:
            self._owed = True
            raise TimedOut(f"the module's {self._unit} did not answer in {seconds:g} s")
        return reply

    def heard(self) -> Reply | None:
        """Return the next reply if one is here already, without waiting; errors as `receive`."""
        return self._next(0.0)

    def end(self) -> None:
        """Leave the task to others, once; what is still to be answered is dropped before they speak."""
        self._ended(self)

    # -- what the task uses

    @property
    def owing(self) -> bool:
        """Return whether an answer is, or may be, still to come."""
        return self._owed or self.doubts > 0 or (self._sent and self._stop.is_set())

    def seat(self, seat: Seat) -> None:
        """Begin, or begin again, with a task that is set up."""
        self._seat = seat
        self.first = self.first or number_of(next_id())
        self.broken = self.gone = self.answered = self._raw = self._sent = self._owed = False

    def unseat(self) -> None:
        """Have nothing more to say."""
        self._seat = None

    def stop(self, reason: UnitError) -> None:
        """Have whatever it does next end with an error; the link must be woken after that."""
        self._reason = self._reason or reason
        self._stop.set()

    def check(self) -> None:
        """Raise what it was stopped for."""
        if self._stop.is_set() and self._reason is not None:
            raise type(self._reason)(str(self._reason))

    def rest(self, seconds: float) -> None:
        """Wait, unless it is stopped."""
        self._stop.wait(seconds)
        self.check()

    def failed(self) -> None:
        """Say that the call ended with an error: what it has asked for may yet be answered."""
        self._owed = self._owed or self._sent

    def _place(self) -> Seat:
        if self._seat is None:
            self.check()
            raise EngineFailed(f"the talk with the module's {self._unit} is over")
        return self._seat

    def _send(self, data: bytes) -> None:
        seat = self._place()
        self._touch()
        self._sent = True
        try:
            seat.link.send(data)
        except UnitError:
            self._broke()
            raise

    def _touch(self) -> None:
        self.thread, self.touched = threading.get_ident(), time.monotonic()

    def _broke(self) -> None:
        """Take down that the connection broke, unless that is because the call was ended."""
        self.broken = True
        self.check()
        if self._raw and not self.answered:
            self._module.forbid_raw()

    def _next(self, seconds: float) -> Reply | None:
        self._touch()
        until = time.monotonic() + seconds
        while True:
            self.check()
            left = until - time.monotonic()
            reply = self._listen(max(0.0, left))
            if reply is None and left <= 0:
                return None
            if reply is not None and self._concerns(reply):
                return self._judge(reply)

    def _listen(self, seconds: float) -> Reply | None:
        link = self._place().link
        try:
            return link.receive(seconds)
        except EngineFailed:
            self._broke()
            raise

    def _concerns(self, reply: Reply) -> bool:
        """Return whether a reply is for this call: neither an older one's, nor an acknowledgement."""
        if reply.request_id in self._acts:
            self._acts.discard(reply.request_id)
            return False
        if reply.code in GARBLED and not number_of(reply.request_id):
            return True
        return (
            number_of(reply.request_id) >= self.first or reply.request_id == self._place().setup_id
        )

    def _judge(self, reply: Reply) -> Reply:
        """Return what is an answer; raise what is an error."""
        if not reply.code:
            finish = reply.data.get("finish") if isinstance(reply.data, dict) else None
            self.answered = True
            self._owed = finish is False
            self._sent = self._sent and finish is not True
            return reply
        self._owed = self._sent = False
        self.gone = reply.code in GONE
        error = explain(reply, self._unit, self._model)
        if reply.code in GARBLED:
            # Where its counter stands now nobody knows.
            self._broke()
        raise error
