"""Text to speech on a module: MeloTTS and SummerTTS, on each firmware."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.integration.stackflow_speech import Lab, lab, understood
from wyoming_units.engines.base import Audio, SynthesisRequest
from wyoming_units.errors import (
    BadRequest,
    Busy,
    Cancelled,
    EngineFailed,
    TimedOut,
    UnknownVoice,
)

MELO = ("stackflow-melotts", "melotts-en-us")
SUMMER = ("stackflow-tts", "single-speaker-english-fast")
VOICES = pytest.mark.parametrize("voice", [MELO, SUMMER], ids=["melotts", "tts"])


@pytest.fixture(params=["1.3", "dev"])
def module(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.param) as made:
        yield made


class Ear:
    """Takes what is emitted, so many pieces of it."""

    def __init__(self, most: float = math.inf) -> None:
        self.heard: list[Audio] = []
        self.most = most

    def __call__(self, piece: Audio) -> bool:
        self.heard.append(piece)
        return len(self.heard) < self.most


def spoken(engine: Any, text: str, **wanted: Any) -> list[Audio]:
    ear = Ear()
    engine.synthesize(SynthesisRequest(text=text, **wanted), ear)
    return ear.heard


def said(engine: Any, text: str, **wanted: Any) -> str:
    return understood(np.concatenate(spoken(engine, text, **wanted)))


def setups(module: Lab, unit: str) -> list[str]:
    return [message.data.replace(" ", "") for message in module.server.asked("setup", unit)]


@VOICES
def test_all_of_a_text_is_spoken(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    engine.load()
    for text, heard in (
        ("Hello.", "hello"),
        ("Hello", "hello"),
        ("The door, the lamp; both are on!", "the doorthe lampboth are on"),
        ("It is on. It is off", "it is onit is off"),
    ):
        assert said(engine, text) == heard


@VOICES
def test_no_sign_in_a_text_breaks_anything(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    assert said(engine, 'a{b}"c\\\n\td\\n e }') == "abc d n e"
    assert said(engine, "Wait... what?! Go.") == "waitwhatgo"


@VOICES
def test_what_has_no_words_is_not_sent(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    engine.load()
    for text in ("", "  \n", "...", "?! —"):
        assert not spoken(engine, text)
    assert not module.server.asked("inference", voice[0].partition("-")[2], timeout=0)


def test_each_fragment_is_given_on_while_the_next_is_made(module: Lab) -> None:
    engine = module.engine(*MELO)
    engine.load()
    module.server.faults.pace = 0.5
    arrived: list[float] = []

    def emit(_: Audio) -> bool:
        arrived.append(time.monotonic())
        return True

    engine.synthesize(SynthesisRequest(text="one, two."), emit)
    assert arrived[-1] - arrived[0] >= 0.4


def test_a_last_message_that_is_sent_twice_is_not_taken_for_the_next_text(module: Lab) -> None:
    engine = module.engine(*MELO)
    module.server.faults.extra_final = True
    assert [said(engine, text) for text in ("one.", "two", "three.")] == ["one", "two", "three"]


@VOICES
def test_nobody_listens_any_more(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    ear = Ear(1)
    engine.synthesize(SynthesisRequest(text="one, two, three, four."), ear)
    assert len(ear.heard) == 1
    assert said(engine, "next.") == "next"


@VOICES
def test_another_speed_is_another_setup(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    unit = voice[0].partition("-")[2]
    usual = sum(map(len, spoken(engine, "good morning")))
    faster = sum(map(len, spoken(engine, "good morning", speed=2.0)))
    spoken(engine, "good evening", speed=2.0)
    speeds = [
        float(one.partition('"spacker_speed":')[2].split(",")[0].strip("}"))
        for one in setups(module, unit)
    ]
    if voice == MELO:
        assert faster == pytest.approx(usual / 2, rel=0.05)
        assert speeds[1] == pytest.approx(2 * speeds[0])
    else:  # what this unit calls speed is how long a sound lasts
        assert speeds[1] == pytest.approx(speeds[0] / 2)
    assert len(speeds) == 2


def test_a_voice_speaks_at_the_rate_that_is_wished_for(module: Lab) -> None:
    usual, fine = module.engine(*MELO), module.engine(*MELO, rate=44_100)
    lengths = [
        sum(map(len, spoken(engine, "good morning"))) / engine.info.models[0].rate
        for engine in (usual, fine)
    ]
    assert (usual.info.models[0].rate, fine.info.models[0].rate) == (16_000, 44_100)
    assert lengths[0] == pytest.approx(lengths[1], rel=0.01)
    with pytest.raises(BadRequest):
        module.engine(*MELO, rate=100)


def test_two_voices_take_turns_on_a_module_that_has_room_for_one(module: Lab) -> None:
    english = module.engine(*MELO)
    chinese = module.engine("stackflow-melotts", "melotts-zh-cn")
    for _ in range(2):
        assert said(english, "hello") == "hello"
        assert said(chinese, "ni hao") == "ni hao"
    assert len(module.server.units["melotts"].tasks) == 1


@VOICES
def test_a_task_of_another_program_is_left_alone(module: Lab, voice: tuple[str, str]) -> None:
    module.server.faults.full(voice[0].partition("-")[2])
    engine = module.engine(*voice)
    engine.load()
    with pytest.raises(Busy):
        spoken(engine, "hello")
    assert not module.server.asked("exit", timeout=0)


@VOICES
def test_a_fragment_that_never_comes_is_an_error_and_the_next_text_is_right(
    module: Lab, voice: tuple[str, str]
) -> None:
    engine = module.engine(*voice, patience=0.1)
    engine.load()
    module.server.faults.silent = True
    with pytest.raises(TimedOut):
        spoken(engine, "ah")
    module.server.faults.silent = False
    assert said(engine, "next") == "next"


@VOICES
@pytest.mark.parametrize("code", [-11, -23])
def test_an_error_of_the_module_is_one_of_the_voice(
    module: Lab, voice: tuple[str, str], code: int
) -> None:
    engine = module.engine(*voice)
    engine.load()
    module.server.faults.error(code, voice[0].partition("-")[2])
    with pytest.raises(EngineFailed):
        spoken(engine, "hello")
    assert said(engine, "hello") == "hello"


@VOICES
def test_a_voice_can_be_interrupted(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    engine.load()
    module.server.faults.silent = True
    threads: queue.SimpleQueue[int] = queue.SimpleQueue()

    def call() -> None:
        threads.put(threading.get_ident())
        spoken(engine, "hello")

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call)
        assert module.server.asked("inference", voice[0].partition("-")[2])
        now = time.monotonic()
        engine.interrupt(threads.get())
        with pytest.raises(Cancelled):
            running.result(5)
    assert time.monotonic() - now < 0.1
    module.server.faults.silent = False
    assert said(engine, "again") == "again"


@VOICES
def test_only_this_voice_is_there(module: Lab, voice: tuple[str, str]) -> None:
    engine = module.engine(*voice)
    assert engine.voice(None, "en-GB").name == voice[1]
    for wanted in ({"voice": "other"}, {"language": "de"}, {"speaker": "other"}):
        with pytest.raises(UnknownVoice):
            spoken(engine, "hello", **wanted)


def test_the_name_of_a_voice_tells_its_region(module: Lab) -> None:
    names = ("melotts-en-br", "melotts-en-default", "melotts-zh-cn")
    told = [module.engine("stackflow-melotts", name).info.models[0].languages for name in names]
    assert told == [("en-GB", "en"), ("en",), ("zh-CN", "zh")]
