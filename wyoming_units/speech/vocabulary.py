"""The names that a speaker is likely to say, most likely first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wyoming_units.speech.home import Home


def likely_names(home: Home | None, terms: Iterable[str] = ()) -> list[str]:
    """Return `terms`, then the names of the home: of the speaker's area first, aliases of others last."""
    seen: dict[str, str] = {}
    for name in (*terms, *(_names(home) if home else ())):
        if name := " ".join(name.split()):
            seen.setdefault(name.casefold(), name)
    return list(seen.values())


def _names(home: Home) -> Iterator[str]:
    here = [entity for entity in home.entities if home.area and entity.area == home.area]
    for entity in here:
        yield entity.name
        yield from entity.aliases
    yield from (area.name for area in home.areas)
    yield from (entity.name for entity in home.entities)
    yield from (floor.name for floor in home.floors)
    for area in home.areas:
        yield from area.aliases
    for entity in home.entities:
        yield from entity.aliases
    for floor in home.floors:
        yield from floor.aliases
