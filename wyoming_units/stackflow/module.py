"""A module: what is installed on it, how much memory its NPU has left, and who has its tasks."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wyoming_units.errors import EngineFailed, TimedOut, UnitError
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.asking import ask
from wyoming_units.stackflow.codes import UNKNOWN_ACTION, explain
from wyoming_units.stackflow.framing import NONE, Reply
from wyoming_units.stackflow.gate import Gate
from wyoming_units.stackflow.link import Link
from wyoming_units.stackflow.modes import Mode, read_modes
from wyoming_units.stackflow.notes import Notes, matches
from wyoming_units.stackflow.task import Task

_LOG = logging.getLogger(__name__)

_SOON = 5.0
"""Seconds for an answer that needs no work."""
_LISTING = 20.0
_MEASURING = 10.0
_PACKAGE = re.compile(r"llm_sys-v?(\d[\w.]*)")
_MODULES: dict[Address, Module] = {}
_MAKING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class ModuleAt:
    """Where a module is, and where to note down which of its tasks are ours."""

    address: Address
    state: Path | None = None
    """Folder; None: a task that a killed process left behind is not known to be ours."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of the NPU (CMM), in KB."""

    total: int
    used: int
    remain: int


def module_at(place: ModuleAt) -> Module:
    """Return the module of a place: one object in a process, whose tasks know of each other."""
    with _MAKING:
        if place.address not in _MODULES:
            _MODULES[place.address] = Module(place)
        return _MODULES[place.address]


class Module:
    """A module; each question has a connection of its own, so that none waits behind a task."""

    def __init__(self, place: ModuleAt) -> None:
        self.address = place.address
        self.notes = Notes(place.address, place.state)
        """The tasks that are ours."""
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}
        self._tasks: set[Task] = set()
        self._tells_memory: bool | None = None
        self._takes_raw = not place.address.device

    def ping(self) -> None:
        """Return when the module has answered; `EngineFailed`, `TimedOut`."""
        self._sys("ping", _SOON)

    def modes(self) -> tuple[Mode, ...]:
        """Return what is installed, asked anew; `EngineFailed`, `TimedOut`."""
        return read_modes(self._sys("lsmode", _LISTING).data)

    def version(self) -> str:
        """Return StackFlow's version, such as `v1.6`."""
        reply = self.ask("sys", "version", _SOON)
        if not reply.code and isinstance(reply.data, str) and reply.data != NONE:
            return reply.data
        packages = self._sys("version2", _SOON).data
        found = _PACKAGE.search(
            " ".join(map(str, packages if isinstance(packages, list) else [packages]))
        )
        if found is None:
            raise EngineFailed(f"the module at {self.address.where} does not tell its version")
        return f"v{found[1]}"

    def memory(self) -> Memory | None:
        """Return the NPU's memory, None where the firmware (before 1.5) cannot tell."""
        if self._tells_memory is False:
            return None
        reply = self.ask("sys", "cmminfo", _SOON)
        if reply.code == UNKNOWN_ACTION:
            self._tells_memory = False
            return None
        told = self._data(reply)
        self._tells_memory = True
        try:
            return Memory(**{key: int(told[key]) for key in ("total", "used", "remain")})
        except (KeyError, TypeError, ValueError) as err:
            raise EngineFailed("the module's memory makes no sense") from err

    def hardware(self) -> Mapping[str, Any]:
        """Return `temperature` in °C, `cpu` and `memory` load in percent, as far as told."""
        told = self._data(self._sys("hwinfo", _MEASURING))
        scales = {
            "temperature": ("temperature", 1000),
            "cpu": ("cpu_loadavg", 1),
            "memory": ("mem", 1),
        }
        found: dict[str, Any] = {}
        for name, (key, scale) in scales.items():
            value = told.get(key)
            if isinstance(value, int | float):
                found[name] = value / scale if scale != 1 else value
        return found

    def task(self, unit: str, setup: Mapping[str, Any], **options: Any) -> Task:
        """Return a task of this module, not set up yet; `options` are those of `Task`."""
        return Task(self, unit, setup, **options)

    # -- what its tasks need to know

    def ask(
        self,
        work_id: str,
        action: str,
        timeout: float,
        object: str = NONE,  # noqa: A002  StackFlow's word
        data: str | None = None,
    ) -> Reply:
        """Ask over a connection for this alone and return the answer, whatever its code."""
        link = Link(self.address)
        try:
            return ask(link, work_id, action, timeout, object, data)
        finally:
            link.close()

    def takes_raw(self) -> bool:
        """Return whether payloads may be sent as they are: from firmware 1.5 on, which can tell its memory."""
        if self._takes_raw and self._tells_memory is None:
            with contextlib.suppress(EngineFailed, TimedOut):
                self.memory()
        return self._takes_raw and bool(self._tells_memory)

    def forbid_raw(self) -> None:
        """Send base64 from now on."""
        self._takes_raw = False

    def gate(self, unit: str) -> Gate:
        """Return what lets one caller of a unit pass at a time."""
        with self._lock:
            return self._gates.setdefault(unit, Gate(unit))

    def enrol(self, task: Task, work_id: str, noted: Mapping[str, Any]) -> None:
        """Take down that a task has been set up."""
        with self._lock:
            self._tasks.add(task)
        self.notes.add(work_id, noted)

    def strike(self, task: Task, work_id: str) -> None:
        """Take down that a task is no more."""
        with self._lock:
            self._tasks.discard(task)
        self.notes.remove(work_id)

    def rivals(self, task: Task, unit: str | None = None) -> list[Task]:
        """Return our other tasks, of one unit or of all, the one that rests longest first."""
        with self._lock:
            found = [one for one in self._tasks if one is not task and unit in {None, one.unit}]
        return sorted(found, key=lambda one: one.used)

    def end_leftovers(self, unit: str) -> bool:
        """End what a killed process of ours has left of a unit; return whether there was anything."""
        with self._lock:
            held = {task.work_id for task in self._tasks}
        noted = {key: note for key, note in self.notes.of(unit).items() if key not in held}
        try:
            return bool(noted) and self._end_noted(unit, noted)
        except UnitError as err:
            _LOG.debug("what is left of %s: %s", unit, err)
            return False

    def _end_noted(self, unit: str, noted: Mapping[str, Mapping[str, Any]]) -> bool:
        listed = self.ask(unit, "taskinfo", _SOON).data
        ended = False
        for work_id, note in noted.items():
            # To ask about another's task would turn its answers to us: only what bears a noted number.
            if isinstance(listed, list) and work_id in listed:
                reply = self.ask(work_id, "taskinfo", _SOON)
                if not reply.code and matches(note, reply.data):
                    ended |= not self.ask(work_id, "exit", _SOON).code
            self.notes.remove(work_id)
        return ended

    def _sys(self, action: str, timeout: float) -> Reply:
        reply = self.ask("sys", action, timeout)
        if reply.code:
            raise explain(reply, "sys", action)
        return reply

    def _data(self, reply: Reply) -> Mapping[str, Any]:
        if reply.code:
            raise explain(reply, "sys", "")
        if not isinstance(reply.data, dict):
            raise EngineFailed(f"the module at {self.address.where} told what makes no sense")
        return reply.data
