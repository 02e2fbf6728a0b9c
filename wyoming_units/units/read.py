"""Reading the data of requests: every wrong shape is one `BadRequest`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadRequest, TooLarge
from wyoming_units.speech.home import Home

MOST_TEXT = 10_000
"""Characters of one request."""


def text(event: Event) -> str:
    """Return the `text` of an event."""
    value = event.data.get("text")
    if not isinstance(value, str):
        raise BadRequest(f"{event.type} needs a text")
    if len(value) > MOST_TEXT:
        raise TooLarge(f"a text of {len(value)} characters is over the limit of {MOST_TEXT}")
    return value


def optional_text(data: dict[str, Any], key: str) -> str | None:
    """Return a text or None; an empty one counts as none."""
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{key} must be a text")
    return value or None


def choice(data: dict[str, Any], key: str, among: Collection[str]) -> str | None:
    """Return one of a few words or None."""
    value = optional_text(data, key)
    if value is not None and value not in among:
        raise BadRequest(f"{key} must be one of: {', '.join(among)}")
    return value


def language(event: Event) -> str | None:
    """Return the language of a request."""
    return optional_text(event.data, "language")


def flag(data: dict[str, Any], key: str) -> bool:
    """Return a yes or no, no where there is none."""
    value = data.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{key} must be true or false")
    return bool(value)


def texts(data: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts, empty where there is none."""
    value = data.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest(f"{key} must be a list of texts")
    if sum(map(len, value)) > MOST_TEXT:
        raise TooLarge(f"{key} is over the limit of {MOST_TEXT} characters")
    return tuple(value)


def number(data: dict[str, Any], key: str, default: float, *, least: float, most: float) -> float:
    """Return a number within bounds, `default` where there is none."""
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadRequest(f"{key} must be a number from {least:g} to {most:g}")
    return value


def objects(data: dict[str, Any], key: str, most: int) -> list[dict[str, Any]]:
    """Return a list of at most so many objects, empty where there is none."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRequest(f"{key} must be a list of objects")
    if len(value) > most:
        raise BadRequest(f"{key} may have {most} entries at most")
    return value


def mapping(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object, empty where there is none."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{key} must be an object")
    return value


def context(event: Event) -> dict[str, Any]:
    """Return the context of a request."""
    return mapping(event.data, "context")


def home(event: Event) -> Home | None:
    """Return `context.home` of a request."""
    value = context(event).get("home")
    return None if value is None else Home.from_dict(value)
