"""When the scores of a wake word make a detection."""

from __future__ import annotations

from dataclasses import dataclass

from wyoming_units.errors import BadRequest


@dataclass(frozen=True, kw_only=True)
class TriggerRule:
    """What it takes; `BadRequest` for values that make no sense."""

    threshold: float
    """In (0, 1); a score must be above it."""
    level: int = 1
    """How many scores in a row must be; at least 1."""
    refractory: float = 2.0
    """Seconds after a detection in which scores do not count: one utterance, one detection."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadRequest(f"a threshold lies between 0 and 1, not at {self.threshold}")
        if self.level < 1:
            raise BadRequest(f"a trigger level is at least 1, not {self.level}")
        if not 0 <= self.refractory < float("inf"):
            raise BadRequest(f"a refractory time is 0 s or more, not {self.refractory}")


class Trigger:
    """Applies a rule to the scores of one word in one stream."""

    def __init__(self, rule: TriggerRule) -> None:
        self._rule = rule
        self._row = 0
        self._deaf_until = 0.0

    def heard(self, score: float, at: float) -> bool:
        """Take the score of the audio up to `at` seconds; return whether the word was heard there."""
        if score <= self._rule.threshold or at < self._deaf_until:
            self._row = 0
            return False
        self._row += 1
        if self._row < self._rule.level:
            return False
        self._row = 0
        self._deaf_until = at + self._rule.refractory
        return True
