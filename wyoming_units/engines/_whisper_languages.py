"""What all Whispers have in common: their codes of languages, and how much a recording can hold."""

from __future__ import annotations

from collections.abc import Sequence

from wyoming_units.engines._whisper_network import MOST_TOKENS

LANGUAGES = (
    *("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv"),
    *("it", "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no"),
    *("th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr"),
    *("az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw"),
    *("gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu"),
    *("am", "yi", "lo", "uz", "fo", "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl"),
    *("mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su", "yue"),
)
"""In the order of the vocabulary; Cantonese since the third version."""
_WHISPERS = {"nb": "no", "fil": "tl", "jv": "jw", "iw": "he", "in": "id", "ji": "yi", "cmn": "zh"}
"""What others call a language to Whisper's code of it."""
_OFFERED = ("nb", "fil", "jv")
"""Of these, the names that are in use today."""
_SILENT = -60.0
"""dB of full scale; what is nowhere louder is not decoded."""
_LEAST = 0.1
"""Seconds; less than a syllable."""


def whispers(language: str) -> str:
    """Return Whisper's code of a BCP 47 code."""
    short = language.replace("_", "-").split("-")[0].casefold()
    return _WHISPERS.get(short, short)


def offered(codes: Sequence[str]) -> tuple[str, ...]:
    """Return the BCP 47 codes of what a model knows, sorted, with those names that Whisper does not use."""
    others = [name for name in _OFFERED if _WHISPERS[name] in codes]
    return tuple(sorted({*codes, *others}))


def chosen(language: str, codes: Sequence[str]) -> str | None:
    """Return which of a model's codes a BCP 47 code means, None where it is none of them."""
    code = whispers(language)
    if code == "zh" and language.casefold().endswith("-hk") and "yue" in codes:
        return "yue"
    return code if code in codes else None


def is_traditional(language: str) -> bool:
    """Return whether a BCP 47 code is of a place where Chinese is written in the traditional script."""
    parts = set(language.replace("_", "-").casefold().split("-"))
    return bool(parts & {"hant", "tw", "hk", "mo"})


def soundless(seconds: float, peak: float) -> bool:
    """Return whether a recording of this length and loudest moment (dB of full scale) holds no word."""
    return seconds < _LEAST or peak < _SILENT


def most_tokens(seconds: float) -> int:
    """Return how many tokens fast speech has in the script with the most of them, with some to spare."""
    return min(24 + round(40 * seconds), MOST_TOKENS)
