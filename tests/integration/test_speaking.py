"""The tts unit on real sockets: what is heard, when, and in whose turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from wyoming.audio import AudioChunk
from wyoming.client import AsyncTcpClient
from wyoming.event import Event, Eventable
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
    Attribution,
    Emit,
    EngineInfo,
    Model,
    SynthesisRequest,
    Synthesizer,
)
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.units.tts import TtsUnit
from wyoming_units.wire.frames import encode
from wyoming_units.wire.requests import Route
from wyoming_units.wire.server import Server

RATE = 22_050
MAKER = Attribution(name="test", url="https://example.com")
LONG = (
    "There are three lights on in the kitchen and two more in the hall behind the front door which "
    "nobody has used since the summer because the lock is broken and the key was lost in the garden."
)


class Tones:
    """Stands for the time that a voice takes: 50 ms of tone per word, made when the test allows it."""

    def __init__(self, *, held: bool = False) -> None:
        self.requests: list[SynthesisRequest] = []
        self.begun = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)
        self.stopped = threading.Event()
        self.held = held
        self.failure: Exception | None = None

    @property
    def info(self) -> EngineInfo:
        voice = Model(
            name="tone",
            languages=("en",),
            description="",
            attribution=MAKER,
            rate=RATE,
            speakers=("low", "high"),
        )
        return EngineInfo(
            name="tones", description="", version="1", attribution=MAKER, models=(voice,)
        )

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.requests]

    def load(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to free."""

    def voice(self, name: str | None, language: str | None) -> Model:
        return self.info.models[0]

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        self.requests.append(request)
        self.begun.release()
        if self.failure:
            raise self.failure
        for _ in request.text.split():
            if self.held:
                self.allowed.acquire()
            if not emit(tone(0.05)):
                self.stopped.set()
                return

    async def until_begun(self) -> None:
        """Wait for the next call of the engine."""
        assert await asyncio.to_thread(self.begun.acquire, timeout=5)

    def allow(self, words: int = 10_000) -> None:
        """Let the engine make so many words."""
        self.allowed.release(words)


def tone(seconds: float, silent: float = 0.0) -> NDArray[np.float32]:
    """Return a tone that begins and ends at full swing, with silence around it."""
    wave = 0.5 * np.cos(2 * np.pi * 440 * np.arange(round(RATE * seconds)) / RATE)
    return np.pad(wave, round(RATE * silent)).astype(np.float32)


class Alone:
    """A service with one unit."""

    def __init__(self, unit: TtsUnit) -> None:
        self.unit = unit
        self.routes = {route.opener: route for route in unit.routes}
        self.programs: dict[str, str] = {}

    routes: dict[str, Route]

    def info_frame(self) -> bytes:
        domains = ("asr", "handle", "intent", "wake", "mic", "snd")
        return encode(Event(type="info", data={key: [] for key in domains} | self.unit.info()))

    def stats(self) -> dict[str, Any]:
        return {"waiting": sum(lane.state()["waiting"] for lane in self.unit.lanes)}


@asynccontextmanager
async def serving(
    *engines: Synthesizer, options: SpeakingOptions | None = None
) -> AsyncIterator[int]:
    """Serve the unit on a free port."""
    unit = TtsUnit(engines, options or SpeakingOptions())
    await asyncio.gather(*(lane.load() for lane in unit.lanes))
    server = Server(Alone(unit))
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop(grace=0.1)
        for engine in engines:
            if isinstance(engine, Tones):
                engine.allow()
        for lane in unit.lanes:
            await lane.close()


class Peer:
    """The library's client."""

    def __init__(self, client: AsyncTcpClient) -> None:
        self._client = client

    async def send(self, *events: Eventable | Event) -> None:
        for event in events:
            await self._client.write_event(event if isinstance(event, Event) else event.event())

    async def next(self) -> Event:
        event = await asyncio.wait_for(self._client.read_event(), 5)
        assert event is not None
        return event

    async def until(self, *last: str) -> list[Event]:
        """Return the events up to the first of a type in `last`."""
        events = [await self.next()]
        while events[-1].type not in last:
            events.append(await self.next())
        return events

    async def until_waiting(self, calls: int) -> None:
        """Wait until so many calls wait for the engine."""
        waiting = -1
        while waiting != calls:
            await self.send(Event(type="stats"))
            waiting = (await self.next()).data["waiting"]

    async def say(self, text: str, **data: Any) -> list[Event]:
        """Return the whole answer to a plain request."""
        await self.send(Event(type="synthesize", data={"text": text, **data}))
        return await self.until("audio-stop", "error")


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    async with AsyncTcpClient("127.0.0.1", port) as client:
        yield Peer(client)


def pcm(events: list[Event]) -> bytes:
    return b"".join(event.payload or b"" for event in events)


def samples(events: list[Event]) -> NDArray[np.float32]:
    return (np.frombuffer(pcm(events), "<i2") / 32_767).astype(np.float32)


def seconds(events: list[Event]) -> float:
    return len(samples(events)) / RATE


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events if event.type != "audio-chunk"]


@pytest.fixture(scope="module")
def espeak() -> EspeakSynthesizer:
    return EspeakSynthesizer()


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
        await asyncio.sleep(0.1)
        engine.allow()
        (await first.until("audio-stop"))[-1]
        context = (await second.until("audio-stop"))[-1].data["context"]
    timing = context["timing"]
    assert timing["queue"] >= 80
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
