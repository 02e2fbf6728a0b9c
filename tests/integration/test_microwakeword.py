"""microWakeWord with its real models on real recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.integration.recordings import data, read_wav, resident_mb
from tests.integration.wake_helpers import Recorder, clip, listen
from wyoming_units.engines.base import RATE, WakeSettings
from wyoming_units.engines.microwakeword import MicroWakeWordDetector
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord

pymicro_wakeword = pytest.importorskip("pymicro_wakeword")

WORDS = {
    "okay_nabu": "Okay Nabu",
    "hey_jarvis": "Hey Jarvis",
    "hey_mycroft": "Hey Mycroft",
    "alexa": "Alexa",
}
POSITIVE = {
    "mww_hey_jarvis_1": "hey_jarvis",
    "oww_hey_jarvis": "hey_jarvis",
    "mww_okay_nabu_1": "okay_nabu",
    "oww_okay_nabu": "okay_nabu",
}
ENDS = {
    "mww_hey_jarvis_1": 1.15,
    "oww_hey_jarvis": 1.15,
    "mww_okay_nabu_1": 2.92,
    "oww_okay_nabu": 1.51,
}
"""When the word of a recording ends, in seconds."""
NEAR_MISSES = (
    "hey_jane",
    "mww_computer_computer",
    "mww_computer_hey_peppa_pig",
    "oww_computer",
    "oww_hey_rhasspy",
    "oww_snowboy",
)


def loaded(words: Mapping[str, WakeSettings] | None = None) -> MicroWakeWordDetector:
    engine = MicroWakeWordDetector(words=words)
    engine.load()
    return engine


@pytest.fixture(scope="module")
def detector() -> Iterator[MicroWakeWordDetector]:
    engine = loaded()
    yield engine
    engine.close()


def test_it_offers_four_words_with_their_phrases() -> None:
    models = MicroWakeWordDetector().info.models
    assert {model.name: model.phrase for model in models} == WORDS
    assert all(model.languages for model in models)


@pytest.mark.parametrize(("name", "word"), POSITIVE.items())
def test_a_spoken_wake_word_is_heard_once_and_no_other(
    detector: MicroWakeWordDetector, name: str, word: str
) -> None:
    audio = clip(name)
    (wake,) = listen(detector, audio)
    assert wake.name == word
    assert wake.at == pytest.approx(ENDS[name], abs=0.2)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_other_words_are_not_heard(detector: MicroWakeWordDetector, name: str) -> None:
    assert not listen(detector, clip(name))


@pytest.mark.parametrize("folder", ["media/noise", "media/home/en", "media/en/librivox"])
def test_noise_commands_and_speech_are_not_heard(
    detector: MicroWakeWordDetector, folder: str
) -> None:
    clips = [read_wav(path) for path in sorted(data(folder).glob("*.wav"))]
    assert clips
    assert [wake for audio in clips for wake in listen(detector, audio)] == []


@pytest.mark.parametrize("name", ["mww_okay_nabu_1", "oww_hey_jarvis", "hey_jane"])
def test_scores_are_nearly_those_of_the_library(detector: MicroWakeWordDetector, name: str) -> None:
    """Nearly: XNNPACK rounds some 8-bit numbers to the neighbour."""
    audio = clip(name)
    features = pymicro_wakeword.MicroWakeWordFeatures()
    word = pymicro_wakeword.MicroWakeWord.from_builtin(pymicro_wakeword.Model("okay_nabu"))
    frames = features.process_streaming((audio * 32_768).astype(np.int16).tobytes())
    theirs = [word.process_streaming_prob(frame) for frame in frames]
    stream = detector.start(["okay_nabu"])
    recorder = stream._listeners[0]._trigger = Recorder()  # type: ignore[assignment]
    stream.feed(audio)
    ours = recorder.scores  # one per three frames, once there are five
    assert np.abs(np.subtract(ours, theirs[14::3][: len(ours)])).max() < 0.02
    assert len(ours) == len(theirs[14::3])


def test_only_the_words_asked_for_are_heard(detector: MicroWakeWordDetector) -> None:
    audio = clip("oww_hey_jarvis")
    assert not listen(detector, audio, ["okay_nabu", "alexa"])
    assert [wake.name for wake in listen(detector, audio, ["alexa", "hey_jarvis"])] == [
        "hey_jarvis"
    ]


@pytest.mark.parametrize("names", [["computer"], ["okay_nabu", "hey_siri"], [""]])
def test_an_unknown_word_is_refused_and_never_replaced(
    detector: MicroWakeWordDetector, names: list[str]
) -> None:
    with pytest.raises(UnknownWakeWord, match=repr(names[-1])):
        detector.start(names)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5_000))
def test_the_size_of_the_pieces_makes_no_difference(
    detector: MicroWakeWordDetector, step: int
) -> None:
    audio = clip("mww_okay_nabu_1")
    assert listen(detector, audio, step=step) == listen(detector, audio, step=len(audio))


def test_a_piece_of_nothing_is_harmless(detector: MicroWakeWordDetector) -> None:
    assert not detector.start([]).feed(np.zeros(0, np.float32))


def test_a_word_asked_for_twice_is_heard_once(detector: MicroWakeWordDetector) -> None:
    assert len(listen(detector, clip("oww_okay_nabu"), ["okay_nabu", "okay_nabu"])) == 1


def test_within_its_refractory_time_a_word_is_not_heard_again() -> None:
    audio = np.tile(clip("oww_okay_nabu"), 2)
    for refractory, times in ((1.5, 2), (5.0, 1)):
        engine = loaded({"okay_nabu": WakeSettings(refractory=refractory)})
        assert len(listen(engine, audio)) == times
        engine.close()


def test_a_threshold_and_a_trigger_level_are_those_of_their_word() -> None:
    audio = np.concatenate([clip("oww_okay_nabu"), clip("oww_hey_jarvis")])
    for words, expected in (
        ({"okay_nabu": WakeSettings(threshold=0.9999)}, ["hey_jarvis"]),
        ({"hey_jarvis": WakeSettings(trigger_level=60)}, ["okay_nabu"]),
        ({"hey_jarvis": WakeSettings(trigger_level=2)}, ["okay_nabu", "hey_jarvis"]),
    ):
        engine = loaded(words)
        assert [wake.name for wake in listen(engine, audio)] == expected
        engine.close()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadRequest, match="okay_nabu"):
        MicroWakeWordDetector(words={"okay_nabu": WakeSettings(threshold=1.0)})
    with pytest.raises(UnknownWakeWord, match="computer"):
        MicroWakeWordDetector(words={"computer": WakeSettings(threshold=0.4)})


def test_opening_and_closing_leaves_memory_as_it_is(detector: MicroWakeWordDetector) -> None:
    audio = clip("oww_okay_nabu")[: RATE // 4]
    for _ in range(20):
        listen(detector, audio)
    before = resident_mb()
    for _ in range(100):
        listen(detector, audio)
    assert resident_mb() - before < 2


def test_one_utterance_gives_one_detection_and_the_next_another(
    detector: MicroWakeWordDetector,
) -> None:
    audio = clip("oww_okay_nabu")
    pause = np.zeros(2 * RATE, np.float32)
    first, second = listen(detector, np.concatenate([audio, pause, audio]))
    assert first.name == second.name == "okay_nabu"
    assert second.at - first.at == pytest.approx((len(audio) + len(pause)) / RATE, abs=0.1)


def test_a_stream_knows_nothing_of_an_earlier_one(detector: MicroWakeWordDetector) -> None:
    """Neither half of a word is the word, unless the stream of the first half is remembered."""
    audio = clip("oww_hey_jarvis")
    (whole,) = listen(detector, audio)
    middle = round((whole.at - 0.25) * RATE)
    assert not listen(detector, audio[:middle])
    assert not listen(detector, audio[middle:])


def test_streams_in_many_threads_do_not_disturb_each_other(detector: MicroWakeWordDetector) -> None:
    names = [*POSITIVE, *NEAR_MISSES] * 2
    clips = [clip(name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda audio: [wake.name for wake in listen(detector, audio)], clips))
    assert found == [[POSITIVE[name]] if name in POSITIVE else [] for name in names]


def test_audio_out_of_range_is_clipped(detector: MicroWakeWordDetector) -> None:
    audio = clip("oww_okay_nabu")
    loud = audio * (1.5 / np.abs(audio).max())
    assert [wake.name for wake in listen(detector, loud)] == ["okay_nabu"]


def test_features_above_the_scale_of_the_model_are_clipped(detector: MicroWakeWordDetector) -> None:
    """A loud square wave gives 26.2; the scale ends at 26.0, and wrapped it would be the lowest."""
    stream = detector.start(["okay_nabu"])
    code = stream._listeners[0]._input_code
    stored = code.encode(np.array([0, 13, 26, 26.2, 30], np.float32))
    stream.close()
    assert stored.tolist() == [-128, 0, 127, 127, 127]


def test_closing_a_stream_twice_is_harmless(detector: MicroWakeWordDetector) -> None:
    stream = detector.start([])
    stream.close()
    stream.close()


def test_a_stream_outlives_the_detector() -> None:
    engine = loaded()
    stream = engine.start(["okay_nabu"])
    engine.close()
    assert [wake.name for wake in stream.feed(clip("oww_okay_nabu"))] == ["okay_nabu"]
    stream.close()


def test_it_loads_again_after_it_was_closed() -> None:
    engine = loaded()
    engine.close()
    with pytest.raises(EngineFailed):
        engine.start([])
    engine.load()
    assert [wake.name for wake in listen(engine, clip("oww_okay_nabu"))] == ["okay_nabu"]
    engine.close()
