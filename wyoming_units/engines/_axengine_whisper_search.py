"""Writes down a window of audio with Whisper's decoder: always the likeliest token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wyoming_units.engines._axengine_whisper_files import Special
from wyoming_units.engines._axengine_whisper_layouts import Logits, Window
from wyoming_units.errors import Cancelled


@dataclass(frozen=True, kw_only=True)
class Written:
    """The tokens of a window."""

    tokens: tuple[int, ...]
    log_probability: float
    """Mean of the tokens and their end."""
    no_speech: float
    """Probability that nobody speaks, in [0, 1]."""


def language_of(window: Window, special: Special, languages: Mapping[str, int]) -> str:
    """Return which of the languages is spoken; there is at least one."""
    logits = window.after_start(special.prompt(next(iter(languages.values()))))
    return max(languages, key=lambda code: float(logits[languages[code]]))


def write_down(
    window: Window,
    special: Special,
    language: int | None,
    most: int,
    ended: Callable[[], bool] = lambda: False,
) -> Written:
    """Return at most `most` tokens; `Cancelled` soon after `ended` becomes true."""
    prompt = special.prompt(language)
    logits = window.begin(prompt)
    no_speech = _probabilities(window.after_start(prompt))[special.no_speech]
    tokens: list[int] = []
    total = 0.0
    while True:
        if ended():
            raise Cancelled("nobody waits for the text any more")
        token, log_probability = _likeliest(logits, special, first=not tokens)
        total += log_probability
        if token == special.eot:
            break
        tokens.append(token)
        if len(tokens) >= most:
            break
        logits = window.step(token)
    return Written(
        tokens=tuple(tokens),
        log_probability=total / (len(tokens) + 1),
        no_speech=float(no_speech),
    )


def _likeliest(logits: Logits, special: Special, *, first: bool) -> tuple[int, float]:
    """Return the likeliest token and its log probability; what is above the end is never text."""
    allowed = logits[: special.eot + 1]
    if first:
        allowed = allowed[:-1].copy()
        allowed[special.blank] = -np.inf
    token = int(allowed.argmax())
    return token, math.log(_probabilities(allowed)[token])


def _probabilities(logits: Logits) -> Logits:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
