"""Wake words that speech-to-text must hear too, and words of several programs in one stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
from wyoming.event import Event
from wyoming.info import Info

from tests.integration.recordings import data, read_wav
from tests.integration.tones import (
    NOBODY,
    Engine,
    OfflineEar,
    StreamingEar,
    silence,
    spoken,
)
from tests.integration.wake_helpers import GatedEar, Stream, ToneWake, clip, until
from wyoming_units.engines.base import (
    RATE,
    Audio,
    EngineInfo,
    Model,
    Recognition,
    RecognitionRequest,
    Recognizer,
    WakeDetector,
    WakeSettings,
)
from wyoming_units.engines.microwakeword import MicroWakeWordDetector
from wyoming_units.engines.openwakeword import OpenWakeWordDetector
from wyoming_units.errors import UnknownWakeWord
from wyoming_units.units import wake_check
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.units.wake import WakeUnit

CHECK = {"turn_on": WakeSettings(check=True)}


@asynccontextmanager
async def unit(
    *recognizers: Recognizer,
    detectors: Sequence[WakeDetector] | None = None,
    words: Mapping[str, WakeSettings] = CHECK,
) -> AsyncIterator[WakeUnit]:
    """Run a wake unit that hears "on" as "Turn on" and "light" as "Light", where nothing else is said."""
    listeners = detectors or [ToneWake(turn_on="on", light="light")]
    made = WakeUnit(listeners, words=words, recognizers=Programs("stt", recognizers))
    try:
        yield made
    finally:
        recognising = made._check._recognizers
        for lane in (*made.lanes, *(recognising.lanes if recognising else ())):
            await lane.close()


async def listen(made: WakeUnit, *parts: Audio, names: Sequence[str] = ()) -> list[str]:
    """Return what a unit hears in audio."""
    stream = Stream(made, *names)
    await stream.say(*parts)
    return await stream.end()


# -- confirmed or not


@pytest.mark.parametrize("ear", [OfflineEar, StreamingEar])
async def test_a_word_counts_where_speech_to_text_hears_it_too(
    ear: type[OfflineEar] | type[StreamingEar],
) -> None:
    async with unit(ear()) as made:
        assert await listen(made, silence(1), spoken("turn on"), silence(0.5)) == ["turn_on"]
        assert await listen(made, silence(1), spoken("lamp. on"), silence(0.5)) == [""]


async def test_a_check_changes_nothing_about_what_is_told() -> None:
    told = []
    for words in (CHECK, {}):
        async with unit(OfflineEar(), words=words) as made:
            stream = Stream(made, "turn_on")
            await stream.say(silence(0.4), spoken("turn on"), silence(0.5))
            told.append(await stream.heard())
            assert await stream.end() == []
    assert told[0] == told[1]


async def test_only_words_with_the_setting_are_looked_at() -> None:
    ear = OfflineEar()
    async with unit(ear) as made:
        assert await listen(made, spoken("lamp. light _")) == ["light"]
        assert await listen(made, spoken("lamp. light _"), names=["light"]) == ["light"]
        assert not ear.decoded
        assert await listen(made, spoken("lamp. light lamp. on _")) == ["light"]
        assert len(ear.decoded) == 1


async def test_the_last_two_seconds_are_looked_at_and_none_of_what_was_said_before() -> None:
    ear = OfflineEar()
    async with unit(ear) as made:
        early = spoken("turn turn turn"), silence(2.5)
        assert await listen(made, *early, spoken("lamp. on"), silence(0.5)) == [""]
        assert await listen(made, *early, spoken("turn on"), silence(0.5)) == ["turn_on"]
        assert [2 <= seconds <= 2.3 for seconds, _ in ear.decoded] == [True, True]


async def test_words_of_a_recording_in_one_piece_are_looked_at_each_at_its_place() -> None:
    """A piece of more than two seconds, in which the engine reports both words at once."""
    audio = np.concatenate([clip("oww_okay_nabu"), clip("oww_hey_jarvis"), clip("oww_okay_nabu")])
    words = {"hey_jarvis": WakeSettings(check=True), "okay_nabu": WakeSettings(check=True)}
    ear = GatedEar()
    ear.gate.set()
    detector = MicroWakeWordDetector()
    async with unit(ear, detectors=[detector], words=words) as made:
        stream = Stream(made)
        await stream.say(audio, step=20)
        assert await stream.end() == [""]
    assert [seconds for seconds, _ in ear.decoded] == pytest.approx([1.8, 2.3], abs=0.2)


async def test_the_recogniser_gets_the_language_of_the_word() -> None:
    ear = GatedEar()
    ear.gate.set()
    other = OfflineEar()
    other.info = _speaking("fr", open_vocabulary=True)
    async with unit(other, ear) as made:
        assert await listen(made, spoken("turn on _")) == ["turn_on"]
    assert [request.language for request in ear.asked] == ["en"]
    assert not other.decoded


# -- when speech-to-text cannot tell


def _speaking(language: str, *, open_vocabulary: bool) -> EngineInfo:
    model = Model(name="m", languages=(language,), description="", attribution=NOBODY)
    return EngineInfo(
        name="ear",
        description="",
        version="1",
        attribution=NOBODY,
        models=(model,),
        open_vocabulary=open_vocabulary,
    )


async def test_without_free_dictation_a_word_counts_and_nobody_is_asked() -> None:
    closed = OfflineEar()
    closed.info = _speaking("en", open_vocabulary=False)
    async with unit(closed) as made:
        assert await listen(made, spoken("lamp. on _")) == ["turn_on"]
        assert not closed.decoded
    async with unit() as made:
        assert await listen(made, spoken("lamp. on _")) == ["turn_on"]


async def test_a_word_counts_where_the_recogniser_fails(caplog: pytest.LogCaptureFixture) -> None:
    ear = OfflineEar()
    ear.broken = True
    async with unit(ear) as made:
        assert await listen(made, spoken("lamp. on _")) == ["turn_on"]
        ear.broken = False
        assert await listen(made, spoken("lamp. on _")) == [""]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_word_counts_where_the_recogniser_cannot_be_loaded() -> None:
    class Unloadable(OfflineEar):
        def load(self) -> None:
            raise OSError("no weights")

    async with unit(Unloadable()) as made:
        for _ in range(2):
            assert await listen(made, spoken("lamp. on _")) == ["turn_on"]


async def test_a_word_counts_where_the_recogniser_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake_check, "_PATIENCE", 0.05)
    ear = GatedEar()
    async with unit(ear) as made:
        stream = Stream(made)
        await stream.say(spoken("lamp. on _"))
        assert (await stream.heard())[0] == "turn_on"
        assert not ear.decoded
        ear.gate.set()
        assert await stream.end() == []


async def test_a_word_counts_where_the_recogniser_has_no_room() -> None:
    ear = GatedEar()
    async with unit(ear) as made:
        recognisers = made._check._recognizers
        assert recognisers is not None
        lane = recognisers.lanes[0]
        await lane.load()
        ask = (ear.recognize, silence(0.1), RecognitionRequest())
        calls = [asyncio.create_task(lane.call("10.0.0.1", *ask)) for _ in range(65)]
        await asyncio.to_thread(ear.begun.wait, 10)
        stream = Stream(made)
        await stream.say(spoken("lamp. on _"))
        assert (await stream.heard())[0] == "turn_on"
        ear.gate.set()
        assert await stream.end() == []
        await asyncio.gather(*calls)


# -- while speech-to-text looks


async def test_a_stream_is_listened_to_while_a_word_is_looked_at() -> None:
    ear = GatedEar()
    async with unit(ear) as made:
        stream = Stream(made)
        await stream.say(spoken("turn on _"))
        await asyncio.to_thread(ear.begun.wait, 10)
        await stream.say(spoken("light _"))
        assert (await stream.heard())[0] == "light"
        ear.gate.set()
        assert (await stream.heard())[0] == "turn_on"
        assert await stream.end() == []


async def test_a_word_at_the_end_of_the_audio_is_told_before_the_end() -> None:
    ear = GatedEar()
    async with unit(ear) as made:
        stream = Stream(made)
        await stream.say(spoken("turn on _"))
        await asyncio.to_thread(ear.begun.wait, 10)
        stream.request.finish()
        ear.gate.set()
        assert await stream.end() == ["turn_on"]


async def test_a_word_that_is_looked_at_is_not_looked_at_again_meanwhile() -> None:
    ear = GatedEar()
    async with unit(ear) as made:
        stream = Stream(made)
        await stream.say(spoken("turn on _"))
        await asyncio.to_thread(ear.begun.wait, 10)
        await stream.say(spoken("turn on _ light _"))
        assert (await stream.heard())[0] == "light"
        ear.gate.set()
        assert await stream.end() == ["turn_on"]
        assert len(ear.decoded) == 1
        assert await listen(made, spoken("turn on _")) == ["turn_on"]


async def test_a_client_that_leaves_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    ear = GatedEar()
    async with unit(ear) as made:
        before = asyncio.all_tasks()
        stream = Stream(made)
        await stream.say(spoken("turn on _"))
        await asyncio.to_thread(ear.begun.wait, 10)
        await asyncio.wait_for(stream.leave(), 2)
        ear.gate.set()
        await asyncio.wait_for(
            asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True), 5
        )
        assert stream.answers.empty()
        assert await listen(made, spoken("turn on _")) == ["turn_on"]
    assert not caplog.records


async def test_what_was_understood_is_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wyoming_units")
    async with unit(OfflineEar()) as made:
        await listen(made, spoken("please lamp. on _"))
    assert "of the wake word turn_on" in caplog.text
    assert "lamp" not in caplog.text


# -- real speech


@cache
def _decoder() -> Any:
    return pytest.importorskip("pocketsphinx").Decoder(samprate=RATE, maxhmmpf=1500)


class Dictation(Engine):
    """Free dictation with the language model in PocketSphinx' wheel, which is weak."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def load(self) -> None:
        _decoder()

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        decoder = _decoder()
        decoder.start_utt()
        decoder.process_raw((samples * 32_767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        self.texts.append(decoder.hyp().hypstr if decoder.hyp() else "")
        return Recognition(text=self.texts[-1])


async def test_real_speech_to_text_confirms_a_word_and_drops_what_was_mistaken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """openWakeWord's "alexa" hears these two commands; that is known and not our doing."""
    monkeypatch.setattr(wake_check, "_PATIENCE", 20)  # this recogniser is slow
    words = {name: WakeSettings(check=True) for name in ("alexa", "hey_jarvis")}
    commands = [read_wav(data(f"media/home/en/{name}.wav")) for name in ("pause", "timer status")]
    dictation = Dictation()
    async with unit(dictation, detectors=[OpenWakeWordDetector()], words=words) as made:
        for audio in commands:
            assert await listen(made, audio) == [""]
        assert await listen(made, clip("oww_hey_jarvis"), silence(0.5)) == ["hey_jarvis"]
    assert len(dictation.texts) == 3
    async with unit(detectors=[OpenWakeWordDetector()], words={}) as made:
        for audio in commands:
            assert await listen(made, audio) == ["alexa"]


# -- words of several programs, and typed ones


async def test_built_in_and_typed_words_are_heard_in_one_stream() -> None:
    detectors: list[WakeDetector] = [
        MicroWakeWordDetector(),
        OpenWakeWordDetector(),
        ToneWake(open_vocabulary=True),
    ]
    typed = "lamp. please lamp."
    names = ["hey_rhasspy", typed, "okay_nabu"]
    audio = (
        clip("oww_okay_nabu"),
        silence(0.5),
        spoken(typed),
        silence(0.5),
        clip("oww_hey_rhasspy"),
    )
    async with unit(detectors=detectors) as made:
        assert await listen(made, *audio, names=names) == ["okay_nabu", typed, "hey_rhasspy"]
        assert await listen(made, *audio, names=[typed]) == [typed]
        assert await listen(made, *audio, names=["alexa", "turn the light please"]) == [""]


async def test_a_typed_word_is_checked_by_its_own_phrase() -> None:
    typed = ToneWake(open_vocabulary=True)
    typed.words = {"turn on": "on"}  # it is mistaken
    words = {"turn on": WakeSettings(check=True)}
    async with unit(OfflineEar(), detectors=[typed], words=words) as made:
        assert await listen(made, spoken("turn on _"), names=["turn on"]) == ["turn on"]
        assert await listen(made, spoken("lamp. on _"), names=["turn on"]) == [""]


async def test_an_unknown_word_without_an_engine_for_typed_ones_is_refused() -> None:
    async with unit(detectors=[ToneWake(light="light"), ToneWake(lamp="lamp.")]) as made:
        for names in (["hey computer"], ["light", "hey computer"], ["Light"]):
            with pytest.raises(UnknownWakeWord, match=names[-1]):
                await listen(made, spoken("light _"), names=names)


async def test_info_says_which_program_takes_typed_words() -> None:
    detectors = [ToneWake(light="light"), ToneWake(open_vocabulary=True)]
    async with unit(detectors=detectors) as made:
        info = made.info()
    assert ["open_vocabulary" in program for program in info["wake"]] == [False, True]
    assert info["wake"][1]["open_vocabulary"] is True
    others: dict[str, Any] = {
        domain: [] for domain in ("asr", "tts", "handle", "intent", "mic", "snd")
    }
    read = Info.from_event(Event(type="info", data=others | info))
    assert [program.name for program in read.wake] == ["tones", "typed"]


async def test_a_lane_that_is_closed_while_it_looks_lets_the_word_count() -> None:
    ear = GatedEar()
    async with unit(detectors=[ToneWake(turn_on="on")]) as made:
        lane: Lane[Recognizer] = Lane("stt", ear)
        recognisers = made._check._recognizers
        assert recognisers is not None
        recognisers.lanes = (lane,)
        await lane.load()
        blocking = asyncio.create_task(
            lane.call("10.0.0.2", ear.recognize, silence(0.1), RecognitionRequest())
        )
        await asyncio.to_thread(ear.begun.wait, 10)
        stream = Stream(made)
        await stream.say(spoken("lamp. on _"))
        await until(lambda: lane.state()["waiting"])
        closing = asyncio.create_task(lane.close())
        assert (await stream.heard())[0] == "turn_on"
        ear.gate.set()
        await asyncio.gather(closing, blocking)
        assert await stream.end() == []
