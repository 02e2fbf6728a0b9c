"""What can be said to a home: an automaton over spoken words, and how to write down what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from wyoming_units.speech.automaton import Automaton
from wyoming_units.speech.numbers import number_words

_SYMBOLS = str.maketrans({"%": " percent", "&": " and ", "+": " plus ", "°": " degrees", "’": "'"})
# Digits that begin a word ("2nd", "90s") are left to whoever pronounces the word.
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?!\w)")
_UNSPOKEN = re.compile(r"[^\w'\s]|_")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ACRONYM = re.compile(r"\b[A-Z]{2,5}\b")


def spoken_text(text: str) -> str:
    """Return a text as it is said: lower case, numbers as words, no punctuation; spaces are kept."""
    text = _CAMEL.sub(" ", text).casefold().translate(_SYMBOLS)
    text = _NUMBER.sub(_say_number, text)
    return _UNSPOKEN.sub(" ", text)


def spoken_words(text: str) -> tuple[str, ...]:
    """Return the words that are said for a text."""
    return tuple(word for part in spoken_text(text).split() if (word := part.strip("'")))


def spoken_names(name: str) -> frozenset[tuple[str, ...]]:
    """Return the words of a name; where it has an acronym, also those with its letters spelled out."""
    spelled = _ACRONYM.sub(lambda letters: " ".join(letters[0]), name)
    return frozenset(words for text in (name, spelled) if (words := spoken_words(text)))


def _say_number(match: re.Match[str]) -> str:
    words = number_words(float(match[0]))
    return f" {words[0]} " if words else match[0]


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """A closed set of sentences."""

    automaton: Automaton
    """Accepts spoken words as `spoken_words` makes them."""
    risky: Automaton
    """Accepts those sentences that unlock, open or disarm something."""
    harmless: Automaton
    """Accepts the others."""
    spellings: Mapping[tuple[str, ...], str]
    """How to write names and numbers, by their spoken words."""
    left_out: int = 0
    """Sentences of the user's that are no templates, or refer to what is not there."""

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.spellings), default=1)

    def write(self, words: Sequence[str]) -> str:
        """Return the text for spoken words: names as their home spells them, numbers in digits."""
        written: list[str] = []
        while words:
            length, text = next(self._readings(words))
            written.append(text)
            words = words[length:]
        return " ".join(written)

    def _readings(self, words: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield how many words can be written as what, the longest first."""
        for length in range(min(self._longest, len(words)), 0, -1):
            if (spelling := self.spellings.get(tuple(words[:length]))) is not None:
                yield length, spelling
        yield 1, words[0]
