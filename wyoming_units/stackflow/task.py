"""One task of a module: set up when first needed, set up again when lost, one caller at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wyoming_units.errors import Busy, Cancelled, EngineFailed, TimedOut, UnitError
from wyoming_units.stackflow.asking import ask, await_answer, next_id, number_of
from wyoming_units.stackflow.codes import FULL, Lost, explain
from wyoming_units.stackflow.framing import NONE, Reply, encode
from wyoming_units.stackflow.link import Link
from wyoming_units.stackflow.notes import matches, signature
from wyoming_units.stackflow.talk import Seat, Talk

if TYPE_CHECKING:
    from wyoming_units.stackflow.module import Module

__all__ = ["Talk", "Task"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_SOON = 5.0
"""Seconds for an answer that needs no work."""
_RESTART = 10.0
"""Seconds in which a module, or a service of it, has started anew."""
_BETWEEN = 0.25
"""Seconds between attempts to reach it meanwhile."""
_UNMARKED = frozenset({"tts"})
"""Units that answer in several messages without saying which is the last."""
_NOISE = 10
"""How many times `settle` an old answer may go on before the task is given up for it."""


class Task:
    """A task of one unit of the module."""

    def __init__(
        self,
        module: Module,
        unit: str,
        setup: Mapping[str, Any],
        *,
        memory: int = 0,
        setup_seconds: float = 60.0,
        patience: float = 20.0,
        settle: float = 1.0,
    ) -> None:
        """`setup` is the `data` of the unit's setup.

        `memory` is what it needs of the NPU's memory, in KB; `patience` how many seconds a caller waits for another's
        call to end; `settle` how many seconds of quiet mean that an interrupted call's answer is over.
        """
        self.unit = unit
        self.work_id = ""
        """Empty where it is not set up."""
        self.used = 0.0
        """When its last call ended."""
        self._module = module
        self._setup = dict(setup)
        self._model = str(setup.get("model", unit))
        self._memory = memory
        self._setup_seconds = setup_seconds
        self._patience = patience
        self._settle = settle
        self._gate = module.gate(unit)
        self._lock = threading.RLock()
        """Held while it is set up, or ended."""
        self._link: Link | None = None
        self._setup_id = ""
        self._pending = 0
        """How often a setup has been waited for whose answer is still to come."""
        self._mislaid = False
        """Whether the module says it lost a task that may hold its place there nevertheless."""
        self._talks: list[Talk] = []
        """Of those who have the task, or wait for it."""
        self._current: Talk | None = None
        self._stale: tuple[int, int] | None = None
        """First request of a call that owes an answer, and how many answers."""

    def open(self) -> None:
        """Set up where it is not: idle tasks of our own make room where the unit or its memory is full.

        `EngineFailed` tells what the module says, `Busy` where others hold all tasks, `TimedOut`.
        """
        self.begin().end()

    def close(self) -> None:
        """End the task at the module and forget it; a call that runs ends with `EngineFailed`."""
        for talk in list(self._talks):
            talk.stop(EngineFailed(f"{self._model} was closed"))
            self._wake(talk)
        with self._lock:
            current = self._current
            self.end_at_module()
            if current is not None:
                self._leave(current)

    def begin(self) -> Talk:
        """Take the task, set up, for several calls of one stream, until `Talk.end`; `Busy` after `patience` seconds.

        It must have been ended before the same thread begins anew.
        """
        talk = Talk(self._module, self.unit, self._model, self._leave)
        self._talks.append(talk)
        try:
            self._gate.take(talk, self._patience)
            with self._lock:
                self._current = talk
                self._make_ready(talk)
        except BaseException:
            talk.end()
            raise
        return talk

    def run(self, call: Callable[[Talk], T]) -> T:
        """Return what `call` makes of the task, which it has for itself; `Busy` after `patience` seconds.

        Where the module turns out to be restarted, or the connection lost, before the call has heard anything, the
        task is set up and the call made once again; so it must not have effects before it hears something.
        So it is after a `TimedOut` of a call that heard nothing: another program may have had the answer.
        What an interrupted or failed call has left to be answered is awaited and dropped before the next call.
        """
        talk = self.begin()
        try:
            try:
                return call(talk)
            except (Lost, TimedOut) as err:
                if talk.answered or not self._again(talk, isinstance(err, TimedOut)):
                    raise
            return call(talk)
        except BaseException:
            talk.failed()
            raise
        finally:
            talk.end()

    def interrupt(self, thread: int) -> None:
        """Make the call that runs in a thread raise `Cancelled` at its next `receive`, or now where it waits."""
        # A stream that rests was last used in some thread, which may have found other work.
        talks = [talk for talk in list(self._talks) if talk.thread == thread]
        if talks:
            latest = max(talks, key=lambda talk: talk.touched)
            latest.stop(Cancelled("the request was ended"))
            self._wake(latest)

    def _wake(self, talk: Talk) -> None:
        self._gate.nudge()
        link = self._link
        if link is not None and self._current is talk:
            link.wake()

    # -- between calls

    def _leave(self, talk: Talk) -> None:
        """Let the next have the task, once; `Talk.end`."""
        if talk in self._talks:
            self._talks.remove(talk)
        if self._current is talk:  # else the lock may be held for as long as another's setup takes
            with self._lock:
                self._give_back(talk)
        talk.unseat()
        self._gate.give(talk)

    def _give_back(self, talk: Talk) -> None:
        if self._current is not talk:
            return
        self._current = None
        self._close_book(talk)
        if self._link is not None:
            self._link.calm()
        self.used = time.monotonic()

    def _close_book(self, talk: Talk) -> None:
        """Keep what a call has found out about the task, and what it leaves to be answered."""
        if talk.broken:
            self._drop_link()
        if talk.gone:
            self._mislay()
        if talk.first and talk.owing and self.work_id:
            self._stale = (talk.first, 1 + talk.doubts)

    def _again(self, talk: Talk, silent: bool) -> bool:
        """Have the task ready for a second attempt of a call; return whether that makes sense."""
        with self._lock:
            if self._current is not talk:
                return False
            self._close_book(talk)
            if silent and self._link is not None:
                try:
                    # Who asks about a task is told what it says from then on.
                    reply = ask(self._link, self.work_id, "taskinfo", _SOON, check=talk.check)
                except (TimedOut, Lost):
                    return False
                if reply.code:
                    self._mislay()
                else:
                    talk.doubts += 1
            self._stale = None
            self._make_ready(talk)
        return True

    # -- setting up

    def _make_ready(self, talk: Talk) -> None:
        """Have the task set up and quiet; a module that was there a while ago is given time to come back."""
        patient = self._link is not None or bool(self.work_id)
        until = time.monotonic() + (_RESTART if patient else 0.0)
        if self._link is not None and self.work_id:
            self._quieten(talk, self._link)
        while self._link is None or not self.work_id:
            try:
                self._set_up(talk)
            except Lost:
                talk.check()
                self._drop_link()
                if time.monotonic() >= until:
                    raise
                talk.rest(_BETWEEN)
            except UnitError:
                if not self._pending:
                    self._drop_link()
                raise
        talk.seat(Seat(link=self._link, work_id=self.work_id, setup_id=self._setup_id))

    def _quieten(self, talk: Talk, link: Link) -> None:
        """Drop what older calls have left: until their answers end or it is quiet, else the task is given up."""
        quiet, noisy = self.used + self._settle, time.monotonic() + _NOISE * self._settle
        first, answers = self._stale or (0, 0)
        while True:
            talk.check()
            left = quiet - time.monotonic() if answers else 0.0
            try:
                reply = link.receive(max(0.0, left))
            except EngineFailed:
                talk.check()
                self._drop_link()
                return
            if reply is None and left <= 0:
                self._stale = None
                return
            if reply is None:
                continue
            quiet = time.monotonic() + self._settle
            if number_of(reply.request_id) >= first and self._ends(reply):
                answers = max(0, answers - 1)
            if time.monotonic() >= noisy:
                self.end_at_module()
                return

    def _ends(self, reply: Reply) -> bool:
        """Return whether an answer is over with this reply."""
        if reply.code or isinstance(reply.data, dict):
            return bool(reply.code) or reply.data.get("finish") is True
        return reply.data != NONE and self.unit not in _UNMARKED

    def _set_up(self, talk: Talk) -> None:
        """Connect and set up, or take up the task again that a broken connection has left."""
        if self._link is None:
            self._pending = 0
            link = self._link = Link(self._module.address)
            if self.work_id and self._is_there(talk, link):
                return
            self._forget()
        if self._mislaid:
            self._mislaid = False
            self._module.end_leftovers(self.unit)
        if not self._pending:
            self._make_room(talk)
        reply = self._answer_to_setup(talk, self._link)
        for end_one in self._ways(self.unit):
            if reply.code == FULL and end_one():
                reply = self._answer_to_setup(talk, self._link)
        if reply.code == FULL:
            raise Busy(f"another program holds the {self.unit} task of the module")
        if reply.code:
            raise explain(reply, self.unit, self._model)
        self.work_id = reply.work_id
        self._module.enrol(self, self.work_id, signature(self.unit, self._setup))

    def _is_there(self, talk: Talk, link: Link) -> bool:
        """Return whether the module still has the task, which then speaks to this link."""
        listed = ask(link, self.unit, "taskinfo", _SOON, check=talk.check).data
        if not (isinstance(listed, list) and self.work_id in listed):
            return False
        reply = ask(link, self.work_id, "taskinfo", _SOON, check=talk.check)
        return not reply.code and matches(signature(self.unit, self._setup), reply.data)

    def _answer_to_setup(self, talk: Talk, link: Link) -> Reply:
        """Send the setup, or go on waiting for the answer to one that a call has been interrupted in."""
        if not self._pending:
            self._setup_id = next_id()
            object_ = f"{self.unit}.setup"
            link.send(encode(self._setup_id, self.unit, "setup", object_, self._setup))
        self._pending += 1
        reply = await_answer(link, self._setup_id, self._setup_seconds, check=talk.check)
        if reply is not None:
            self._pending = 0
            return reply
        # One that is late is waited for again, rather than set up twice; not for ever, as the service may be new.
        if self._pending > 1:
            self._drop_link()
        raise TimedOut(f"the module did not load {self._model} in {self._setup_seconds:g} s")

    def _make_room(self, talk: Talk) -> None:
        """End what of ours is idle until the NPU's memory suffices."""
        if not self._memory:
            return
        ways = self._ways(None)
        while (memory := self._module.memory()) and memory.remain < self._memory:
            talk.check()
            while ways and not ways.pop(0)():
                pass
            if not ways and (memory := self._module.memory()) and memory.remain < self._memory:
                raise EngineFailed(
                    f"{self._model} needs {self._memory >> 10} MB of the NPU's memory,"
                    f" {memory.remain >> 10} MB are free"
                )

    def _ways(self, unit: str | None) -> list[Callable[[], bool]]:
        """Return what ends an idle task of ours, of one unit or of any: calls that tell whether they did."""
        units = [unit] if unit else self._module.notes.units()
        return [
            *(rival.make_way for rival in self._module.rivals(self, unit)),
            *(partial(self._module.end_leftovers, one) for one in units),
        ]

    # -- ending

    def make_way(self) -> bool:
        """End the task unless it is in use, for another task of ours; return whether it did."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._current is not None or not self.work_id:
                return False
            self.end_at_module()
            return True
        finally:
            self._lock.release()

    def end_at_module(self) -> None:
        """End the task and let go of it; one that the module does not answer about stays noted."""
        with self._lock:
            work_id = self._late_work_id() or self.work_id
            self._drop_link()
            try:
                if work_id:
                    self._module.ask(work_id, "exit", _SOON)
            except UnitError as err:
                _LOG.debug("%s: %s", work_id, err)
                self._mislay()
            self._forget()

    def _late_work_id(self) -> str:
        """Return the task of a setup whose answer nobody waits for any more, if it comes soon."""
        if self._link is None or not self._pending:
            return ""
        try:
            reply = await_answer(self._link, self._setup_id, _SOON, check=lambda: None)
        except UnitError:
            return ""
        return reply.work_id if reply is not None and not reply.code else ""

    def _drop_link(self) -> None:
        link, self._link, self._pending = self._link, None, 0
        if link is not None:
            link.close()

    def _mislay(self) -> None:
        """Let go of a task that may still be there: it stays noted."""
        self._module.strike(self, "")
        self.work_id, self._stale, self._mislaid = "", None, True

    def _forget(self) -> None:
        """Take down that the module has no such task any more."""
        if self.work_id:
            self._module.strike(self, self.work_id)
        self.work_id, self._stale = "", None
