"""Turns through Home Assistant's own pipeline, with the units of a scripted node."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipelines
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.tts import SynthesizeStopped
from wyoming.wake import Detection

from custom_components.wyoming_units.const import CONF_PIPELINE_CONSENT, CONF_PREFERRED

from .assist import PIECE, Turn
from .scripted_node import ScriptedNode, after, reply

SOUND = {"rate": 16000, "width": 2, "channels": 1}
SILENCE = bytes(PIECE)

type NewTurn = Callable[[], Awaitable[Turn]]


@pytest.fixture
async def pipeline(hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry) -> str:
    """The pipeline that the user said yes to."""
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_PIPELINE_CONSENT: {CONF_PREFERRED: True}}
    )
    assert await async_setup_component(hass, "intent", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    node.answers |= {
        "audio-stop": reply(Transcript(text="turn on the lamp")),
        "synthesize-start": reply(AudioStart(**SOUND)),
        "synthesize": reply(AudioChunk(audio=bytes([7, 0]) * 1600, **SOUND)),
        "synthesize-stop": reply(AudioStop(), SynthesizeStopped()),
    }
    [made] = [p for p in async_get_pipelines(hass) if p.name == "Wyoming Units"]
    return made.id


@pytest.fixture
def new_turn(hass: HomeAssistant, hass_ws_client: Any) -> NewTurn:
    async def connect() -> Turn:
        return Turn(hass, await hass_ws_client(hass))

    return connect


def speaker(hass: HomeAssistant, room: str | None) -> str:
    """Return a device that people in a room speak to."""
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    registry = dr.async_get(hass)
    device = registry.async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", f"speaker in {room}")}
    )
    if room is not None:
        area = ar.async_get(hass).async_get_or_create(room)
        registry.async_update_device(device.id, area_id=area.id)
    return device.id


async def area_told(node: ScriptedNode, number: int = 1) -> str | None:
    """Return the area in the request number `number`."""
    await node.until(lambda: len(node.requests) == number)
    transcribe = node.requests[-1].received[0]
    area: str | None = transcribe.data["context"]["home"]["area"]
    return area


async def test_a_spoken_command_is_carried_out_and_answered(
    hass: HomeAssistant, pipeline: str, new_turn: NewTurn
) -> None:
    entry = er.async_get(hass).async_get_or_create("light", "test", "lamp", original_name="Lamp")
    hass.states.async_set(entry.entity_id, "off", {"friendly_name": "Lamp"})
    assert await async_setup_component(hass, "light", {})
    turn = await new_turn()
    await turn.start(pipeline)
    await turn.say(SILENCE * 5)
    await turn.end_speech()
    assert (await turn.until("stt-end"))["stt_output"] == {"text": "turn on the lamp"}
    response = (await turn.until("intent-end"))["intent_output"]["response"]
    assert response["response_type"] == "action_done"
    audio = await turn.reply()
    assert audio[44:] == bytes([7, 0]) * 1600


async def test_a_unit_that_finds_the_end_of_speech_needs_no_end_of_audio(
    node: ScriptedNode, pipeline: str, new_turn: NewTurn
) -> None:
    node.answers["audio-chunk"] = after(20, reply(Transcript(text="turn on the lamp")))
    turn = await new_turn()
    await turn.start(pipeline)
    await turn.say(SILENCE * 20)
    await turn.until("stt-end")
    assert not any(event["type"] == "stt-vad-end" for event in turn.events)
    await turn.reply()


@pytest.mark.parametrize("room", ["Kitchen", None])
async def test_the_unit_is_told_in_which_room_the_speaking_device_is(
    hass: HomeAssistant, node: ScriptedNode, pipeline: str, new_turn: NewTurn, room: str | None
) -> None:
    turn = await new_turn()
    await turn.start(pipeline, device_id=speaker(hass, room))
    assert await area_told(node) == room
    await turn.end_speech()
    await turn.reply()


async def test_a_device_that_nobody_knows_is_in_no_room(
    node: ScriptedNode, pipeline: str, new_turn: NewTurn
) -> None:
    turn = await new_turn()
    await turn.start(pipeline, device_id="gone")
    assert await area_told(node) is None
    await turn.end_speech()
    await turn.reply()


async def test_people_in_two_rooms_at_once_are_told_apart(
    hass: HomeAssistant, node: ScriptedNode, pipeline: str, new_turn: NewTurn
) -> None:
    turns = []
    for number, room in enumerate(("Kitchen", "Study"), 1):
        turn = await new_turn()
        turns.append(turn)
        await turn.start(pipeline, device_id=speaker(hass, room))
        assert await area_told(node, number) == room
    for turn in turns:
        await turn.end_speech()
        await turn.reply()


async def test_two_rooms_in_one_conversation_are_no_room(
    hass: HomeAssistant, node: ScriptedNode, pipeline: str, new_turn: NewTurn
) -> None:
    first = await new_turn()
    await first.start(pipeline, device_id=speaker(hass, "Kitchen"), conversation_id="family")
    assert await area_told(node) == "Kitchen"
    second = await new_turn()
    await second.start(pipeline, device_id=speaker(hass, "Study"), conversation_id="family")
    assert await area_told(node, 2) is None
    await second.end_speech()
    await second.reply()
    await first.end_speech()
    await first.reply()


async def test_the_room_of_a_satellite_goes_before_that_of_its_device(
    hass: HomeAssistant,
    node: ScriptedNode,
    pipeline: str,
    new_turn: NewTurn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device_id = speaker(hass, "Kitchen")
    satellite = er.async_get(hass).async_get_or_create(
        "assist_satellite", "test", "one", device_id=device_id, original_name="Satellite"
    )
    # The websocket command takes a device only; satellites hand their entity to the same run.
    monkeypatch.setattr(
        "homeassistant.components.assist_pipeline.run.PipelineRun.satellite_id",
        property(lambda _: satellite.entity_id),
    )
    for own_room, expected in ((None, "Kitchen"), ("Study", "Study")):
        if own_room is not None:
            area = ar.async_get(hass).async_get_or_create(own_room)
            er.async_get(hass).async_update_entity(satellite.entity_id, area_id=area.id)
        turn = await new_turn()
        await turn.start(pipeline, device_id=device_id)
        assert await area_told(node) == expected
        await turn.end_speech()
        await turn.reply()
        node.requests.clear()


async def test_a_home_assistant_that_hides_its_runs_costs_the_room_and_nothing_else(
    hass: HomeAssistant,
    node: ScriptedNode,
    pipeline: str,
    new_turn: NewTurn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = hass.data[KEY_ASSIST_PIPELINE].pipeline_runs
    monkeypatch.delattr(runs, "_pipeline_runs")
    monkeypatch.setattr(runs, "add_run", lambda _: None)
    monkeypatch.setattr(runs, "remove_run", lambda _: None)
    turn = await new_turn()
    await turn.start(pipeline, device_id=speaker(hass, "Kitchen"))
    assert await area_told(node) is None
    await turn.end_speech()
    await turn.reply()


@pytest.mark.parametrize("own_buffer", [{}, {"audio_seconds_to_buffer": 10}])
async def test_speech_right_behind_the_wake_word_is_neither_lost_nor_doubled(
    node: ScriptedNode, pipeline: str, new_turn: NewTurn, own_buffer: dict[str, int]
) -> None:
    """Also where the satellite asked the pipeline to repeat the audio before the word's detection."""
    node.answers["audio-chunk"] = after(10, reply(Detection(name="okay_nabu", timestamp=50)))
    turn = await new_turn()
    await turn.start(pipeline, start_stage="wake_word", input={"sample_rate": 16000, **own_buffer})
    pieces = [number.to_bytes(2, "little") * 160 for number in range(60)]  # 10 ms each
    await turn.say(b"".join(pieces), pace=0.002)
    woken = await turn.until("wake_word-end")
    assert woken["wake_word_output"]["wake_word_id"] == "okay_nabu"
    await turn.end_speech()
    await turn.until("stt-end")
    _, hear = node.requests
    heard = [AudioChunk.from_event(event).audio for event in hear.all("audio-chunk")]
    assert heard[:55] == (pieces if own_buffer else pieces[5:])[:55]
    assert len(heard) == (60 if own_buffer else 55)
    await turn.reply()


async def test_a_run_that_is_cancelled_frees_the_node(
    hass: HomeAssistant, node: ScriptedNode, pipeline: str, hass_ws_client: Any
) -> None:
    client = await hass_ws_client(hass)
    turn = Turn(hass, client)
    await turn.start(pipeline)
    await node.received("transcribe")
    await client.close()
    async with asyncio.timeout(1):
        await node.request()
