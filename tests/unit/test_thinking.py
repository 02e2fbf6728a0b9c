"""Thoughts are told apart from what is said, wherever the pieces of a text are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.exchange import Said
from wyoming_units.chat.thinking import Thinking


def split(*pieces: str, unopened: bool = False) -> tuple[str, str]:
    """Return what is thought and what is said in pieces of a text."""
    thinking = Thinking(unopened=unopened)
    thought = said = ""
    for piece in (*(one for text in pieces for one in thinking.push(text)), *thinking.flush()):
        assert piece.text
        if isinstance(piece, Said):
            said += piece.text
        else:
            assert not said, "a thought after what is said"
            thought += piece.text
    return thought, said


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("Yes.", "", "Yes."),
        ("", "", ""),
        ("  Yes.\n", "", "  Yes.\n"),
        ("<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("\n <think>\nHm.\n</think>\r\n\n Yes.\n", "Hm.\n", " Yes.\n"),
        ("<think></think>Yes.", "", "Yes."),
        ("<think>\n\n</think>\n\nYes.", "", "Yes."),
        ("<think>Hm. <b", "Hm. <b", ""),
        ("<think>Hm.</thin", "Hm.</thin", ""),
        ("<think>Hm.</think>", "Hm.", ""),
        ("<think>a < b</thinks> c</think>d", "a < b</thinks> c", "d"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("Well, <think>no</think>", "", "Well, <think>no</think>"),
        ("Hm.</think>Yes.", "", "Hm.</think>Yes."),
        ("<thi", "", "<thi"),
        ("<thing>", "", "<thing>"),
        ("  ", "", "  "),
    ],
)
def test_thoughts_stand_at_the_beginning_between_tags(text: str, thought: str, said: str) -> None:
    assert split(text) == (thought, said)
    assert split(*text) == (thought, said)


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("Hm.</think>\n\nYes.", "Hm.", "Yes."),
        ("\n</think>Yes.", "", "Yes."),
        ("<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("<think>Hm.", "Hm.", ""),
        ("Yes.", "", "Yes."),
        ("<thi</think>Yes.", "<thi", "Yes."),
    ],
)
def test_a_text_may_begin_inside_of_thoughts(text: str, thought: str, said: str) -> None:
    assert split(text, unopened=True) == (thought, said)
    assert split(*text, unopened=True) == (thought, said)


def test_what_is_certain_does_not_wait() -> None:
    thinking = Thinking()
    assert list(thinking.push("Ye")) == [Said("Ye")]
    assert list(thinking.push("s <thi")) == [Said("s <thi")]
    opened = Thinking()
    assert not list(opened.push("<think>"))
    assert [piece.text for piece in opened.push("Hm. </t")] == ["Hm. "]
    assert [piece.text for piece in opened.push("o>")] == ["</to>"]


@given(
    pieces=st.lists(
        st.sampled_from(["<think>", "</think>", "<", "think", "</", ">", " ", "\n", "a", "ü"]),
        max_size=12,
    ),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    unopened=st.booleans(),
)
def test_any_cutting_gives_the_same(pieces: list[str], cuts: list[int], unopened: bool) -> None:
    text = "".join(pieces)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    cut = [text[start:end] for start, end in pairwise(edges)]
    assert split(*cut, unopened=unopened) == split(text, unopened=unopened)
    assert split(*text, unopened=unopened) == split(text, unopened=unopened)
