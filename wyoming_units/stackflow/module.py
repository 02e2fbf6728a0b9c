"""A module: what is installed on it, how much memory its NPU has left, and who has its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.task import Task


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
    raise NotImplementedError


class Module:
    """A module."""

    def __init__(self, place: ModuleAt) -> None:
        raise NotImplementedError

    def modes(self) -> tuple[Mode, ...]:
        """Return what is installed, asked anew; `EngineFailed`, `TimedOut`."""
        raise NotImplementedError

    def version(self) -> str:
        """Return StackFlow's version, such as `v1.6`."""
        raise NotImplementedError

    def memory(self) -> Memory | None:
        """Return the NPU's memory, None where the firmware (before 1.5) cannot tell."""
        raise NotImplementedError

    def hardware(self) -> Mapping[str, Any]:
        """Return `temperature` in °C, `cpu` and `memory` load in percent, as far as told."""
        raise NotImplementedError

    def task(self, unit: str, setup: Mapping[str, Any], **options: Any) -> Task:
        """Return a task of this module, not set up yet; `options` are those of `Task`."""
        return Task(self, unit, setup, **options)
