"""From the sentence templates of a home to templates that stand alone.

Home Assistant resolves rules and lists while it parses a sentence. A unit that listens does not
have them, so they are written out here; names, areas and floors it knows from `context.home`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import hassil
from hassil.parser import ParseError

NAMES: Final = frozenset({"name", "area", "floor"})
"""The lists that everybody has who knows the home."""
_LONGEST: Final = 8 * 1024
"""Characters of a template that is written out."""
_MOST_NUMBERS: Final = 101
_SPECIAL: Final = re.compile(r"([\\()\[\]{}<>|;])")


class _Unknown(Exception):
    """A part of a template that cannot be written out."""


class Resolver:
    """Writes templates out, with one set of rules and lists."""

    def __init__(
        self,
        *,
        rules: Mapping[str, Any],
        lists: Mapping[str, Any],
        names: frozenset[str] = NAMES,
    ) -> None:
        self._rules = rules
        self._lists = lists
        self._names = names
        self._written: dict[str, str | None] = {}
        """Rules and lists that are written out; None where that cannot be, or is going on."""

    def resolve(self, template: str) -> str | None:
        """Return a template without rules and with no lists but `names`; None where it has none.

        Wildcards, and what is not known or too long, is left out of a choice or with the template.
        """
        try:
            return " ".join(self._template(template).split()) or None
        except _Unknown:
            return None

    def _template(self, template: str) -> str:
        try:
            return self._write(hassil.parse_sentence(_short(template)).expression)
        except (ParseError, AssertionError, RecursionError) as err:  # hassil asserts on bad input
            raise _Unknown from err

    def _write(self, expression: hassil.Expression) -> str:
        match expression:
            case hassil.TextChunk():
                return _SPECIAL.sub(r"\\\1", expression.original_text)
            case hassil.Alternative(items=items, is_optional=True):
                ways = self._ways(self._write, items[:-1])  # the last is the empty one
                return _short(f"[{'|'.join(ways)}]") if any(ways) else ""
            case hassil.Alternative(items=items):
                return _choice(self._ways(self._write, items))
            case hassil.Permutation(items=items):
                return _short(f"({';'.join(map(self._write, items))})")
            case hassil.Sequence(items=items):
                return _short("".join(map(self._write, items)))
            case hassil.RuleReference(rule_name=name):
                return self._once(f"<{name}>", lambda: self._rule(name))
            case hassil.ListReference(list_name=name):
                if name in self._names:
                    return f"{{{name}}}"
                if (limits := expression.get_inline_range()) is not None:
                    return _numbers(*limits)
                return self._once(f"{{{name}}}", lambda: self._list(name))
        raise _Unknown

    def _once(self, key: str, write: Callable[[], str]) -> str:
        """Return what a rule or list is written as; one that refers to itself is unknown."""
        if key not in self._written:
            self._written[key] = None
            with suppress(_Unknown):
                self._written[key] = write()
        if (written := self._written[key]) is None:
            raise _Unknown
        return written

    def _rule(self, name: str) -> str:
        if name not in self._rules:
            raise _Unknown
        return f"({self._template(str(self._rules[name]))})"

    def _list(self, name: str) -> str:
        match self._lists.get(name):
            case {"values": [*values]}:
                return _choice(self._ways(self._template, map(_value, values)))
            case {"range": {"from": int(first), "to": int(last), **more}}:
                return _numbers(first, last, more.get("step", 1))
        raise _Unknown

    def _ways[T](self, write: Callable[[T], str], items: Iterable[T]) -> list[str]:
        """Return how those items are written that can be."""
        ways = []
        for item in items:
            with suppress(_Unknown):
                ways.append(write(item))
        return ways


def _value(value: object) -> str:
    """Return what is said for a value of a list."""
    return str(value.get("in", "") if isinstance(value, Mapping) else value)


def _numbers(first: int, last: int, step: object) -> str:
    if not isinstance(step, int) or step < 1:
        raise _Unknown
    numbers = range(first, last + 1, step)
    if len(numbers) > _MOST_NUMBERS:
        raise _Unknown
    return _choice([str(number) for number in numbers])


def _choice(ways: list[str]) -> str:
    if not any(ways):
        raise _Unknown
    return _short(f"({'|'.join(ways)})")


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise _Unknown
    return text
