"""The part of SSML 1.1 (W3C) that every synthesiser here can follow; all else is refused, not skipped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError, XMLParser

from wyoming_units.errors import BadRequest, Unsupported

MOST_DEPTH = 20
MOST_PAUSE = 10.0
"""Seconds of one `break`."""
SPEEDS = (0.5, 2.0)
"""Slowest and fastest that an engine can speak."""


@dataclass(frozen=True)
class Said:
    """Words that are said in one go at one speed."""

    text: str
    speed: float
    """How many times faster than usual, within `SPEEDS`."""
    ends: bool = False
    """Whether a sentence ends after them."""


@dataclass(frozen=True)
class Silence:
    """A pause that was asked for, in place of the usual one."""

    seconds: float


_NAMESPACE = re.compile(r"^\{[^}]*\}")
_DECLARED = re.compile(r"<!(?!--|\[CDATA\[)")
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,3})?)(ms|s)")
_PERCENT = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{1,3})?)%")
_MULTIPLE = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
_STRENGTHS = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2,
}  # fmt: skip
_RATES = {
    "x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75,
}  # fmt: skip
_DOCUMENT = {"version", "lang", "schemaLocation", "base"}
"""Attributes of `speak` that say nothing about how to speak."""
_ATTRIBUTES = {
    "speak": _DOCUMENT,
    "p": set(),
    "s": set(),
    "break": {"time", "strength"},
    "sub": {"alias"},
    "say-as": {"interpret-as", "format", "detail"},
    "prosody": {"rate"},
    "emphasis": {"level"},
}  # fmt: skip
_BLOCKS = {"speak", "p", "s"}


def _apart(text: str) -> str:
    return " ".join(character for character in text if not character.isspace())


def _digits(text: str) -> str:
    return _apart("".join(character for character in text if character.isalnum()))


_READINGS: Mapping[str, Callable[[str], str]] = {
    "characters": _apart,
    "spell-out": _apart,
    "verbatim": _apart,
    "digits": _digits,
    "telephone": _digits,
    # The rules of plain text read these as they are.
    **dict.fromkeys(("cardinal", "number", "date", "time", "currency", "unit"), str),
}


def parse_ssml(text: str, speed: float = 1.0) -> list[Said | Silence]:
    """Return what to say in order, its rates relative to `speed`.

    `Unsupported` for what is left out of SSML, `BadRequest` for what is no SSML.
    """
    if _DECLARED.search(text):
        raise Unsupported("SSML with a document type is not read")
    reader = _Reader(speed)
    parser = XMLParser(target=reader)  # events only: no tree, and nothing outside is read
    try:
        parser.feed(text.strip())
        parser.close()
    except ParseError as err:
        raise BadRequest(f"the text is no SSML: {err}") from err
    return reader.items


@dataclass
class _Tag:
    name: str
    speed: float
    read: Callable[[str], str] | None = None
    """Makes other words of the whole text inside."""


class _Reader:
    """Takes the events of a parser."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self.items: list[Said | Silence] = []
        self._tags: list[_Tag] = []
        self._text = ""

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        """Begin a tag."""
        name = _NAMESPACE.sub("", qualified)
        given = {_NAMESPACE.sub("", key): value for key, value in attributes.items()}
        self._check(name, given)
        speed = self._tags[-1].speed if self._tags else self._speed
        if name in _BLOCKS:
            self._say(ends=True)
        if name == "break":
            self._say()
            self.items.append(Silence(_pause(given)))
        elif name == "prosody":
            self._say()
            speed = _faster(speed, given.get("rate", "default"))
        elif name in ("sub", "say-as"):
            before, self._text = self._text, ""
            self._tags.append(_Tag(name, speed, _around(before, _reading(name, given))))
            return
        self._tags.append(_Tag(name, speed))

    def data(self, text: str) -> None:
        """Take text inside a tag."""
        self._text += text

    def end(self, _: str) -> None:
        """End the innermost tag."""
        tag = self._tags[-1]
        if tag.read is not None:
            self._text = tag.read(self._text)
        elif tag.name in _BLOCKS:
            self._say(ends=True)
        elif tag.name == "prosody":
            self._say()
        self._tags.pop()

    def close(self) -> None:
        """End the document."""

    def _check(self, name: str, given: Mapping[str, str]) -> None:
        if not self._tags and name != "speak":
            raise BadRequest("SSML begins with <speak>")
        if self._tags and (
            name == "speak" or self._tags[-1].read or self._tags[-1].name == "break"
        ):
            raise BadRequest(f"SSML has no <{name}> inside <{self._tags[-1].name}>")
        if len(self._tags) >= MOST_DEPTH:
            raise BadRequest(f"SSML is read to a depth of {MOST_DEPTH} tags")
        if name not in _ATTRIBUTES:
            raise Unsupported(f"the SSML tag <{name}> is not supported")
        if other := sorted(given.keys() - _ATTRIBUTES[name]):
            raise Unsupported(f"{other[0]} of the SSML tag <{name}> is not supported")

    def _say(self, *, ends: bool = False) -> None:
        text, self._text = " ".join(self._text.split()), ""  # line ends of a document mean nothing
        if text:
            self.items.append(Said(text, self._tags[-1].speed, ends))
        elif ends and self.items and isinstance(last := self.items[-1], Said):
            self.items[-1] = Said(last.text, last.speed, ends=True)


def _around(before: str, read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: before + read(text)


def _reading(name: str, given: Mapping[str, str]) -> Callable[[str], str]:
    if name == "sub":
        if "alias" not in given:
            raise BadRequest("the SSML tag <sub> needs an alias")
        return lambda _: given["alias"]
    kind = given.get("interpret-as", "")
    if kind not in _READINGS:
        raise Unsupported(f"SSML cannot be said as {kind!r}")
    return _READINGS[kind]


def _pause(given: Mapping[str, str]) -> float:
    if "time" not in given:
        strength = given.get("strength", "medium")
        if strength not in _STRENGTHS:
            raise BadRequest(f"an SSML break is not {strength!r}")
        return _STRENGTHS[strength]
    match = _TIME.fullmatch(given["time"])
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else MOST_PAUSE + 1
    if seconds > MOST_PAUSE:
        raise BadRequest(f"an SSML break lasts at most {MOST_PAUSE:g}s, not {given['time']!r}")
    return seconds


def _faster(speed: float, rate: str) -> float:
    """Return the speed inside a tag that asks for a rate."""
    if rate in _RATES:
        factor = _RATES[rate]
    elif match := _PERCENT.fullmatch(rate):
        percent = float(match[2])
        relative = {"+": 100 + percent, "-": 100 - percent, "": percent}
        factor = relative[match[1]] / 100
    elif _MULTIPLE.fullmatch(rate):
        factor = float(rate)
    else:
        raise BadRequest(f"an SSML rate is not {rate!r}")
    slowest, fastest = SPEEDS
    if not slowest <= speed * factor <= fastest:
        raise BadRequest(f"SSML rates go from {slowest:g} to {fastest:g} of the usual speed")
    return speed * factor
