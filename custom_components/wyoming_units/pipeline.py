"""Assembles the Assist pipeline out of the best unit per stage, of all nodes.

A pipeline is made once, after the user said yes in the config flow, and is the user's from then
on: it is never changed, but for following its entities when they are renamed, and never made again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from homeassistant.components import conversation
from homeassistant.components.assist_pipeline import (
    async_get_pipeline,
    async_get_pipelines,
    async_update_pipeline,
)
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import language as language_util
from wyoming.info import WakeProgram

from .client import NodeInfo
from .const import CONF_PIPELINE_CONSENT, CONF_PIPELINE_ID, CONF_PREFERRED, DOMAIN, LOGGER
from .coordinator import WyomingUnitsConfigEntry
from .entity import spoken_languages

NAME = "Wyoming Units"

WAKE_WORDS = ("okay_nabu", "ok_nabu", "hey_jarvis")
"""The words that Home Assistant's own devices listen for, best first."""

_ENTITY_KEYS = ("conversation_engine", "stt_engine", "tts_engine", "wake_word_entity")


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """Which node does what in a pipeline, and in which language."""

    language: str
    conversation_language: str
    stt_node: str
    stt_language: str
    tts_node: str
    tts_language: str
    tts_voice: str
    wake_node: str | None
    wake_word: str | None


@callback
def async_plan_pipeline(hass: HomeAssistant, nodes: Sequence[NodeInfo]) -> PipelinePlan | None:
    """Return the best pipeline in Home Assistant's language; None where a stage is missing.

    The first node that can do a stage in that language does it.
    """
    language = hass.config.language
    agent = conversation.HOME_ASSISTANT_AGENT
    understood = conversation.async_get_conversation_languages(hass, agent)
    conversation_language = _match(hass, understood)
    stt = _first(hass, nodes, lambda node: spoken_languages(node.stt.models) if node.stt else ())
    tts = _first(hass, nodes, lambda node: spoken_languages(node.tts.voices) if node.tts else ())
    if conversation_language is None or stt is None or tts is None:
        return None
    wake = next((node for node in nodes if node.wake), None)
    return PipelinePlan(
        language=language,
        conversation_language=conversation_language,
        stt_node=stt[0].id,
        stt_language=stt[1],
        tts_node=tts[0].id,
        tts_language=tts[1],
        tts_voice=_voice(*tts),
        wake_node=wake.id if wake else None,
        wake_word=_wake_word(wake.wake) if wake and wake.wake else None,
    )


@callback
def async_nodes_in_reach(hass: HomeAssistant, first: NodeInfo) -> list[NodeInfo]:
    """Return `first` and then every other node that is set up."""
    entries: list[WyomingUnitsConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    others = (entry.runtime_data.data for entry in entries)
    return [first, *(node for node in others if node.id != first.id)]


@callback
def async_has_pipeline(hass: HomeAssistant) -> bool:
    """Return whether a pipeline of ours exists already."""
    made = {entry.data.get(CONF_PIPELINE_ID) for entry in hass.config_entries.async_entries(DOMAIN)}
    return any(pipeline.id in made for pipeline in async_get_pipelines(hass))


@callback
def async_preferred_cannot_listen(hass: HomeAssistant) -> bool:
    """Return whether the pipeline that Home Assistant prefers now has no speech-to-text."""
    return async_get_pipeline(hass).stt_engine is None


async def async_create_consented_pipeline(
    hass: HomeAssistant, entry: WyomingUnitsConfigEntry
) -> None:
    """Make the pipeline that the user said yes to in the config flow of `entry`, once."""
    consent = entry.data.get(CONF_PIPELINE_CONSENT)
    if consent is None:
        return
    plan = async_plan_pipeline(hass, async_nodes_in_reach(hass, entry.runtime_data.data))
    if plan is None:
        LOGGER.warning("No pipeline yet: a stage that it was agreed with is out of reach")
        return
    store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    pipeline = await store.async_create_item(_item(hass, plan, entry.title))
    data = {key: value for key, value in entry.data.items() if key != CONF_PIPELINE_CONSENT}
    hass.config_entries.async_update_entry(entry, data={**data, CONF_PIPELINE_ID: pipeline.id})
    if consent[CONF_PREFERRED]:
        store.async_set_preferred_item(pipeline.id)


@callback
def async_follow_renames(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> CALLBACK_TYPE:
    """Keep the pipeline of `entry` pointing at its entities; it knows them by name only."""

    @callback
    def renamed(data: er.EventEntityRegistryUpdatedData) -> bool:
        return data["action"] == "update" and "old_entity_id" in data

    async def follow(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        made = entry.data.get(CONF_PIPELINE_ID)
        pipeline = next((each for each in async_get_pipelines(hass) if each.id == made), None)
        old, new = event.data.get("old_entity_id"), event.data["entity_id"]
        changes: dict[str, Any] = {
            key: new for key in _ENTITY_KEYS if getattr(pipeline, key, None) == old
        }
        if pipeline is not None and changes:
            await async_update_pipeline(hass, pipeline, **changes)

    return hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, follow, event_filter=renamed)


def _match(hass: HomeAssistant, languages: Iterable[str]) -> str | None:
    config = hass.config
    return next(iter(language_util.matches(config.language, languages, config.country)), None)


def _first(
    hass: HomeAssistant, nodes: Sequence[NodeInfo], languages: Callable[[NodeInfo], Iterable[str]]
) -> tuple[NodeInfo, str] | None:
    for node in nodes:
        if (language := _match(hass, languages(node))) is not None:
            return node, language
    return None


def _voice(node: NodeInfo, language: str) -> str:
    voices = node.tts.voices if node.tts else []
    return next(voice.name for voice in voices if voice.installed and language in voice.languages)


def _wake_word(program: WakeProgram) -> str | None:
    names = [word.name for word in program.models if word.installed]
    return next((name for name in WAKE_WORDS if name in names), next(iter(names), None))


def _item(hass: HomeAssistant, plan: PipelinePlan, title: str) -> dict[str, Any]:
    registry = er.async_get(hass)

    def entity_id(platform: Platform, node: str | None, unit: str) -> str | None:
        return registry.async_get_entity_id(platform, DOMAIN, f"{node}_{unit}") if node else None

    wake_entity = entity_id(Platform.WAKE_WORD, plan.wake_node, "wake")
    return {
        "conversation_engine": conversation.HOME_ASSISTANT_AGENT,
        "conversation_language": plan.conversation_language,
        "language": plan.language,
        "name": _free_name(hass, title),
        # Matters once the user picks another agent: simple commands then stay at home.
        "prefer_local_intents": True,
        "stt_engine": entity_id(Platform.STT, plan.stt_node, "stt"),
        "stt_language": plan.stt_language,
        "tts_engine": entity_id(Platform.TTS, plan.tts_node, "tts"),
        "tts_language": plan.tts_language,
        "tts_voice": plan.tts_voice,
        "wake_word_entity": wake_entity,
        "wake_word_id": plan.wake_word if wake_entity else None,
    }


def _free_name(hass: HomeAssistant, title: str) -> str:
    """Return a name that no pipeline has; satellites remember their pipeline by name."""
    taken = {pipeline.name for pipeline in async_get_pipelines(hass)}
    numbered = (f"{NAME} ({title} {number})" for number in count(2))
    names = chain((NAME, f"{NAME} ({title})"), numbered)
    return next(name for name in names if name not in taken)
