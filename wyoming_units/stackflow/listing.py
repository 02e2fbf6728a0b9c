"""What is installed on a module, as a node that follows it needs to know: quickly, and while it is away."""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from wyoming_units.errors import UnitError
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt, module_at

_LOGGER = logging.getLogger(__name__)
_AGE = 60.0
"""Seconds between two questions; the answer is more than 100 kB."""
_AGAIN = 10.0
"""Seconds until a module that did not answer is asked again."""


@dataclass(frozen=True)
class _Told:
    modes: tuple[Mode, ...]
    due: float
    """When to ask again."""
    answered: bool


_lock = threading.Lock()
_told: dict[ModuleAt, _Told] = {}


def installed_modes(place: ModuleAt) -> tuple[Mode, ...]:
    """Return what is installed on a module: what it told last, also in an earlier run, where it does not answer."""
    with _lock:
        before = _told.get(place)
        if before is None or monotonic() >= before.due:
            _told[place] = _ask(place, before)
        return _told[place].modes


def _ask(place: ModuleAt, before: _Told | None) -> _Told:
    try:
        modes = module_at(place).modes()
    except UnitError as error:
        if before is None or before.answered:
            _LOGGER.warning("the module does not answer: %s", error)
        kept = before.modes if before else _remembered(place)
        return _Told(kept, monotonic() + _AGAIN, answered=False)
    if before is None or before.modes != modes:
        _remember(place, modes)
    return _Told(modes, monotonic() + _AGE, answered=True)


def _file(place: ModuleAt) -> Path | None:
    where = place.address.device or f"{place.address.host}-{place.address.port}"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", where)
    return place.state / f"modes-{name}.json" if place.state else None


def _remembered(place: ModuleAt) -> tuple[Mode, ...]:
    path = _file(place)
    try:
        kept = json.loads(path.read_text("utf-8")) if path else []
        return tuple(Mode(**{**one, "languages": tuple(one["languages"])}) for one in kept)
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def _remember(place: ModuleAt, modes: tuple[Mode, ...]) -> None:
    path = _file(place)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps([asdict(mode) for mode in modes]), "utf-8")
        part.rename(path)
    except OSError as err:
        _LOGGER.warning("cannot remember the module's models: %s", err.strerror)
