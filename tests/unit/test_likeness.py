"""How alike a phrase and a transcript are."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tests.integration.recordings import DATA
from wyoming_units.speech.likeness import ENOUGH, likeness

WRITTEN = {
    "Hey Jarvis": (
        "Hey, Jarvis!",
        "hay jarvis",
        "hey Jervis.",
        "HeyJarvis",
        "the jarvis",
        "a Jarvis",
        "Hey Jarvis, turn on the",
        "so I said: hey jarvis",
    ),
    "Okay Nabu": (
        "OK Nabu.",
        "O.K., Nabu",
        "okay naboo",
        "okay now boo",
        "Okay, Nah Bou",
        "Oké nabu",
    ),
    "Alexa": ("alexa?", "Alexis", "a Lexa"),
    "Hey Rhasspy": ("hey raspy", "Hey, Rhasspy.", "hey respy"),
    "hey_mycroft": ("Hey Mycroft", "hey my craft", "hi Mycroft"),
    "computer": ("Computer.", "commuter"),
    "你好小智": ("你好,小智。", "你好小志"),
    "Grüß dich": ("gruss dich", "GRÜSS DICH!"),
}
"""What recognisers write of a phrase that was said."""
OTHER = {
    "Hey Jarvis": (
        "",
        "hey",
        "hey Jane",
        "the germans",
        "turn on the light",
        "Thanks for watching!",
    ),
    "Okay Nabu": ("okay", "they have to", "third day in every", "turn off the lamp", "you"),
    "Alexa": ("pause", "timer status", "select", "higher status", "wallace"),
    "Hey Rhasspy": ("hey Jane", "turn on the lights"),
    "computer": ("the temperature", "come on", "pewter"),
    "你好小智": ("你好", "打开灯", "hello"),
}


@pytest.mark.parametrize(
    ("phrase", "text"), [(phrase, text) for phrase in WRITTEN for text in WRITTEN[phrase]]
)
def test_a_phrase_is_found_however_it_is_written(phrase: str, text: str) -> None:
    assert likeness(phrase, text) >= ENOUGH


@pytest.mark.parametrize(
    ("phrase", "text"), [(phrase, text) for phrase in OTHER for text in OTHER[phrase]]
)
def test_something_else_is_not_the_phrase(phrase: str, text: str) -> None:
    assert likeness(phrase, text) < ENOUGH


@pytest.mark.parametrize("phrase", [*OTHER, "Hey Mycroft"])
def test_no_two_seconds_of_commands_and_read_speech_are_a_wake_word(phrase: str) -> None:
    texts = [path.stem for path in DATA.glob("media/home/en/**/*.wav")]
    texts += [path.read_text("utf-8") for path in DATA.glob("media/en/librivox/*.txt")]
    if not texts:
        pytest.skip(f"no test data: {DATA}")
    spans = {
        " ".join(words[start : start + 8])
        for words in map(str.split, texts)
        for start in range(len(words))
    }
    assert len(spans) > 300
    assert max(likeness(phrase, span) for span in spans) < ENOUGH


def test_the_same_letters_are_wholly_alike_and_others_not_at_all() -> None:
    assert likeness("hey jarvis", "say Hey,  JARVIS now") == 1
    assert likeness("bbb", "xyz 123") == 0
    assert likeness("bbb", "") == 0
    assert likeness("abcd", "abxd") == 0.75
    assert likeness("abcd", "abd") == 0.75
    assert likeness("bade", "bede") == 0.875  # a vowel for a vowel


@pytest.mark.parametrize("phrase", ["", "?!", " "])
def test_a_phrase_without_letters_cannot_be_missed(phrase: str) -> None:
    assert likeness(phrase, "anything") == 1


@given(st.text(max_size=20), st.text(max_size=40), st.text("abcdefg,! ", max_size=10))
def test_it_is_a_share_and_more_text_around_takes_nothing_away(
    phrase: str, text: str, more: str
) -> None:
    alone = likeness(phrase, text)
    assert 0 <= alone <= 1
    assert likeness(phrase, f"{more} {text} {more}") >= alone
