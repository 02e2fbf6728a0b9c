"""openWakeWord with its real models on real recordings, beside the library's own classes."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.integration.recordings import data, read_wav, resident_mb
from tests.integration.wake_helpers import STEP, Recorder, clip, listen, pieces
from wyoming_units.engines import openwakeword
from wyoming_units.engines._tflite import TfLite
from wyoming_units.engines.base import RATE, Audio, Wake, WakeSettings
from wyoming_units.engines.openwakeword import OpenWakeWordDetector
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord

pyopen_wakeword = pytest.importorskip("pyopen_wakeword")

WORDS = {
    "okay_nabu": "Okay Nabu",
    "hey_jarvis": "Hey Jarvis",
    "hey_mycroft": "Hey Mycroft",
    "hey_rhasspy": "Hey Rhasspy",
    "alexa": "Alexa",
}
POSITIVE = {
    "oww_hey_jarvis": ("hey_jarvis", 1.15),
    "oww_hey_rhasspy": ("hey_rhasspy", 1.15),
    "oww_okay_nabu": ("okay_nabu", 1.51),
}
"""Word of a recording, and when it ends."""
MISSED = ("mww_hey_jarvis_1", "mww_okay_nabu_1")
"""The library's models give these at most 0.2 and 0.001."""
NEAR_MISSES = (
    "hey_jane",
    "mww_computer_computer",
    "mww_computer_hey_peppa_pig",
    "oww_computer",
    "oww_snowboy",
)


def loaded(words: Mapping[str, WakeSettings] | None = None) -> OpenWakeWordDetector:
    engine = OpenWakeWordDetector(words=words)
    engine.load()
    return engine


@pytest.fixture(scope="module")
def detector() -> Iterator[OpenWakeWordDetector]:
    engine = loaded()
    yield engine
    engine.close()


def scores(engine: OpenWakeWordDetector, audio: Audio, step: int = STEP) -> dict[str, list[float]]:
    """Return what every word's classifier said, once per 80 ms."""
    stream = engine.start([])
    recorders = {name: Recorder() for name in WORDS}
    stream._triggers = recorders  # type: ignore[assignment]
    for piece in pieces(audio, step):
        stream.feed(piece)
    stream.close()
    return {name: recorder.scores for name, recorder in recorders.items()}


def reference(audio: Audio) -> dict[str, list[float]]:
    """Return what the library's own classes say, without what they say of their silence before."""
    features = pyopen_wakeword.OpenWakeWordFeatures.from_builtin()
    heads = {
        name: pyopen_wakeword.OpenWakeWord.from_builtin(pyopen_wakeword.Model(name))
        for name in WORDS
    }
    found: dict[str, list[float]] = {name: [] for name in WORDS}
    for piece in pieces((audio * 32_768).astype(np.int16), 1024):
        for embedding in features.process_streaming(piece.tobytes()):
            for name, head in heads.items():
                found[name] += head.process_streaming(embedding)
    steps = (len(audio) - 480) // 1280 + 1
    return {name: values[-steps:] for name, values in found.items()}


def largest_difference(
    ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]]
) -> float:
    assert {name: len(values) for name, values in ours.items()} == {
        name: len(values) for name, values in theirs.items()
    }
    return max(float(np.abs(np.subtract(ours[name], theirs[name])).max()) for name in theirs)


def test_it_offers_five_words_with_their_phrases() -> None:
    models = OpenWakeWordDetector().info.models
    assert {model.name: model.phrase for model in models} == WORDS
    assert all(model.languages == ("en",) for model in models)


@pytest.mark.parametrize("name", [*POSITIVE, *MISSED, "hey_jane"])
def test_scores_are_those_of_the_library(detector: OpenWakeWordDetector, name: str) -> None:
    audio = clip(name)
    assert largest_difference(scores(detector, audio), reference(audio)) < 1e-4


def test_scores_are_the_same_and_it_is_told_once_where_the_delegate_cannot_be_made(
    detector: OpenWakeWordDetector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def without(package: str) -> TfLite:
        tflite = TfLite(package)
        assert (
            tflite.delegate() is not None
        )  # else this would compare the plain kernels with themselves
        monkeypatch.setattr(tflite.lib, "TfLiteXNNPackDelegateCreate", lambda _: None)
        return tflite

    monkeypatch.setattr(openwakeword, "TfLite", without)
    with caplog.at_level(logging.WARNING):
        plain = loaded()
    audio = clip("oww_okay_nabu")
    assert largest_difference(scores(plain, audio), scores(detector, audio)) < 1e-4
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    plain.close()


@pytest.mark.parametrize("name", POSITIVE)
def test_a_spoken_wake_word_is_heard_once_and_no_other(
    detector: OpenWakeWordDetector, name: str
) -> None:
    word, end = POSITIVE[name]
    (wake,) = listen(detector, clip(name))
    assert wake.name == word
    assert wake.at == pytest.approx(end, abs=0.15)


@pytest.mark.parametrize("name", [*NEAR_MISSES, *MISSED])
def test_other_words_are_not_heard(detector: OpenWakeWordDetector, name: str) -> None:
    assert not listen(detector, clip(name))


@pytest.mark.parametrize(
    ("folder", "most"), [("media/noise", 0), ("media/home/en", 2), ("media/en/librivox", 0)]
)
def test_noise_commands_and_speech_are_hardly_ever_heard(
    detector: OpenWakeWordDetector, folder: str, most: int
) -> None:
    """In 55 s of commands the library's "alexa" hears a pause and a status, as with its own classes."""
    clips = [read_wav(path) for path in sorted(data(folder).glob("*.wav"))]
    assert clips
    heard = [wake.name for audio in clips for wake in listen(detector, audio)]
    assert len(heard) <= most
    assert set(heard) <= {"alexa"}


def test_only_the_words_asked_for_are_heard(detector: OpenWakeWordDetector) -> None:
    audio = clip("oww_hey_jarvis")
    assert not listen(detector, audio, ["okay_nabu", "alexa"])
    assert [wake.name for wake in listen(detector, audio, ["alexa", "hey_jarvis"])] == [
        "hey_jarvis"
    ]


def test_a_word_asked_for_twice_is_heard_once(detector: OpenWakeWordDetector) -> None:
    assert len(listen(detector, clip("oww_okay_nabu"), ["okay_nabu", "okay_nabu"])) == 1


@pytest.mark.parametrize("names", [["computer"], ["okay_nabu", "melspectrogram"], [""]])
def test_an_unknown_word_is_refused_and_never_replaced(
    detector: OpenWakeWordDetector, names: list[str]
) -> None:
    with pytest.raises(UnknownWakeWord, match=repr(names[-1])):
        detector.start(names)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5_000))
def test_the_size_of_the_pieces_makes_no_difference(
    detector: OpenWakeWordDetector, step: int
) -> None:
    audio = clip("oww_hey_rhasspy")
    assert listen(detector, audio, step=step) == listen(detector, audio, step=len(audio))


def test_a_piece_of_nothing_is_harmless(detector: OpenWakeWordDetector) -> None:
    assert not detector.start([]).feed(np.zeros(0, np.float32))


def test_one_utterance_gives_one_detection_and_the_next_another(
    detector: OpenWakeWordDetector,
) -> None:
    audio = clip("oww_okay_nabu")
    pause = np.zeros(2 * RATE, np.float32)
    first, second = listen(detector, np.concatenate([audio, pause, audio]))
    assert first.name == second.name == "okay_nabu"
    assert second.at - first.at == pytest.approx((len(audio) + len(pause)) / RATE, abs=0.1)


def test_within_its_refractory_time_a_word_is_not_heard_again() -> None:
    audio = np.tile(clip("oww_okay_nabu"), 2)
    for refractory, times in ((1.5, 2), (5.0, 1)):
        engine = loaded({"okay_nabu": WakeSettings(refractory=refractory)})
        assert len(listen(engine, audio)) == times
        engine.close()


def test_a_threshold_and_a_trigger_level_are_those_of_their_word(
    detector: OpenWakeWordDetector,
) -> None:
    names = ("oww_okay_nabu", "oww_hey_jarvis")
    audio = np.concatenate([clip(name) for name in names])
    heard = scores(detector, audio)
    assert max(heard["okay_nabu"]) < 0.99 < max(heard["hey_jarvis"])
    for words, expected in (
        ({"okay_nabu": WakeSettings(threshold=0.99)}, ["hey_jarvis"]),
        ({"hey_jarvis": WakeSettings(trigger_level=30)}, ["okay_nabu"]),
        ({"hey_jarvis": WakeSettings(threshold=0.99)}, ["okay_nabu", "hey_jarvis"]),
    ):
        engine = loaded(words)
        assert [wake.name for wake in listen(engine, audio)] == expected
        engine.close()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadRequest, match="okay_nabu"):
        OpenWakeWordDetector(words={"okay_nabu": WakeSettings(trigger_level=0)})
    with pytest.raises(UnknownWakeWord, match="computer"):
        OpenWakeWordDetector(words={"computer": WakeSettings(threshold=0.4)})


def test_a_stream_after_others_starts_where_the_first_did(detector: OpenWakeWordDetector) -> None:
    first = scores(loaded(), clip("oww_okay_nabu"))
    listen(detector, clip("oww_hey_jarvis"))
    assert scores(detector, clip("oww_okay_nabu")) == first


def test_streams_in_turns_know_nothing_of_each_other(detector: OpenWakeWordDetector) -> None:
    streams = {name: detector.start([]) for name in POSITIVE}
    audio = {name: list(pieces(clip(name), 1000)) for name in POSITIVE}
    found: dict[str, list[Wake]] = {name: [] for name in POSITIVE}
    for turn in range(max(map(len, audio.values()))):
        for name, stream in streams.items():
            for piece in audio[name][turn : turn + 1]:
                found[name] += stream.feed(piece)
    assert found == {name: listen(detector, clip(name)) for name in POSITIVE}


def test_streams_in_many_threads_do_not_disturb_each_other(detector: OpenWakeWordDetector) -> None:
    names = [*POSITIVE, *NEAR_MISSES] * 2
    clips = [clip(name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda audio: [wake.name for wake in listen(detector, audio)], clips))
    assert found == [[POSITIVE[name][0]] if name in POSITIVE else [] for name in names]


def test_opening_a_stream_computes_nothing_and_takes_little_memory(
    detector: OpenWakeWordDetector,
) -> None:
    detector.start([])
    tracemalloc.start()
    streams = [detector.start(["okay_nabu"]) for _ in range(50)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(streams) < 40_000
    assert len(detector._pool._idle) <= 4  # type: ignore[union-attr]


def test_opening_and_closing_leaves_memory_as_it_is(detector: OpenWakeWordDetector) -> None:
    audio = clip("oww_okay_nabu")
    for _ in range(5):
        listen(detector, audio[:RATE])
    before = resident_mb()
    for _ in range(100):
        listen(detector, audio[: RATE // 4])
    assert resident_mb() - before < 2


def test_a_closed_stream_hears_nothing_and_closes_twice(detector: OpenWakeWordDetector) -> None:
    stream = detector.start([])
    stream.close()
    stream.close()
    assert not stream.feed(clip("oww_okay_nabu"))


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
