"""Templates that stand alone mean what the same templates mean with their rules and lists."""

from typing import Any

import hassil
import pytest
from hassil.intents import Intents
from hassil.sample import sample_expression

from custom_components.wyoming_units.templates import Resolver

RULES = {
    "turn": "(turn|switch) [the]",
    "please": "[could you|please]",
    "both": "<turn> <please>",
    "loop": "on (<pool>|off)",
    "pool": "in <loop>",
    "only_loop": "<only_loop> again",
    "broken": "a (b",
}
LISTS: dict[str, Any] = {
    "colour": {
        "values": ["red", {"in": "(dark|deep) blue", "out": "navy"}, {"in": "green", "out": "g"}]
    },
    "nested": {"values": [{"in": "<turn> it", "out": 1}]},
    "level": {"range": {"from": 0, "to": 100, "type": "percentage"}},
    "tens": {"range": {"from": 10, "to": 30, "step": 10, "words": False}},
    "kelvin": {"range": {"from": 1000, "to": 10000}},
    "anything": {"wildcard": True},
    "strange": {"values": 7},
    "stepless": {"range": {"from": 1, "to": 3, "step": 0}},
    "empty": {"values": []},
}


def resolver() -> Resolver:
    return Resolver(rules=RULES, lists=LISTS)


def meaning(template: str) -> set[str]:
    """Return all sentences of a template, as Home Assistant's parser finds them."""
    lists = {name: value for name, value in LISTS.items() if name in ("colour", "nested", "tens")}
    known = {
        "language": "en",
        "intents": {},
        "lists": {
            **lists,
            **{name: {"values": [f"<{name}>"[1:-1].upper()]} for name in ("name", "area", "floor")},
        },
    }
    intents = Intents.from_dict(known)
    rules = {name: hassil.parse_sentence(RULES[name]) for name in ("turn", "please", "both")}
    expression = hassil.parse_sentence(template).expression
    sentences = sample_expression(expression, intents.slot_lists, rules, language="en")
    return {" ".join(sentence.split()) for sentence in sentences}


@pytest.mark.parametrize(
    "template",
    [
        "lights on",
        "(lights|lamps) (on|off)",
        "light[s] [in {area}] on",
        "<turn> {name} on",
        "<both> {name} [in {area:preferred_area} [on {floor}]]",
        "[<please>] make {name} {colour}",
        "{colour:shade}[ish] light",
        "(all;the;lights) off",
        "all;off",
        "{nested}",
        "[(up|down)] stairs",
        "wait {tens} minutes",
        "price in [\\$] \\(net\\)",
        "this\\|that \\{x\\} \\[y\\] \\<z\\> a\\;b c\\\\d",
    ],
)
def test_all_sentences_are_kept_and_none_is_added(template: str) -> None:
    resolved = resolver().resolve(template)
    assert resolved is not None
    expression = hassil.parse_sentence(resolved).expression
    assert isinstance(expression, hassil.expression.Group)
    assert set(expression.list_names()) <= {"name", "area", "floor"}
    assert "<" not in resolved.replace("\\<", "")
    assert meaning(resolved) == meaning(template)


@pytest.mark.parametrize(
    ("template", "resolved"),
    [
        ("dim to {level}", "dim to (" + "|".join(map(str, range(101))) + ")"),
        ("wait {0..20,5:minutes} minutes", "wait (0|5|10|15|20) minutes"),
        ("(play {anything}|stop)", "(stop)"),
        ("stop [playing {anything}] now", "stop now"),
        ("go <loop>", "go (on (off))"),
    ],
)
def test_numbers_are_written_out_and_what_cannot_be_is_left_out_of_a_choice(
    template: str, resolved: str
) -> None:
    assert resolver().resolve(template) == resolved


@pytest.mark.parametrize(
    "template",
    [
        "play {anything}",
        "{kelvin} kelvin",
        "{0..5000:kelvin} kelvin",
        "say <nothing>",
        "say {nothing}",
        "<only_loop>",
        "<broken>",
        "{strange}",
        "{stepless}",
        "{empty}",
        "({anything}|{nothing})",
        "open (the",
        "open {}",
        "",
        "[]",
        "(" * 4000,
        "(" * 2000 + "on" + ")" * 2000,
        "x" * 9000,
    ],
)
def test_what_cannot_be_written_out_is_left_out(template: str) -> None:
    assert resolver().resolve(template) is None


def test_rules_that_would_fill_the_memory_are_left_out() -> None:
    rules = {f"r{n}": f"<r{n + 1}> <r{n + 1}>" for n in range(60)} | {"r60": "on"}
    assert Resolver(rules=rules, lists={}).resolve("<r0>") is None
    assert Resolver(rules=rules, lists={}).resolve("<r58>") == "(((on) (on)) ((on) (on)))"


def test_where_nothing_is_known_by_name_names_are_left_out_too() -> None:
    assert Resolver(rules={}, lists={}, names=frozenset()).resolve("open {name}") is None
