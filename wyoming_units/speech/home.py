"""The home that a speaker talks about: names, areas and floors, in the shape of `context.home`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wyoming_units.errors import BadRequest


@dataclass(frozen=True, kw_only=True)
class HomeEntity:
    """Something that can be named and controlled or asked for."""

    name: str
    domain: str
    aliases: tuple[str, ...] = ()
    device_class: str | None = None
    area: str | None = None
    """Name of the area it is in."""


@dataclass(frozen=True, kw_only=True)
class HomeArea:
    """A room or a part of the home."""

    name: str
    aliases: tuple[str, ...] = ()
    floor: str | None = None
    """Name of its floor."""


@dataclass(frozen=True, kw_only=True)
class HomeFloor:
    """A level of the home."""

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Home:
    """All that a grammar, a hotword list or an intent parser needs to know; hashable, so it can key a cache."""

    language: str | None = None
    area: str | None = None
    """Where the speaker is."""
    entities: tuple[HomeEntity, ...] = ()
    areas: tuple[HomeArea, ...] = ()
    floors: tuple[HomeFloor, ...] = ()
    sentences: tuple[str, ...] = ()
    """The user's own sentences, hassil templates."""

    @classmethod
    def from_dict(cls, data: object) -> Home:
        """Read `context.home` or a home file; `BadRequest` names the first thing that is wrong."""
        home = _mapping(data, "home")
        return cls(
            language=_text(home, "language", "home"),
            area=_text(home, "area", "home"),
            entities=tuple(
                HomeEntity(
                    name=_needed(entry, "name", where),
                    domain=_needed(entry, "domain", where),
                    aliases=_texts(entry, "aliases", where),
                    device_class=_text(entry, "device_class", where),
                    area=_text(entry, "area", where),
                )
                for where, entry in _entries(home, "entities")
            ),
            areas=tuple(
                HomeArea(
                    name=_needed(entry, "name", where),
                    aliases=_texts(entry, "aliases", where),
                    floor=_text(entry, "floor", where),
                )
                for where, entry in _entries(home, "areas")
            ),
            floors=tuple(
                HomeFloor(
                    name=_needed(entry, "name", where), aliases=_texts(entry, "aliases", where)
                )
                for where, entry in _entries(home, "floors")
            ),
            sentences=_texts(home, "sentences", "home"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the home as `context.home`."""
        return asdict(self)


def _mapping(data: object, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise BadRequest(f"{where} must be an object")
    return data


def _sequence(data: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
    value = data.get(key)
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise BadRequest(f"{where}.{key} must be a list")
    return value


def _entries(home: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    rows = _sequence(home, key, "home")
    return [
        (where := f"home.{key}[{index}]", _mapping(row, where)) for index, row in enumerate(rows)
    ]


def _text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{where}.{key} must be text")
    return value or None


def _needed(data: Mapping[str, Any], key: str, where: str) -> str:
    value = _text(data, key, where)
    if value is None or not value.strip():
        raise BadRequest(f"{where}.{key} is missing")
    return value


def _texts(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = _sequence(data, key, where)
    if not all(isinstance(value, str) for value in values):
        raise BadRequest(f"{where}.{key} must be a list of texts")
    return tuple(values)
