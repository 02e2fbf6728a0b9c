"""English number words, as they are said to a voice assistant."""

from __future__ import annotations

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

LARGEST = 999_999
"""Numbers up to this one, in steps of a half, can be said."""


def number_words(number: float) -> list[str]:
    """Return all ways to say a number of at least 0, the usual one first; [] where there is none."""
    whole = int(number)
    if number < 0 or whole > LARGEST or number - whole not in (0, 0.5):
        return []
    half = " point five" if number != whole else ""
    ways = [_words(whole)]
    if whole in range(100, 200) or whole in range(1000, 2000):
        ways.append(ways[0].replace("one", "a", 1))
    return [way + half for way in ways]


def _words(number: int) -> str:
    for unit, name in ((1000, "thousand"), (100, "hundred")):
        if number >= unit:
            rest = f" {_words(number % unit)}" if number % unit else ""
            return f"{_words(number // unit)} {name}{rest}"
    if number < 20:
        return _ONES[number]
    ones = f" {_ONES[number % 10]}" if number % 10 else ""
    return _TENS[number // 10 - 2] + ones
