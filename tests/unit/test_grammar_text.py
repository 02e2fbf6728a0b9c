"""Texts become the words that people say, and these become the texts that Home Assistant knows."""

from __future__ import annotations

import pytest

from wyoming_units.speech.automaton import Text, compile_automaton
from wyoming_units.speech.grammar import Grammar, spoken_names, spoken_words
from wyoming_units.speech.numbers import LARGEST, number_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bed Light", "bed light"),
        ("set Lamp 2 to 21.5°", "set lamp two to twenty one point five degrees"),
        ("100%", "one hundred percent"),
        ("EcoBee", "eco bee"),
        ("HDMI1", "hdmi one"),
        ("2nd floor", "2nd floor"),
        ("Kid’s room", "kid's room"),
        ("A/C & heating_unit-x", "a c and heating unit x"),
        ("'quoted'", "quoted"),
        ("  Küche  ", "küche"),
        ("💡", ""),
    ],
)
def test_a_text_is_said_in_lower_case_words_without_punctuation(text: str, words: str) -> None:
    assert spoken_words(text) == tuple(words.split())


def test_an_acronym_may_be_spelled_out() -> None:
    assert spoken_names("LED strip") == {("led", "strip"), ("l", "e", "d", "strip")}
    assert spoken_names("Lamp") == {("lamp",)}
    assert spoken_names("!") == frozenset()


@pytest.mark.parametrize(
    ("number", "ways"),
    [
        (0, ["zero"]),
        (13, ["thirteen"]),
        (40, ["forty"]),
        (21, ["twenty one"]),
        (100, ["one hundred", "a hundred"]),
        (105, ["one hundred five", "a hundred five"]),
        (2700, ["two thousand seven hundred"]),
        (21.5, ["twenty one point five"]),
        (LARGEST, ["nine hundred ninety nine thousand nine hundred ninety nine"]),
        (LARGEST + 1, []),
        (-1, []),
        (0.3, []),
    ],
)
def test_numbers_are_said_as_people_say_them(number: float, ways: list[str]) -> None:
    assert number_words(number) == ways


def test_no_two_numbers_sound_alike() -> None:
    ways = [way for half in range(2 * 2500) for way in number_words(half / 2)]
    assert len(set(ways)) == len(ways)


@pytest.fixture
def grammar() -> Grammar:
    never_used = compile_automaton(Text("never used"))
    return Grammar(
        automaton=never_used,
        risky=never_used,
        harmless=never_used,
        spellings={
            ("two",): "2",
            ("twenty",): "20",
            ("twenty", "one"): "21",
            ("lamp",): "Lamp",
            ("lamp", "two"): "Lamp Two",
            ("t", "v"): "TV",
            ("tv",): "TV",
        },
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("turn on the t v", "turn on the TV"),
        ("set lamp two to twenty one", "set Lamp Two to 21"),
        ("set lamp to twenty", "set Lamp to 20"),
        ("two lamp", "2 Lamp"),
        ("", ""),
    ],
)
def test_names_keep_their_spelling_and_numbers_are_digits(
    grammar: Grammar, words: str, text: str
) -> None:
    assert grammar.write(words.split()) == text
