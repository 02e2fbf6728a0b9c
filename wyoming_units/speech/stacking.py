"""What SenseVoice does to filter banks before its network, and to the network's answer after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WINDOW, SHIFT = 7, 6
"""Frames of which each stacked frame is made, and from one to the next."""
TAGS = 4
"""Leading frames of the answer: language, emotion, event, writing."""
_VECTOR = re.compile(r"<(AddShift|Rescale)>.*?\[([^\]]*)\]", re.DOTALL)

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """Tokens of a recording."""

    language: int
    """The token of the first tag."""
    tokens: tuple[int, ...]
    confidence: float | None
    """Mean probability of the tokens, None where there are none."""


def stack(frames: Table) -> Table:
    """Return frames (n, bands) as stacks of seven (m, 7 * bands), six apart: low frame rate features."""
    count = (len(frames) - WINDOW) // SHIFT + 1
    if count < 1:
        return np.empty((0, frames.shape[1] * WINDOW), np.float32)
    which = np.arange(count)[:, None] * SHIFT + np.arange(WINDOW)
    return frames[which].reshape(count, -1)


def read_normalisation(text: str, width: int) -> tuple[Table, Table]:
    """Return what to add to features and then multiply them with, each (width,); `ValueError`.

    The text is a network of Kaldi's, with one vector for a frame or for a stack of frames.
    """
    found = {name: np.array(numbers.split(), np.float32) for name, numbers in _VECTOR.findall(text)}
    if found.keys() != {"AddShift", "Rescale"}:
        raise ValueError("it has no AddShift or no Rescale")
    shift, scale = found["AddShift"], found["Rescale"]
    for vector in (shift, scale):
        if not len(vector) or width % len(vector):
            raise ValueError(f"it has {len(vector)} values for features of {width}")
    return np.tile(shift, width // len(shift)), np.tile(scale, width // len(scale))


def read_tokens(text: str) -> tuple[str, ...]:
    """Return the tokens of a list with one in each line, perhaps followed by its number."""
    lines = text.split("\n")
    lines = lines[:-1] if lines and not lines[-1] else lines
    pairs = [line.rpartition(" ") for line in lines]
    if lines and all(number == str(index) for index, (_, _, number) in enumerate(pairs)):
        return tuple(token for token, _, _ in pairs)
    return tuple(line.rstrip("\r") for line in lines)


def decode(logits: Table, frames: int) -> Heard:
    """Return the best token of each frame, repeats and blanks (0) left out (CTC); logits are (n, tokens)."""
    best = logits[:frames].argmax(axis=1)
    changes = [TAGS, *(at for at, (old, new) in enumerate(pairwise(best), 1) if old != new)]
    starts = [at for at in sorted(set(changes)) if TAGS <= at < len(best) and best[at]]
    chances = [_probability(logits[at], int(best[at])) for at in starts]
    return Heard(
        language=int(best[0]) if len(best) else 0,
        tokens=tuple(int(best[at]) for at in starts),
        confidence=float(np.mean(chances)) if chances else None,
    )


def write(tokens: Sequence[str]) -> str:
    """Return tokens as text: a mark stands for the blank before a word, and tags are left out."""
    text = "".join(token for token in tokens if not tag(token))
    return " ".join(text.replace("▁", " ").split())


def tag(token: str) -> str:
    """Return what a tag such as `<|en|>` says, empty for other tokens."""
    return token[2:-2] if token.startswith("<|") and token.endswith("|>") else ""


def _probability(logits: Table, token: int) -> float:
    return float(1 / np.exp(logits - logits[token]).sum())
