"""The diagnostic entities: whether a node can be reached, and how its units do."""

import logging
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import conversation, stt, tts
from homeassistant.const import (
    CONF_HOST,
    CONF_PORT,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityCategory,
)
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk
from wyoming.intent import NotRecognized

from custom_components.wyoming_units.const import DOMAIN

from .ids import next_poll
from .listening import METADATA, Microphone
from .minds import persona
from .scripted_node import (
    NODE_ID,
    Raw,
    ScriptedNode,
    artifact,
    engine,
    llm_info,
    llm_model,
    node_info,
    node_stats,
    reply,
)

CONNECTED = "binary_sensor.cellar_connectivity"
HEARING = "sensor.cellar_speech_to_text"
THINKING = "sensor.cellar_language_model"
PROGRAMS = ("speech_to_text", "text_to_speech", "wake_word", "intents")


def diagnostic_entities(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, bool]:
    """Return all of them, and whether each is enabled."""
    entries = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        entity.entity_id: entity.disabled_by is None
        for entity in entries
        if entity.domain in ("binary_sensor", "sensor")
        and entity.entity_category is EntityCategory.DIAGNOSTIC
    }


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable what is disabled by default."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


async def test_noisy_sensors_are_disabled_until_somebody_wants_them(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert diagnostic_entities(hass, loaded) == {
        "binary_sensor.cellar_connectivity": True,
        "sensor.cellar_memory": False,
        "sensor.cellar_intents_memory": False,
        "sensor.cellar_intents_model": True,
        "sensor.cellar_intents_state": True,
        "sensor.cellar_intents_total_time": True,
        "sensor.cellar_intents_waiting_requests": False,
        "sensor.cellar_speech_to_text_computing_time": False,
        "sensor.cellar_speech_to_text_memory": False,
        "sensor.cellar_speech_to_text_model": True,
        "sensor.cellar_speech_to_text_state": True,
        "sensor.cellar_speech_to_text_time_to_text": True,
        "sensor.cellar_speech_to_text_total_time": True,
        "sensor.cellar_speech_to_text_waiting_requests": False,
        "sensor.cellar_speech_to_text_waiting_time": False,
        "sensor.cellar_text_to_speech_computing_time": False,
        "sensor.cellar_text_to_speech_memory": False,
        "sensor.cellar_text_to_speech_model": True,
        "sensor.cellar_text_to_speech_state": True,
        "sensor.cellar_text_to_speech_time_to_first_sound": True,
        "sensor.cellar_text_to_speech_total_time": True,
        "sensor.cellar_text_to_speech_waiting_requests": False,
        "sensor.cellar_wake_word_memory": False,
        "sensor.cellar_wake_word_state": True,
        "sensor.cellar_wake_word_waiting_requests": False,
    }


async def test_connectivity_is_the_one_entity_that_stays_when_the_node_goes(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    assert hass.states.is_state(CONNECTED, STATE_ON)
    await node.stop()
    await next_poll(hass, freezer)
    assert hass.states.is_state(CONNECTED, STATE_OFF)
    assert hass.states.is_state(f"{HEARING}_model", STATE_UNAVAILABLE)
    assert hass.states.is_state(f"{HEARING}_state", STATE_UNAVAILABLE)
    await node.start()
    await next_poll(hass, freezer)
    assert hass.states.is_state(CONNECTED, STATE_ON)
    assert hass.states.is_state(f"{HEARING}_model", "ears-en")


async def test_going_and_coming_back_are_each_logged_once(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also when another node answers at the address."""

    def told() -> list[str]:
        return [
            record.message
            for record in caplog.records
            if record.name.startswith("custom_components.wyoming_units")
            and record.levelno >= logging.INFO
        ]

    own = node.info["node"]
    for _ in range(2):
        node.info["node"] = own | {"id": "f" * 32, "name": "Attic"}
        caplog.clear()
        for _ in range(3):
            await next_poll(hass, freezer)
        [lost] = told()
        assert "Another node answers where this one was: Attic" in lost
        assert hass.states.is_state(f"{HEARING}_model", STATE_UNAVAILABLE)

        node.info["node"] = own
        caplog.clear()
        for _ in range(3):
            await next_poll(hass, freezer)
        [found] = told()
        assert "recovered" in found
        assert hass.states.is_state(f"{HEARING}_model", "ears-en")


async def test_what_the_node_counts_is_shown_with_its_units(
    hass: HomeAssistant, all_enabled: None, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.stats = node_stats(engine("stt", "ears", state="loading", waiting=3))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    memory, waiting = (
        hass.states.get(entity_id)
        for entity_id in ("sensor.cellar_memory", f"{HEARING}_waiting_requests")
    )
    assert memory is not None
    assert waiting is not None
    assert float(memory.state) == pytest.approx(123.456789)
    assert (
        memory.attributes.items()
        >= {"unit_of_measurement": "MB", "device_class": "data_size"}.items()
    )
    assert waiting.state == "3"
    assert (
        waiting.attributes.items()
        >= {
            "unit_of_measurement": "requests",
            "state_class": "measurement",
        }.items()
    )
    assert hass.states.is_state(f"{HEARING}_state", "loading")
    assert hass.states.is_state("sensor.cellar_intents_state", STATE_UNKNOWN)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("failed", "unloaded", "loading", "ready"), "ready"),
        (("failed", "unloaded", "loading"), "loading"),
        (("failed", "unloaded"), "unloaded"),
        (("failed",), "failed"),
    ],
)
async def test_a_program_with_several_models_shows_their_best_state_and_all_their_load(
    hass: HomeAssistant,
    all_enabled: None,
    node: ScriptedNode,
    entry: MockConfigEntry,
    states: tuple[str, ...],
    state: str,
) -> None:
    node.stats = node_stats(
        engine("stt", "other ears", memory=10**9, waiting=9),
        *[
            engine("stt", "ears", model=str(n), state=each, waiting=1, memory=n * 10**6)
            for n, each in enumerate(states, start=1)
        ],
        engine("tts", "mouth", memory=None),
        engine("tts", "mouth", memory=5 * 10**6),
        engine("wake", "sentinel", memory=None),
        engine("intent", "mind"),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(f"{HEARING}_state", state)
    assert hass.states.is_state(f"{HEARING}_waiting_requests", str(len(states)))
    memory = {name: hass.states.get(f"sensor.cellar_{name}_memory") for name in PROGRAMS}
    assert {name: each.state for name, each in memory.items() if each} == {
        "speech_to_text": f"{sum(range(len(states) + 1))}.0",
        "text_to_speech": "5.0",
        "wake_word": STATE_UNKNOWN,
        "intents": STATE_UNKNOWN,
    }


async def test_the_model_is_the_chosen_one_while_it_is_there(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    choir = artifact("choir", languages=["en"], speakers=[{"name": "Ann"}, {"name": "Bob"}])
    node.info["tts"][0]["voices"].append(choir)
    choice = {"tts": {"mouth": {"voice": "choir#Bob"}}}
    hass.config_entries.async_update_entry(entry, options=choice)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert hass.states.is_state("sensor.cellar_text_to_speech_model", "choir#Bob")
    choir["installed"] = False
    await next_poll(hass, freezer)
    assert hass.states.is_state("sensor.cellar_text_to_speech_model", "alba")


async def test_a_model_that_failed_to_load_says_so_although_its_unit_is_gone(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    node.info = node_info(asr=None)
    failed = node_stats(engine("stt", "ears", state="failed"))
    node.answers["stats"] = reply(Raw("news", {"of": "a later version"}), Raw("stats", failed))
    await next_poll(hass, freezer)
    assert hass.states.is_state("stt.cellar_speech_to_text", STATE_UNAVAILABLE)
    assert hass.states.is_state(f"{HEARING}_model", STATE_UNAVAILABLE)
    assert hass.states.is_state(f"{HEARING}_state", "failed")


@pytest.mark.parametrize(
    "stats",
    [
        None,
        {"memory": "much", "engines": []},
        {"memory": 1, "engines": [{"unit": "stt"}]},
        {"memory": 1, "engines": 7},
        node_stats(engine("stt", "ears", memory="much")),
        node_stats(engine("stt", "ears", state="dreaming")),
    ],
)
async def test_a_node_that_does_not_count_or_counts_badly_is_still_used(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, stats: Any
) -> None:
    node.stats = stats
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(f"{HEARING}_state", STATE_UNKNOWN)
    assert hass.states.is_state(CONNECTED, STATE_ON)


async def test_a_node_that_answers_nothing_more_delays_a_poll_but_does_not_fail_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.STATS_TIMEOUT", 0.05)
    del node.answers["ping"]
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert hass.states.is_state(CONNECTED, STATE_ON)


async def test_the_time_that_a_request_took_is_shown_as_soon_as_it_is_answered(
    hass: HomeAssistant, all_enabled: None, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    told = {"timing": {"queue": 1.5, "decode": 70.25, "finish": 31.5, "total": 1520.0}}
    node.answers["audio-stop"] = reply(Transcript(text="lights on", context=told))
    entity = stt.async_get_speech_to_text_engine(hass, "stt.cellar_speech_to_text")
    assert isinstance(entity, stt.SpeechToTextEntity)
    assert hass.states.is_state(f"{HEARING}_total_time", STATE_UNKNOWN)
    await entity.internal_async_process_audio_stream(METADATA, Microphone().stream())
    total = hass.states.get(f"{HEARING}_total_time")
    assert total is not None
    assert total.state == "1520.0"
    assert (
        total.attributes.items()
        >= {
            "unit_of_measurement": "ms",
            "device_class": "duration",
            "state_class": "measurement",
        }.items()
    )
    assert hass.states.is_state(f"{HEARING}_time_to_text", "31.5")
    assert hass.states.is_state(f"{HEARING}_computing_time", "70.25")
    assert hass.states.is_state(f"{HEARING}_waiting_time", "1.5")


async def test_the_time_to_the_first_sound_is_shown(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    told = {"context": {"timing": {"first_chunk": 21.5, "total": 80}}}
    sound = {"rate": 16000, "width": 2, "channels": 1}
    node.answers["synthesize"] = reply(
        AudioChunk(audio=bytes(320), **sound), Raw("audio-stop", told)
    )
    speaker = hass.data[tts.DATA_COMPONENT].get_entity("tts.cellar_text_to_speech")
    assert isinstance(speaker, tts.TextToSpeechEntity)
    await speaker.async_get_tts_audio("hello", "en", {})
    assert hass.states.is_state("sensor.cellar_text_to_speech_time_to_first_sound", "21.5")
    assert hass.states.is_state("sensor.cellar_text_to_speech_total_time", "80")


@pytest.mark.parametrize("told", [None, {"timing": None}, {"timing": {"total": "long"}}, ["total"]])
async def test_an_answer_that_does_not_tell_its_time_leaves_it_unknown(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, told: Any
) -> None:
    node.answers["transcript"] = reply(NotRecognized(context=told))
    await conversation.async_converse(
        hass, "lights on", None, Context(), "en", "conversation.cellar_intents"
    )
    assert hass.states.is_state("sensor.cellar_intents_total_time", STATE_UNKNOWN)


@pytest.fixture
async def thinking(hass: HomeAssistant, all_enabled: None, node: ScriptedNode) -> MockConfigEntry:
    """The entry of a node with two language models and a persona for the second, all enabled."""
    node.info["llm"] = llm_info(llm_model("big"), llm_model("qwen"))
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[persona("Hedda", "hedda", model="qwen")],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_of_a_language_model_what_people_wait_for_is_enabled(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info = node_info(asr=None, tts=None, wake=None, intent=None) | {"llm": llm_info()}
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    entities = diagnostic_entities(hass, entry)
    assert {name: on for name, on in entities.items() if name.startswith(THINKING)} == {
        f"{THINKING}_memory": False,
        f"{THINKING}_model": False,
        f"{THINKING}_state": True,
        f"{THINKING}_time_to_first_word": True,
        f"{THINKING}_total_time": False,
        f"{THINKING}_turn_time": True,
        f"{THINKING}_waiting_requests": False,
        f"{THINKING}_writing_speed": True,
    }


async def test_a_turn_is_shown_with_its_stages_and_how_fast_the_model_wrote(
    hass: HomeAssistant, thinking: MockConfigEntry
) -> None:
    names = ("time_to_first_word", "total_time", "turn_time", "writing_speed")
    assert all(hass.states.is_state(f"{THINKING}_{name}", STATE_UNKNOWN) for name in names)
    took = {"queue": 2.0, "first_token": 180.5, "total": 900, "tools": 40.0, "turn": 1310.0}
    timing = took | {"odd": "long", "cached": True}
    thinking.runtime_data.async_answered("llm", "brain", {"timing": timing, "rate": 23.75})
    assert hass.states.is_state(f"{THINKING}_time_to_first_word", "180.5")
    assert hass.states.is_state(f"{THINKING}_total_time", "900")
    turn, rate = (hass.states.get(f"{THINKING}_{name}") for name in names[2:])
    assert turn is not None
    assert rate is not None
    assert turn.state == "1310.0"
    del took["turn"]
    assert turn.attributes.items() >= {**took, "unit_of_measurement": "ms"}.items()
    assert not turn.attributes.keys() & {"odd", "cached", "turn"}
    assert rate.state == "23.75"
    unit = {"unit_of_measurement": "tokens/s", "state_class": "measurement"}
    assert rate.attributes.items() >= unit.items()


@pytest.mark.parametrize("told", [None, {"timing": []}, {"rate": "fast", "timing": None}])
async def test_an_answer_without_times_leaves_those_of_a_language_model_unknown(
    hass: HomeAssistant, thinking: MockConfigEntry, told: Any
) -> None:
    thinking.runtime_data.async_answered("llm", "brain", told)
    for name in ("time_to_first_word", "turn_time", "writing_speed"):
        assert hass.states.is_state(f"{THINKING}_{name}", STATE_UNKNOWN)


async def test_the_language_model_is_that_of_who_speaks_while_it_is_there(
    hass: HomeAssistant, node: ScriptedNode, thinking: MockConfigEntry
) -> None:
    coordinator = thinking.runtime_data
    assert hass.states.is_state(f"{THINKING}_model", "big")
    coordinator.personas.async_choose("brain", coordinator.personas.all["hedda"])
    assert hass.states.is_state(f"{THINKING}_model", "qwen")
    node.info["llm"] = llm_info(llm_model("big"))
    await coordinator.async_refresh()
    assert hass.states.is_state(f"{THINKING}_model", "big")
