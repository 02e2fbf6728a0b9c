"""Fragments that MeloTTS speaks one after the other."""

from __future__ import annotations

import pytest

from wyoming_units.engines._melotts_text import fragments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", []),
        ("Hello.", ["Hello."]),
        (
            "The light in the kitchen is on, and the door is locked since this morning.",
            ["The light in the kitchen is on,", "and the door is locked since this morning."],
        ),
        # what is short would be spoken in less time than the next takes to make
        ("Yes, the door of the house is locked.", ["Yes, the door of the house is locked."]),
        ("The door of the house is locked, yes.", ["The door of the house is locked, yes."]),
        (
            "It has been 21.5 degrees since 19:30, Dr. Smith said when he came home.",
            ["It has been 21.5 degrees since 19:30,", "Dr. Smith said when he came home."],
        ),
        ("厨房里的灯已经打开了，前门从早上起就锁着。", ["厨房里的灯已经打开了，", "前门从早上起就锁着。"]),
        (
            "“It is open now, I think.” Then he went away again.",
            ["“It is open now, I think.”", "Then he went away again."],
        ),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_it_is_punctuated(text: str, expected: list[str]) -> None:
    assert fragments(text) == expected


def test_later_fragments_are_longer_than_the_first() -> None:
    text = "one two three four five, " * 12
    first, *others = fragments(text)
    assert first == "one two three four five,"
    assert all(60 <= len(fragment) <= 100 for fragment in others[:-1])
    assert " ".join([first, *others]) == text.strip()
