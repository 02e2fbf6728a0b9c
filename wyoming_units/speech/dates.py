"""How dates and ordinal numbers are read in English, German, French and Chinese."""

from __future__ import annotations

import re
from functools import partial

# fmt: off
_MONTHS = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
        "Oktober", "November", "Dezember",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
        "octobre", "novembre", "décembre",
    ),
}
_GERMAN_ORDINALS = (
    "", "erst", "zweit", "dritt", "viert", "fünft", "sechst", "siebt", "acht", "neunt", "zehnt",
    "elft", "zwölft", "dreizehnt", "vierzehnt", "fünfzehnt", "sechzehnt", "siebzehnt", "achtzehnt",
    "neunzehnt", "zwanzigst", "einundzwanzigst", "zweiundzwanzigst", "dreiundzwanzigst",
    "vierundzwanzigst", "fünfundzwanzigst", "sechsundzwanzigst", "siebenundzwanzigst",
    "achtundzwanzigst", "neunundzwanzigst", "dreißigst", "einunddreißigst",
)
_FRENCH_ORDINALS = (
    "", "", "deuxième", "troisième", "quatrième", "cinquième", "sixième", "septième", "huitième",
    "neuvième", "dixième", "onzième", "douzième", "treizième", "quatorzième", "quinzième",
    "seizième",
)
# fmt: on

_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<month>0?[1-9]|1[0-2])"
_ISO = re.compile(
    rf"(?<![\w.:/-])(?P<year>[12]\d{{3}})(?P<gap>[-/]){_MONTH}(?P=gap){_DAY}"
    r"(?:[T ](?P<time>[0-2]\d:[0-5]\d)(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"(?![\d:/-]|\.\d)",
    re.ASCII,
)
"""2026-11-20, 2026/11/20, 2026-11-20T19:30:00+01:00; whether letters touch it does not matter."""
_DAY_FIRST = {
    "de": re.compile(rf"(?<![\w.]){_DAY}\. ?{_MONTH}\. ?(?P<year>[12]\d{{3}})(?![\w]|\.\d)"),
    "fr": re.compile(rf"(?<![\w.:/-]){_DAY}/{_MONTH}/(?P<year>[12]\d{{3}})(?![\w/-])"),
}
_GERMAN_DAY = re.compile(
    rf"\b(?P<word>[Aa]m|[Bb]is|[Dd]em|[Dd]en|[Ss]eit|[Vv]om|[Zz]um|[Aa]b) {_DAY}\. ?{_MONTH}\.(?! ?\d)"
)
"""Am 3.10., which without the word before it could be anything."""
_GERMAN_ORDINAL = re.compile(
    r"(?<![\w.,:-])(?:(?P<word>[Dd]er|[Dd]ie|[Dd]as|[Dd]e[mns]|[AaIi]m|[Bb]is|[Ss]eit|[Vv]om|[Zz]u[mr]|[Aa]b) )?"
    r"(?P<number>[1-9]|[12]\d|3[01])\. ?(?=(?P<noun>[A-ZÄÖÜ][a-zäöüß]+))"
)
_FRENCH_ORDINAL = re.compile(r"(?<![\w.,])(?P<number>[2-9]|1[0-6])(?:e|ème)\b")


def read_dates(text: str, language: str) -> str:
    """Return `text` with its dates and ordinals in words; `language` is one of en, de, fr and zh."""
    say = partial(_date, language=language)
    text = _ISO.sub(say, text)
    if language in _DAY_FIRST:
        text = _DAY_FIRST[language].sub(say, text)
    if language == "de":
        text = _GERMAN_DAY.sub(lambda match: f"{match['word']} {_date(match, language)}", text)
        text = _GERMAN_ORDINAL.sub(_german, text)
    elif language == "fr":
        text = _FRENCH_ORDINAL.sub(lambda match: _FRENCH_ORDINALS[int(match["number"])], text)
    return text


def _date(match: re.Match[str], language: str) -> str:
    parts = match.groupdict()
    day, month = int(parts["day"]), int(parts["month"])
    year, time = parts.get("year"), parts.get("time")
    if language == "zh":
        return f"{year}年{month}月{day}日" + (time or "")
    name = _MONTHS[language][month - 1]
    if language == "en":
        spoken = f"{name} {day}{_suffix(day)}, {year}"
    else:
        number = f"{day}." if language == "de" else "1er" if day == 1 else f"{day}"
        spoken = " ".join(filter(None, (number, name, year)))
    return f"{spoken}, {time}" if time else spoken


def _suffix(day: int) -> str:
    return "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _german(match: re.Match[str]) -> str:
    """Return "am dritten" of "am 3. Oktober"; other numbers before a full stop may end a sentence."""
    word, noun = match["word"], match["noun"]
    if not (word or noun in _MONTHS["de"]):
        return match[0]
    ending = "er" if word is None else "e" if word.lower() in ("der", "die", "das") else "en"
    ordinal = _GERMAN_ORDINALS[int(match["number"])] + ending
    return f"{word} {ordinal} " if word else f"{ordinal} "
