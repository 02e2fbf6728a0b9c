"""End of turn on virtual time: frames with the moment at which they arrived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from wyoming_units.speech.endpoint import (
    SENSITIVITIES,
    Ending,
    EndOfTurn,
    NoSpeechRule,
    SilenceRule,
    TurnOptions,
)
from wyoming_units.speech.level import Levels, level
from wyoming_units.speech.turn import Partial, Stretch, VoiceFrame

FRAME = 0.032
VOICE, NOISE, CLICK = 0.95, 0.03, 0.8


def end_of_turn(sensitivity: str = "default") -> EndOfTurn:
    return EndOfTurn(SENSITIVITIES[sensitivity].rules())


def silence_of(seconds: float) -> EndOfTurn:
    """Return a turn that only a silence can end."""
    return EndOfTurn([SilenceRule(seconds, hesitation=9)])


def probabilities(*stretches: tuple[float, float]) -> list[float]:
    """Return a probability per frame for stretches of (probability, seconds)."""
    return [value for value, seconds in stretches for _ in range(round(seconds / FRAME))]


def live(values: Iterable[float], start: float = 100.0) -> Iterator[VoiceFrame]:
    """Yield frames that arrive as they are spoken."""
    for index, value in enumerate(values, 1):
        yield VoiceFrame(probability=value, duration=FRAME, arrived=start + index * FRAME)


def burst(values: Iterable[float], start: float = 100.0) -> Iterator[VoiceFrame]:
    """Yield frames that arrive all at once, as those of a file do."""
    for value in values:
        yield VoiceFrame(probability=value, duration=FRAME, arrived=start)


def run(frames: Iterable[VoiceFrame], turn: EndOfTurn | None = None) -> tuple[Ending, int] | None:
    """Return how the turn ended and after how many frames, None if it did not."""
    turn = turn or end_of_turn()
    for count, frame in enumerate(frames, 1):
        _, ending = turn.update(frame)
        if ending:
            return ending, count
    return None


def ended_at(frames: Iterable[VoiceFrame], turn: EndOfTurn | None = None) -> float:
    """Return the seconds of audio after which the turn ended by silence."""
    result = run(frames, turn)
    assert result is not None
    ending, count = result
    assert ending is Ending.SILENCE
    return count * FRAME


@pytest.mark.parametrize(
    ("sensitivity", "silence"),
    [
        ("default", 0.5),
        ("aggressive", 0.25),
        ("relaxed", 1.25),
    ],
)
def test_a_turn_ends_once_the_speaker_was_silent_for_long_enough(
    sensitivity: str, silence: float
) -> None:
    speech = len(probabilities((NOISE, 0.5), (VOICE, 1.5))) * FRAME
    values = probabilities((NOISE, 0.5), (VOICE, 1.5), (NOISE, 3))
    end = ended_at(live(values), end_of_turn(sensitivity))
    assert speech + silence <= end + 1e-6
    assert end < speech + silence + FRAME


def test_nobody_speaking_for_five_seconds_ends_the_turn_without_speech() -> None:
    result = run(live(probabilities((NOISE, 8))))
    assert result is not None
    ending, count = result
    assert ending is Ending.NO_SPEECH
    assert 5 <= count * FRAME <= 5 + 2 * FRAME


def test_a_late_speaker_is_not_cut_off() -> None:
    values = probabilities((NOISE, 4.5), (VOICE, 2), (NOISE, 2))
    assert ended_at(live(values)) > 6.5


def test_a_pause_between_words_does_not_end_the_turn() -> None:
    values = probabilities((VOICE, 0.6), (NOISE, 0.4), (VOICE, 0.6), (NOISE, 2))
    assert ended_at(live(values)) > 1.6


def test_a_voice_that_fades_counts_until_it_is_below_the_lower_threshold() -> None:
    values = probabilities((VOICE, 0.5), (0.4, 2), (NOISE, 1))
    assert ended_at(live(values)) > 2.5


def test_a_weak_voice_alone_does_not_begin_speech() -> None:
    result = run(live(probabilities((0.4, 8))))
    assert result is not None
    assert result[0] is Ending.NO_SPEECH


@pytest.mark.parametrize("frames", [1, 2])
def test_clicks_are_no_speech(frames: int) -> None:
    values = (probabilities((NOISE, 0.5)) + [CLICK] * frames) * 20
    result = run(live(values))
    assert result is not None
    assert result[0] is Ending.NO_SPEECH


def test_three_frames_of_voice_are_speech() -> None:
    """Short commands such as "pause" give no more."""
    values = probabilities((NOISE, 1)) + [CLICK] * 3 + probabilities((NOISE, 3))
    assert ended_at(live(values)) < 2


def test_a_click_in_the_silence_does_not_begin_it_anew() -> None:
    quiet = probabilities((VOICE, 1), (NOISE, 2))
    clicked = list(quiet)
    position = round(1.2 / FRAME)
    clicked[position] = CLICK
    assert ended_at(live(clicked)) == ended_at(live(quiet))


def test_the_turn_does_not_end_while_a_voice_begins_again() -> None:
    turn = silence_of(0.5)
    values = probabilities((VOICE, 1), (NOISE, 0.48)) + [VOICE] * 3 + probabilities((NOISE, 1))
    assert ended_at(live(values), turn) > 1.9


def exact(*stretches: tuple[float, int], duration: float, pace: float = 1) -> Iterator[VoiceFrame]:
    """Yield stretches of (probability, frames) in frames of a duration, sent `pace` times as fast as spoken."""
    values = [value for value, frames in stretches for _ in range(frames)]
    for index, value in enumerate(values, 1):
        yield VoiceFrame(probability=value, duration=duration, arrived=index * duration / pace)


@pytest.mark.parametrize(
    ("sensitivity", "silence"), [("aggressive", 25), ("default", 50), ("relaxed", 125)]
)
def test_the_silence_that_ends_a_turn_is_exact_to_a_hundredth_of_a_second(
    sensitivity: str, silence: int
) -> None:
    frames = exact((VOICE, 100), (NOISE, 200), duration=0.01)
    assert run(frames, end_of_turn(sensitivity)) == (Ending.SILENCE, 100 + silence)


def test_the_wait_for_speech_is_exact_to_a_hundredth_of_a_second() -> None:
    frames = exact((NOISE, 1000), duration=0.01)
    assert run(frames) == (Ending.NO_SPEECH, 500)


@pytest.mark.parametrize(("probability", "spoken"), [(0.49, False), (0.5, True)])
def test_a_voice_begins_at_a_probability_of_a_half(probability: float, spoken: bool) -> None:
    frames = exact((NOISE, 10), (probability, 30), (NOISE, 800), duration=0.01)
    expected = (Ending.SILENCE, 90) if spoken else (Ending.NO_SPEECH, 500)
    assert run(frames) == expected


@pytest.mark.parametrize(("probability", "lasting"), [(0.34, False), (0.35, True)])
def test_a_voice_lasts_down_to_a_probability_of_35_percent(
    probability: float, lasting: bool
) -> None:
    frames = exact((VOICE, 30), (probability, 30), (NOISE, 800), duration=0.01)
    assert run(frames) == (Ending.SILENCE, 100 if lasting else 80)


@pytest.mark.parametrize(("fading", "end"), [(5, 130), (10, 130), (11, 131), (60, 180)])
def test_a_tenth_of_a_second_of_fading_is_silence_once_the_voice_has_gone(
    fading: int, end: int
) -> None:
    frames = exact((VOICE, 80), (0.4, fading), (NOISE, 200), duration=0.01)
    assert run(frames, silence_of(0.5)) == (Ending.SILENCE, end)


@pytest.mark.parametrize(("voice", "spoken"), [(29, False), (30, True)])
def test_the_rest_of_a_wake_word_is_not_taken_for_a_command(voice: int, spoken: bool) -> None:
    frames = list(exact((VOICE, voice), (NOISE, 90), (VOICE, 100), (NOISE, 100), duration=0.01))
    assert run(frames) == (Ending.SILENCE, voice + 50 if spoken else voice + 240)
    alone = exact((VOICE, voice), (NOISE, 600), duration=0.01)
    assert run(alone) == (
        (Ending.SILENCE, voice + 50) if spoken else (Ending.NO_SPEECH, voice + 500)
    )


def test_a_voice_that_becomes_sure_again_has_not_faded() -> None:
    frames = exact((VOICE, 80), (0.4, 10), (VOICE, 1), (NOISE, 200), duration=0.01)
    assert run(frames, silence_of(0.5)) == (Ending.SILENCE, 141)


@pytest.mark.parametrize(("frames", "spoken"), [(44, False), (45, True)])
def test_a_voice_is_speech_from_90_milliseconds_on(frames: int, spoken: bool) -> None:
    values = exact((NOISE, 500), (VOICE, frames), (NOISE, 100), duration=0.002)
    expected = (Ending.SILENCE, 500 + frames + 50) if spoken else None
    assert run(values, silence_of(0.1)) == expected


@pytest.mark.parametrize(("pace", "cut"), [(1.95, True), (2, True), (2.05, False)])
def test_a_silence_sent_at_up_to_twice_the_speed_of_speech_was_lived(
    pace: float, cut: bool
) -> None:
    frames = exact((VOICE, 8), (NOISE, 40), duration=0.125, pace=pace)
    assert run(frames) == ((Ending.SILENCE, 12) if cut else None)


def test_a_silence_of_exactly_the_wanted_length_ends_the_turn() -> None:
    frames = exact((VOICE, 8), (NOISE, 40), duration=0.125)
    assert run(frames, silence_of(0.5)) == (Ending.SILENCE, 12)


def test_who_has_spoken_is_not_told_that_nobody_spoke() -> None:
    values = probabilities((VOICE, 1), (NOISE, 8))
    assert run(live(values), EndOfTurn([NoSpeechRule(5)])) is None


def test_a_voice_that_begins_when_the_wait_for_speech_is_over_is_not_cut_off() -> None:
    frames = exact((NOISE, 497), (VOICE, 100), (NOISE, 100), duration=0.01)
    assert run(frames) == (Ending.SILENCE, 647)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([VOICE, NOISE, CLICK, 0.4]), st.floats(0.1, 8)), max_size=8),
    st.floats(2.1, 50),
)
def test_audio_sent_more_than_twice_as_fast_as_it_was_spoken_is_never_cut(
    stretches: list[tuple[float, float]], pace: float
) -> None:
    frames = (
        VoiceFrame(probability=value, duration=FRAME, arrived=index * FRAME / pace)
        for index, value in enumerate(probabilities(*stretches), 1)
    )
    assert run(frames) is None


def test_a_file_in_one_piece_is_never_cut() -> None:
    assert run(burst(probabilities((NOISE, 20), (VOICE, 1), (NOISE, 20)))) is None


def test_a_pre_roll_that_comes_at_once_is_followed_by_a_normal_end() -> None:
    """A satellite sends what was said while it connected, then live audio."""
    head = list(burst(probabilities((NOISE, 0.5), (VOICE, 1)), start=10))
    tail = list(live(probabilities((VOICE, 0.5), (NOISE, 2)), start=10))
    end = ended_at([*head, *tail])
    speech = (len(head) + round(0.5 / FRAME)) * FRAME
    assert speech + 0.5 <= end + 1e-6 < speech + 0.5 + FRAME


def test_a_silence_that_was_only_partly_lived_ends_the_turn_a_little_later() -> None:
    head = list(burst(probabilities((VOICE, 1), (NOISE, 1.5)), start=10))
    assert run(head) is None
    end = ended_at([*head, *live(probabilities((NOISE, 2)), start=10)])
    lived = end - len(head) * FRAME
    assert 0.25 <= lived <= 0.5


def test_no_speech_after_a_pre_roll_is_noticed_too() -> None:
    head = list(burst(probabilities((NOISE, 3)), start=10))
    result = run([*head, *live(probabilities((NOISE, 5)), start=10)])
    assert result is not None
    assert result[0] is Ending.NO_SPEECH


@settings(deadline=None)
@given(st.lists(st.floats(0, 0.2), min_size=200, max_size=200))
def test_jitter_of_the_network_hardly_moves_the_end(delays: list[float]) -> None:
    values = probabilities((VOICE, 1), (NOISE, 4))
    moments: list[float] = []
    for index, _ in enumerate(values):
        moments.append(max([*moments[-1:], index * FRAME + delays[index % 200]]))
    frames = [
        VoiceFrame(probability=value, duration=FRAME, arrived=moment)
        for value, moment in zip(values, moments, strict=True)
    ]
    assert ended_at(frames) <= ended_at(live(values)) + 0.1


def test_a_stall_that_ends_in_a_burst_was_lived() -> None:
    values = probabilities((VOICE, 1))
    spoken = list(live(values, start=0))
    late = list(burst(probabilities((NOISE, 1)), start=2))
    assert ended_at([*spoken, *late]) < 1 + 0.5 + 2 * FRAME


@pytest.mark.parametrize("chunk", [0.064, 0.256, 0.5])
def test_frames_of_one_chunk_may_arrive_together(chunk: float) -> None:
    values = probabilities((VOICE, 1), (NOISE, 3))
    frames = [
        VoiceFrame(
            probability=frame.probability,
            duration=FRAME,
            arrived=-(-frame.arrived // chunk) * chunk,
        )
        for frame in live(values, start=0)
    ]
    assert ended_at(frames) <= 1 + 0.5 + chunk


@settings(deadline=None)
@given(st.floats(0.4, 4), st.floats(0.1, 10), st.sampled_from(["aggressive", "default", "relaxed"]))
def test_live_speech_always_ends_at_its_end_plus_the_silence(
    before: float, speech: float, sensitivity: str
) -> None:
    head = probabilities((NOISE, before), (VOICE, max(speech, 4 * FRAME)))
    silence = {"aggressive": 0.25, "default": 0.5, "relaxed": 1.25}[sensitivity]
    values = head + probabilities((NOISE, 3))
    end = ended_at(live(values), end_of_turn(sensitivity)) - len(head) * FRAME
    assert silence - 1e-6 <= end < silence + FRAME


def test_quiet_that_was_not_lived_has_not_lasted() -> None:
    quiet = Stretch(arrived=5)
    for frame in burst([NOISE] * 100, start=5):
        quiet.add(frame.duration, frame.arrived)
    assert not quiet.lasted(0.1)


# -- rules that know what was said, in hundredths of a second

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


def test_the_noise_is_measured_without_calibration() -> None:
    levels = Levels()
    for _ in range(100):
        levels.add(-50, 0.01, speech=False)
    assert levels.floor == pytest.approx(-50)
    for _ in range(100):
        levels.add(-20, 0.01, speech=True)
    assert levels.floor == pytest.approx(-47)  # 3 dB a second upwards
    assert levels.speaker == pytest.approx(-20, abs=3)
    for _ in range(50):
        levels.add(-65, 0.01, speech=False)
    assert levels.floor == pytest.approx(-65, abs=1)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(np.ones(100), 0), (np.full(100, 0.1), -20), (np.zeros(100), -90), (np.zeros(0), -90)],
)
def test_levels_are_in_decibels_of_full_scale(samples: NDArray[Any], expected: float) -> None:
    assert level(samples.astype(np.float32)) == pytest.approx(expected, abs=0.01)


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


def heard(*stretches: tuple[float, float, bool]) -> Levels:
    """Return the levels after stretches of (level in dB, seconds, whether it is speech)."""
    levels = Levels()
    for decibels, seconds, speech in stretches:
        for _ in range(round(seconds * 1000)):
            levels.add(decibels, 0.001, speech=speech)
    return levels


@pytest.mark.parametrize(("decibels", "far"), [(-34.9, False), (-35.1, True)])
def test_far_is_15_decibels_below_the_speaker(decibels: float, far: bool) -> None:
    assert heard((-60, 1, False), (-20, 3, True), (decibels, 2, False)).far is far


@pytest.mark.parametrize(("decibels", "far"), [(-21.1, True), (-20.9, False)])
def test_what_is_less_than_6_decibels_above_the_noise_is_far_too(
    decibels: float, far: bool
) -> None:
    """In a loud room, where the noise is at -27 in the end: it rises by 3 dB in a second at most."""
    before = ((-33.0, 1.0, False), (-10.0, 1.0, True), (-30.0, 1.0, False))
    assert heard(*before, (decibels, 1, False)).far is far


@pytest.mark.parametrize(("decibels", "far"), [(-31.9, False), (-32.1, True)])
def test_levels_count_from_a_contrast_of_12_decibels_on(decibels: float, far: bool) -> None:
    levels = heard((decibels - 9, 1, False), (-20, 3, True), (decibels, 1, False))
    assert levels.floor == pytest.approx(decibels, abs=0.01)
    assert levels.far is far


def test_levels_are_smoothed_over_a_tenth_of_a_second() -> None:
    levels = heard((-60, 1, False))
    levels.add(-20, 0.05, speech=False)
    assert levels._now == pytest.approx(-40)
    levels.add(-20, 0.1, speech=False)
    assert levels._now == pytest.approx(-20)


def test_the_speaker_is_followed_up_in_a_fifth_of_a_second_and_down_in_five() -> None:
    levels = heard((-30, 1, True))
    levels.add(-20, 0.1, speech=True)
    assert levels.speaker == pytest.approx(-25)
    levels.add(-25 - 6, 0.1, speech=True)
    assert levels.speaker == pytest.approx(-25 - 6 * 0.1 / 5)
