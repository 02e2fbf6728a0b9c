"""Scores become detections by threshold, trigger level and refractory time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from wyoming_units.engines._wake import LAG, chosen, with_settings, word_end
from wyoming_units.engines.base import WakeSettings
from wyoming_units.errors import BadRequest, UnknownWakeWord
from wyoming_units.speech.trigger import Trigger, TriggerRule


def heard(rule: TriggerRule, scores: Sequence[float], step: float = 1.0) -> list[int]:
    """Return the numbers of the scores, one per `step` seconds, that made a detection."""
    trigger = Trigger(rule)
    return [n for n, score in enumerate(scores) if trigger.heard(score, n * step)]


def test_a_score_must_be_above_the_threshold() -> None:
    assert heard(TriggerRule(threshold=0.5), [0.5, 0.4999, 0.5001]) == [2]


@pytest.mark.parametrize(("level", "expected"), [(1, [1]), (2, [2]), (3, [3]), (4, [])])
def test_as_many_scores_in_a_row_as_the_level_says(level: int, expected: list[int]) -> None:
    rule = TriggerRule(threshold=0.5, level=level, refractory=10)
    assert heard(rule, [0, 1, 1, 1, 0]) == expected


def test_one_score_below_begins_the_row_anew() -> None:
    rule = TriggerRule(threshold=0.5, level=3)
    assert heard(rule, [1, 1, 0.5, 1, 1, 0, 1, 1, 1]) == [8]


def test_nothing_is_heard_within_the_refractory_time_and_all_from_its_end_on() -> None:
    assert heard(TriggerRule(threshold=0.5, refractory=3), [1] * 8) == [0, 3, 6]
    assert heard(TriggerRule(threshold=0.5, refractory=2.75), [1] * 8) == [0, 3, 6]
    assert heard(TriggerRule(threshold=0.5, refractory=3.25), [1] * 8) == [0, 4]


def test_scores_within_the_refractory_time_count_for_nothing() -> None:
    assert heard(TriggerRule(threshold=0.5, level=2, refractory=3), [1] * 9) == [1, 5]


def test_a_score_that_is_no_detection_starts_no_refractory_time() -> None:
    rule = TriggerRule(threshold=0.5, level=2, refractory=5)
    assert heard(rule, [1, 0, 1, 1]) == [3]


def test_without_a_refractory_time_every_full_row_is_heard() -> None:
    rule = TriggerRule(threshold=0.5, level=2, refractory=0)
    assert heard(rule, [1] * 5) == [1, 3]


def test_by_default_one_score_is_enough_and_a_word_is_heard_once_in_two_seconds() -> None:
    assert heard(TriggerRule(threshold=0.5), [1] * 5, step=1.0) == [0, 2, 4]
    assert heard(TriggerRule(threshold=0.5), [1] * 3, step=1.999) == [0, 2]


@given(
    st.lists(st.floats(0, 1), max_size=40),
    st.floats(0.01, 0.99),
    st.integers(1, 5),
    st.integers(0, 6),
)
def test_detections_are_a_refractory_time_and_a_full_row_apart(
    scores: list[float], threshold: float, level: int, refractory: int
) -> None:
    found = heard(TriggerRule(threshold=threshold, level=level, refractory=refractory), scores)
    for n in found:
        assert min(scores[n - level + 1 : n + 1]) > threshold
    for before, after in pairwise(found):
        assert after - before >= max(refractory, level)


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.1, float("nan")])
def test_a_threshold_outside_0_to_1_is_refused(threshold: float) -> None:
    with pytest.raises(BadRequest, match="threshold"):
        TriggerRule(threshold=threshold)


@pytest.mark.parametrize("level", [0, -1])
def test_a_level_below_1_is_refused(level: int) -> None:
    with pytest.raises(BadRequest, match="trigger level"):
        TriggerRule(threshold=0.5, level=level)


@pytest.mark.parametrize("refractory", [-0.001, float("inf"), float("nan")])
def test_a_refractory_time_that_is_none_is_refused(refractory: float) -> None:
    with pytest.raises(BadRequest, match="refractory"):
        TriggerRule(threshold=0.5, refractory=refractory)


def test_values_at_the_limits_are_taken() -> None:
    TriggerRule(threshold=0.001, level=1, refractory=0)
    TriggerRule(threshold=0.999)


MODELS = {"a": TriggerRule(threshold=0.9), "b": TriggerRule(threshold=0.8)}


def test_settings_change_what_they_name_and_nothing_else() -> None:
    settings = WakeSettings(trigger_level=3, refractory=1.5)
    assert with_settings(MODELS, {"b": settings}) == {
        "a": MODELS["a"],
        "b": TriggerRule(threshold=0.8, level=3, refractory=1.5),
    }
    changed = with_settings(MODELS, {"a": WakeSettings(threshold=0.4)})
    assert changed["a"] == TriggerRule(threshold=0.4)


@pytest.mark.parametrize("words", [None, {}, {"a": WakeSettings()}])
def test_settings_that_say_nothing_keep_what_the_models_ask_for(
    words: dict[str, WakeSettings] | None,
) -> None:
    assert with_settings(MODELS, words) == MODELS


def test_settings_of_an_unknown_word_are_refused() -> None:
    with pytest.raises(UnknownWakeWord, match="'c'; there are: a, b"):
        with_settings(MODELS, {"c": WakeSettings()})


def test_wrong_settings_name_their_word() -> None:
    with pytest.raises(BadRequest, match="wake word b: a threshold"):
        with_settings(MODELS, {"b": WakeSettings(threshold=1.0)})


def test_no_names_are_all_and_a_name_said_twice_counts_once() -> None:
    assert chosen([], MODELS) == ["a", "b"]
    assert chosen(["b", "a", "b"], MODELS) == ["b", "a"]


def test_a_word_ends_a_little_before_it_is_heard_but_not_before_the_stream() -> None:
    assert word_end(2.0) == pytest.approx(1.9)
    assert word_end(LAG / 2) == 0
