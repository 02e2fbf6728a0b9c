"""Pronunciations: IPA as eSpeak NG writes it for English, to the ARPAbet of the CMU dictionary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_VOWELS = {
    "iː": "IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "eɪ": "EY", "e": "EY", "ɛ": "EH", "æ": "AE",
    "a": "AE", "ɑː": "AA", "ɑ": "AA", "ɒ": "AA", "ɔː": "AO", "ɔ": "AO", "oː": "AO", "oʊ": "OW",
    "əʊ": "OW", "o": "OW", "ʊ": "UH", "uː": "UW", "u": "UW", "y": "UW", "ʌ": "AH", "ə": "AH",
    "ɐ": "AH", "ɜː": "ER", "ɜːɹ": "ER", "ɜ": "ER", "ɚ": "ER", "ø": "ER", "œ": "ER", "aɪ": "AY",
    "aʊ": "AW", "ɔɪ": "OY", "eə": "EH R", "ɪə": "IH R", "ʊə": "UH R",
}  # fmt: skip
_CONSONANTS = {
    "p": "P", "b": "B", "t": "T", "ɾ": "T", "ʔ": "T", "d": "D", "k": "K", "x": "K", "ɡ": "G",
    "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH",
    "h": "HH", "ç": "HH", "tʃ": "CH", "dʒ": "JH", "m": "M", "n": "N", "ɲ": "N Y", "ŋ": "NG",
    "l": "L", "ɫ": "L", "ɬ": "L", "ɹ": "R", "r": "R", "ʁ": "R", "j": "Y", "w": "W", "ʍ": "W",
    "n̩": "AH N", "m̩": "AH M", "l̩": "AH L",
}  # fmt: skip
_PHONES = {unicodedata.normalize("NFD", ipa): arpa for ipa, arpa in (_VOWELS | _CONSONANTS).items()}
_SYMBOL = re.compile("|".join(map(re.escape, sorted(_PHONES, key=len, reverse=True))) + "|.")
# Stress, ties, length on its own, breaks between words and other diacritics change no ARPAbet phone.
_IGNORED = frozenset("ˈˌːˑ‿ʲʰ-_'")


def arpabet(ipa: str) -> tuple[str, ...]:
    """Return the phones for an English pronunciation, () where a sound has no likeness among them."""
    phones: list[str] = []
    for symbol in _SYMBOL.findall(unicodedata.normalize("NFD", ipa)):
        if symbol in _PHONES:
            phones.extend(_PHONES[symbol].split())
        elif not (symbol in _IGNORED or symbol.isspace() or unicodedata.combining(symbol)):
            return ()
    return tuple(phones)


def with_merged_vowels(ways: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Add, for each pronunciation with AO, how speakers say it who have the cot-caught merger.

    Half of North America has it (Labov, Ash and Boberg, Atlas of North American English, 2006), the
    CMU dictionary only for some words: "on" but not "off".
    """
    all_ways = dict.fromkeys(ways)
    for phones in list(all_ways):
        following = (*phones[1:], "")
        merged = (
            "AA" if pair == "AO" and after != "R" else pair
            for pair, after in zip(phones, following, strict=True)
        )
        all_ways[tuple(merged)] = None
    return list(all_ways)
