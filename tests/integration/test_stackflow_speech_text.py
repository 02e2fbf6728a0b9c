"""Speech to text on a module: whisper, streaming Zipformers and SenseVoice, on each firmware that has them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.integration.stackflow_speech import (
    SENSE_VOICE,
    SILENCE,
    ZIPFORMER,
    Lab,
    deaf,
    lab,
    spoken,
)
from tests.stackflow_server import Minds, hear_tones
from wyoming_units.engines.base import RATE, Audio, RecognitionRequest
from wyoming_units.errors import Busy, Cancelled, EngineFailed, TimedOut, UnknownModel

LIGHT = "turn on the light"
ENGLISH = RecognitionRequest(language="en")
GERMAN = RecognitionRequest(language="de")


@pytest.fixture(params=["1.4", "dev"])
def module(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.param) as made:
        yield made


@pytest.fixture(params=["main", "dev"])
def new_module(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.param) as made:
        yield made


def whisper(module: Lab, **options: Any) -> Any:
    return module.engine("stackflow-whisper", "whisper-base", **options)


def streaming(module: Lab, **options: Any) -> Any:
    return module.engine("stackflow-asr", ZIPFORMER, **options)


def says(text: str, lengths: list[int] | None = None) -> Minds:
    """Return what hears the same in everything, and how many samples each time."""

    def hear(samples: Any, language: str) -> str:
        if lengths is not None:
            lengths.append(len(samples))
        return text

    return Minds(hear=hear)


def setups(module: Lab, unit: str) -> list[str]:
    return [message.data for message in module.server.asked("setup", unit)]


def interrupted(engine: Any, call: Callable[[], object], begun: Callable[[], object]) -> float:
    """Interrupt a call that has begun; return the seconds until it ended."""
    threads: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work() -> None:
        threads.put(threading.get_ident())
        call()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        assert begun()
        now = time.monotonic()
        engine.interrupt(threads.get())
        with pytest.raises(Cancelled):
            running.result(5)
        return time.monotonic() - now


# -- whisper


def test_whisper_writes_what_is_said(module: Lab) -> None:
    found = whisper(module).recognize(spoken(LIGHT), ENGLISH)
    assert (found.text, found.language) == (LIGHT, "en")


def test_only_the_stop_that_the_module_adds_is_taken_away() -> None:
    with lab(minds=says("It is on.")) as module:
        assert whisper(module).recognize(spoken(LIGHT), ENGLISH).text == "It is on."


def test_whisper_is_set_up_again_only_for_another_language(module: Lab) -> None:
    engine = whisper(module)
    engine.load()
    for request in (
        ENGLISH,
        RecognitionRequest(),
        GERMAN,
        GERMAN,
        RecognitionRequest(language="nb-NO"),
    ):
        assert engine.recognize(spoken(LIGHT), request).text == LIGHT
    assert ['"en"' in one or '"de"' in one for one in setups(module, "whisper")] == [
        True,
        True,
        False,
    ]
    assert '"no"' in setups(module, "whisper")[-1]
    assert len(module.server.units["whisper"].tasks) == 1


def test_no_answer_is_an_empty_text_where_the_module_answers_only_to_words() -> None:
    with lab(minds=deaf()) as module:
        engine = whisper(module, patience=0.2)
        assert engine.recognize(spoken("hm"), GERMAN).text == ""
        assert engine.recognize(spoken("hm"), ENGLISH).text == ""


def test_no_answer_is_an_error_where_the_module_always_answers(module: Lab) -> None:
    module.server.faults.silent = True
    with pytest.raises(TimedOut):
        whisper(module, patience=0.1).recognize(spoken("hm"), ENGLISH)


def test_what_comes_after_an_empty_text_is_not_the_text_of_before() -> None:
    with lab() as module:
        engine = whisper(module, patience=0.1)
        engine.recognize(spoken("warm"), GERMAN)
        module.server.faults.slow(0.6)
        assert engine.recognize(spoken("late"), GERMAN).text == ""
        module.server.faults.slow(0)
        assert engine.recognize(spoken("next"), GERMAN).text == "next"


def test_silence_is_not_sent_to_whisper(module: Lab) -> None:
    engine = whisper(module)
    engine.load()
    assert engine.recognize(SILENCE, ENGLISH).text == ""
    assert not module.server.asked("inference", "whisper", timeout=0)


def test_whisper_hears_all_of_a_long_recording_in_parts_of_half_a_minute() -> None:
    lengths: list[int] = []

    def hear(samples: Any, language: str) -> str:
        lengths.append(len(samples))
        return hear_tones(samples, language)

    letters = np.random.default_rng(1).integers(0, 26, (120, 5)) + ord("a")
    text = " ".join("".join(map(chr, word)) for word in letters.tolist())
    with lab(minds=Minds(hear=hear)) as module:
        found = whisper(module).recognize(spoken(text), ENGLISH).text
    assert found.replace(" ", "") == text.replace(" ", "")
    assert len(lengths) == 2
    assert max(lengths) <= 30 * RATE


def test_what_whisper_makes_up_of_noise_is_no_text() -> None:
    with lab(minds=says("Thanks for watching!")) as module:
        assert whisper(module).recognize(spoken("hm"), ENGLISH).text == ""


def test_whisper_refuses_what_it_does_not_have(module: Lab) -> None:
    engine = whisper(module)
    for request in (RecognitionRequest(language="tlh"), RecognitionRequest(model="other")):
        with pytest.raises(UnknownModel):
            engine.recognize(spoken(LIGHT), request)
    with pytest.raises(UnknownModel):
        whisper(module, language="tlh")


@pytest.mark.parametrize("code", [-11, -23])
def test_an_error_of_the_module_is_one_of_whisper_and_the_next_text_is_right(
    module: Lab, code: int
) -> None:
    engine = whisper(module)
    engine.load()
    module.server.faults.error(code, "whisper")
    with pytest.raises(EngineFailed):
        engine.recognize(spoken(LIGHT), ENGLISH)
    assert engine.recognize(spoken("again"), ENGLISH).text == "again"


def test_whisper_can_be_interrupted_and_goes_on_with_the_next(module: Lab) -> None:
    engine = whisper(module)
    engine.load()
    module.server.faults.silent = True
    took = interrupted(
        engine,
        lambda: engine.recognize(spoken(LIGHT), ENGLISH),
        lambda: module.server.asked("inference", "whisper"),
    )
    assert took < 0.1
    module.server.faults.silent = False
    assert engine.recognize(spoken("again"), ENGLISH).text == "again"


def test_a_restart_of_the_module_is_not_noticed(module: Lab) -> None:
    engine = whisper(module)
    engine.load()
    module.server.faults.restart(0.2).result(5)
    assert engine.recognize(spoken(LIGHT), ENGLISH).text == LIGHT


def test_a_module_that_is_away_is_asked_again_when_it_is_needed(module: Lab) -> None:
    engine = whisper(module)
    back = module.server.faults.restart(0.5)
    while not back.done():
        engine.load()
    assert engine.recognize(spoken(LIGHT), ENGLISH).text == LIGHT


def test_a_model_that_cannot_be_loaded_is_told_at_once(module: Lab) -> None:
    module.server.faults.error(-5, "whisper")
    with pytest.raises(EngineFailed):
        whisper(module).load()


# -- while somebody speaks


def hear(stream: Any, audio: Audio) -> list[str]:
    """Feed audio as it would come, but faster; return the texts on the way."""
    found = [stream.feed(audio[start : start + 1024]) for start in range(0, len(audio), 1024)]
    return [partial.text for partial in found if partial is not None]


def utterance(engine: Any, audio: Audio) -> str:
    stream = engine.start(ENGLISH)
    hear(stream, audio)
    text: str = stream.finish().text
    stream.close()
    return text


def test_text_comes_while_somebody_speaks(module: Lab) -> None:
    engine = streaming(module)
    stream = engine.start(ENGLISH)
    told = hear(stream, spoken(LIGHT))
    until = time.monotonic() + 5
    while not told and time.monotonic() < until:
        told += hear(stream, np.zeros(256, np.float32))
    assert told
    assert all(LIGHT.startswith(text[:-1]) for text in told)  # its last letter may be half a one
    assert stream.finish().text == LIGHT
    stream.close()


def test_the_task_is_kept_from_utterance_to_utterance_until_it_is_closed(module: Lab) -> None:
    engine = streaming(module)
    for text in (LIGHT, "off", LIGHT):
        assert utterance(engine, spoken(text)) == text
    assert len(setups(module, "asr")) == 1
    engine.close()
    assert not module.server.units["asr"].tasks
    assert utterance(engine, spoken(LIGHT)) == LIGHT


def test_silence_ends_without_a_text_also_where_the_module_says_nothing(module: Lab) -> None:
    engine = streaming(module, patience=0.3)
    assert utterance(engine, np.zeros(RATE // 4, np.float32)) == ""
    assert utterance(engine, spoken("next")) == "next"


def test_what_was_said_before_a_long_pause_is_part_of_the_text(module: Lab) -> None:
    pause = np.zeros(RATE * 3 // 2, np.float32)
    assert (
        utterance(streaming(module), np.concatenate([spoken("one"), pause, spoken("two")]))
        == "one two"
    )


def test_an_utterance_that_was_given_up_is_not_part_of_the_next(module: Lab) -> None:
    engine = streaming(module)
    stream = engine.start(ENGLISH)
    stream.feed(spoken("forget this"))
    stream.close()
    assert utterance(engine, spoken(LIGHT)) == LIGHT


def test_there_is_one_stream_at_a_time(module: Lab) -> None:
    engine = streaming(module)
    first = engine.start(ENGLISH)
    with pytest.raises(Busy):
        engine.start(ENGLISH)
    first.close()
    first.close()
    assert utterance(engine, spoken(LIGHT)) == LIGHT


def test_a_text_that_is_waited_for_can_be_interrupted(module: Lab) -> None:
    engine = streaming(module, patience=20)
    stream = engine.start(ENGLISH)
    module.server.faults.slow(0.3)
    hear(stream, spoken(LIGHT))
    before = len(module.server.asked("inference", "asr"))

    def waiting() -> bool:
        """Return whether all of the silence at the end has been sent, in time."""
        until = time.monotonic() + 5
        while len(module.server.asked("inference", "asr")) < before + 15:
            if time.monotonic() > until:
                return False
        return True

    assert interrupted(engine, stream.finish, waiting) < 0.1
    module.server.faults.slow(0)
    stream.close()
    assert utterance(engine, spoken("again")) == "again"


def test_a_module_that_goes_away_ends_the_utterance_but_not_the_next(module: Lab) -> None:
    engine = streaming(module)
    stream = engine.start(ENGLISH)
    stream.feed(spoken(LIGHT))
    module.server.faults.restart(0.2).result(5)
    with pytest.raises(EngineFailed):
        stream.finish()
    stream.close()
    assert utterance(engine, spoken(LIGHT)) == LIGHT


# -- when somebody has spoken


def test_sense_voice_writes_whole_utterances(new_module: Lab) -> None:
    engine = new_module.engine("stackflow-asr", SENSE_VOICE)
    assert utterance(engine, spoken(LIGHT)) == LIGHT
    assert utterance(engine, SILENCE) == ""
    pause = np.zeros(RATE, np.float32)
    assert utterance(engine, np.concatenate([spoken("one"), pause, spoken("two")])) == "one two"


def test_sense_voice_gets_pieces_that_its_voice_detector_gives_up() -> None:
    lengths: list[int] = []
    with lab("main", minds=says("word", lengths)) as module:
        audio = np.tile(spoken("a"), 250)[: 12 * RATE]
        engine = module.engine("stackflow-asr", SENSE_VOICE)
        assert utterance(engine, audio) == "word word"
        assert utterance(engine, audio[: 100 * 512]) == "word"
        sent = module.server.asked("inference", "asr")
        sizes = [len(message.data) * 3 // 4 // 2 for message in sent]
    assert max(sizes) <= 10 * RATE
    assert all(size % 512 > 2 for size in sizes)  # base64 rounds up


def test_numbers_may_be_left_as_words(new_module: Lab) -> None:
    engine = new_module.engine("stackflow-asr", SENSE_VOICE, use_itn=False)
    assert utterance(engine, spoken(LIGHT)) == LIGHT
    assert '"model_config.sense_voice.use_itn":false' in setups(new_module, "asr")[0].replace(
        " ", ""
    )


def test_a_language_that_a_recogniser_lacks_is_refused(module: Lab) -> None:
    with pytest.raises(UnknownModel):
        streaming(module).start(GERMAN)
    assert streaming(module).info.models[0].languages == ("en",)
