"""Rules of the end of a turn that know what was said, in hundredths of a second."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from wyoming_units.speech.endpoint import (
    SENSITIVITIES,
    Ending,
    EndOfTurn,
    TurnOptions,
)
from wyoming_units.speech.turn import Partial, VoiceFrame

from .turns import (
    NOISE,
    VOICE,
    end_of_turn,
    exact,
    run,
)

SPEECH = 100
"""Frames of 10 ms in which somebody speaks, before anything else."""


def told(
    partial: Partial | None,
    *,
    options: TurnOptions | None = None,
    after: Sequence[tuple[float, int]] = ((NOISE, 400),),
    finished: float | None = None,
) -> tuple[Ending, int] | None:
    """Return how a turn ends, and how many hundredths of a second after speech of one second."""
    turn = EndOfTurn((options or TurnOptions()).rules())
    turn.understood(partial)
    for index, frame in enumerate(exact((VOICE, SPEECH), *after, duration=0.01), 1):
        if finished is not None and index == SPEECH + 21:
            turn.judged(finished)
        _, ending = turn.update(frame)
        if ending:
            return ending, index - SPEECH
    return None


@pytest.mark.parametrize(
    ("partial", "expected"),
    [
        (None, (Ending.SILENCE, 50)),
        (Partial(text="turn on the"), (Ending.SILENCE, 50)),
        (Partial(text="turn on the light", complete=True), (Ending.COMPLETE, 25)),
        (Partial(text="what's the weather", whole=True), (Ending.COMPLETE, 35)),
        (Partial(text="next", complete=True, whole=True), (Ending.COMPLETE, 25)),
        (Partial(text="Turn on the light."), (Ending.PUNCTUATION, 30)),
        (Partial(text="Is it on?"), (Ending.PUNCTUATION, 30)),
        (Partial(text="开灯。"), (Ending.PUNCTUATION, 30)),
        (Partial(text='He said "stop."'), (Ending.PUNCTUATION, 30)),
        (Partial(text="Turn on..."), (Ending.SILENCE, 50)),
        (Partial(text="Turn on…"), (Ending.SILENCE, 50)),
        (Partial(text="Turn on,"), (Ending.SILENCE, 50)),
        (Partial(text=""), (Ending.SILENCE, 50)),
    ],
)
def test_what_was_understood_shortens_the_silence(
    partial: Partial | None, expected: tuple[Ending, int]
) -> None:
    assert told(partial) == expected


def test_a_command_that_turns_out_to_go_on_is_not_cut_off() -> None:
    turn = end_of_turn()
    turn.understood(Partial(text="turn on the light", complete=True))
    frames = list(exact((VOICE, 100), (NOISE, 20), duration=0.01))
    assert run(frames, turn) is None
    turn.understood(Partial(text="turn on the light in the"))
    later = [
        VoiceFrame(probability=NOISE, duration=0.01, arrived=1.2 + index / 100)
        for index in range(1, 60)
    ]
    assert run(later, turn) == (Ending.SILENCE, 30)


@pytest.mark.parametrize(
    ("finished", "expected"),
    [(0.5, (Ending.FINISHED, 21)), (0.49, (Ending.SILENCE, 125)), (None, (Ending.SILENCE, 50))],
)
def test_a_turn_detection_model_ends_a_turn_or_makes_it_longer(
    finished: float | None, expected: tuple[Ending, int]
) -> None:
    assert told(None, finished=finished) == expected


def test_a_judgement_counts_only_for_the_silence_that_it_was_made_in() -> None:
    turn = EndOfTurn(TurnOptions().rules())
    frames = exact((VOICE, 100), (NOISE, 30), (VOICE, 20), (NOISE, 200), duration=0.01)
    for index, frame in enumerate(frames, 1):
        if index == 125:
            turn.judged(0.1)
        _, ending = turn.update(frame)
        if ending:
            assert (ending, index) == (Ending.SILENCE, 200)
            return
    raise AssertionError


def test_a_text_that_stays_the_same_while_a_voice_goes_on_ends_the_turn() -> None:
    assert told(Partial(text="pause"), after=[(VOICE, 400)]) == (Ending.STABLE, 50)
    assert told(None, after=[(VOICE, 400)]) is None
    assert told(Partial(text=""), after=[(VOICE, 400)]) is None


def test_a_text_that_grows_does_not_end_the_turn() -> None:
    turn = end_of_turn()
    for index, frame in enumerate(exact((VOICE, 600), duration=0.01)):
        turn.understood(Partial(text="on and " * (index // 140)))
        assert turn.update(frame)[1] is None


def test_a_turn_has_a_longest_length() -> None:
    options = TurnOptions(maximum=2)
    assert told(None, options=options, after=[(VOICE, 400)]) == (Ending.MAXIMUM, 109)
    assert run(exact((VOICE, 2890), (NOISE, 20), (VOICE, 200), duration=0.01)) == (
        Ending.MAXIMUM,
        3009,
    )


def loud(*stretches: tuple[float, float, int]) -> Iterator[VoiceFrame]:
    """Yield stretches of (probability, level in dB, frames of 10 ms)."""
    parts = ((value, decibels) for value, decibels, frames in stretches for _ in range(frames))
    for index, (value, decibels) in enumerate(parts, 1):
        yield VoiceFrame(probability=value, duration=0.01, arrived=index / 100, level=decibels)


def test_a_distant_voice_does_not_keep_the_turn_open() -> None:
    """A television is heard on and on, 20 dB below who speaks to the satellite."""
    result = run(loud((NOISE, -60, 50), (VOICE, -25, 150), (VOICE, -45, 800)))
    assert result is not None
    ending, count = result
    assert ending is Ending.LONG_SILENCE
    assert 280 <= count <= 300  # levels are smoothed over a tenth of a second


@pytest.mark.parametrize(
    "decibels",
    [-25, -35],  # as loud as before, and 10 dB lower
)
def test_a_speaker_who_goes_on_keeps_the_turn_open(decibels: float) -> None:
    assert run(loud((NOISE, -60, 50), (VOICE, -25, 150), (VOICE, decibels, 800))) is None


def test_levels_tell_nothing_where_the_noise_is_loud() -> None:
    assert run(loud((NOISE, -35, 50), (VOICE, -25, 150), (VOICE, -36, 800))) is None


def test_the_documented_defaults_are_those_in_force() -> None:
    """The table of docs/node.md names every option with its value for each sensitivity."""
    page = (Path(__file__).parents[2] / "docs" / "node.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", page, re.MULTILINE)
    documented = {name: tuple(map(float, values)) for name, *values in rows}
    assert documented == {
        option.name: tuple(
            getattr(SENSITIVITIES[name], option.name)
            for name in ("default", "relaxed", "aggressive")
        )
        for option in fields(TurnOptions)
    }
