"""Numbers in words, for voices that have a list of words and no rules for digits: English, Spanish, Chinese, Japanese.

What else is written with digits (dates, telephone numbers, units) has become words or plain numbers before.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from wyoming_units.speech.numbers import number_words

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*(?P<ordinal>(?:st|nd|rd|th)\b)?", re.ASCII)
_NOUN = re.compile(r" (?!al |con |del |está |para |por |que )[^\W\d_]{3,}")
"""What Spanish counts, so that the word for one is shortened."""
_LONGEST = 12
"""Digits; a longer number is read digit by digit."""
_POINTS = {"en": "point", "es": "coma", "zh": "点", "ja": "点"}
_PRIMARY = {"cmn": "zh", "yue": "zh"}
_UNSPACED = ("zh", "ja")

_IRREGULAR = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_SPANISH = (
    "cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce",
    "trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno",
    "veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho",
    "veintinueve",
)  # fmt: skip
_SPANISH_TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
_SPANISH_HUNDREDS = (
    "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos",
    "ochocientos", "novecientos",
)  # fmt: skip
_HAN = "零一二三四五六七八九"


def read_numbers(text: str, language: str) -> str:
    """Return `text` with its numbers in words; `language` is a BCP 47 code, of others they stay as they are."""
    primary = language.lower().replace("_", "-").partition("-")[0]
    primary = _PRIMARY.get(primary, primary)
    if primary not in _POINTS:
        return text
    gap = "" if primary in _UNSPACED else " "

    def say(match: re.Match[str]) -> str:
        words = _read(match[0], primary)
        if primary == "es" and (noun := _NOUN.match(text, match.end())):
            words = _before_noun(words, feminine=noun[0].endswith(("a", "as")))
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        return gap * before.isalnum() + words + gap * after.isalnum()

    return _NUMBER.sub(say, text)


def _read(written: str, language: str) -> str:
    """Return the words for a number, a time, or numbers with other signs between them."""
    if language == "en" and written[-1].isalpha():
        return _ordinal(_read(written[:-2], language))
    point = "," if language == "es" else "."
    thousands = "." if language == "es" else ","
    if re.fullmatch(rf"\d{{1,3}}(?:[{thousands}]\d{{3}})+(?:[{point}]\d+)?", written):
        written = written.replace(thousands, "")
    gap = "" if language in _UNSPACED else " "
    parts = re.split(r"([.,:])", written)
    if language == "es" and len(parts) == 3:
        point = parts[1]  # machines write a full stop in every language
    if len(parts) == 3 and parts[1] == point and point != ":":
        return gap.join(
            (_whole(parts[0], language), _POINTS[language], _digits(parts[2], language))
        )
    if language == "en" and len(parts) == 1:
        return _year(written) or _whole(written, language)
    if language in _UNSPACED and len(parts) == 3 and parts[1] == ":":
        clock = "点分" if language == "zh" else "時分"
        return clock[0].join((_whole(parts[0], language), _whole(parts[2], language))) + clock[1]
    return (gap or "、").join(_whole(part, language) for part in parts[::2])


def _whole(digits: str, language: str) -> str:
    if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return _digits(digits, language)
    return _COUNTERS[language](int(digits))


def _digits(digits: str, language: str) -> str:
    gap = "" if language in _UNSPACED else " "
    return gap.join(_COUNTERS[language](int(digit)) for digit in digits)


def _english(number: int) -> str:
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if number >= unit:
            rest = f" {_english(number % unit)}" if number % unit else ""
            return f"{_english(number // unit)} {name}{rest}"
    return number_words(number)[0]


def _year(digits: str) -> str:
    """Return four digits as years are read, also hundreds such as 1500; "" for all others."""
    number = int(digits)
    if len(digits) != 4 or number // 100 not in range(11, 21) or number % 1000 < 10:
        return ""
    century, rest = _english(number // 100), number % 100
    if rest == 0:
        return f"{century} hundred"
    return f"{century} oh {_english(rest)}" if rest < 10 else f"{century} {_english(rest)}"


def _ordinal(words: str) -> str:
    before, _, last = words.rpartition(" ")
    ending = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{before} {_IRREGULAR.get(last, ending)}".strip()


def _spanish(number: int) -> str:
    for unit, one, many in ((10**6, "un millón", "millones"), (1000, "mil", "mil")):
        if number >= unit:
            times, rest = divmod(number, unit)
            head = one if times == 1 else f"{_before_noun(_spanish(times))} {many}"
            return f"{head} {_spanish(rest)}" if rest else head
    if number < len(_SPANISH):
        return _SPANISH[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _SPANISH_TENS[tens - 3] + (f" y {_SPANISH[ones]}" if ones else "")
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cien"
    return _SPANISH_HUNDREDS[hundreds - 1] + (f" {_spanish(rest)}" if rest else "")


def _before_noun(words: str, *, feminine: bool = False) -> str:
    """Return "veintiún" of "veintiuno", "treinta y un" of "treinta y uno", and their feminine forms."""
    if not words.endswith("uno"):
        return words
    if feminine:
        return f"{words[:-1]}a"
    return f"{words[:-3]}ún" if words.endswith("iuno") else words[:-1]


def _chinese(number: int) -> str:
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            times, rest = divmod(number, unit)
            gap = "零" if 0 < rest < unit // 10 else ""
            return _chinese(times) + name + (gap + _below(rest, "零", "一") if rest else "")
    said = _below(number, "零", "一")
    return said.removeprefix("一") if 10 <= number < 20 else said


def _japanese(number: int) -> str:
    for unit, name in ((10**8, "億"), (10**4, "万")):
        if number >= unit:
            times, rest = divmod(number, unit)
            return _japanese(times) + name + (_japanese(rest) if rest else "")
    return _below(number, "", "")


def _below(number: int, zero: str, one: str) -> str:
    """Return a number in Han characters, with what stands for skipped places and for a one before a unit."""
    if number >= 10**4:
        head, rest = divmod(number, 10**4)
        gap = zero if 0 < rest < 1000 else ""
        return _below(head, zero, one) + "万" + (gap + _below(rest, zero, one) if rest else "")
    for unit, name in ((1000, "千"), (100, "百"), (10, "十")):
        if number >= unit:
            times, rest = divmod(number, unit)
            gap = zero if 0 < rest < unit // 10 else ""
            said = (one if times == 1 else _HAN[times]) + name
            return said + (gap + _below(rest, zero, one) if rest else "")
    return _HAN[number]


_COUNTERS: dict[str, Callable[[int], str]] = {
    "en": _english,
    "es": _spanish,
    "zh": _chinese,
    "ja": _japanese,
}
