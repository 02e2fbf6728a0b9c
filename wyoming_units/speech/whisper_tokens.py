"""Whisper's vocabulary: tokens are pieces of UTF-8, and a character may need several of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence


def read_vocabulary(text: str) -> tuple[bytes, ...]:
    """Return the bytes of every token by its number, from lines of base64 and number; ValueError for other lines."""
    tokens: dict[int, bytes] = {}
    for line in filter(None, text.splitlines()):
        encoded, _, number = line.rpartition(" ")
        tokens[int(number)] = base64.b64decode(encoded.strip(), validate=True)
    if not tokens or min(tokens) < 0:
        raise ValueError("no tokens")
    return tuple(tokens.get(number, b"") for number in range(max(tokens) + 1))


def text_of(tokens: Iterable[int], vocabulary: Sequence[bytes]) -> str:
    """Return the text of tokens, as it stands: most words begin with a space."""
    data = b"".join(vocabulary[token] for token in tokens if token < len(vocabulary))
    return data.decode("utf-8", errors="replace")
