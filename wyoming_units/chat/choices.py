"""Questions whose answer is one of a few, and how likely each of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from wyoming_units.errors import EngineFailed

_AROUND = " \t\r\n\"'`*_.,:;()[]{}<>\u2581\u0120\u010a"
"""What may stand around a letter, also the signs by which tokenizers write a space or a new line."""


def ask(messages: Sequence[Mapping[str, Any]], choices: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the messages with the wish to answer with one letter, at the end so that all before is as it was."""
    listed = "\n".join(
        f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False)
    )
    wish = (
        f"Choose one of these answers:\n{listed}\n"
        "Answer with the one capital letter in front of it, and with nothing else."
    )
    if not messages or messages[-1]["role"] != "user":
        return [*messages, {"role": "user", "content": wish}]
    *before, last = messages
    content = last["content"]
    if isinstance(content, str):
        return [*before, {**last, "content": f"{content}\n\n{wish}"}]
    return [*before, {**last, "content": [*content, {"type": "text", "text": wish}]}]


def probabilities(logprobs: Mapping[str, float], count: int) -> list[float]:
    """Return how likely each of so many choices is, from the likeliest first tokens of the answer.

    A letter that is not among them shares what is left with the others like it, but is never likelier
    than the least likely token that is. `EngineFailed` where there is no letter at all.
    """
    known = {token: value for token, value in logprobs.items() if not math.isnan(value)}
    by_letter: dict[str, list[float]] = {}
    for token, value in known.items():
        letter = token.strip(_AROUND).upper()
        if len(letter) == 1 and letter in ascii_uppercase[:count] and value > -math.inf:
            by_letter.setdefault(letter, []).append(value)
    if not by_letter:
        raise EngineFailed("the model answered with none of the choices")
    absent = count - len(by_letter)
    left = 1.0 - sum(math.exp(min(value, 0.0)) for value in known.values())
    share = math.log(left / absent) if absent and left > 0 else -math.inf
    other = min(share, *known.values())
    weights = [
        _sum(by_letter[letter]) if letter in by_letter else other
        for letter in ascii_uppercase[:count]
    ]
    return _normalised(weights)


def _sum(logarithms: Sequence[float]) -> float:
    """Return the logarithm of a sum, from those of what is added."""
    most = max(logarithms)
    return most + math.log(sum(math.exp(value - most) for value in logarithms))


def _normalised(logarithms: Sequence[float]) -> list[float]:
    most = max(logarithms)
    weights = [math.exp(value - most) for value in logarithms]
    return [weight / sum(weights) for weight in weights]
