"""Choices are asked for at the end, and their probabilities follow from the first tokens of the answer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.choices import ask, probabilities
from wyoming_units.errors import EngineFailed

SYSTEM = {"role": "system", "content": "You are a house."}
USER = {"role": "user", "content": "Is it dark?"}


def test_the_wish_is_added_to_the_last_message_and_all_before_is_as_it_was() -> None:
    asked = ask([SYSTEM, USER], ["yes", "no"])
    assert asked[0] is SYSTEM
    wish = asked[1]["content"].removeprefix("Is it dark?\n\n")
    assert "A. yes\nB. no\n" in wish
    assert USER == {"role": "user", "content": "Is it dark?"}
    shown = {"role": "user", "content": [{"type": "image", "name": "it"}]}
    assert ask([SYSTEM, shown], ["yes", "no"])[1]["content"] == [
        {"type": "image", "name": "it"},
        {"type": "text", "text": wish},
    ]
    result = {"role": "tool", "tool_call_id": "1", "content": "dark"}
    assert ask([USER, result], ["yes", "no"]) == [USER, result, {"role": "user", "content": wish}]


def test_probabilities_are_those_of_the_letters() -> None:
    likely = probabilities({"A": math.log(0.6), "B": math.log(0.2), "C": math.log(0.2)}, 3)
    assert likely == pytest.approx([0.6, 0.2, 0.2])


@pytest.mark.parametrize(
    "token", ["B", " B", "b", "B.", "(B", "B)", " b)", "**B", "\u2581B", "\u0120B\n"]
)
def test_a_letter_is_known_with_what_stands_around_it(token: str) -> None:
    likely = probabilities({"A": math.log(0.1), token: math.log(0.9)}, 2)
    assert likely == pytest.approx([0.1, 0.9])


def test_tokens_of_the_same_letter_count_together() -> None:
    likely = probabilities({"A": math.log(0.3), " A": math.log(0.3), "B": math.log(0.4)}, 2)
    assert likely == pytest.approx([0.6, 0.4])


def test_an_absent_letter_is_never_likelier_than_the_least_likely_token() -> None:
    _, absent = probabilities({"A": math.log(0.5), "Well": math.log(0.01)}, 2)
    assert absent == pytest.approx(0.01 / 0.51)
    # Two share what is left.
    *_, third, fourth = probabilities({"A": math.log(0.5), "B": math.log(0.48)}, 4)
    assert third == fourth == pytest.approx(0.01)


def test_letters_of_no_choice_do_not_count() -> None:
    likely = probabilities({"A": math.log(0.5), "C": math.log(0.4), "B": math.log(0.1)}, 2)
    assert likely == pytest.approx([5 / 6, 1 / 6])


@pytest.mark.parametrize(
    "logprobs", [{}, {"Well": -0.1}, {"AB": -0.1}, {"C": -0.1}, {"A": math.nan}, {"A": -math.inf}]
)
def test_an_answer_without_any_letter_is_an_error(logprobs: dict[str, float]) -> None:
    with pytest.raises(EngineFailed, match="none of the choices"):
        probabilities(logprobs, 2)


def test_numbers_of_any_size_are_taken() -> None:
    assert probabilities({"A": -900.0, "B": -1000.0}, 2) == pytest.approx([1, 0])
    assert probabilities({"A": 0.0, "Well": -3.4e38}, 2) == pytest.approx([1, 0])
    assert probabilities({"A": 5.0, "B": 5.0}, 2) == pytest.approx([0.5, 0.5])


@given(
    values=st.dictionaries(
        st.sampled_from(["A", " a", "B", "C", "D.", "T", "The", " "]),
        st.floats(-3.5e38, 0),
        min_size=1,
    ),
    count=st.integers(2, 20),
)
def test_they_always_add_up_to_one(values: dict[str, float], count: int) -> None:
    values["A"] = values.get("A", -1.0)
    likely = probabilities(values, count)
    assert len(likely) == count
    assert sum(likely) == pytest.approx(1)
    assert all(0 <= one <= 1 for one in likely)
