"""What speaks for a sentence is measured against a loop of all sounds; more is needed for what is risky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.engines._pocketsphinx_reject import Evidence, Part, Rule, weigh


def part(word: str | None, start: int, end: int, score: float) -> Part:
    return Part(word=word, start=start, end=end, score=score, phones=4 if word else 0)


LOOP = [part(None, 0, 50, -50.0), part(None, 50, 100, -100.0), part(None, 100, 150, -50.0)]
QUIET = np.full(150, 10.0)
WORDS = [
    part(None, 0, 40, -40.0),
    part("unlock", 40, 80, -90.0),
    part("it", 80, 110, -130.0),
    part(None, 110, 150, -40.0),
]


def levels(**loud: tuple[int, int]) -> NDArray[np.float64]:
    found = QUIET.copy()
    for start, end in loud.values():
        found[start:end] = 60.0
    return found


def test_words_are_measured_against_the_loop_in_the_same_frames() -> None:
    evidence = weigh(WORDS, LOOP, levels(words=(40, 110)))
    assert evidence is not None
    loop_unlock, loop_it = (
        -70.0,
        -50.0,
    )  # ten frames of -1 and thirty of -2; twenty of -2, ten of -1
    assert evidence.ratio == pytest.approx((-90 - loop_unlock - 130 - loop_it) / 70)
    assert evidence.worst_word < evidence.ratio  # "it" is much worse than its sounds


def test_speech_in_a_pause_speaks_against_the_sentence() -> None:
    spoken = [replace(WORDS[0], score=-140.0), *WORDS[1:]]
    evidence, better = weigh(spoken, LOOP, QUIET), weigh(WORDS, LOOP, QUIET)
    assert evidence is not None
    assert better is not None
    assert evidence.worst_pause == pytest.approx(-1.0)
    assert better.worst_pause == pytest.approx(0.0)
    assert evidence.ratio == better.ratio


def test_only_what_is_as_loud_as_the_words_counts_as_outside_of_them() -> None:
    for heard, seconds in (
        (levels(words=(40, 110)), 0.0),
        (levels(before=(10, 30), words=(40, 110)), 0.2),
        (levels(words=(40, 110), after=(120, 125)), 0.05),
    ):
        evidence = weigh(WORDS, LOOP, heard)
        assert evidence is not None
        assert evidence.outside == pytest.approx(seconds)


def test_the_hastiest_word_is_found_but_not_among_the_small_ones() -> None:
    hasty = [WORDS[0], replace(WORDS[1], end=52), part("lamp", 52, 80, -50.0), *WORDS[2:]]
    evidence = weigh(hasty, LOOP, QUIET)
    assert evidence is not None
    assert evidence.pace == pytest.approx(12 / 4)
    small = [WORDS[0], replace(WORDS[1], end=52, phones=2), part("lamp", 52, 80, -50.0), *WORDS[2:]]
    evidence = weigh(small, LOOP, QUIET)
    assert evidence is not None
    assert evidence.pace == pytest.approx(28 / 4)


@pytest.mark.parametrize("parts", [[], [part(None, 0, 100, -1.0)]])
def test_without_words_nothing_was_said(parts: list[Part]) -> None:
    assert weigh(parts, LOOP, QUIET) is None


def test_a_loop_that_heard_nothing_is_no_obstacle() -> None:
    assert weigh(WORDS, [], QUIET) is not None


GOOD = Evidence(ratio=-1.0, worst_word=-1.5, worst_pause=0.0, length=3.0, outside=0.0, pace=7.0)
RULE = Rule(
    weights={"ratio": 2.0, "length": 1.0},
    bias=0.0,
    least=-1.0,
    risky_least=0.5,
    risky_worst_word=-2.0,
    risky_outside=0.1,
    risky_pace=5.0,
    risky_margin=10.0,
)


def test_the_log_odds_are_the_weighted_evidence() -> None:
    assert RULE.log_odds(GOOD) == pytest.approx(1.0)
    assert RULE.accepts(replace(GOOD, ratio=-2.0))
    assert not RULE.accepts(replace(GOOD, ratio=-2.01))


def test_a_risky_sentence_needs_all_of_the_evidence() -> None:
    assert RULE.accepts_risky(GOOD, lambda: 10.0)
    assert not RULE.accepts_risky(GOOD, lambda: 9.9)
    for worse in ({"ratio": -1.3}, {"worst_word": -2.1}, {"outside": 0.11}, {"pace": 4.9}):
        assert RULE.accepts(replace(GOOD, **worse))
        assert not RULE.accepts_risky(replace(GOOD, **worse), lambda: 100.0)


def test_the_margin_is_not_measured_where_something_else_is_missing() -> None:
    def measure() -> float:
        raise AssertionError

    assert not RULE.accepts_risky(replace(GOOD, ratio=-2.0), measure)


def test_the_shipped_rule_is_stricter_with_what_is_risky() -> None:
    rule = Rule.load()
    assert rule.risky_least > rule.least
    assert rule.risky_margin > 0
    assert all(hasattr(GOOD, name) for name in rule.weights)
    for name in ("ratio", "worst_word", "worst_pause", "length"):
        assert rule.weights[name] > 0  # better evidence never speaks against a sentence
