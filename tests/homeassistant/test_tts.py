"""The text-to-speech entity against a server that follows a script."""

import asyncio
import io
import struct
import wave
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import tts
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.tts import SynthesizeStopped

from .ids import next_poll
from .scripted_node import (
    Answer,
    Connection,
    Raw,
    ScriptedNode,
    artifact,
    hang_up,
    node_info,
    reply,
)

ENTITY = "tts.cellar_text_to_speech"
SOUND = {"rate": 16000, "width": 2, "channels": 1}
START = AudioStart(**SOUND)


def chunk(byte: int) -> AudioChunk:
    return AudioChunk(audio=bytes([byte, 0]) * 100, **SOUND)


def engine(hass: HomeAssistant) -> tts.TextToSpeechEntity:
    entity = hass.data[tts.DATA_COMPONENT].get_entity(ENTITY)
    assert isinstance(entity, tts.TextToSpeechEntity)
    return entity


def request(
    *parts: str, then: Callable[[], Coroutine[Any, Any, object]] | None = None, **options: Any
) -> tts.TTSAudioRequest:
    async def text() -> AsyncGenerator[str]:
        for part in parts:
            yield part
        if then is not None:
            await then()

    return tts.TTSAudioRequest("en", options, text())


async def speak(hass: HomeAssistant, asked: tts.TTSAudioRequest) -> bytes:
    response = await engine(hass).internal_async_stream_tts_audio(asked)
    assert response.extension == "wav"
    return b"".join([data async for data in response.data_gen])


@pytest.fixture
def speaks(node: ScriptedNode) -> None:
    """The node speaks each piece of text as one chunk, numbered."""

    async def say(connection: Connection, _: Any) -> None:
        number = len(connection.all("synthesize-chunk"))
        await connection.send(chunk(number))

    node.answers |= {
        "synthesize-start": reply(START),
        "synthesize-chunk": say,
        "synthesize-stop": reply(AudioStop(), SynthesizeStopped()),
    }


@pytest.mark.usefixtures("loaded", "speaks")
async def test_speech_begins_while_the_text_is_still_being_written(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    written = asyncio.Event()
    response = await engine(hass).internal_async_stream_tts_audio(
        request("It is ", then=written.wait)
    )
    first = [await anext(response.data_gen) for _ in range(2)]
    assert first[1] == chunk(1).audio
    written.set()
    assert [data async for data in response.data_gen] == []
    sent = (await node.request()).received
    assert [event.type for event in sent] == [
        "synthesize-start",
        "synthesize-chunk",
        "synthesize",
        "synthesize-stop",
    ]
    assert sent[2].data["text"] == "It is "


@pytest.mark.usefixtures("loaded", "speaks")
async def test_a_stream_is_an_endless_wav(hass: HomeAssistant) -> None:
    data = await speak(hass, request("It is ", "late."))
    assert data[44:] == chunk(1).audio + chunk(2).audio
    riff, _, wave_, _, _, form, channels, rate, per_second, frame, bits, _, size = struct.unpack(
        "<4sI4s 4sIHHIIHH 4sI", data[:44]
    )
    assert (riff, wave_, form, channels, rate, bits) == (b"RIFF", b"WAVE", 1, 1, 16000, 16)
    assert (per_second, frame, size) == (32000, 2, 0xFFFFFFFF)


@pytest.mark.usefixtures("loaded", "speaks")
async def test_home_assistant_streams_it_without_converting_it(hass: HomeAssistant) -> None:
    stream = tts.async_create_stream(hass, ENTITY, options={tts.ATTR_PREFERRED_FORMAT: "wav"})
    assert stream.supports_streaming_input
    stream.async_set_message_stream(request("It is ", "late.").message_gen)
    data = b"".join([part async for part in stream.async_stream_result()])
    assert data[:4] == b"RIFF"
    assert data[44:] == chunk(1).audio + chunk(2).audio


CHOIR = artifact("choir", languages=["en"], speakers=[{"name": "Ann"}, {"name": "Bob"}])


@pytest.fixture
async def chooses(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Sets the node up, which also has a choir, with what the user chose."""

    async def choose(**choice: Any) -> None:
        node.info["tts"][0]["voices"].append(CHOIR)
        hass.config_entries.async_update_entry(entry, options={"tts": {"mouth": choice}})
        assert await hass.config_entries.async_setup(entry.entry_id)

    return choose


@pytest.mark.usefixtures("speaks")
@pytest.mark.parametrize(
    ("options", "voice"),
    [
        ({"voice": "alba"}, {"name": "alba", "language": "en"}),
        ({"voice": "choir#Bob"}, {"name": "choir", "language": "en", "speaker": "Bob"}),
        ({"voice": "choir"}, {"name": "choir", "language": "en"}),
        ({"voice": "nobody#Bob"}, {"name": "nobody#Bob", "language": "en"}),
        ({}, {"language": "en"}),
    ],
)
async def test_the_voice_that_was_asked_for_speaks_or_else_one_of_the_language(
    hass: HomeAssistant,
    node: ScriptedNode,
    chooses: Callable[..., Coroutine[Any, Any, None]],
    options: dict[str, str],
    voice: dict[str, str],
) -> None:
    await chooses()
    await speak(hass, request("Hello.", **options))
    sent = (await node.request()).received
    assert [event.data["voice"] for event in (sent[0], sent[2])] == [voice, voice]
    assert not [event for event in sent if "context" in event.data]


async def announce(hass: HomeAssistant, language: str, **options: Any) -> None:
    """Speak as an action does, with the options that the entity adds."""
    stream = tts.async_create_stream(
        hass, ENTITY, language=language, options={tts.ATTR_PREFERRED_FORMAT: "wav", **options}
    )
    stream.async_set_message("Hello.")
    assert b"".join([part async for part in stream.async_stream_result()])


@pytest.mark.usefixtures("speaks")
@pytest.mark.parametrize(
    ("language", "options", "voice", "speed"),
    [
        ("en", {}, {"name": "choir", "language": "en", "speaker": "Ann"}, 1.5),
        ("de", {}, {"language": "de"}, 1.5),  # which the chosen voice does not speak
        ("en", {"voice": "amy"}, {"name": "amy", "language": "en"}, 1.5),
        ("en", {"voice": "amy", "speed": 0.5}, {"name": "amy", "language": "en"}, 0.5),
    ],
)
async def test_the_chosen_voice_and_speed_are_used_where_none_is_asked_for(
    hass: HomeAssistant,
    node: ScriptedNode,
    chooses: Callable[..., Coroutine[Any, Any, None]],
    language: str,
    options: dict[str, Any],
    voice: dict[str, str],
    speed: float,
) -> None:
    await chooses(voice="choir#Ann", speed=1.5)
    await announce(hass, language, **options)
    sent = (await node.request()).received
    assert [event.data["voice"] for event in (sent[0], sent[2])] == [voice, voice]
    assert [event.data["context"] for event in (sent[0], sent[2])] == [{"speed": speed}] * 2


@pytest.mark.usefixtures("speaks")
async def test_speech_that_home_assistant_kept_is_not_used_for_another_choice(
    hass: HomeAssistant,
    node: ScriptedNode,
    chooses: Callable[..., Coroutine[Any, Any, None]],
    entry: MockConfigEntry,
) -> None:
    await chooses(voice="choir#Ann")
    for _ in range(2):
        await announce(hass, "en")
    assert len(node.requests) == 1
    hass.config_entries.async_update_entry(entry, options={"tts": {"mouth": {"voice": "amy"}}})
    await hass.config_entries.async_reload(entry.entry_id)
    await announce(hass, "en")
    assert (await node.request()).received[0].data["voice"]["name"] == "amy"


@pytest.mark.usefixtures("speaks")
async def test_a_chosen_voice_that_the_node_has_no_more_is_not_asked_for(
    hass: HomeAssistant, node: ScriptedNode, chooses: Callable[..., Coroutine[Any, Any, None]]
) -> None:
    await chooses(voice="gone")
    await announce(hass, "en")
    assert (await node.request()).received[0].data["voice"] == {"language": "en"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("speed", ["fast", 0.4, 2.1, [1]])
async def test_a_speed_that_does_not_exist_is_refused(hass: HomeAssistant, speed: Any) -> None:
    with pytest.raises(ServiceValidationError, match="times as fast as usual"):
        await speak(hass, request("Hello.", speed=speed))
    with pytest.raises(ServiceValidationError, match="times as fast as usual"):
        await engine(hass).async_get_tts_audio("Hello.", "en", {"speed": speed})


async def test_a_unit_that_cannot_stream_gets_the_whole_text_and_makes_a_whole_file(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["tts"][0]["supports_synthesize_streaming"] = False
    node.answers["synthesize"] = reply(START, chunk(1), chunk(2), AudioStop())
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert not engine(hass).async_supports_streaming_input()
    extension, data = await engine(hass).async_internal_get_tts_audio(
        "Hello.", "en", {"voice": "amy"}
    )
    assert extension == "wav"
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        assert file.readframes(1000) == chunk(1).audio + chunk(2).audio
    [synthesize] = (await node.request()).received
    assert synthesize.data == {"text": "Hello.", "voice": {"name": "amy", "language": "en"}}


@pytest.mark.usefixtures("loaded")
async def test_no_audio_at_all_is_no_file(hass: HomeAssistant, node: ScriptedNode) -> None:
    node.answers["synthesize"] = reply(START, AudioStop())
    assert await engine(hass).async_internal_get_tts_audio("", "en", {}) == (None, None)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(Error(text="no such voice", code="unknown-voice")), "no such voice"),
        (reply(Raw("audio-chunk", {"rate": 16000})), "cannot be read"),
        (hang_up, "was lost"),
    ],
)
@pytest.mark.parametrize("moment", ["synthesize-start", "synthesize-chunk", "synthesize-stop"])
async def test_a_failure_of_the_node_is_told_with_its_reason(
    hass: HomeAssistant, node: ScriptedNode, answer: Answer, reason: str, moment: str
) -> None:
    node.answers[moment] = answer
    with pytest.raises(HomeAssistantError, match=reason):
        await speak(hass, request("Hello."))


@pytest.mark.usefixtures("loaded", "speaks")
async def test_a_writer_that_pauses_is_waited_for_but_not_a_silent_node(
    hass: HomeAssistant, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.ANSWER_TIMEOUT", 0.05)
    assert await speak(hass, request("It is ", then=lambda: asyncio.sleep(0.2)))

    del node.answers["synthesize-stop"]
    with pytest.raises(HomeAssistantError, match="did not answer in time"):
        await speak(hass, request("It is "))


@pytest.mark.usefixtures("loaded", "speaks")
async def test_a_listener_who_leaves_frees_the_node_at_once(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    response = await engine(hass).internal_async_stream_tts_audio(
        request("It is ", then=asyncio.Event().wait)
    )
    await anext(response.data_gen)
    await response.data_gen.aclose()
    async with asyncio.timeout(0.1):
        await node.request()


@pytest.mark.usefixtures("loaded")
async def test_voices_are_listed_by_language(hass: HomeAssistant, node: ScriptedNode) -> None:
    entity = engine(hass)
    assert entity.supported_languages == ["de", "en", "en-GB", "en-US"]
    assert entity.default_language == "en-US"
    assert entity.supported_options == ["voice", "speed", "persona_voice"]
    assert entity.async_get_supported_voices("en") == [tts.Voice("amy", "amy of the test")]
    assert entity.async_get_supported_voices("fr") is None


async def test_a_voice_that_is_not_installed_is_not_offered(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info = node_info()
    node.info["tts"][0]["voices"][2]["installed"] = False
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert "de" not in engine(hass).supported_languages


async def test_a_voice_that_a_node_found_is_offered_within_20_seconds(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info["tts"][0]["voices"] += [
        artifact("sofia", languages=["bg"]),
        CHOIR,
        artifact("soloist", languages=["bg"], speakers=[]),
    ]
    await next_poll(hass, freezer, timedelta(seconds=19))
    assert "bg" in engine(hass).supported_languages
    assert engine(hass).async_get_supported_voices("bg") == [
        tts.Voice("sofia", "sofia of the test"),
        tts.Voice("soloist", "soloist of the test"),
    ]
    assert engine(hass).async_get_supported_voices("en") == [
        tts.Voice("amy", "amy of the test"),
        tts.Voice("choir#Ann", "choir of the test · Ann"),
        tts.Voice("choir#Bob", "choir of the test · Bob"),
    ]
