"""The programs of a unit: its engines, each behind a lane, and which of them answers a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from wyoming_units.engines.base import Engine, EngineInfo, Model
from wyoming_units.errors import Unsupported
from wyoming_units.units.lane import Lane
from wyoming_units.wire.requests import Request

E = TypeVar("E", bound=Engine)


class Programs(Generic[E]):
    """Chooses an engine by what a request selects, names or speaks; otherwise the first one answers.

    Engines of one name are one program, as where each of them has one model of a library.
    """

    def __init__(self, kind: str, engines: Iterable[E] = ()) -> None:
        self.kind = kind
        self.lanes: tuple[Lane[E], ...] = tuple(Lane(kind, engine) for engine in engines)

    def info(self, describe: Callable[[EngineInfo], dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the programs as `Info` lists them, without what failed to load."""
        by_name: dict[str, list[EngineInfo]] = {}
        for lane in self.lanes:
            if not lane.failed:
                by_name.setdefault(lane.name, []).append(lane.engine.info)
        return [describe(replace(infos[0], models=_all(infos))) for infos in by_name.values()]

    def choose(
        self, request: Request, *, model: str | None = None, language: str | None = None
    ) -> Lane[E]:
        """Return the lane that answers; `Unsupported` where the node has no such unit.

        A model or language that no engine has is left to an engine to refuse.
        """
        selected = request.selected.get(self.kind)
        named = [lane for lane in self.lanes if selected in (None, lane.name)]
        lanes = [lane for lane in named if not lane.failed] or named
        if not lanes:
            raise Unsupported(f"this node has no {selected or self.kind} unit")
        if model is not None:
            having = [lane for lane in lanes if _has(lane.engine.info, model)]
            # A typed wake word is nobody's name.
            free = [lane for lane in lanes if self.kind == "wake" and _is_open(lane)]
            return (having or free or lanes)[0]
        if language is not None:
            return min(lanes, key=lambda lane: _distance(lane.engine.info, language))
        return lanes[0]


def _all(infos: Sequence[EngineInfo]) -> tuple[Model, ...]:
    models = {model.name: model for info in reversed(infos) for model in reversed(info.models)}
    return tuple(reversed(models.values()))


def _has(info: EngineInfo, name: str) -> bool:
    return any(model.name == name for model in info.models)


def _is_open(lane: Lane[E]) -> bool:
    return lane.engine.info.open_vocabulary


def _distance(info: EngineInfo, language: str) -> int:
    """Return 0 for an engine that has a language as it is written, 1 in another region, else 2."""
    if any(language in model.languages for model in info.models):
        return 0
    return 1 if any(speaks(model, language) for model in info.models) else 2


def speaks(model: Model, language: str) -> bool:
    """Return whether a model has a language, in whatever region."""
    wanted = language.partition("-")[0]
    return any(code.partition("-")[0] == wanted for code in model.languages)
