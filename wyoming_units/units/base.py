"""What a unit is, and how its part of `Info` is made from an engine."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from wyoming_units.engines.base import EngineInfo, Model
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.wire.requests import Route


class Unit(Protocol):
    """One service of a node."""

    kind: ClassVar[str]
    """`wake`, `stt`, `tts`, `intent`, `llm` or `vision`."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """Requests that the unit answers; those of a unit without engines are refused."""

    @property
    def programs(self) -> Programs[Any]:
        """Return its own engines."""

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """The engines, each behind its lane; those of the unit's own kind are its programs."""

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the unit's part of `Info`: programs by domain; none for an engine that failed."""


def program(
    info: EngineInfo, models_key: str, *extra_model_keys: str, **flags: bool
) -> dict[str, Any]:
    """Return one program of `Info`, an artifact with its models under `models_key`."""
    return {
        "name": info.name,
        "description": info.description,
        "version": info.version,
        "attribution": {"name": info.attribution.name, "url": info.attribution.url},
        "installed": True,
        models_key: [_model(model, extra_model_keys) for model in info.models],
        **flags,
    }


def _model(model: Model, extra_keys: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": model.name,
        "description": model.description,
        "version": model.version,
        "attribution": {"name": model.attribution.name, "url": model.attribution.url},
        "installed": True,
        "languages": list(model.languages),
        **({"speakers": [{"name": name} for name in model.speakers]} if model.speakers else {}),
        **{key: getattr(model, key) for key in extra_keys},
    }
