"""Every unit answers the `wyoming` library's own client, which we did not write, with real engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop, wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info, SelectProgram
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)
from wyoming.wake import Detect, Detection

from wyoming_units.engines.base import Emit, SynthesisRequest
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.errors import BadRequest, Unsupported
from wyoming_units.node import Node
from wyoming_units.wire.client import Client

from .conftest import running
from .raw import raw
from .recordings import data

HOME = {
    "language": "en",
    "area": "Kitchen",
    "entities": [
        {"name": "Kitchen Light", "domain": "light", "area": "Kitchen"},
        {"name": "Front Door", "domain": "lock"},
    ],
    "areas": [{"name": "Kitchen"}],
}
COMMAND = "turn on the kitchen light"
"""The voice is not the same twice, and its last "s" can be heard or not: both name the same light."""


@asynccontextmanager
async def client_of(node: Node) -> AsyncIterator[AsyncTcpClient]:
    """Connect the library's client."""
    client = AsyncTcpClient("127.0.0.1", node.port, connect_timeout=5, read_timeout=20)
    async with client:
        yield client


async def send(client: AsyncTcpClient, *events: Eventable) -> None:
    for event in events:
        await client.write_event(event.event())


async def receive(client: AsyncTcpClient, *last: str) -> list[Event]:
    """Return the events up to the first of a type in `last`."""
    events: list[Event] = []
    while not events or events[-1].type not in last:
        event = await asyncio.wait_for(client.read_event(), 20)
        assert event is not None, f"hung up before {last}: {[e.type for e in events]}"
        events.append(event)
    return events


async def speech(node: Node, text: str) -> tuple[AudioStart, list[AudioChunk]]:
    """Return what the tts unit says."""
    async with client_of(node) as client:
        await send(client, Synthesize(text, SynthesizeVoice(language="en-US")))
        first, *chunks, _ = await receive(client, "audio-stop")
    return AudioStart.from_event(first), [AudioChunk.from_event(chunk) for chunk in chunks]


def audio_of(path: Path) -> Iterable[Eventable]:
    """Return the events of a recording."""
    import wave

    with wave.open(str(path)) as file:
        return list(wav_to_chunks(file, 1024, start_event=True, stop_event=True))


# -- info


async def test_info_is_read_by_the_library_and_names_every_unit(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, Describe())
        (event,) = await receive(client, "info")
    info = Info.from_event(event)
    assert [len(kind) for kind in (info.asr, info.tts, info.wake, info.intent)] == [1, 1, 1, 1]
    assert info.satellite is None
    assert not info.asr[0].requires_external_vad
    assert info.tts[0].supports_synthesize_streaming
    assert {model.phrase for model in info.wake[0].models} >= {"Okay Nabu", "Hey Jarvis"}
    assert event.data["node"]["id"] == node.id


async def test_the_id_of_a_node_stays_when_it_starts_again(tmp_path: Path) -> None:
    ids = set()
    for _ in range(2):
        async with running(tmp_path, units=["intent"]) as node:
            ids.add(node.id)
    assert len(ids) == 1


@pytest.mark.parametrize("units", [["singing"], ["stt=espeak"], ["stt=none"]])
async def test_a_unit_or_engine_that_does_not_exist_is_refused(
    tmp_path: Path, units: list[str]
) -> None:
    with pytest.raises(BadRequest):
        async with running(tmp_path, units=units):
            pass


async def test_a_port_in_use_is_one_clear_error(node: Node, tmp_path: Path) -> None:
    from wyoming_units.config import load_config

    other = Node(load_config(data_dir=tmp_path, host="127.0.0.1", port=node.port, units=["intent"]))
    with pytest.raises(Unsupported, match=f"cannot listen on 127.0.0.1:{node.port}"):
        await other.start()
    await other.stop()


# -- text to speech


async def test_a_text_is_spoken(node: Node) -> None:
    start, chunks = await speech(node, "Hello. How are you?")
    assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} == {(start.rate, 2, 1)}
    seconds = sum(chunk.seconds for chunk in chunks)
    assert 0.8 < seconds < 3


async def test_streamed_text_sounds_like_the_same_text_at_once(node: Node) -> None:
    text = "The light is on. The door is locked."
    voice = SynthesizeVoice(language="en-US")
    _, plain = await speech(node, text)
    async with client_of(node) as client:
        await send(client, SynthesizeStart(voice=voice))
        await send(
            client, *(SynthesizeChunk(piece) for piece in text.split(" ") for piece in (piece, " "))
        )
        await send(client, Synthesize(text, voice), SynthesizeStop())
        events = await receive(client, "synthesize-stopped")
        assert [event.type for event in events if event.type != "audio-chunk"] == [
            "audio-start",
            "audio-stop",
            "synthesize-stopped",
        ]
        length = sum(len(chunk.audio) for chunk in plain)  # the voice is not the same to the bit
        assert sum(len(event.payload or b"") for event in events) == pytest.approx(length, rel=0.02)
        await send(client, Synthesize(text, voice))
        again = await receive(client, "audio-stop")
        assert sum(len(event.payload or b"") for event in again) == pytest.approx(length, rel=0.02)


async def test_the_first_sentence_is_heard_before_the_last_is_written(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, SynthesizeStart(), SynthesizeChunk("First sentence. Second"))
        await receive(client, "audio-chunk")
        await send(client, SynthesizeChunk(" sentence."), SynthesizeStop())
        await receive(client, "synthesize-stopped")


@pytest.mark.parametrize("text", ["", "  ", "**", "😀"])
async def test_a_text_without_words_is_empty_audio(node: Node, text: str) -> None:
    async with client_of(node) as client:
        await send(client, Synthesize(text))
        assert [event.type for event in await receive(client, "audio-stop")] == [
            "audio-start",
            "audio-stop",
        ]


@pytest.mark.parametrize(
    ("request_event", "code"),
    [
        (Synthesize("hi", SynthesizeVoice(name="nobody")).event(), "unknown-voice"),
        (Synthesize("hi", SynthesizeVoice(language="tlh")).event(), "unknown-voice"),
        (Synthesize("<speak><audio/></speak>", text_format="ssml").event(), "unsupported"),
        (Synthesize("x" * 10_001).event(), "too-large"),
        (Event(type="synthesize", data={"text": 3}), "bad-request"),
        (Event(type="synthesize", data={"text": "hi", "voice": "nobody"}), "bad-request"),
        (Event(type="synthesize"), "bad-request"),
    ],
)
async def test_a_wrong_synthesis_request_is_one_error(
    node: Node, request_event: Event, code: str
) -> None:
    async with client_of(node) as client:
        await client.write_event(request_event)
        (event,) = await receive(client, "error")
        assert Error.from_event(event).code == code
        await send(client, Synthesize("still here"))
        assert (await receive(client, "audio-stop"))[0].type == "audio-start"


async def test_a_stream_over_the_text_limit_is_one_error(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, SynthesizeStart(), *[SynthesizeChunk("x" * 6000)] * 2)
        assert Error.from_event((await receive(client, "error"))[-1]).code == "too-large"


async def test_a_client_that_leaves_in_mid_synthesis_frees_the_engine(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[SynthesisRequest] = []
    speak = EspeakSynthesizer.synthesize

    def counted(self: EspeakSynthesizer, request: SynthesisRequest, emit: Emit) -> None:
        spoken.append(request)
        speak(self, request, emit)

    monkeypatch.setattr(EspeakSynthesizer, "synthesize", counted)
    async with raw(node.port) as peer:
        await peer.event("synthesize", {"text": "A long sentence, and another. " * 300})
        assert (await peer.frame() or {})["type"] == "audio-start"
    await asyncio.sleep(0.1)
    sentences = len(spoken)
    await asyncio.sleep(0.3)
    assert 0 < len(spoken) == sentences < 300


# -- speech to text


async def test_a_spoken_command_becomes_text(node: Node) -> None:
    start, chunks = await speech(node, COMMAND)
    async with client_of(node) as client:
        await send(client, Transcribe(language="en", context={"home": HOME}))
        await send(client, start, *chunks, AudioStop())
        transcript = Transcript.from_event((await receive(client, "transcript"))[-1])
    assert transcript.text.lower().removesuffix("s") == COMMAND
    assert transcript.context
    assert transcript.context["timing"]["total"] > 0


async def test_live_speech_is_transcribed_before_the_audio_ends(node: Node) -> None:
    start, chunks = await speech(node, COMMAND)
    silence = AudioChunk(start.rate, 2, 1, b"\0" * (start.rate // 5))
    async with client_of(node) as client:
        await send(client, Transcribe(language="en", context={"home": HOME}), start)
        answer = asyncio.create_task(receive(client, "transcript"))
        for chunk in (*chunks, *[silence] * 30):
            if answer.done():
                break
            await send(client, chunk)
            await asyncio.sleep(chunk.seconds)
        assert answer.done(), "the turn was not ended"
        transcript = Transcript.from_event((await answer)[-1])
        assert transcript.text.lower().removesuffix("s") == COMMAND
        assert transcript.context
        assert "endpoint" in transcript.context["timing"]
        # What still comes of this utterance is dropped, and the next one is heard.
        await send(client, silence, AudioStop())
        await send(client, Transcribe(language="en", context={"home": HOME}))
        await send(client, start, *chunks, AudioStop())
        again = Transcript.from_event((await receive(client, "transcript"))[-1])
        assert again.text.lower().removesuffix("s") == COMMAND


async def test_a_live_turn_without_speech_ends_after_five_seconds(node: Node) -> None:
    silence = AudioChunk(16000, 2, 1, bytes(6400))
    loop = asyncio.get_running_loop()
    async with client_of(node) as client:
        await send(client, Transcribe(), AudioStart(16000, 2, 1))
        answer = asyncio.create_task(receive(client, "transcript"))
        began = loop.time()
        while not answer.done() and loop.time() < began + 8:
            await send(client, silence)
            await asyncio.sleep(silence.seconds)
        assert answer.done(), "the turn was not ended"
        assert Transcript.from_event((await answer)[-1]).text == ""
        assert loop.time() - began > 4.5


@pytest.mark.parametrize("chunks", [0, 20])
async def test_no_audio_and_silence_are_an_empty_transcript(node: Node, chunks: int) -> None:
    silence = AudioChunk(16000, 2, 1, bytes(3200))
    async with client_of(node) as client:
        await send(client, Transcribe(), AudioStart(16000, 2, 1), *[silence] * chunks, AudioStop())
        assert Transcript.from_event((await receive(client, "transcript"))[-1]).text == ""


async def test_the_home_of_the_settings_stands_in_for_clients_that_send_none(
    tmp_path: Path,
) -> None:
    import yaml

    path = tmp_path / "home.yaml"
    path.write_text(yaml.safe_dump(HOME))
    async with running(tmp_path, home=path) as node:
        start, chunks = await speech(node, COMMAND)
        async with client_of(node) as client:
            await send(client, Transcribe(), start, *chunks, AudioStop())
            told = await receive(client, "transcript-stop")
            assert Transcript.from_event(told[-2]).text.lower().removesuffix("s") == COMMAND
            await send(client, Recognize(COMMAND))
            events = await receive(client, "intents-stop")
            assert Intent.from_event(events[1]).name == "HassTurnOn"


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([Transcribe(name="whisper"), AudioStart(16000, 2, 1), AudioStop()], "unknown-model"),
        ([Transcribe(language="tlh"), AudioStart(16000, 2, 1), AudioStop()], "unknown-model"),
        ([Transcribe(context={"home": []}), AudioStart(16000, 2, 1), AudioStop()], "bad-request"),
        ([Transcribe(), AudioStart(16000, 3, 1), AudioStop()], "bad-audio"),
        ([Transcribe(), AudioStart(1, 2, 1), AudioStop()], "bad-audio"),
        (
            [Transcribe(), AudioStart(16000, 2, 1), AudioChunk(16000, 2, 1, b"\0"), AudioStop()],
            "bad-audio",
        ),
        (
            [Transcribe(), AudioStart(16000, 2, 1), AudioChunk(48000, 2, 1, bytes(4)), AudioStop()],
            "bad-audio",
        ),
        (
            [Transcribe(), AudioStart(16000, 2, 1)]
            + [AudioChunk(16000, 2, 1, bytes(320_000))] * 7
            + [AudioStop()],
            "too-large",
        ),
        ([SelectProgram("whisper")], "unknown-model"),
    ],
)
async def test_a_wrong_transcription_is_one_error(
    node: Node, events: list[Eventable], code: str
) -> None:
    async with client_of(node) as client:
        await send(client, *events)
        assert Error.from_event((await receive(client, "error"))[-1]).code == code
        await send(client, Transcribe(), AudioStart(16000, 2, 1), AudioStop())
        told = [event.type for event in await receive(client, "transcript-stop")]
        assert told == ["transcript-start", "transcript", "transcript-stop"]


# -- wake word


async def test_a_wake_word_is_detected_in_a_recording(node: Node) -> None:
    events = audio_of(data("media/wake/mww_okay_nabu_1.wav"))
    async with client_of(node) as client:
        await send(client, Detect(names=["okay_nabu"]), *events)
        detection = Detection.from_event((await receive(client, "detection", "not-detected"))[-1])
        assert detection.name == "okay_nabu"
        assert detection.timestamp is not None
        assert 0 < detection.timestamp < 5000


async def test_what_is_not_asked_for_is_not_detected(node: Node) -> None:
    events = audio_of(data("media/wake/mww_okay_nabu_1.wav"))
    async with client_of(node) as client:
        for _ in range(2):  # the second stream repeats the request
            await send(client, *([Detect(names=["hey_jarvis"])] if not _ else []), *events)
            assert (await receive(client, "detection", "not-detected"))[-1].type == "not-detected"


async def test_an_unknown_wake_word_is_an_error_and_never_another_word(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, Detect(names=["hal"]), AudioStart(16000, 2, 1), AudioStop())
        assert Error.from_event((await receive(client, "error"))[-1]).code == "unknown-wake-word"


# -- intent


async def test_a_sentence_becomes_an_intent(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, Transcript(COMMAND, context={"home": HOME, "conversation_id": "c"}))
        start, intent_event, stop = await receive(client, "intents-stop")
    assert (start.type, stop.type) == ("intents-start", "intents-stop")
    intent = Intent.from_event(intent_event)
    assert intent.name == "HassTurnOn"
    assert {entity.name: entity.value for entity in intent.entities}["name"] == "Kitchen Light"
    assert intent.context
    assert intent.context["conversation_id"] == "c"


async def test_nonsense_is_not_recognized(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, Recognize("colourless green ideas", context={"home": HOME}))
        assert NotRecognized.is_type((await receive(client, "not-recognized"))[-1].type)


async def test_an_unknown_language_is_an_error(node: Node) -> None:
    async with client_of(node) as client:
        await send(client, Transcript("qapla", language="tlh"))
        assert Error.from_event((await receive(client, "error"))[-1]).code == "unknown-model"


# -- life


async def test_a_node_answers_while_its_engines_load(tmp_path: Path) -> None:
    from wyoming_units.config import load_config

    async with Node(load_config(data_dir=tmp_path, host="127.0.0.1", port=0, advertise=[])) as node:
        async with Client(f"127.0.0.1:{node.port}") as client:
            info = await client.info()
            assert all(info[domain] for domain in ("asr", "tts", "wake", "intent"))
            await client.send(Recognize(COMMAND, context={"home": HOME}))
            assert (await client.receive()).type == "intents-start"
