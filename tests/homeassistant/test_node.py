"""Turns through Home Assistant and a real node with its embedded engines.

By our integration, and by Home Assistant's own, which knows nothing of us.
"""

import asyncio
import io
import json
import wave
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import audioop
import pytest
from homeassistant.components import conversation, tts, wake_word
from homeassistant.components.assist_pipeline import async_get_pipeline
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.wyoming_units.const import DOMAIN, TURN_RULES
from tests.integration.recordings import data
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .assist import PIECE, Turn
from .flows import add_with_all_it_offers

pytest.importorskip("pocketsphinx", reason="the embedded engines are not installed")

LIGHT = "light.kitchen_light"
HOME = {
    "entities": [{"name": "Kitchen Light", "domain": "light", "area": "Kitchen"}],
    "areas": [{"name": "Kitchen"}],
}


@pytest.fixture
def wake_programs() -> list[str]:
    """The wake engines of the node."""
    return ["microwakeword"]


@pytest.fixture
async def node(tmp_path: Path, wake_programs: list[str]) -> AsyncGenerator[Node]:
    """A node with all embedded engines; it knows the home for clients that do not tell it."""
    home = tmp_path / "home.yaml"
    home.write_text(json.dumps(HOME))
    config = NodeConfig(
        name="Cellar",
        data_dir=tmp_path / "node",
        host="127.0.0.1",
        port=0,
        advertise=[],
        units=[*(f"wake={engine}" for engine in wake_programs), "stt", "tts", "intent"],
        home=home,
    )
    async with Node(config) as node:
        await node.loaded()
        yield node


@pytest.fixture(autouse=True)
async def kitchen(hass: HomeAssistant) -> ar.AreaEntry:
    """A kitchen with a light that does what it is told, and a bedroom with another."""
    assert await async_setup_component(hass, "intent", {})
    lights = [
        {"name": f"{room} Light", "unique_id": room, "turn_on": [], "turn_off": []}
        for room in ("Kitchen", "Bedroom")
    ]
    assert await async_setup_component(hass, "template", {"template": [{"light": lights}]})
    await hass.async_block_till_done()
    areas = {room: ar.async_get(hass).async_create(room) for room in ("Kitchen", "Bedroom")}
    for room, area in areas.items():
        er.async_get(hass).async_update_entity(f"light.{room.lower()}_light", area_id=area.id)
    await hass.services.async_call("light", "turn_off", {"entity_id": "all"}, blocking=True)
    return areas["Kitchen"]


def entity_ids(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Return the first engine of each platform."""
    entries = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    engines = ("conversation", "stt", "tts", "wake_word")
    return {
        entity.domain: entity.entity_id for entity in reversed(entries) if entity.domain in engines
    }


async def spoken(hass: HomeAssistant, engine: str, text: str) -> tuple[bytes, int]:
    """Return what a text-to-speech entity makes of a text, as 16-bit mono, and its rate."""
    stream = tts.async_create_stream(
        hass, engine, language="en-US", options={tts.ATTR_PREFERRED_FORMAT: "wav"}
    )
    stream.async_set_message(text)
    return pcm(b"".join([chunk async for chunk in stream.async_stream_result()]))


def pcm(wav: bytes) -> tuple[bytes, int]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getsampwidth(), file.getnchannels()) == (2, 1)
        return wav[44:], file.getframerate()


async def speak(
    hass: HomeAssistant, client: Any, pipeline: str, tts_engine: str, text: str, **more: Any
) -> tuple[Turn, str]:
    """Say a text to a pipeline in real time until it is heard; return the turn and what was heard."""
    speech, rate = await spoken(hass, tts_engine, text)
    turn = Turn(hass, client)
    await turn.start(pipeline, input={"sample_rate": rate}, **more)
    saying = asyncio.create_task(turn.say(speech + bytes(4 * rate), pace=PIECE / 2 / rate))
    try:
        heard = (await turn.until("stt-end"))["stt_output"]["text"]
    finally:
        saying.cancel()
    return turn, heard.lower()


async def test_a_spoken_command_switches_the_light_and_is_answered(
    hass: HomeAssistant, hass_ws_client: Any, node: Node
) -> None:
    entry = await add_with_all_it_offers(hass, DOMAIN, node.port)
    engines = entity_ids(hass, entry)
    assert engines.keys() == {"conversation", "stt", "tts", "wake_word"}
    pipeline = async_get_pipeline(hass)
    assert (pipeline.name, pipeline.stt_engine) == ("Wyoming Units", engines["stt"])

    turn, heard = await speak(
        hass, await hass_ws_client(hass), pipeline.id, engines["tts"], "turn on the kitchen light"
    )
    assert heard.removesuffix("s") == "turn on the kitchen light"
    samples, rate = pcm(await turn.reply())
    assert len(samples) / 2 / rate > 0.5
    assert hass.states.is_state(LIGHT, "on")
    assert hass.states.is_state("light.bedroom_light", "off")


async def test_the_light_means_the_one_in_the_speakers_room(
    hass: HomeAssistant, hass_ws_client: Any, node: Node, kitchen: ar.AreaEntry
) -> None:
    engines = entity_ids(hass, await add_with_all_it_offers(hass, DOMAIN, node.port))
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", "speaker")}
    )
    dr.async_get(hass).async_update_device(device.id, area_id=kitchen.id)
    turn, heard = await speak(
        hass,
        await hass_ws_client(hass),
        async_get_pipeline(hass).id,
        engines["tts"],
        "turn on the lights",
        device_id=device.id,
    )
    assert heard in ("turn on the light", "turn on the lights")
    await turn.until("run-end")
    assert hass.states.is_state(LIGHT, "on")
    assert hass.states.is_state("light.bedroom_light", "off")


async def test_a_sentence_of_an_automation_is_heard_although_nobody_else_says_it(
    hass: HomeAssistant, hass_ws_client: Any, node: Node
) -> None:
    engines = entity_ids(hass, await add_with_all_it_offers(hass, DOMAIN, node.port))
    automation = {
        "alias": "Cinema",
        "triggers": {"trigger": "conversation", "command": "[it is] movie time (now|tonight)"},
        "actions": {"action": "light.turn_on", "target": {"entity_id": LIGHT}},
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()
    turn, heard = await speak(
        hass,
        await hass_ws_client(hass),
        async_get_pipeline(hass).id,
        engines["tts"],
        "it is movie time tonight",
    )
    assert heard == "it is movie time tonight"
    await turn.until("run-end")
    assert hass.states.is_state(LIGHT, "on")


async def test_a_node_tells_how_its_units_do_and_what_a_request_took(
    hass: HomeAssistant, node: Node
) -> None:
    engines = entity_ids(hass, await add_with_all_it_offers(hass, DOMAIN, node.port))
    for unit in ("intents", "speech_to_text", "text_to_speech", "wake_word"):
        assert hass.states.is_state(f"sensor.cellar_{unit}_state", "ready"), unit
    model = hass.states.get("sensor.cellar_speech_to_text_model")
    assert model is not None
    assert model.state not in ("", "unknown", "unavailable")
    await spoken(hass, engines["tts"], "hello")
    first = hass.states.get("sensor.cellar_text_to_speech_time_to_first_sound")
    assert first is not None
    assert 0 < float(first.state) < 5000


async def choose(hass: HomeAssistant, entry: ConfigEntry, unit: str, **choice: Any) -> None:
    """Choose options of the node's first program of a unit, beside what its form suggests."""
    manager = hass.config_entries.options
    flow = await manager.async_init(entry.entry_id)
    name = entry.runtime_data.data.programs(unit)[0].name
    flow = await manager.async_configure(
        flow["flow_id"], {"unit": f"{entry.unique_id}_{unit}_{name}"}
    )
    flow = await manager.async_configure(flow["flow_id"], flow["data_schema"]({}) | choice)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_what_is_said_is_shown_as_it_is_recognised_with_all_options(
    hass: HomeAssistant, hass_ws_client: Any, node: Node
) -> None:
    entry = await add_with_all_it_offers(hass, DOMAIN, node.port)
    engines = entity_ids(hass, entry)
    caption = "sensor.cellar_speech_to_text_caption"
    er.async_get(hass).async_update_entity(caption, disabled_by=None)
    model = entry.runtime_data.data.programs("stt")[0].models[0].name
    rules = dict.fromkeys(TURN_RULES, 2.0) | {"maximum": 20.0}
    await choose(hass, entry, "stt", model=model, silence_sensitivity="relaxed", turn=rules)
    shown: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        assert event.data["new_state"] is not None
        shown.append(event.data["new_state"].state)

    async_track_state_change_event(hass, caption, note)
    _, heard = await speak(
        hass,
        await hass_ws_client(hass),
        async_get_pipeline(hass).id,
        engines["tts"],
        "turn on the kitchen light",
    )
    assert heard.removesuffix("s") == "turn on the kitchen light"
    assert shown[-1].lower() == heard
    assert len(shown) > 1
    assert "unknown" not in shown


async def test_the_chosen_voice_speaks_where_none_is_asked_for(
    hass: HomeAssistant, node: Node
) -> None:
    entry = await add_with_all_it_offers(hass, DOMAIN, node.port)
    engine = entity_ids(hass, entry)["tts"]
    usual, _ = await spoken(hass, engine, "turn on the kitchen light")
    voices = entry.runtime_data.data.programs("tts")[0].voices
    [*_, british] = (voice.name for voice in voices if "en-GB" in voice.languages)
    await choose(hass, entry, "tts", voice=british, speed=1.25)
    chosen, _ = await spoken(hass, engine, "turn on the kitchen light")
    assert chosen != usual
    assert len(chosen) > 8_000


async def test_the_intent_unit_controls_the_home_with_the_users_rights(
    hass: HomeAssistant, node: Node, hass_admin_user: MockUser
) -> None:
    agent = entity_ids(hass, await add_with_all_it_offers(hass, DOMAIN, node.port))["conversation"]

    async def ask(text: str, user: MockUser) -> conversation.ConversationResult:
        context = Context(user_id=user.id)
        return await conversation.async_converse(hass, text, None, context, "en", agent)

    stranger = MockUser().add_to_hass(hass)
    result = await ask("turn on the kitchen light", stranger)
    assert result.response.error_code == "failed_to_handle"
    assert hass.states.is_state(LIGHT, "off")

    result = await ask("turn on the kitchen light", hass_admin_user)
    assert result.response.speech["plain"]["speech"]
    state = hass.states.get(LIGHT)
    assert state is not None
    assert (state.state, state.context.user_id) == ("on", hass_admin_user.id)

    result = await ask("colourless green ideas sleep", hass_admin_user)
    assert result.response.error_code == "no_intent_match"


@pytest.mark.parametrize(
    ("wake_programs", "entity_id", "recording", "word"),
    [
        (["microwakeword"], "wake_word.cellar_wake_word", "mww_okay_nabu_1.wav", "okay nabu"),
        (
            ["microwakeword", "openwakeword"],
            "wake_word.cellar_wake_word_openwakeword",
            "oww_hey_rhasspy.wav",
            "hey rhasspy",
        ),
    ],
)
async def test_a_wake_word_that_a_person_said_is_heard_by_the_program_that_was_chosen(
    hass: HomeAssistant, node: Node, entity_id: str, recording: str, word: str
) -> None:
    samples, rate = pcm(data(f"media/wake/{recording}").read_bytes())
    await add_with_all_it_offers(hass, DOMAIN, node.port)
    entity = wake_word.async_get_wake_word_detection_entity(hass, entity_id)
    assert entity is not None
    assert rate == 16_000

    async def microphone() -> AsyncGenerator[tuple[bytes, int]]:
        audio = bytes(16_000) + samples + bytes(32_000)
        for start in range(0, len(audio), PIECE):
            yield audio[start : start + PIECE], start // 32

    wake_word_id = word.replace(" ", "_")
    result = await entity.async_process_audio_stream(microphone(), wake_word_id)
    assert result is not None
    assert result.wake_word_id == wake_word_id
    assert result.wake_word_phrase.lower() == word


@pytest.mark.parametrize("haste", [1, 25], ids=["live", "delayed"])
async def test_a_command_may_follow_the_wake_word_without_a_pause(
    hass: HomeAssistant, hass_ws_client: Any, node: Node, haste: int
) -> None:
    """Also where a busy network delays the audio, and the word is found in a bunch of it."""
    word = data("media/wake/mww_okay_nabu_1.wav")
    command = data("media/home/en/generated/turn on the Kitchen lights.wav")
    await add_with_all_it_offers(hass, DOMAIN, node.port)
    turn = Turn(hass, await hass_ws_client(hass))
    # No time-out: the recording begins with noise that a satellite had heard for long.
    audio = {"sample_rate": 16_000, "timeout": 0}
    await turn.start(async_get_pipeline(hass).id, start_stage="wake_word", input=audio)
    spoken = b"".join(without_silence(pcm(file.read_bytes())[0]) for file in (word, command))
    silences = bytes(32_000), bytes(8_000)
    saying = asyncio.create_task(
        turn.say(spoken.join(silences), pace=PIECE / 32_000 / haste, and_end=True)
    )
    await turn.until("wake_word-end")
    heard = (await turn.until("stt-end"))["stt_output"]["text"]
    saying.cancel()
    assert heard.lower().removesuffix("s") == "turn on the kitchen light"
    await turn.until("run-end")
    assert hass.states.is_state(LIGHT, "on")


def without_silence(samples: bytes) -> bytes:
    """Return 16-bit audio from the first to the last loud 10 ms."""
    pieces = [samples[start : start + 320] for start in range(0, len(samples), 320)]
    loudest = max(audioop.rms(piece, 2) for piece in pieces)
    loud = [n for n, piece in enumerate(pieces) if audioop.rms(piece, 2) > loudest / 30]
    return b"".join(pieces[loud[0] : loud[-1] + 1])


async def test_home_assistants_own_wyoming_integration_completes_a_turn(
    hass: HomeAssistant, hass_ws_client: Any, node: Node
) -> None:
    engines = entity_ids(hass, await add_with_all_it_offers(hass, "wyoming", node.port))
    assert engines.keys() == {"conversation", "stt", "tts", "wake_word"}
    pipeline = await hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_create_item(
        {
            "name": "Plain Wyoming",
            "language": "en",
            "conversation_engine": engines["conversation"],
            "conversation_language": "en",
            "stt_engine": engines["stt"],
            "stt_language": "en",
            "tts_engine": engines["tts"],
            "tts_language": "en-US",
            "tts_voice": None,
            "wake_word_entity": engines["wake_word"],
            "wake_word_id": "okay_nabu",
        }
    )
    turn, heard = await speak(
        hass, await hass_ws_client(hass), pipeline.id, engines["tts"], "turn on the kitchen light"
    )
    assert heard.removesuffix("s") == "turn on the kitchen light"
    samples, rate = pcm(await turn.reply())
    assert len(samples) / 2 / rate > 0.5
    assert hass.states.is_state(LIGHT, "on")
