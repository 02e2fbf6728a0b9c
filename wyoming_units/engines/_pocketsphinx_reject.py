"""Tells commands from all else that is said: how well the words fit, against sounds in any order.

The likelihood ratio of the best sentence and a loop of all phones is the classic confidence measure
(Rose, "Keyword detection in conversational speech utterances using hidden Markov model based continuous
speech recognition", 1995); a logistic regression weighs it with its worst parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._pocketsphinx_settings import read_settings

_STEADY = 10
"""Frames that are added to those of a word, so that a short one is not judged by chance alone."""
_LONG = 3
"""Phones from which a word is none of the small ones, which are often swallowed."""
_QUIETER = 12.0
"""Decibels below the loud half of the words, down to which other sounds are as loud as they."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A word or a pause of the best sentence."""

    word: str | None
    """None for a pause."""
    start: int
    """First frame, of 10 ms."""
    end: int
    """Frame after the last."""
    score: float
    """Log-likelihood in nats, against the best sounds of each frame."""
    phones: int
    """How many sounds the word has."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for a sentence; all in nats per frame, except where said."""

    ratio: float
    """The words against the loop."""
    worst_word: float
    """The worst of them."""
    worst_pause: float
    """The worst pause against the loop, in hundreds of nats: unexplained speech."""
    length: float
    """Phones of all words, as a logarithm."""
    outside: float
    """Seconds outside all words that are as loud as they."""
    pace: float
    """Frames per phone of the hastiest word that is not one of the small ones."""


def weigh(
    parts: Sequence[Part], loop: Sequence[Part], levels: NDArray[np.float64]
) -> Evidence | None:
    """Return what speaks for a sentence, None where it has no words; levels are dB by frame."""
    words = [part for part in parts if part.word is not None and part.end > part.start]
    if not words:
        return None
    pauses = [part for part in parts if part.word is None and part.end > part.start]
    best = _running(loop)

    def gain(part: Part) -> float:
        start, end = (min(frame, len(best) - 1) for frame in (part.start, part.end))
        return part.score - float(best[end] - best[start])

    frames = sum(word.end - word.start for word in words)
    return Evidence(
        ratio=sum(map(gain, words)) / frames,
        worst_word=min(gain(word) / (word.end - word.start + _STEADY) for word in words),
        worst_pause=min((gain(pause) for pause in pauses), default=0.0) / 100,
        length=math.log(sum(word.phones for word in words)),
        outside=_outside(words, levels),
        pace=min(
            ((w.end - w.start) / w.phones for w in words if w.phones >= _LONG), default=math.inf
        ),
    )


def _outside(words: Sequence[Part], levels: NDArray[np.float64]) -> float:
    inside = np.zeros(len(levels), dtype=bool)
    for word in words:
        inside[word.start : word.end] = True
    if not inside.any():
        return 0.0
    loud = levels > np.percentile(levels[inside], 75) - _QUIETER
    return float((loud & ~inside).sum()) / 100


def _running(loop: Sequence[Part]) -> NDArray[np.float64]:
    """Return the loop's log-likelihood up to each frame, its parts spread evenly."""
    if not loop:
        return np.zeros(1)
    ends = [float(loop[0].start), *(float(part.end) for part in loop)]
    sums = np.concatenate([[0.0], np.cumsum([part.score for part in loop])])
    running: NDArray[np.float64] = np.interp(np.arange(loop[-1].end + 1), ends, sums)
    return running


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When a sentence is taken for a command; fitted by `bench/stt_rejection.py`."""

    weights: Mapping[str, float]
    """Of `Evidence`, by name; their sum and `bias` is the log-odds that the sentence was said."""
    bias: float
    least: float
    """Log-odds that suffice."""
    risky_least: float
    """Log-odds that suffice to unlock, open or disarm something."""
    risky_worst_word: float
    """Nats per frame that the worst word of such a sentence must have."""
    risky_outside: float
    """Seconds outside its words that may be as loud as they."""
    risky_pace: float
    """Frames per phone that each of its words must take: nobody says them faster."""
    risky_margin: float
    """Nats by which it must be better than the best sentence that is not risky."""

    @classmethod
    def load(cls) -> Rule:
        """Read the rule that was fitted."""
        return cls(**read_settings()["rejection"])

    def log_odds(self, evidence: Evidence) -> float:
        """Return the logarithm of how many times likelier the sentence was said than not."""
        values = (weight * getattr(evidence, name) for name, weight in self.weights.items())
        return self.bias + math.fsum(values)

    def accepts(self, evidence: Evidence) -> bool:
        """Tell if a sentence that is not risky was said."""
        return self.log_odds(evidence) >= self.least

    def accepts_risky(self, evidence: Evidence, margin: Callable[[], float]) -> bool:
        """Tell if a risky sentence was said; its margin is asked for last, as that takes time."""
        return (
            self.log_odds(evidence) >= self.risky_least
            and evidence.worst_word >= self.risky_worst_word
            and evidence.outside <= self.risky_outside
            and evidence.pace >= self.risky_pace
            and margin() >= self.risky_margin
        )
