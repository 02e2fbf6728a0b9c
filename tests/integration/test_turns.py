"""Turns of the stt unit on a clock that goes as the audio does: when they end, what is decoded, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from wyoming_units.engines.base import Audio
from wyoming_units.errors import BadRequest, EngineFailed
from wyoming_units.units.lane import Lane
from wyoming_units.units.stt import Helpers, SttUnit

from .tones import Engine, Loudness, OfflineEar, StreamingEar, Talk, silence, spoken


class Ear(Engine):
    """Helpers of the unit, each counting how often it is asked."""

    def __init__(self, answer: Callable[[Audio], Any]) -> None:
        self.asked: list[int] = []
        self.answer = answer

    def _ask(self, samples: Audio) -> Any:
        self.asked.append(len(samples))
        return self.answer(samples)

    finished = identify = _ask

    def punctuate(self, text: str) -> str:
        return text.capitalize() + "."


@asynccontextmanager
async def unit_with(engine: Any, **helpers: Any) -> AsyncIterator[SttUnit]:
    """Run an stt unit with an engine, a voice detector and other helpers."""
    lanes = {kind: Lane(kind, helper) for kind, helper in {"vad": Loudness(), **helpers}.items()}
    unit = SttUnit([engine], Helpers(**{kind: lane for kind, lane in lanes.items() if lane}))
    for lane in unit.lanes:
        await lane.load()
    try:
        yield unit
    finally:
        for lane in unit.lanes:
            await lane.close()


async def test_a_recording_is_decoded_in_the_pause_and_once_only() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(0.14))
        assert engine.decoded == []
        await talk.say(silence(0.04))
        assert len(engine.decoded) == 1
        await talk.say(silence(1))
        transcript = await talk.transcript()
    assert transcript.data["text"] == "turn on the light"
    assert transcript.data["language"] == "en"
    assert len(engine.decoded) == 1
    seconds, before = engine.decoded[0]
    assert 0.95 <= seconds <= 1
    assert before == ""
    assert transcript.data["context"]["timing"]["finish"] < 50


async def test_speech_that_goes_on_makes_the_draft_worthless() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on"))
        await talk.say(silence(0.3))
        await talk.say(spoken("the light"))
        await talk.say(silence(1))
        assert (await talk.transcript()).data["text"] == "turn on the light"
    (first, _), (second, _) = engine.decoded
    assert (first < 0.6, second > 1.2) == (True, True)


async def test_a_full_stop_in_the_draft_ends_the_turn_sooner() -> None:
    for text, silent in (("turn on the lamp.", 0.32), ("turn on the light", 0.52)):
        async with unit_with(OfflineEar()) as unit:
            talk = Talk(unit)
            await talk.say(spoken(text))
            await talk.say(silence(silent - 0.06))
            assert not talk.ended
            await talk.say(silence(0.08))
            assert talk.ended


async def test_what_was_said_before_a_long_pause_is_not_decoded_again() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit, context={"end_of_turn": "client"})
        await talk.say(spoken("turn on"))
        await talk.say(silence(1.5))
        await talk.say(spoken("the light"))
        transcript = await talk.stop()
    assert transcript.data["text"] == "turn on the light"
    (first, before), (second, known) = engine.decoded
    assert (before, known) == ("", "turn on")
    assert first == pytest.approx(0.56, abs=0.03)
    assert first + second == pytest.approx(0.8 + 1.5, abs=0.01)


async def test_nothing_is_decoded_after_a_long_pause_in_which_nothing_was_said() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit, context={"end_of_turn": "client"})
        await talk.say(spoken("turn on"))
        await talk.say(silence(2))
        assert (await talk.stop()).data["text"] == "turn on"
    assert len(engine.decoded) == 1


async def test_a_client_that_stops_in_the_pause_gets_what_was_decoded_there() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit, context={"end_of_turn": "client"})
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(0.3))
        assert (await talk.stop()).data["text"] == "turn on the light"
    assert len(engine.decoded) == 1


async def test_a_recording_that_is_sent_at_once_is_decoded_once_and_whole() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on _ _ _ _ _ _ _ _ _ _ the light _ _ _ _ _"), pace=50)
        assert (await talk.stop()).data["text"] == "turn on the light"
    assert engine.decoded == [(3.8, "")]


async def test_nobody_speaking_is_an_empty_text_without_any_decoding() -> None:
    engine = OfflineEar()
    async with unit_with(engine) as unit:
        talk = Talk(unit, context={"turn": {"no_speech": 1}})
        await talk.say(silence(2))
        assert (await talk.transcript()).data["text"] == ""
    assert engine.decoded == []


async def test_an_engine_that_breaks_in_the_draft_is_one_error() -> None:
    engine = OfflineEar()
    engine.broken = True
    async with unit_with(engine) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        with pytest.raises(EngineFailed):
            await talk.transcript()
    assert len(engine.decoded) == 1


async def test_a_client_that_leaves_in_the_draft_leaves_nothing_behind() -> None:
    async with unit_with(OfflineEar()) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(0.2))
        await talk.leave()
        assert not [task for task in asyncio.all_tasks() if "decode" in repr(task.get_coro())]
        assert all(lane.state()["waiting"] == 0 for lane in unit.lanes)


async def test_a_whole_command_ends_the_turn_after_a_quarter_of_a_second() -> None:
    for text, silent in (("turn on the light", 0.25), ("turn on the light please", 0.5)):
        async with unit_with(StreamingEar()) as unit:
            talk = Talk(unit)
            await talk.say(spoken(text))
            await talk.say(silence(silent - 0.05))
            assert not talk.ended
            await talk.say(silence(0.1))
            assert (await talk.transcript()).data["text"] == text


@pytest.mark.parametrize("engine", [StreamingEar, OfflineEar])
async def test_who_asks_for_partials_gets_each_change_and_the_text_once_more_at_the_end(
    engine: type[Engine],
) -> None:
    async with unit_with(engine()) as unit:
        talk = Talk(unit, context={"partials": True})
        await talk.say(spoken("turn on"))
        await talk.say(silence(0.3))
        await talk.say(spoken("the light"))
        await talk.say(silence(1))
        await talk.transcript()
    texts = [chunk["partial"] for chunk in talk.chunks()]
    assert len(texts) == len(set(texts))
    assert texts[-1] == "turn on the light"
    assert "turn on" in texts
    assert "".join(chunk["text"] for chunk in talk.chunks()) == "turn on the light"
    assert [event.type for event in talk.answers if event.type != "transcript-chunk"] == [
        "transcript-start",
        "transcript",
        "transcript-stop",
    ]


async def test_who_does_not_ask_gets_the_text_in_one_piece() -> None:
    async with unit_with(StreamingEar()) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        await talk.transcript()
    assert talk.chunks() == [{"text": "turn on the light"}]


async def test_a_partial_that_was_wrong_is_replaced() -> None:
    class Unsure(StreamingEar):
        def start(self, request: Any) -> Any:
            stream = super().start(request)
            finish = stream.finish
            stream.finish = lambda: type(finish())(text="burn on the light")  # type: ignore[method-assign]
            return stream

    async with unit_with(Unsure()) as unit:
        talk = Talk(unit, context={"partials": True})
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        await talk.transcript()
    text = "burn on the light"
    assert talk.chunks()[-1] == {"text": text, "partial": text, "replaces": True}


async def test_a_turn_detection_model_ends_the_turn_and_is_asked_once_in_a_silence() -> None:
    judge = Ear(lambda samples: 0.9 if len(samples) > 16_000 else 0.1)
    async with unit_with(StreamingEar(), turn=judge) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on"))
        await talk.say(silence(0.3))
        assert (len(judge.asked), talk.ended) == (1, False)
        await talk.say(spoken("the lamp. please"))
        await talk.say(silence(0.26))
        assert (len(judge.asked), talk.ended) == (2, True)


async def test_who_speaks_is_told_with_the_text() -> None:
    async with unit_with(OfflineEar(), speaker=Ear(lambda _: "Ada")) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        assert (await talk.transcript()).data["context"]["speaker_id"] == "Ada"


async def test_a_helper_that_fails_costs_nothing_but_its_help() -> None:
    def fail(samples: Audio) -> Any:
        raise EngineFailed("no such file")

    helpers = {"speaker": Ear(fail), "turn": Ear(fail)}
    async with unit_with(StreamingEar(), **helpers) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        transcript = await talk.transcript()
    assert transcript.data["text"] == "turn on the light"
    assert "speaker_id" not in transcript.data["context"]


async def test_a_text_is_given_its_punctuation() -> None:
    async with unit_with(StreamingEar(), punctuation=Ear(bool)) as unit:
        talk = Talk(unit)
        await talk.say(spoken("turn on the light"))
        await talk.say(silence(1))
        assert (await talk.transcript()).data["text"] == "Turn on the light."


@pytest.mark.parametrize(
    "turn", [{"silence": 0.04}, {"silence": 61}, {"silence": "1"}, {"silence": True}, {"wait": 1}]
)
async def test_rules_that_make_no_sense_are_one_error(turn: dict[str, Any]) -> None:
    async with unit_with(StreamingEar()) as unit:
        talk = Talk(unit, context={"turn": turn})
        with pytest.raises(BadRequest, match=f"turn.{next(iter(turn))}"):
            await talk.transcript()


async def test_a_client_may_change_a_rule() -> None:
    async with unit_with(StreamingEar()) as unit:
        talk = Talk(unit, context={"turn": {"silence": 1.0}})
        await talk.say(spoken("turn on the lamp."))  # punctuation: 0.3 s
        await talk.say(silence(0.4))
        assert talk.ended
        slow = Talk(unit, context={"turn": {"silence": 1.0}})
        await slow.say(spoken("turn on"))
        await slow.say(silence(0.9))
        assert not slow.ended
        await slow.say(silence(0.2))
        assert slow.ended
