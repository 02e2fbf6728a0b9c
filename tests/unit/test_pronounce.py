"""What eSpeak NG says becomes phones that the acoustic model knows."""

from __future__ import annotations

import re

import pytest

from wyoming_units.speech.pronounce import arpabet, with_merged_vowels

CMU = frozenset(
    re.findall(
        r"\w+",
        "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V"
        " W Y Z ZH",
    )
)
"""Phones of the acoustic model, pauses and noises left out."""


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("sˈoʊnoʊz", "S OW N OW Z"),  # sonos
        ("ˈɛkoʊbˌiː", "EH K OW B IY"),  # ecobee
        ("ɹˈuːmbə", "R UW M B AH"),  # roomba
        ("θˈɜːmənˌɛst", "TH ER M AH N EH S T"),
        ("tʃˈɔɪs dʒˈɪŋk", "CH OY S JH IH NG K"),
        ("wˈɔːɾɚ", "W AO T ER"),  # water, with an American flap
        ("bˈɑːɹ", "B AA R"),
        ("hjˈuː", "HH Y UW"),
        ("ˈnaɪn", "N AY N"),
        ("əʊ eə", "OW EH R"),  # British diphthongs
        ("ˈbʌtn̩", "B AH T AH N"),  # a syllabic consonant
        ("", ""),
    ],
)
def test_ipa_becomes_arpabet(ipa: str, phones: str) -> None:
    assert arpabet(ipa) == tuple(phones.split())
    assert set(arpabet(ipa)) <= CMU


def test_a_sound_that_english_lacks_makes_the_word_unpronounceable() -> None:
    assert arpabet("ǃkʰoɪ") == ()


def test_off_is_also_said_with_the_vowel_of_father() -> None:
    assert with_merged_vowels([("AO", "F")]) == [("AO", "F"), ("AA", "F")]


def test_the_vowel_before_r_is_not_merged() -> None:
    assert with_merged_vowels([("D", "AO", "R")]) == [("D", "AO", "R")]


def test_a_pronunciation_that_is_there_already_is_not_added_again() -> None:
    assert with_merged_vowels([("AO", "N"), ("AA", "N")]) == [("AO", "N"), ("AA", "N")]
