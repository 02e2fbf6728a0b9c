"""The programs of a unit: its engines, each behind a lane, and which of them answers a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from wyoming_units.engines.base import Engine, EngineInfo, Model
from wyoming_units.errors import Unsupported
from wyoming_units.units.lane import Lane
from wyoming_units.wire.requests import Request

E = TypeVar("E", bound=Engine)


class Programs(Generic[E]):
    """Chooses an engine by what a request selects, names or speaks; otherwise the first one answers."""

    def __init__(self, kind: str, engines: Sequence[E]) -> None:
        self._kind = kind
        self.lanes = tuple(Lane(kind, engine) for engine in engines)

    def info(self, describe: Callable[[EngineInfo], dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the programs as `Info` lists them, without those that failed to load."""
        return [describe(lane.engine.info) for lane in self.lanes if not lane.failed]

    def choose(
        self, request: Request, *, model: str | None = None, language: str | None = None
    ) -> Lane[E]:
        """Return the lane that answers; `Unsupported` where the node has no such unit.

        A model or language that no engine has is left to the engine to refuse.
        """
        selected = request.selected.get(self._kind)
        if selected is not None:
            return next(lane for lane in self.lanes if lane.name == selected)
        lanes = [lane for lane in self.lanes if not lane.failed] or self.lanes
        if not lanes:
            raise Unsupported(f"this node has no {self._kind} unit")
        if model is not None:
            return _first(lanes, lambda info: any(each.name == model for each in info.models))
        if language is not None:
            return _first(lanes, lambda info: any(speaks(each, language) for each in info.models))
        return lanes[0]


def _first(lanes: Sequence[Lane[E]], offers: Callable[[EngineInfo], bool]) -> Lane[E]:
    return next((lane for lane in lanes if offers(lane.engine.info)), lanes[0])


def speaks(model: Model, language: str) -> bool:
    """Return whether a model has a language, in whatever region."""
    wanted = language.partition("-")[0]
    return any(code.partition("-")[0] == wanted for code in model.languages)
