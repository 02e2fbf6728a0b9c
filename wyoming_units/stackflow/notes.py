"""Which tasks of a module are ours, noted in a file: a killed process leaves its tasks behind."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wyoming_units.stackflow.address import Address

_LOG = logging.getLogger(__name__)


def signature(unit: str, setup: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `taskinfo` can tell of a task that was set up so."""
    return {
        "unit": unit,
        "model": setup.get("model"),
        "response_format": setup.get("response_format"),
        "inputs": _listed(setup.get("input")),
    }


def matches(noted: Mapping[str, Any], told: Any) -> bool:
    """Return whether `taskinfo` tells of a task as it was set up, in each point."""
    if not isinstance(told, dict):
        return False
    inputs = _listed(told.get("inputs", told.get("inputs_")))
    seen = {
        "model": told.get("model"),
        "response_format": told.get("response_format"),
        "inputs": inputs,
    }
    return all(value is not None and value == noted.get(key) for key, value in seen.items())


def _listed(value: Any) -> list[Any] | None:
    return [value] if isinstance(value, str) else value if isinstance(value, list) else None


class Notes:
    """The notes of one module; without a folder they are kept in memory."""

    def __init__(self, address: Address, folder: Path | None) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._tasks: dict[str, dict[str, Any]] = {}
        if folder is not None:
            place = (
                f"serial-{address.device}" if address.device else f"{address.host}-{address.port}"
            )
            self._path = folder / f"stackflow-{re.sub(r'[^A-Za-z0-9.-]+', '_', place)}.json"
            self._tasks = _read(self._path)

    def of(self, unit: str) -> dict[str, dict[str, Any]]:
        """Return the noted tasks of a unit by their work ids."""
        with self._lock:
            return {key: task for key, task in self._tasks.items() if task.get("unit") == unit}

    def units(self) -> list[str]:
        """Return the units of which tasks are noted."""
        with self._lock:
            return sorted({str(task.get("unit")) for task in self._tasks.values()})

    def add(self, work_id: str, noted: Mapping[str, Any]) -> None:
        """Note a task."""
        with self._lock:
            self._tasks[work_id] = dict(noted)
            self._write()

    def remove(self, work_id: str) -> None:
        """Forget a task."""
        with self._lock:
            if self._tasks.pop(work_id, None) is not None:
                self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(self._tasks, indent=1), "utf-8")
            draft.replace(self._path)
        except OSError as err:
            _LOG.warning("tasks of the module cannot be noted in %s: %s", self._path, err)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        _LOG.warning("%s cannot be read: %s", path, err)
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: task for key, task in found.items() if isinstance(task, dict)}
