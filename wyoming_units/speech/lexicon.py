"""A list of words with their sounds, as voices of the MeloTTS family have one instead of rules.

Each line is a word, its phones and as many tones. Words are found by the longest match, so Chinese and Japanese,
which are written without spaces, need nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

BOUNDARY = "_"
"""Token before the first and after the last sound, and for silence."""

_MARKS = {
    **dict.fromkeys(",、;:()[]{}《》", ","),
    **dict.fromkeys(".。", "."),
    **dict.fromkeys("-—–", "-"),
    **dict.fromkeys("'\"“”„«»「」『』", "'"),
} | {mark: mark for mark in "!?…¿¡"}
"""Which token is heard for what is written."""
_APOSTROPHES = str.maketrans("’‘ʼ", "'''")
_DOTS = re.compile(r"\.{2,}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LETTER = r"[^\W\d_\u1100-\u11ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
"""Of a language that writes spaces between words."""
_WORD = re.compile(rf"{_LETTER}+(?:'{_LETTER}+)*")
_INSIDE = re.compile(rf"(?<={_LETTER})(?={_LETTER})")
_BETWEEN = re.compile(r"(?<=\w)['-](?=\w)")
"""What belongs to a word and is not heard."""
_PART = 3
"""Letters of the shortest word that an unknown one may be made of."""
_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_TO_HIRAGANA = {katakana: hiragana for hiragana, katakana in _TO_KATAKANA.items()}
_SPECIAL = {"呣": "母", "嗯": "恩"}
"""Chinese interjections that sound like these."""


@dataclass(frozen=True, kw_only=True)
class Sounds:
    """What is said, one token after the other."""

    phones: tuple[int, ...] = ()
    tones: tuple[int, ...] = ()

    def __add__(self, other: Sounds) -> Sounds:
        """Return one after the other."""
        return Sounds(phones=self.phones + other.phones, tones=self.tones + other.tones)


def read_tokens(lines: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the tokens in a list with one, and its number, per line; `ValueError` where it is none."""
    tokens = {}
    for line in lines:
        if line.strip():
            token, number = line.rstrip("\r\n").rsplit(maxsplit=1)
            tokens[token] = int(number)
    if BOUNDARY not in tokens:
        raise ValueError(f"there is no token {BOUNDARY}")
    return tokens


class Lexicon:
    """Finds the sounds of texts."""

    def __init__(self, lines: Iterable[str], tokens: Mapping[str, int]) -> None:
        """Take the lines of the list and the numbers of its tokens; `ValueError` where there is no word."""
        self._tokens = tokens
        # Only what is said is ever taken apart: a hundred thousand words would cost seconds and a lot of memory.
        self._entries: dict[str, str] = {}
        for line in lines:
            word, _, sounds = line.strip().partition(" ")
            if sounds:
                self._entries.setdefault(word.lower(), sounds)
        if not self._entries:
            raise ValueError("there is no word in it")
        self._longest = max(map(len, self._entries))
        self._entries |= {
            word: self._entries[like]
            for word, like in _SPECIAL.items()
            if word not in self._entries and like in self._entries
        }

    @property
    def highest_tone(self) -> int:
        """Return the highest tone of the list; it reads all of it."""
        last = (sounds.rpartition(" ")[2] for sounds in self._entries.values())
        return max((int(tone) for tone in last if tone.isdecimal()), default=0)

    def first_word(self) -> str:
        """Return a word that can surely be said."""
        return next(iter(self._entries))

    def sounds(self, text: str) -> Sounds:
        """Return the sounds of a text, punctuation among them; what nothing is known of is left out."""
        said = [*self._sounds(_tidy(text))]
        return Sounds(
            phones=tuple(phone for part in said for phone in part.phones),
            tones=tuple(tone for part in said for tone in part.tones),
        )

    def _sounds(self, text: str) -> Iterator[Sounds]:
        at = 0
        while at < len(text):
            if found := self._longest_match(text, at):
                at += len(found)
                yield self._entry(found)
            elif word := _WORD.match(text, at):
                at = word.end()
                yield from self._unknown(word[0])
            else:
                yield from self._character(text, at)
                at += 1

    def _longest_match(self, text: str, at: int) -> str:
        """Return the longest text of the list that begins at a place, "" where there is none; words stay whole."""
        if text[at].isspace():
            return ""
        word = _WORD.match(text, at)
        least = word.end() - at if word else 1
        for length in range(min(self._longest, len(text) - at), least - 1, -1):
            found = text[at : at + length]
            if found in self._entries and not _INSIDE.match(text, at + length):
                return found
        return ""

    def _unknown(self, word: str) -> Iterator[Sounds]:
        """Yield the sounds of a word that is not in the list: of one like it, of its parts, or of its letters."""
        bare = word.replace("'", "")
        plain = _without_accents(bare)
        for like in (bare, plain):
            if like in self._entries:
                yield self._entry(like)
                return
        if "'" in word:
            for part in word.split("'"):
                yield from [self._entry(part)] if part in self._entries else self._unknown(part)
            return
        for parts in (self._parts(bare), self._parts(plain)):
            if parts:
                yield from map(self._entry, parts)
                return
        for letter in bare:
            yield from self._letter(letter)

    def _parts(self, word: str) -> tuple[str, ...]:
        """Return two known words that make up one, the first as long as can be; () where there are none."""
        return next(
            (
                (word[:cut], word[cut:])
                for cut in range(len(word) - _PART, _PART - 1, -1)
                if word[:cut] in self._entries and word[cut:] in self._entries
            ),
            (),
        )

    def _letter(self, letter: str) -> Iterator[Sounds]:
        """Yield the name of a letter: English lists have it with a full stop, and the article without one."""
        for name in (f"{letter}.", letter, _without_accents(letter)):
            if name in self._entries:
                yield self._entry(name)
                return

    def _character(self, text: str, at: int) -> Iterator[Sounds]:
        """Yield the sound of what is no word: punctuation, or kana of the other kind."""
        character = text[at]
        for kana in (character.translate(_TO_HIRAGANA), character.translate(_TO_KATAKANA)):
            if kana != character and kana in self._entries:
                yield self._entry(kana)
                return
        mark = "" if _BETWEEN.match(text, at) else _MARKS.get(character, "")
        if mark == "…" and mark not in self._tokens:
            mark = "."
        if mark in self._tokens:
            yield Sounds(phones=(self._tokens[mark],), tones=(0,))

    def _entry(self, word: str) -> Sounds:
        """Return the sounds of a word: of its line the first half are phones, the second their tones."""
        parts = self._entries[word].split()
        half = len(parts) // 2
        pairs = [
            (self._tokens[phone], int(tone))
            for phone, tone in zip(parts[:half], parts[half:], strict=False)
            if phone in self._tokens and tone.lstrip("-").isdecimal()
        ]
        return Sounds(phones=tuple(p for p, _ in pairs), tones=tuple(t for _, t in pairs))


def _tidy(text: str) -> str:
    """Return a text in the characters that lists are written in: "HomeAssistant’s" as "home assistant's"."""
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    return _DOTS.sub("…", _HUMP.sub(" ", text)).lower()


def _without_accents(word: str) -> str:
    letters = unicodedata.normalize("NFD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
