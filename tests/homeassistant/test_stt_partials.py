"""Texts that may still change: from the node through the entity to whoever listens."""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import pytest
from homeassistant.components import stt
from wyoming.asr import Transcript

from .listening import (
    FAILED,
    HEARD,
    METADATA,
    UNDERSTOOD,
    Microphone,
    chunk,
    speech_to_text,  # noqa: F401
)
from .scripted_node import Connection, Raw, ScriptedNode, hang_up, reply


@pytest.fixture
def partials(node: ScriptedNode) -> None:
    """The node tells what it hears while it hears it, and in the end who spoke."""
    node.info["asr"][0]["supports_transcript_streaming"] = True

    async def hear(connection: Connection, _: Any) -> None:
        told = {1: "turn", 3: "turn off", 4: "turn on the"}
        if partial := told.get(len(connection.all("audio-chunk"))):
            await connection.send(chunk(partial))

    node.answers["audio-start"] = reply(Raw("transcript-start", {}))
    node.answers["audio-chunk"] = hear
    node.answers["audio-stop"] = reply(
        Raw("transcript-chunk", {"text": "a server that revises nothing"}),
        Transcript(text=HEARD, context={"speaker_id": "Ann"}),
        Raw("transcript-stop", {}),
    )


NEW = pytest.mark.skipif(
    not hasattr(stt, "PartialSpeechResult"),
    reason="Home Assistant 2026.10 knows no partial results",
)


@NEW
async def test_partial_texts_are_passed_on_as_they_come(
    partials: None, node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    spoken = asyncio.Event()
    microphone = Microphone(pieces=4, then=spoken.wait)
    results = entity.internal_async_process_audio_stream_with_progress(
        METADATA, microphone.stream()
    )
    async with asyncio.timeout(2), aclosing(results):
        first = [await anext(results) for _ in range(3)]
        spoken.set()
        rest = [result async for result in results]
    assert first == [stt.PartialSpeechResult(text) for text in ("turn", "turn off", "turn on the")]
    assert rest == [stt.PartialSpeechResult(HEARD, "Ann"), UNDERSTOOD]
    assert (await node.request()).received[0].data["context"]["partials"] is True


@NEW
async def test_a_turn_that_fails_after_a_partial_text_ends_with_an_error_result(
    partials: None, node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    node.answers["audio-stop"] = hang_up
    results = entity.internal_async_process_audio_stream_with_progress(
        METADATA, Microphone().stream()
    )
    assert [result async for result in results][-2:] == [
        stt.PartialSpeechResult("turn off"),
        FAILED,
    ]


@NEW
async def test_a_listener_who_leaves_after_a_partial_text_frees_the_node_at_once(
    partials: None, node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    microphone = Microphone(then=asyncio.Event().wait)
    results = entity.internal_async_process_audio_stream_with_progress(
        METADATA, microphone.stream()
    )
    await anext(results)
    await results.aclose()
    async with asyncio.timeout(0.1):
        await node.request()
    assert not microphone.open


async def test_the_pipeline_gets_the_final_text_alone(
    partials: None, node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    result = await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert result == UNDERSTOOD
    assert await entity.async_process_audio_stream(METADATA, Microphone().stream()) == UNDERSTOOD


async def test_partial_texts_are_not_asked_for_where_there_are_none(
    node: ScriptedNode, entity: stt.SpeechToTextEntity
) -> None:
    node.answers["audio-stop"] = reply(Transcript(text=HEARD))
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    assert "partials" not in (await node.request()).received[0].data["context"]


async def test_logs_above_debug_never_hold_what_was_said(
    partials: None,
    node: ScriptedNode,
    entity: stt.SpeechToTextEntity,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    told = [r.message for r in caplog.records if r.levelno > logging.DEBUG]
    assert not [message for message in told if HEARD in message or "turn off" in message]
