"""Sounds of texts from a list of words."""

from __future__ import annotations

import pytest

from wyoming_units.speech.lexicon import Lexicon, Sounds, read_tokens

SOUNDS = ("_", *"helowrdinktsab,.!?…'-")
TOKENS = read_tokens(f"{sound} {number}\n" for number, sound in enumerate(SOUNDS))
ENTRIES = (
    "hello h e l o 1 2 3 4",
    "Anna a n a 1 2 1",
    "annas a n a s 1 2 1 2",
    "door d o r 1 2 1",
    "bell b e l 1 2 1",
    "e-book e b o k 1 1 2 2",
    "book b o k 1 2 1",
    "a a 9",
    "a. e i 5 5",
    "b b i 1 5",
    "está e s t a 0 0 0 1",
    "como k o o 0 0 0",
    "電気 d e n k i 0 1 1 1 1",
    "電 d e n 0 0 0",
    "ト t o 0 0",
    "か k a 0 0",
    "卡拉ok k a l a o k 1 1 1 1 1 1",
    "母 b o 3 3",
    "twice t w i s 1 1 2 1",
    "twice h h h 3 3 3",
)  # fmt: skip
NAMES = {number: token for token, number in TOKENS.items()}


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon(ENTRIES, TOKENS)


def said(lexicon: Lexicon, text: str) -> str:
    """Return the sounds of a text by name."""
    return " ".join(NAMES[phone] for phone in lexicon.sounds(text).phones)


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("Hello!", "h e l o !"),
        ("hello, hello…", "h e l o , h e l o …"),
        ("hello...", "h e l o …"),
        ("Anna", "a n a"),
        ("ANNA’S door", "a n a s d o r"),  # said like the plural
        ("doorbell", "d o r b e l"),
        ("e-book", "e b o k"),
        ("door-book", "d o r b o k"),
        ("door - book", "d o r - b o k"),
        ("“hello”", "' h e l o '"),
        ("HelloDoor", "h e l o d o r"),
        ("a", "a"),
        ("ab", "e i b i"),  # by the names of its letters
        ("b x b", "b i b i"),
        ("¿Está? cómo", "e s t a ? k o o"),
        ("電気", "d e n k i"),
        ("電電気", "d e n d e n k i"),
        ("とカ", "t o k a"),  # the other kana
        ("卡拉OK", "k a l a o k"),
        ("嗯呣", "b o"),
        ("twice", "t w i s"),
        ("ｈｅｌｌｏ！", "h e l o !"),
        ("電気，電。", "d e n k i , d e n ."),
        ("(hello)", ", h e l o ,"),
        ("☃ 猫 \n\t", ""),
        ("", ""),
    ],
)
def test_sounds_of_a_text(text: str, sounds: str, lexicon: Lexicon) -> None:
    assert said(lexicon, text) == sounds


def test_a_word_is_never_found_inside_another(lexicon: Lexicon) -> None:
    assert said(lexicon, "bookx") == "b i"  # of its letters only b is in the list
    assert said(lexicon, "helloa") == "e i"


def test_phones_and_tones_come_in_pairs_and_punctuation_has_none(lexicon: Lexicon) -> None:
    sounds = lexicon.sounds("Anna!")
    assert sounds.tones == (1, 2, 1, 0)
    assert len(sounds.phones) == len(sounds.tones)
    assert lexicon.highest_tone == 9


def test_lines_with_unknown_phones_or_without_tones_do_no_harm() -> None:
    lexicon = Lexicon(["one h zz o 1 2 3", "two h x", "three"], TOKENS)
    assert lexicon.sounds("one") == Sounds(
        phones=(TOKENS["h"], TOKENS["o"]),
        tones=(1, 3),
    )
    assert lexicon.sounds("two three").phones == ()


def test_without_an_ellipsis_a_full_stop_is_heard() -> None:
    lexicon = Lexicon(["one h 1"], {"_": 0, "h": 1, ".": 2})
    assert lexicon.sounds("one…").phones == (1, 2)


def test_the_first_word_can_be_said(lexicon: Lexicon) -> None:
    assert lexicon.sounds(lexicon.first_word()).phones


def test_a_long_text_of_nothing_known_takes_no_time(lexicon: Lexicon) -> None:
    assert lexicon.sounds("猫x" * 20_000).phones == ()


@pytest.mark.parametrize("lines", [[], ["a"], ["a b"], ["a 1"]])
def test_what_is_no_list_of_tokens_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_tokens(lines)


def test_an_empty_list_of_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no word"):
        Lexicon(["", "alone"], TOKENS)
