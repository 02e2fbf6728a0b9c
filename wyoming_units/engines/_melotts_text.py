"""What MeloTTS says: text in fragments that are spoken one after the other, and each of them as tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wyoming_units.engines._melotts_files import MeloFiles
from wyoming_units.speech.counting import read_numbers
from wyoming_units.speech.lexicon import BOUNDARY, Sounds

_END = re.compile(
    r"[,;:.!?…][\"'’”»)\]]{0,4}(?=\s)"
    r"|[，、；：。！？｡][”’」』）》】]{0,4}"
)
_LEAST_FIRST, _LEAST = 20, 60
"""Letters of a fragment: speech begins soon, and is cut no more often than it must be."""
_DENSE = "\u2e80"
"""From here on, characters take about three times as long to say as letters do."""
_BLANK = 0
"""Token between all others."""
_ENDINGS = ",.!?…;:，、；：。！？｡"


@dataclass(frozen=True, kw_only=True)
class Script:
    """A fragment as the encoder takes it; the three lists are equally long."""

    phones: list[int]
    tones: list[int]
    languages: list[int]


class Scribe:
    """Writes the tokens of a voice."""

    def __init__(self, files: MeloFiles) -> None:
        """Read the voice's lists; `EngineFailed` where one is broken."""
        self._lexicon, self._tokens = files.read_lexicon()
        self._language = files.language_number
        self._blank_language = _BLANK if files.convention == "axera" else self._language
        first = files.language.first_tone if files.convention == "axera" else 0
        absolute = first > 0 and self._lexicon.highest_tone >= first
        self._shift = 0 if absolute else first
        """What is added to the tones of words; some lists have it in them."""
        self._quiet = Sounds(phones=(self._tokens[BOUNDARY],), tones=(first,))
        self._marks = _marks(self._tokens)
        self._mark_tone = first

    def sample(self) -> Script:
        """Return a word to try a voice with."""
        script = self.write(self._lexicon.first_word(), "")
        return script or self._script(Sounds())

    def write(self, fragment: str, language: str) -> Script | None:
        """Return the tokens of a fragment, its numbers read in a language; None where it has no sound."""
        text = read_numbers(fragment, language).strip()
        if text[-1:] not in _ENDINGS:
            text += "."  # without a mark the voice swallows the last sound
        sounds = self._lexicon.sounds(text)
        if self._marks.issuperset(sounds.phones):
            return None
        return self._script(sounds)

    def _script(self, sounds: Sounds) -> Script:
        tones = tuple(
            self._mark_tone if phone in self._marks else tone + self._shift
            for phone, tone in zip(sounds.phones, sounds.tones, strict=True)
        )
        whole = self._quiet + Sounds(phones=sounds.phones, tones=tones) + self._quiet
        spoken = [self._language] * len(whole.phones)
        return Script(
            phones=_spread(whole.phones),
            tones=_spread(whole.tones),
            languages=_spread(spoken, self._blank_language),
        )


def fragments(text: str) -> list[str]:
    """Return a text in pieces that end with punctuation, short ones together with the next."""
    cuts = [match.end() for match in _END.finditer(text)]
    pieces: list[str] = []
    start = 0
    for cut in cuts:
        least = _LEAST if pieces else _LEAST_FIRST
        if _weight(text[start:cut]) >= least and _weight(text[cut:]) >= _LEAST_FIRST:
            pieces.append(text[start:cut].strip())
            start = cut
    rest = text[start:].strip()
    return [*pieces, rest] if rest else pieces


def _weight(text: str) -> int:
    """Return how many letters take as long to say."""
    return sum(3 if character >= _DENSE else 1 for character in text.strip())


def _marks(tokens: Mapping[str, int]) -> frozenset[int]:
    """Return the tokens that are no sounds of words."""
    return frozenset(tokens[mark] for mark in "!?…,.'-¿¡" if mark in tokens)


def _spread(tokens: list[int] | tuple[int, ...], blank: int = _BLANK) -> list[int]:
    """Return the tokens with a blank between them and at both ends."""
    spread = [blank] * (2 * len(tokens) + 1)
    spread[1::2] = tokens
    return spread
