"""What the wake word engines share: their names and the settings of their words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TypeVar

from wyoming_units.engines.base import WakeSettings
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord
from wyoming_units.speech.trigger import TriggerRule

_LOGGER = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")
W = TypeVar("W")

LAG = 0.1
"""Usual seconds from the end of a word to its detection.

Where people speak on without a pause it was -0.03 to 0.28 s, median 0.05 s, in seven pairs of a recording
and an engine; synthetic voices: 0.1 to 0.3 s. Better a little of the word than the command without its start.
"""
_FIELDS = {"threshold": "threshold", "trigger_level": "level", "refractory": "refractory"}
"""Fields of `WakeSettings` and of `TriggerRule`."""


def word_end(heard: float) -> float:
    """Return when a word ended that was heard at `heard`; both in seconds from the stream's start."""
    return max(0.0, heard - LAG)


def usable(items: Mapping[K, V], read: Callable[[V], W], *, again: bool = True) -> dict[K, W]:
    """Return what `read` makes of the items; one whose file it refuses, naming it, is left out and logged.

    What was logged before is logged `again`, except for files that are looked at every few seconds.
    """
    made: dict[K, W] = {}
    for key, item in items.items():
        try:
            made[key] = read(item)
        except EngineFailed as error:
            (_complain if again else _complain_once)(str(error))
    return made


def _complain(what: str) -> None:
    _LOGGER.error("a wake word is left out: %s", what)


_complain_once = lru_cache(maxsize=256)(_complain)


def chosen(names: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the words to listen for, each once, all when `names` is empty; `UnknownWakeWord`."""
    offered = list(known)
    for name in names:
        if name not in offered:
            raise UnknownWakeWord(
                f"no wake word is called {name!r}; there are: {', '.join(offered)}"
            )
    return list(dict.fromkeys(names or offered))


def with_settings(
    rules: Mapping[str, TriggerRule], words: Mapping[str, WakeSettings] | None
) -> dict[str, TriggerRule]:
    """Return the models' rules with what the user set; `UnknownWakeWord`, `BadRequest`."""
    changed = dict(rules)
    for name, settings in (words or {}).items():
        chosen([name], rules)  # names the words that there are
        given = asdict(settings)
        values = {ours: given[key] for key, ours in _FIELDS.items() if given[key] is not None}
        try:
            changed[name] = replace(rules[name], **values)
        except BadRequest as error:
            raise BadRequest(f"wake word {name}: {error}") from error
    return changed
