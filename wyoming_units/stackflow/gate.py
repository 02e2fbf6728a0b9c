"""One caller at a time: a unit collects what is streamed to it in one place, whatever task it is for."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol

from wyoming_units.errors import Busy


class Caller(Protocol):
    """Who wants to pass."""

    def check(self) -> None:
        """Raise what ends its waiting."""


class Gate:
    """Lets callers pass in the order in which they came."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._changed = threading.Condition()
        self._waiting: deque[Caller] = deque()
        self._holder: Caller | None = None

    def take(self, caller: Caller, patience: float) -> None:
        """Pass; `Busy` after `patience` seconds."""
        until = time.monotonic() + patience
        with self._changed:
            self._waiting.append(caller)
            try:
                while self._holder is not None or self._waiting[0] is not caller:
                    caller.check()
                    left = until - time.monotonic()
                    if left <= 0:
                        raise Busy(f"the module's {self._unit} is at work for another request")
                    self._changed.wait(left)
                caller.check()
                self._holder = caller
            finally:
                self._waiting.remove(caller)
                self._changed.notify_all()

    def give(self, caller: Caller) -> None:
        """Let the next pass, where it is this caller who holds the gate."""
        with self._changed:
            if self._holder is caller:
                self._holder = None
                self._changed.notify_all()

    def nudge(self) -> None:
        """Have all who wait look whether they still should."""
        with self._changed:
            self._changed.notify_all()
