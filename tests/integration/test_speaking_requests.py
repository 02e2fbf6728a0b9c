"""What a request for speech may ask for: again, by whom, how fast, in SSML, or not any more."""

from __future__ import annotations

import asyncio

import pytest
from wyoming.event import Event
from wyoming.info import Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeTextFormat,
    SynthesizeVoice,
)

from wyoming_units.engines.base import (
    Emit,
    SynthesisRequest,
)
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.speaking import SpeakingOptions

from .speaking import (
    Tones,
    kinds,
    pcm,
    peer,
    seconds,
    serving,
)

# -- said before


async def test_a_reply_that_was_said_before_is_the_same_to_the_bit_and_needs_no_engine(
    espeak: EspeakSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SynthesisRequest] = []
    speak = EspeakSynthesizer.synthesize

    def counted(self: EspeakSynthesizer, request: SynthesisRequest, emit: Emit) -> None:
        made.append(request)
        speak(self, request, emit)

    async with serving(espeak) as port, peer(port) as client, peer(port) as other:
        monkeypatch.setattr(EspeakSynthesizer, "synthesize", counted)
        first = await client.say("Turned on the light.")
        again = await other.say("Turned on the light.")
        assert len(made) == 1
        assert pcm(first) == pcm(again) != b""
        await client.say("Turned on the light.", voice={"language": "de"})
        await client.say("Turned on the light.", context={"speed": 1.5})
        assert [request.speed for request in made] == [1, 1, 1.5]


async def test_a_known_reply_does_not_wait_for_what_others_have_made() -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client, peer(port) as other:
        await client.say("Done.")
        engine.held = True
        await other.send(Synthesize("A long text."))
        await engine.until_begun()
        await engine.until_begun()
        assert kinds(await client.say("Done.")) == ["audio-start", "audio-stop"]
        engine.allow()
        await other.until("audio-stop")


@pytest.mark.parametrize(("letters", "calls"), [(100, 1), (101, 2)])
async def test_short_pieces_are_kept_only(letters: int, calls: int) -> None:
    engine = Tones()
    text = "x" * letters
    async with serving(engine) as port, peer(port) as client:
        await client.say(text)
        await client.say(text)
    assert len(engine.requests) == calls


@pytest.mark.parametrize(("letters", "pieces"), [(60, 1), (61, 2)])
async def test_a_first_sentence_of_sixty_letters_is_said_whole(letters: int, pieces: int) -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        await client.say("One two three four five, six " + "x" * (letters - 30) + ".")
        assert len(engine.requests) == pieces
        await client.say("Two. " + "X" * 119 + ". " + "Y" * 239 + ". " + "Z" * 249 + ". Done.")
    assert len(engine.requests) == pieces + 5


async def test_the_lengths_of_pieces_can_be_set() -> None:
    engine = Tones()
    options = SpeakingOptions(first_length=30, max_length=40, cache_entries=0)
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.say("word, " * 60)
    assert [len(text) for text in engine.texts[:3]] == [23, 35, 35]


@pytest.mark.parametrize(("cached", "calls"), [(0, 2), (1, 1)])
async def test_the_cache_can_be_turned_off(cached: int, calls: int) -> None:
    engine = Tones()
    options = SpeakingOptions(cache_entries=cached)
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.say("Done.")
        await client.say("Done.")
    assert len(engine.requests) == calls


async def test_a_failed_or_cancelled_piece_is_made_anew() -> None:
    engine = Tones(held=True)
    engine.failure = EngineFailed("broken")
    async with serving(engine) as port, peer(port) as client:
        assert (await client.say("Hello there you."))[-1].data["code"] == "engine-failed"
        engine.failure = None
        await engine.until_begun()
        await client.send(
            Event(type="synthesize", data={"text": "Hello there you.", "request": {"id": "1"}})
        )
        await engine.until_begun()
        engine.allow(2)
        await client.until("audio-chunk")
        await client.send(Event(type="cancel", data={"id": "1"}))
        assert (await client.until("error"))[-1].data["code"] == "cancelled"
        engine.allow()
        whole = await client.say("Hello there you.")
    assert engine.texts == ["Hello there you."] * 3
    assert seconds(whole) == pytest.approx(0.15, abs=0.001)


# -- cancelling


@pytest.mark.parametrize("leave", [True, False])
async def test_a_client_that_leaves_or_cancels_frees_the_engine_within_100_ms(leave: bool) -> None:
    engine = Tones(held=True)
    async with serving(engine) as port:
        async with peer(port) as client:
            text = "A long sentence, and another. " * 100
            await client.send(Event(type="synthesize", data={"text": text, "request": {"id": "1"}}))
            await engine.until_begun()
            engine.allow(1)
            await client.until("audio-start")
            if not leave:
                await client.send(Event(type="cancel", data={"id": "1"}))
                began = asyncio.get_running_loop().time()
                assert (await client.until("error"))[-1].data["code"] == "cancelled"
                assert asyncio.get_running_loop().time() - began < 0.1
        await asyncio.sleep(0.1)
        engine.allow(1)
        assert await asyncio.to_thread(engine.stopped.wait, 5)
        assert len(engine.requests) == 1
        engine.held = False
        async with peer(port) as other:
            await other.say("Next.")
        assert engine.texts[1:] == ["Next."]


async def test_a_cancelled_stream_that_waits_for_text_ends_at_once() -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        await client.send(Event(type="synthesize-start", data={"request": {"id": "s"}}))
        await client.send(SynthesizeChunk("First sentence. Second"))
        await client.until("audio-chunk")
        await client.send(Event(type="cancel", data={"id": "s"}))
        began = asyncio.get_running_loop().time()
        await client.until("error")
        assert asyncio.get_running_loop().time() - began < 0.1
        await client.send(SynthesizeStop())
        assert kinds(await client.say("Next.")) == ["audio-start", "audio-stop"]
    assert engine.texts == ["First sentence.", "Next."]


# -- who speaks, and how


async def test_the_speakers_of_a_voice_are_told_and_can_be_chosen() -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        await client.send(Event(type="describe"))
        info = Info.from_event(await client.next())
        assert [speaker.name for speaker in info.tts[0].voices[0].speakers or []] == ["low", "high"]
        await client.send(Synthesize("Hello.", SynthesizeVoice(name="tone", speaker="high")))
        await client.until("audio-stop")
        (error,) = await client.say("Hello.", voice={"name": "tone", "speaker": "loud"})
        assert error.data["code"] == "unknown-voice"
        await client.say("Hello.", voice={"name": "tone"})
    assert [request.speaker for request in engine.requests] == ["high", None]


@pytest.mark.parametrize("speed", [0.5, 1, 2])
async def test_the_speed_is_passed_on(speed: float) -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        await client.send(Synthesize("Hello.", context={"speed": speed}))
        await client.until("audio-stop")
    assert [request.speed for request in engine.requests] == [speed]


@pytest.mark.parametrize("speed", [0.49, 2.01, 0, -1, "1", True, [1]])
async def test_a_speed_that_no_voice_has_is_refused_before_any_audio(speed: object) -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        (error,) = await client.say("Hello.", context={"speed": speed})
        assert error.data["code"] == "bad-request"
    assert not engine.requests


# -- SSML


SSML = SynthesizeTextFormat.SSML


async def test_ssml_is_spoken_with_its_rates_and_breaks() -> None:
    engine = Tones()
    options = SpeakingOptions(sentence_pause=0.3, fade=0)
    ssml = (
        "<speak><s>One two</s><break time='200ms'/><prosody rate='fast'>Three</prosody> four"
        "<break time='1.5s'/><break time='0.5s'/>five<break time='1s'/></speak>"
    )
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.send(Synthesize(ssml, text_format=SSML))
        events = await client.until("audio-stop")
    assert [(request.text, request.speed) for request in engine.requests] == [
        ("One two", 1),
        ("Three", 1.25),
        ("four", 1),
        ("five", 1),
    ]
    assert seconds(events) == pytest.approx(5 * 0.05 + 0.2 + 2 + 1, abs=0.01)


async def test_ssml_in_a_stream_is_read_when_it_is_complete() -> None:
    engine = Tones()
    options = SpeakingOptions(flush_after=0.01)
    async with serving(engine, options=options) as port, peer(port) as client:
        await client.send(SynthesizeStart(text_format=SSML))
        for piece in ("<speak>Hel", "lo <sub al", "ias='world'>W</sub></speak>"):
            await client.send(SynthesizeChunk(piece))
            await asyncio.sleep(0.02)
        await client.send(SynthesizeStop())
        assert kinds(await client.until("synthesize-stopped"))[0] == "audio-start"
    assert engine.texts == ["Hello world"]


@pytest.mark.parametrize(
    ("ssml", "code"),
    [
        ("<speak><audio src='a.wav'/></speak>", "unsupported"),
        ("<speak>Hello <voice name='x'>you</voice></speak>", "unsupported"),
        ("<speak>Hello", "bad-request"),
        ("Hello", "bad-request"),
        ("", "bad-request"),
    ],
)
async def test_ssml_that_cannot_be_followed_is_one_error_and_nothing_is_spoken(
    ssml: str, code: str
) -> None:
    engine = Tones()
    async with serving(engine) as port, peer(port) as client:
        await client.send(Synthesize(ssml, text_format=SSML))
        assert (await client.next()).data["code"] == code
        await client.send(
            SynthesizeStart(text_format=SSML), SynthesizeChunk(ssml), SynthesizeStop()
        )
        assert (await client.next()).data["code"] == code
        assert kinds(await client.say("Next.")) == ["audio-start", "audio-stop"]
    assert engine.texts == ["Next."]


async def test_another_text_format_is_one_error() -> None:
    async with serving(Tones()) as port, peer(port) as client:
        (error,) = await client.say("Hello.", text_format="morse")
        assert error.data["code"] == "bad-request"
        assert kinds(await client.say("Hello.", text_format="text")) == [
            "audio-start",
            "audio-stop",
        ]
