"""Wake words and voice detection on a module, on each firmware that has them."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.integration.stackflow_speech import (
    CHINESE_WORDS,
    ENGLISH_WORDS,
    SILENCE,
    Lab,
    lab,
    spoken,
)
from wyoming_units.engines import stackflow_kws
from wyoming_units.engines.base import RATE, Audio, Wake, WakeSettings
from wyoming_units.errors import BadRequest, Busy, EngineFailed, UnknownWakeWord

KWS = "stackflow-kws"
TWO = {"hey computer": WakeSettings(), "Jarvis": WakeSettings()}


@pytest.fixture(params=["1.3", "dev"])
def module(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.param) as made:
        yield made


def in_room(*texts: str, apart: float = 1.0) -> Audio:
    """Return texts in tones with so many seconds of silence around each."""
    silence = np.zeros(int(apart * RATE), np.float32)
    return np.concatenate([silence, *(part for text in texts for part in (spoken(text), silence))])


def heard(engine: Any, audio: Audio, *names: str) -> list[Wake]:
    stream = engine.start(names)
    found = [
        wake
        for start in range(0, len(audio), 1280)
        for wake in stream.feed(audio[start : start + 1280])
    ]
    stream.close()
    return found


def feed_on(stream: Any) -> None:
    for _ in range(20):
        stream.feed(SILENCE)


def setups(module: Lab, unit: str = "kws") -> list[dict[str, Any]]:
    return [json.loads(message.data) for message in module.server.asked("setup", unit)]


def test_a_word_is_heard_where_it_ends(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS, words={"hey computer": WakeSettings()})
    engine.load()
    (wake,) = heard(engine, in_room("hey computer"))
    assert wake.name == "hey computer"
    assert wake.at == pytest.approx(1.72, abs=0.25)


def test_words_are_told_apart(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS, words=TWO)
    found = heard(engine, in_room("jarvis", "good morning", "hey computer", apart=0.3))
    assert [wake.name for wake in found] == ["Jarvis", "hey computer"]
    assert [model.name for model in engine.info.models] == ["hey computer", "Jarvis"]


def test_only_the_words_that_are_asked_for_are_heard(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS, words=TWO)
    audio = in_room("hey computer", "jarvis", "alexa", apart=0.3)
    assert [wake.name for wake in heard(engine, audio, "Jarvis")] == ["Jarvis"]
    assert [wake.name for wake in heard(engine, audio, "alexa")] == ["alexa"]


def test_a_word_is_heard_in_live_audio_some_time_after_it(
    module: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stackflow_kws, "_AHEAD", math.inf)  # nothing is waited for
    engine = module.engine(KWS, ENGLISH_WORDS)
    stream = engine.start([])
    found = list(stream.feed(in_room("hello")))
    until = time.monotonic() + 5
    while not found and time.monotonic() < until:
        found += stream.feed(np.zeros(16, np.float32))
    stream.close()
    assert [wake.name for wake in found] == ["hello"]


def test_an_echo_is_no_second_detection(module: Lab) -> None:
    audio = in_room("jarvis", "jarvis", apart=0.3)
    for refractory, times in ((5.0, 1), (0.2, 2)):
        words = {"jarvis": WakeSettings(refractory=refractory)}
        assert len(heard(module.engine(KWS, ENGLISH_WORDS, words=words), audio)) == times


def test_one_stream_at_a_time(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS)
    stream = engine.start([])
    with pytest.raises(Busy):
        engine.start([])
    stream.close()
    stream.close()
    assert len(heard(engine, in_room("hello"))) == 1


def test_the_module_is_told_what_it_can_spell_and_makes_no_noise(module: Lab) -> None:
    words = {"okay, house!": WakeSettings(threshold=0.4)}
    module.engine(KWS, ENGLISH_WORDS, words=words, boost=1.5).load()
    (setup,) = setups(module)
    assert setup["kws"] == "OKAY HOUSE"
    assert setup["keywords_threshold"] == 0.4
    assert setup["keywords_score"] == 1.5
    assert setup["enwake_audio"] is False
    chinese = module.engine(KWS, CHINESE_WORDS)
    chinese.load()
    assert setups(module)[-1]["kws"] == "你好你好"
    assert chinese.info.models[0].languages == ("zh",)


def test_settings_that_a_module_cannot_have_are_refused(module: Lab) -> None:
    for words in (
        {"one": WakeSettings(threshold=0.2), "two": WakeSettings(threshold=0.3)},
        {"one": WakeSettings(threshold=2.0)},
        {"one": WakeSettings(trigger_level=3)},
    ):
        with pytest.raises(BadRequest):
            module.engine(KWS, ENGLISH_WORDS, words=words)
    with pytest.raises(UnknownWakeWord):
        module.engine(KWS, ENGLISH_WORDS, words={"!?": WakeSettings()})


def test_the_network_of_the_npu_gets_the_frames_that_it_takes() -> None:
    with lab("main") as module:
        engine = module.engine(KWS, "kws")
        found = heard(engine, in_room("hi m5"))
        sent = module.server.asked("inference", "kws")
        assert [wake.name for wake in found] == ["hi_m5"]
        assert {len(base64.b64decode(message.data)) for message in sent} == {2 * 5_120}
        with pytest.raises(UnknownWakeWord):
            engine.start(["alexa"])
        with pytest.raises(UnknownWakeWord):
            module.engine(KWS, "kws", words={"alexa": WakeSettings()})


def test_a_module_that_goes_away_ends_the_stream_but_not_the_next(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS)
    stream = engine.start([])
    stream.feed(SILENCE)
    module.server.faults.restart(0.2).result(5)
    with pytest.raises(EngineFailed):
        feed_on(stream)
    stream.close()
    assert len(heard(engine, in_room("hello"))) == 1


def test_an_error_of_the_module_ends_a_stream(module: Lab) -> None:
    engine = module.engine(KWS, ENGLISH_WORDS)
    stream = engine.start([])
    module.server.faults.error(-11, "kws")
    with pytest.raises(EngineFailed):
        feed_on(stream)
    stream.close()


# -- voice


@pytest.fixture(params=["1.4", "dev"])
def voice(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.param) as made:
        yield made


def becomes(stream: Any, wanted: float) -> bool:
    """Feed nothing but a frame now and then until one is judged as wanted."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if stream.feed(np.zeros(512, np.float32))[-1] == wanted:
            return True
        time.sleep(0.005)  # what the module says is on its way
    return False


def test_speech_begins_and_ends(voice: Lab) -> None:
    engine = voice.engine("stackflow-vad", "silero-vad")
    engine.load()
    stream = engine.start()
    assert set(stream.feed(SILENCE)) == {0.0}
    stream.feed(np.tile(spoken("a"), 10))
    assert becomes(stream, 1.0)
    assert becomes(stream, 0.0)
    stream.close()


def test_each_frame_is_judged_once(voice: Lab) -> None:
    stream = voice.engine("stackflow-vad", "silero-vad").start()
    assert [len(stream.feed(np.zeros(size, np.float32))) for size in (100, 411, 1, 1600)] == [
        0,
        0,
        1,
        3,
    ]
    stream.close()


def test_the_module_is_as_quick_as_our_rules(voice: Lab) -> None:
    voice.engine("stackflow-vad", "silero-vad").load()
    (setup,) = setups(voice, "vad")
    assert setup["silero_vad.min_silence_duration"] <= 0.1


def test_the_voices_of_two_streams_are_not_mixed(voice: Lab) -> None:
    engine = voice.engine("stackflow-vad", "silero-vad")
    first = engine.start()
    with pytest.raises(Busy):
        engine.start()
    first.feed(np.tile(spoken("a"), 10))
    assert becomes(first, 1.0)
    first.close()
    second = engine.start()
    assert set(second.feed(np.zeros(5 * 512, np.float32))) == {0.0}
    second.close()
