"""The tts unit on real sockets: what is heard, when, and in whose turn."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from wyoming.audio import AudioChunk
from wyoming.event import Event
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
)

from wyoming_units.engines.base import (
    Emit,
    SynthesisRequest,
)
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.wire.frames import encode

from .speaking import (
    LONG,
    RATE,
    Tones,
    kinds,
    pcm,
    peer,
    samples,
    seconds,
    serving,
    tone,
)

# -- pace


async def test_a_long_sentence_is_heard_when_its_first_clause_is_made() -> None:
    engine = Tones(held=True)
    async with serving(engine) as port, peer(port) as client:
        await client.send(Synthesize(LONG))
        await engine.until_begun()
        assert LONG.startswith(engine.texts[0])
        assert 20 <= len(engine.texts[0]) <= len(LONG) * 0.25
        engine.allow(len(engine.texts[0].split()))
        start, *_ = await client.until("audio-chunk")
        assert start.type == "audio-start"
        engine.allow()
        assert kinds(await client.until("audio-stop")) == ["audio-stop"]
        assert " ".join(engine.texts) == LONG
        assert len(engine.texts[0]) < len(engine.texts[1])


async def test_what_follows_is_made_while_the_client_has_not_taken_what_was_made() -> None:
    engine = Tones()
    text = " ".join(f"One two three four number {number}." for number in range(40))
    options = SpeakingOptions(sentence_pause=10, ahead=1000)  # 17 MB, more than sockets hold
    async with serving(engine, options=options) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(encode(Event(type="synthesize", data={"text": text})))
        for _ in range(40):  # nothing is read here
            await engine.until_begun()
        writer.close()
        assert not reader.at_eof()


async def test_no_more_is_made_ahead_than_allowed() -> None:
    engine = Tones()
    text = " ".join(f"One two three four {number}." for number in range(400))  # sockets hold 50 s
    options = SpeakingOptions(ahead=1, sentence_pause=10)
    async with serving(engine, options=options) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(encode(Event(type="synthesize", data={"text": text})))
        begun = True
        while begun:
            begun = await asyncio.to_thread(engine.begun.acquire, timeout=0.3)
        assert len(engine.requests) < 200
        writer.close()


async def test_text_that_pauses_is_spoken_up_to_its_last_whole_word() -> None:
    engine = Tones()
    options = SpeakingOptions(flush_after=0.05)
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.send(SynthesizeStart(), SynthesizeChunk("I will look at the weather fore"))
        await engine.until_begun()
        await client.send(SynthesizeChunk("cast."))
        await engine.until_begun()
        await client.send(SynthesizeChunk(" It rains. "), SynthesizeStop())
        events = await client.until("synthesize-stopped")
        assert engine.texts == ["I will look at the weather", "forecast.", "It rains."]
        assert kinds(events) == ["audio-start", "audio-stop", "synthesize-stopped"]


async def test_text_that_comes_steadily_is_not_cut_at_its_pauses() -> None:
    engine = Tones()
    options = SpeakingOptions(flush_after=0.5)
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.send(SynthesizeStart())
        for word in ("I ", "will ", "look ", "at ", "the ", "weather ", "forecast."):
            await client.send(SynthesizeChunk(word))
            await asyncio.sleep(0.02)
        await client.send(SynthesizeStop())
        await client.until("synthesize-stopped")
        assert engine.texts == ["I will look at the weather forecast."]


async def test_text_is_read_while_the_engine_is_busy_and_too_much_of_it_is_never_spoken() -> None:
    engine = Tones(held=True)
    async with serving(engine) as port, peer(port) as client:
        await client.send(SynthesizeStart(), SynthesizeChunk("First one.\n"))
        await engine.until_begun()
        await client.send(*[SynthesizeChunk("x" * 6000)] * 2, Event(type="ping"))
        await client.until("pong")
        engine.allow()
        assert (await client.until("error"))[-1].data["code"] == "too-large"
    assert engine.texts == ["First one."]


async def test_four_clients_are_all_heard_before_anyone_hears_a_second_piece() -> None:
    engine = Tones(held=True)
    async with serving(engine) as port:
        async with peer(port) as a, peer(port) as b, peer(port) as c, peer(port) as d:
            for number, client in enumerate((a, b, c, d)):
                await client.send(Synthesize(f"Client number {number} is first. It goes on. " * 3))
                if not number:
                    await engine.until_begun()
            async with peer(port) as watcher:
                await watcher.until_waiting(3)
            engine.allow()
            for client in (a, b, c, d):
                await client.until("audio-stop")
    first = [text for text in engine.texts if "number" in text][:4]
    assert sorted(engine.texts[:4]) == sorted(set(first))
    assert sorted(engine.texts[4:8]) == ["It goes on."] * 4


async def test_the_timings_tell_of_waiting_making_and_the_first_audio() -> None:
    engine = Tones(held=True)
    async with serving(engine) as port, peer(port) as first, peer(port) as second:
        await first.send(Synthesize("One two."))
        await engine.until_begun()
        await second.send(Synthesize("Three four."))
        await asyncio.sleep(0.3)  # of which a busy machine may lose some before the request is read
        engine.allow()
        await first.until("audio-stop")
        context = (await second.until("audio-stop"))[-1].data["context"]
    timing = context["timing"]
    assert timing["queue"] >= 50
    assert timing["decode"] < timing["queue"] <= timing["first_chunk"] <= timing["total"]
    assert context["rtf"] > 0


# -- sound


async def test_there_is_one_start_and_one_stop_and_small_chunks_of_one_format() -> None:
    async with serving(Tones()) as port, peer(port) as client:
        events = await client.say("One. " * 30)
    assert kinds(events) == ["audio-start", "audio-stop"]
    chunks = [AudioChunk.from_event(event) for event in events if event.type == "audio-chunk"]
    assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} == {(RATE, 2, 1)}
    assert max(chunk.seconds for chunk in chunks) <= 0.1


@pytest.mark.parametrize("text", ["", " ", "**", "😀", "<speak></speak>"])
async def test_a_text_without_words_is_empty_audio(text: str) -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        assert kinds(events := await client.say(text)) == ["audio-start", "audio-stop"]
        assert not pcm(events)
        await client.send(SynthesizeStart(), SynthesizeChunk(text), SynthesizeStop())
        events = await client.until("synthesize-stopped")
        assert kinds(events) == ["audio-start", "audio-stop", "synthesize-stopped"]
    assert not engine.requests


async def test_pauses_between_sentences_and_clauses_are_as_set() -> None:
    options = SpeakingOptions(sentence_pause=1.0, clause_pause=0.5, fade=0)
    async with serving(Tones(), options=options) as port, peer(port) as client:
        alone = seconds(await client.say("One."))
        assert seconds(await client.say("One. Two. Three.")) == pytest.approx(
            3 * alone + 2, abs=0.001
        )
        clauses = "One two three four five six, seven eight nine ten eleven twelve thirteen."
        assert seconds(await client.say(clauses)) == pytest.approx(13 * alone + 0.5, abs=0.001)


async def test_pauses_are_short_unless_set_otherwise() -> None:
    async with serving(Tones()) as port, peer(port) as client:
        alone = seconds(await client.say("One."))
        assert alone == pytest.approx(0.05, abs=0.001)
        assert seconds(await client.say("One. Two.")) == pytest.approx(2 * alone + 0.25, abs=0.001)
        clauses = "One two three four five six, seven eight nine ten eleven twelve thirteen."
        assert seconds(await client.say(clauses)) == pytest.approx(13 * 0.05 + 0.08, abs=0.001)


class Padded(Tones):
    """Leaves half a second of silence around each piece, as voices do."""

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        emit(tone(0.2, silent=0.5))


async def test_the_silence_that_a_voice_leaves_gives_way_to_the_pause_that_is_set() -> None:
    options = SpeakingOptions(sentence_pause=0.25)
    async with serving(Padded(), options=options) as port, peer(port) as client:
        audio = np.abs(samples(await client.say("One. Two.")))
    loud = np.flatnonzero(audio > 0.1)
    gap = np.diff(loud).max() / RATE
    assert 0.25 < gap < 0.37
    assert loud[0] / RATE < 0.04
    assert (len(audio) - loud[-1]) / RATE < 0.07


async def test_no_sample_jumps_where_pieces_join() -> None:
    """A tone that is cut off at full swing is a step of 0.5; its own slope is 0.06 per sample."""
    text = LONG + " One. Two."
    async with serving(Tones()) as port, peer(port) as client:
        audio = samples(await client.say(text))
    assert np.abs(np.diff(audio, prepend=0, append=0)).max() < 0.08
    sharp = SpeakingOptions(fade=0)
    async with serving(Tones(), options=sharp) as port, peer(port) as client:
        audio = samples(await client.say(text))
    assert np.abs(np.diff(audio, prepend=0, append=0)).max() > 0.4


async def test_real_speech_has_no_click_at_its_joins(espeak: EspeakSynthesizer) -> None:
    async with serving(espeak) as port, peer(port) as client:
        inside = samples(await client.say("Good."))
        audio = samples(await client.say("Good. " * 5))
    steepest = np.abs(np.diff(inside)).max()
    assert np.abs(np.diff(audio, prepend=0, append=0)).max() < 1.3 * steepest
    quiet = np.abs(audio) < 0.001
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate(([0], quiet, [0])))))[::2] / RATE
    assert sum(0.25 <= run < 0.4 for run in runs) == 4
