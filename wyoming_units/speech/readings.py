"""How times, years, telephone numbers and abbreviations are read.

Synthesisers read most numbers by themselves; these are the ones that they read wrongly. The rules are
of the written language, so they suit every synthesiser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from wyoming_units.speech.dates import read_dates

_LETTER = r"[^\W\d_]"
_MINUTES = r"(?P<minutes>[0-5]\d)"
_HOURS = r"(?<![\d.,:])(?P<hours>[01]?\d|2[0-4])"
_AFTER = r"(?![\d:]|[.,]\d)"

_TIMES = {
    # 7:00, 7:00 pm, 7:05; 19:30 is read well as it is
    "en": rf"{_HOURS}:(?P<minutes>0\d)(?P<half> ?(?:[ap]\.m\.|[ap]m\b|[AP]M\b))?{_AFTER}",
    # 7:05, 7.05 Uhr, 7:05 Uhr
    "de": rf"{_HOURS}(?::{_MINUTES}(?: ?Uhr\b)?|\.(?P<dotted>[0-5]\d) ?Uhr\b){_AFTER}",
    # 7:05, 7h05, 7 h 05, 7 h
    "fr": rf"{_HOURS}(?: ?[hH] ?{_MINUTES}|:(?P<dotted>[0-5]\d)| ?[hH]\b){_AFTER}",
    "zh": rf"{_HOURS}[:：]{_MINUTES}{_AFTER}",
}
_YEAR = re.compile(r"(?<!\d)\d{4}(?=年)")
_COUNTED = re.compile(r"(?<![\d.:第])2(?=[个個盏盞台间間位条條次天周种種张張]|小时|小時)")
"""Two of something, 两 and not 二."""
_PHONE = re.compile(
    r"(?<![\w.,+-])"
    r"(?:\+(?:\d{7,15}|\d{1,6}(?:[ /-]\d{1,12}| ?\(\d{1,5}\)){1,6})"
    r"|\(?\d{3}\)?[ -]\d{3}-\d{4}|\d{3}-\d{4})"
    r"(?![\w-]|[.,]\d)",
    re.ASCII,  # Chinese may touch it
)
_MOBILE = re.compile(r"(?<![\d.])1[3-9]\d{9}(?![\d.])")
_GROUP = re.compile(r"\d+")
_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")

_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "en": {
        "approx.": "approximately",
        "e.g.": "for example",
        "i.e.": "that is",
        "vs.": "versus",
    },
    "de": {
        "bzw.": "beziehungsweise",
        "ca.": "circa",
        "d.h.": "das heißt",
        "Dr.": "Doktor",
        "evtl.": "eventuell",
        "ggf.": "gegebenenfalls",
        "Hr.": "Herr",
        "inkl.": "inklusive",
        "Min.": "Minuten",
        "Nr.": "Nummer",
        "Std.": "Stunden",
        "u.a.": "unter anderem",
        "usw.": "und so weiter",
        "z.B.": "zum Beispiel",
    },
    "fr": {
        "c.-à-d.": "c'est-à-dire",
        "env.": "environ",
        "M.": "Monsieur",
        "n°": "numéro",
        "p.ex.": "par exemple",
    },
}
_PRIMARY = {"cmn": "zh", "yue": "zh"}


def read_out(text: str, language: str) -> str:
    """Return `text` with what `language` (its primary code) reads otherwise written in words."""
    language = _PRIMARY.get(language, language)
    if language not in _TIMES:
        return text
    text = _PHONE.sub(lambda match: _digits(match[0], language), read_dates(text, language))
    if language in _ABBREVIATIONS:
        long = _abbreviations(language)
        text = _pattern(language).sub(lambda match: long["".join(match[0].split())], text)
    text = re.sub(_TIMES[language], lambda match: _time(match, language), text)
    if language == "zh":  # years are read digit by digit
        text = _YEAR.sub(lambda match: match[0].translate(_DIGITS), text)
        text = _MOBILE.sub(lambda match: match[0].translate(_DIGITS), text)
        text = _COUNTED.sub("两", text)
    return text


def _digits(number: str, language: str) -> str:
    """Return a telephone number digit by digit, with a short rest between its groups."""
    if language == "zh":
        return number.replace("+", "加").translate(_DIGITS)
    groups = [" ".join(group) for group in _GROUP.findall(number)]
    return ("+" if number.startswith("+") else "") + ", ".join(groups)


@cache
def _abbreviations(language: str) -> Mapping[str, str]:
    """Return them without spaces, also as they are written at the start of a sentence."""
    table = _ABBREVIATIONS.get(language, {})
    return {
        short[0].upper() + short[1:]: long[0].upper() + long[1:] for short, long in table.items()
    } | table


@cache
def _pattern(language: str) -> re.Pattern[str]:
    """Match the abbreviations of a language, with or without spaces after their dots."""
    space = "[ \u00a0\u202f]?"
    spelled = (
        re.escape(short).replace(r"\.", r"\." + space).removesuffix(space)
        for short in _abbreviations(language)
    )
    return re.compile(rf"(?<!{_LETTER})(?<!\.)(?:{'|'.join(spelled)})")


def _time(match: re.Match[str], language: str) -> str:
    parts = match.groupdict()
    hours, minutes = parts["hours"], parts["minutes"] or parts.get("dotted") or "00"
    if language == "en":
        return _english_time(int(hours), int(minutes), parts["half"] or "")
    if language == "zh":
        return f"{'两' if int(hours) == 2 else int(hours)}点" + (
            "整" if minutes == "00" else f"{minutes}分"
        )
    word = "Uhr" if language == "de" else "heure" if int(hours) < 2 else "heures"
    return f"{int(hours)} {word}" + (f" {int(minutes)}" if int(minutes) else "")


def _english_time(hours: int, minutes: int, half: str) -> str:
    if minutes:
        return f"{hours} oh {minutes}{half}"
    if half:
        return f"{hours}{half}"
    return (
        "midnight"
        if hours in (0, 24)
        else f"{hours} o'clock"
        if hours <= 12
        else f"{hours} hundred"
    )
