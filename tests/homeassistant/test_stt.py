"""The speech-to-text entity against a server that follows a script."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components import stt
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk
from wyoming.error import Error

from custom_components.wyoming_units.const import TURN_RULES

from .listening import (
    ENTITY,
    FAILED,
    HEARD,
    METADATA,
    UNDERSTOOD,
    Microphone,
    chosen,
    speech_to_text,  # noqa: F401
)
from .scripted_node import Answer, Raw, ScriptedNode, after, artifact, hang_up, reply


async def test_audio_goes_up_as_it_comes_behind_what_the_unit_needs_to_know(
    node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    result = await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert result == UNDERSTOOD
    request = await node.request()
    assert request.types() == [
        "transcribe",
        "audio-start",
        *["audio-chunk"] * 3,
        "audio-stop",
    ]
    transcribe, start, *chunks, _ = request.received
    assert transcribe.data["language"] == "en"
    assert transcribe.data["context"]["home"]["language"] == "en"
    assert start.data.items() >= {"rate": 16000, "width": 2, "channels": 1}.items()
    assert [AudioChunk.from_event(chunk).audio[0] for chunk in chunks] == [0, 1, 2]


async def test_what_the_unit_spent_its_time_on_is_in_the_diagnostics(
    hass: HomeAssistant,
    hass_client: Any,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    entity: stt.SpeechToTextEntity,
) -> None:
    told = {"timing": {"endpoint": 512.5, "total": 520.0}, "rtf": 0.02}
    node.answers["audio-stop"] = reply(Transcript(text=HEARD, context=told))
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, loaded)
    assert diagnostics["timings"] == {"stt ears": told}


async def test_the_text_is_returned_while_the_microphone_is_still_open(
    node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    node.answers["audio-chunk"] = after(3, reply(Raw("transcript-start", {}), Transcript(HEARD)))
    microphone = Microphone(then=asyncio.Event().wait)
    async with asyncio.timeout(2):
        result = await entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    assert result == UNDERSTOOD
    assert not microphone.open
    assert "audio-stop" not in (await node.request()).types()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(Error(text="too many", code="busy")), "too many (busy)"),
        (reply(Raw("error", {"code": "busy"})), "cannot be read (error)"),
        (reply(Raw("transcript", {"language": "en"})), "cannot be read (transcript)"),
        (reply(Raw("transcript", [HEARD])), "connection to the node was lost"),
        (hang_up, "connection to the node was lost"),
    ],
)
@pytest.mark.parametrize("moment", ["transcribe", "audio-chunk", "audio-stop"])
async def test_a_failure_of_the_node_is_an_error_result_and_one_line_in_the_log(
    node: ScriptedNode,
    entity: stt.SpeechToTextEntity,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
    reason: str,
    moment: str,
) -> None:
    node.answers[moment] = after(1, answer)
    microphone = Microphone(then=lambda: asyncio.sleep(0 if moment == "audio-stop" else 5))
    async with asyncio.timeout(2):
        result = await entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    assert result == FAILED
    [line] = [record for record in caplog.records if "Speech-to-text of" in record.message]
    assert line.levelno == logging.WARNING
    assert reason in line.message
    assert not microphone.open


async def test_a_node_that_never_answers_is_given_up(
    node: ScriptedNode,
    entity: stt.SpeechToTextEntity,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.ANSWER_TIMEOUT", 0.05)
    result = await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert result == FAILED
    assert "did not answer in time" in caplog.text


async def test_a_node_that_stops_reading_is_given_up(
    node: ScriptedNode, entity: stt.SpeechToTextEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.ANSWER_TIMEOUT", 0.05)
    monkeypatch.setattr("custom_components.wyoming_units.client.SEND_TIMEOUT", 0.05)
    stuck = asyncio.Event()
    node.answers["transcribe"] = lambda *_: stuck.wait()
    microphone = Microphone(pieces=100_000)
    result = await entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    stuck.set()
    await node.request()
    assert result == FAILED
    assert not microphone.open


async def test_a_pause_in_speech_is_no_failure(
    node: ScriptedNode, entity: stt.SpeechToTextEntity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.ANSWER_TIMEOUT", 0.05)
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    microphone = Microphone(then=lambda: asyncio.sleep(0.2))
    result = await entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    assert result == UNDERSTOOD


async def test_a_node_that_is_away_is_an_error_result(
    node: ScriptedNode, entity: stt.SpeechToTextEntity, caplog: pytest.LogCaptureFixture
) -> None:
    await node.stop()
    result = await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert result == FAILED
    assert "Nothing answers at 127.0.0.1" in caplog.text


async def test_a_turn_that_is_cancelled_frees_the_node_at_once(
    node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    microphone = Microphone(then=asyncio.Event().wait)
    turn = asyncio.create_task(
        entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    )
    await node.received("audio-chunk")
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    async with asyncio.timeout(0.1):
        await node.request()
    assert not microphone.open


async def test_a_microphone_that_breaks_is_not_taken_for_a_failure_of_the_node(
    node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    def unplug() -> None:
        raise RuntimeError("unplugged")

    microphone = Microphone(then=unplug)
    with pytest.raises(RuntimeError, match="unplugged"):
        await entity.internal_async_process_audio_stream(METADATA, microphone.stream())
    await node.request()


async def test_the_unit_says_what_it_can_and_how_it_likes_its_audio(
    entity: stt.SpeechToTextEntity,
) -> None:
    assert entity.supported_languages == ["en", "en-US"]
    assert entity.check_metadata(METADATA)
    assert entity.audio_processing == stt.SpeechAudioProcessing(
        requires_external_vad=False,
        prefers_auto_gain_enabled=False,
        prefers_noise_reduction_enabled=True,
    )


@pytest.mark.parametrize(
    ("options", "sensitivity"),
    [
        ({}, "default"),
        (chosen(silence_sensitivity="relaxed"), "relaxed"),
        (chosen(silence_sensitivity="aggressive"), "aggressive"),
        ({"stt": {"other ears": {"silence_sensitivity": "relaxed"}}}, "default"),
    ],
)
async def test_the_unit_is_told_how_long_a_silence_ends_a_turn(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    entity: stt.SpeechToTextEntity,
    options: dict[str, Any],
    sensitivity: str,
) -> None:
    hass.config_entries.async_update_entry(loaded, options=options)
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    transcribe = (await node.request()).received[0]
    assert transcribe.data["vad_sensitivity"] == sensitivity
    assert not {"end_of_turn", "turn"} & transcribe.data["context"].keys()


async def test_the_unit_is_told_the_rules_for_the_end_of_a_turn_that_were_changed(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    entity: stt.SpeechToTextEntity,
) -> None:
    rules = {rule: 1.5 + number for number, rule in enumerate(TURN_RULES)}
    hass.config_entries.async_update_entry(loaded, options=chosen(turn=rules))
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    transcribe = (await node.request()).received[0]
    assert transcribe.data["context"]["turn"] == {
        "silence": 1.5,
        "punctuation": 2.5,
        "complete": 3.5,
        "whole": 4.5,
        "stable": 5.5,
        "long_silence": 6.5,
        "maximum": 7.5,
    }
    assert transcribe.data["vad_sensitivity"] == "default"


@pytest.mark.parametrize(
    ("model", "language", "named"),
    [
        ("ears-big", "nl", "ears-big"),
        ("ears-big", "nl-BE", "ears-big"),
        ("ears-big", "en", None),  # which it does not know
        ("ears-gone", "en", None),
        (None, "en", None),
    ],
)
async def test_the_chosen_model_recognises_the_languages_that_it_knows(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    model: str | None,
    language: str,
    named: str | None,
) -> None:
    node.info["asr"][0]["models"] += [
        artifact("ears-big", languages=["nl", "de"]),
        artifact("ears-small", languages=["nl", "nl-BE"]),
        artifact("ears-gone", languages=["en"], installed=False),
    ]
    hass.config_entries.async_update_entry(entry, options=chosen(model=model) if model else {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    entity = stt.async_get_speech_to_text_engine(hass, ENTITY)
    assert isinstance(entity, stt.SpeechToTextEntity)
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    metadata = replace(METADATA, language=language)
    assert entity.check_metadata(metadata)
    await entity.internal_async_process_audio_stream(metadata, Microphone().stream())
    transcribe = (await node.request()).received[0]
    assert transcribe.data["language"] == language
    assert transcribe.data.get("name") == named


async def test_home_assistant_ends_the_turn_where_the_user_wants_it_to(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    entity: stt.SpeechToTextEntity,
) -> None:
    hass.config_entries.async_update_entry(
        loaded, options=chosen(end_of_turn="home_assistant", turn={"silence": 1})
    )
    assert entity.audio_processing.requires_external_vad
    assert entity.audio_processing.prefers_noise_reduction_enabled
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    transcribe = (await node.request()).received[0]
    assert transcribe.data["context"]["end_of_turn"] == "client"
    assert "vad_sensitivity" not in transcribe.data
    assert "turn" not in transcribe.data["context"]


async def test_of_several_programs_the_right_one_is_asked(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    second = artifact("big-ears", models=[artifact("whisper", languages=["de", "fr"])])
    node.info["asr"].append(node.info["asr"][0] | second)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    for entity_id, program in ((ENTITY, "ears"), (f"{ENTITY}_big_ears", "big-ears")):
        entity = stt.async_get_speech_to_text_engine(hass, entity_id)
        assert isinstance(entity, stt.SpeechToTextEntity)
        await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
        select, transcribe, *_ = (await node.request()).received
        assert (select.type, select.data) == ("select-program", {"name": program})
        assert transcribe.type == "transcribe"
    assert entity.supported_languages == ["de", "fr"]


async def test_a_program_that_the_node_does_not_know_any_more_is_an_error_result(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["asr"].append(node.info["asr"][0] | artifact("big-ears"))
    node.answers["select-program"] = reply(Error(text="no such program", code="unknown-model"))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    entity = stt.async_get_speech_to_text_engine(hass, ENTITY)
    assert isinstance(entity, stt.SpeechToTextEntity)
    result = await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert result == FAILED


async def test_a_recording_that_is_posted_is_transcribed_too(
    hass_client: Any, node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    client = await hass_client()
    response = await client.post(
        f"/api/stt/{ENTITY}",
        headers={
            "X-Speech-Content": "format=wav; codec=pcm; sample_rate=16000; bit_rate=16; "
            "channel=1; language=en"
        },
        data=bytes(32_000),
    )
    assert await response.json() == {"text": HEARD, "result": "success"}
    transcribe = (await node.request()).received[0]
    assert transcribe.data["context"]["home"]["area"] is None
