"""How much of a phrase is found in a transcript: how a spoken wake word is told from something else."""

from __future__ import annotations

import re
import unicodedata

ENOUGH = 0.65
"""From here on a transcript holds the phrase.

What recognisers write of a spoken wake word is mostly at 0.75 ("okay now boo") or more, seldom below 0.7 ("jarvis"
alone: 0.67); no two seconds of the commands and read sentences of the tests come over 0.6 ("pause" and "alexa": 0.4).
Between lies what begins as the phrase does ("hey jane": 0.6, "compare" and "computer": 0.69), which is for the model
of the wake word to tell apart.
"""
_VOWELS = frozenset("aeiouy")


def likeness(phrase: str, text: str) -> float:
    """Return in [0, 1] how like the phrase the part of a text is that is most like it.

    Letters and digits count, and neither case, accents, spaces nor what is around that part. It is one less the
    share of letters to be changed, where one vowel for another is half a change: the edit distance to any part of
    a text, after P. H. Sellers, "The theory and computation of evolutionary distances" (1980). A phrase without
    letters is like everything.
    """
    wanted, heard = _letters(phrase), _letters(text)
    if not wanted:
        return 1.0
    row = [float(index) for index in range(len(wanted) + 1)]
    best = row[-1]
    for letter in heard:
        before, row = row, [0.0]
        for index, other in enumerate(wanted):
            row.append(
                min(before[index] + _change(letter, other), before[index + 1] + 1, row[index] + 1)
            )
        best = min(best, row[-1])
    return 1 - best / len(wanted)


def _change(letter: str, other: str) -> float:
    if letter == other:
        return 0.0
    return 0.5 if letter in _VOWELS and other in _VOWELS else 1.0


def _letters(text: str) -> str:
    """Return the letters and digits of a text, without case and accents; "ok" is written "okay"."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = re.sub(r"\bo\W*k\b", "okay", plain)
    return "".join(character for character in words if character.isalnum())
