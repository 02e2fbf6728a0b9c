"""End of turn on virtual time: what is speech, what is silence, and what of it was lived."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.speech.endpoint import (
    Ending,
    EndOfTurn,
    NoSpeechRule,
)
from wyoming_units.speech.turn import Stretch, VoiceFrame

from .turns import (
    CLICK,
    FRAME,
    NOISE,
    VOICE,
    burst,
    end_of_turn,
    ended_at,
    exact,
    live,
    probabilities,
    run,
    silence_of,
)


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
