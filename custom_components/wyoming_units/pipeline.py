"""Assembles the Assist pipeline out of the best program per stage, of all nodes.

A pipeline is made once, after the user said yes in the config flow, and is the user's from then on:
it is never made again, and never changed but for following its entities (`references.py`) and for
what the user agrees to in a repair.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from homeassistant.components import conversation
from homeassistant.components.assist_pipeline import (
    Pipeline,
    async_get_pipeline,
    async_get_pipelines,
)
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.const import MATCH_ALL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import language as language_util
from wyoming.info import AsrProgram, TtsProgram, WakeProgram

from .choices import voices_of, words_of
from .client import NodeInfo
from .const import CONF_PIPELINE_CONSENT, CONF_PIPELINE_ID, CONF_PREFERRED, DOMAIN
from .coordinator import WyomingUnitsConfigEntry
from .devices import program_id
from .entity import spoken_languages
from .references import async_pipelines_made

NAME = "Wyoming Units"

WAKE_WORDS = ("okay_nabu", "ok_nabu", "hey_jarvis")
"""The words that Home Assistant's own devices listen for, best first."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What does a stage of a pipeline."""

    platform: Platform
    unique_id: str
    """Of its entity, which need not exist yet."""
    settings: Mapping[str, str | None]
    """The fields of a pipeline that go with it: language, voice, wake word."""


type Matcher = Callable[[Iterable[str]], str | None]
"""Returns the best of some languages for a pipeline's language, None where none fits."""


@callback
def async_engines_for(
    hass: HomeAssistant, field: str, nodes: Sequence[NodeInfo], language: str, keep: str | None
) -> Iterator[Engine]:
    """Yield the programs of `nodes` that can do the stage of a pipeline's `field`, best first.

    They `keep` the voice or wake word that is in use, where they have it.
    """

    def match(languages: Iterable[str]) -> str | None:
        return next(iter(language_util.matches(language, languages, hass.config.country)), None)

    return _CHOICES[field](nodes, match, keep)


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """What does what in a pipeline, and in which language."""

    language: str
    conversation_language: str | None
    """Of Home Assistant's own agent, None where that does not know the language."""
    agent: Engine | None
    """A language model, for what Home Assistant's own agent does not understand."""
    stt: Engine | None
    tts: Engine | None
    wake: Engine | None
    """The only stage that a pipeline can do without."""

    @property
    def missing(self) -> list[Platform]:
        """Return the stages that nothing can do in the language."""
        stages = {
            Platform.CONVERSATION: self.agent or self.conversation_language,
            Platform.STT: self.stt,
            Platform.TTS: self.tts,
        }
        return [platform for platform, engine in stages.items() if engine is None]


@callback
def async_plan_pipeline(hass: HomeAssistant, nodes: Sequence[NodeInfo]) -> PipelinePlan:
    """Return the best pipeline in Home Assistant's language."""
    language = hass.config.language
    understood = conversation.async_get_conversation_languages(
        hass, conversation.HOME_ASSISTANT_AGENT
    )
    spoken = language_util.matches(language, understood, hass.config.country)

    def best(field: str) -> Engine | None:
        return next(async_engines_for(hass, field, nodes, language, None), None)

    return PipelinePlan(
        language=language,
        conversation_language=next(iter(spoken), None),
        agent=next(_agents(nodes), None),
        stt=best("stt_engine"),
        tts=best("tts_engine"),
        wake=best("wake_word_entity"),
    )


@callback
def async_nodes_in_reach(hass: HomeAssistant, first: NodeInfo | None = None) -> list[NodeInfo]:
    """Return `first`, if given, and then every other node that is set up."""
    others = [entry.runtime_data.data for entry in _entries_in_reach(hass)]
    if first is None:
        return others
    return [first, *(node for node in others if node.id != first.id)]


@callback
def async_has_pipeline(hass: HomeAssistant) -> bool:
    """Return whether a pipeline of ours exists already."""
    made = async_pipelines_made(hass)
    return any(pipeline.id in made for pipeline in async_get_pipelines(hass))


@callback
def async_preferred_cannot_listen(hass: HomeAssistant) -> bool:
    """Return whether the pipeline that Home Assistant prefers now has no speech-to-text."""
    return async_get_pipeline(hass).stt_engine is None


@callback
def async_wanted_pipelines(hass: HomeAssistant) -> list[WyomingUnitsConfigEntry]:
    """Return the nodes that the user said yes to a pipeline with, which is not made yet."""
    return [entry for entry in _entries_in_reach(hass) if CONF_PIPELINE_CONSENT in entry.data]


async def async_create_wanted_pipelines(hass: HomeAssistant) -> None:
    """Make each pipeline that the user said yes to, once all of its stages are in reach."""
    store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    for entry in async_wanted_pipelines(hass):
        plan = async_plan_pipeline(hass, async_nodes_in_reach(hass, entry.runtime_data.data))
        if plan.missing or (item := _item(hass, plan, entry.title)) is None:
            continue
        # The consent is used up before anything is awaited: it is good for one pipeline.
        data = dict(entry.data)
        consent = data.pop(CONF_PIPELINE_CONSENT)
        hass.config_entries.async_update_entry(entry, data=data)
        pipeline: Pipeline = await store.async_create_item(item)
        data = {**entry.data, CONF_PIPELINE_ID: pipeline.id}
        hass.config_entries.async_update_entry(entry, data=data)
        if consent[CONF_PREFERRED]:
            store.async_set_preferred_item(pipeline.id)


@callback
def async_engine_fields(hass: HomeAssistant, field: str, engine: Engine) -> dict[str, Any] | None:
    """Return the fields that make a pipeline use an engine; None while it has no entity."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id(engine.platform, DOMAIN, engine.unique_id)
    return {field: entity_id, **engine.settings} if entity_id else None


def _entries_in_reach(hass: HomeAssistant) -> list[WyomingUnitsConfigEntry]:
    """Return the entries that are set up, or are about to be and have been described."""
    entries: list[WyomingUnitsConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    return [entry for entry in entries if hasattr(entry, "runtime_data")]


def _stt(nodes: Sequence[NodeInfo], match: Matcher, _keep: str | None) -> Iterator[Engine]:
    for node in nodes:
        for program in node.programs("stt"):
            assert isinstance(program, AsrProgram)
            if (language := match(spoken_languages(program.models))) is not None:
                yield Engine(
                    platform=Platform.STT,
                    unique_id=program_id(node.id, "stt", program.name),
                    settings={"stt_language": language},
                )


def _tts(nodes: Sequence[NodeInfo], match: Matcher, keep: str | None) -> Iterator[Engine]:
    for node in nodes:
        for program in node.programs("tts"):
            assert isinstance(program, TtsProgram)
            if (language := match(spoken_languages(program.voices))) is not None:
                voices = [voice.id for voice in voices_of(program) if language in voice.languages]
                yield Engine(
                    platform=Platform.TTS,
                    unique_id=program_id(node.id, "tts", program.name),
                    settings={
                        "tts_language": language,
                        "tts_voice": keep if keep in voices else voices[0],
                    },
                )


def _agents(nodes: Sequence[NodeInfo]) -> Iterator[Engine]:
    for node in nodes:
        for program in node.programs("llm"):
            if node.language_models(program.name):
                yield Engine(
                    platform=Platform.CONVERSATION,
                    unique_id=program_id(node.id, "llm", program.name),
                    settings={"conversation_language": MATCH_ALL},
                )


def _wake(nodes: Sequence[NodeInfo], _match: Matcher, keep: str | None) -> Iterator[Engine]:
    for node in nodes:
        for program in node.programs("wake"):
            assert isinstance(program, WakeProgram)
            names = [word.name for word in words_of(node, program)]
            if not names and node.hears_any_phrase(program.name):
                continue  # it hears what the user types, later
            known = (name for name in (keep, *WAKE_WORDS, *names) if name in names)
            yield Engine(
                platform=Platform.WAKE_WORD,
                unique_id=program_id(node.id, "wake", program.name),
                settings={"wake_word_id": next(known, None)},
            )


type Chooser = Callable[[Sequence[NodeInfo], Matcher, str | None], Iterator[Engine]]

_CHOICES: Final[Mapping[str, Chooser]] = {
    "stt_engine": _stt,
    "tts_engine": _tts,
    "wake_word_entity": _wake,
}


def _item(hass: HomeAssistant, plan: PipelinePlan, title: str) -> dict[str, Any] | None:
    """Return a pipeline to be stored; None while an engine has no entity."""
    item: dict[str, Any] = {
        "conversation_engine": conversation.HOME_ASSISTANT_AGENT,
        "conversation_language": plan.conversation_language,
        "language": plan.language,
        "name": _free_name(hass, title),
        # What Home Assistant's own agent understands needs no language model, now or later.
        "prefer_local_intents": True,
        "wake_word_entity": None,
        "wake_word_id": None,
    }
    engines = {
        "conversation_engine": plan.agent,
        "stt_engine": plan.stt,
        "tts_engine": plan.tts,
        "wake_word_entity": plan.wake,
    }
    for field, engine in engines.items():
        if engine is None:
            continue
        if (fields := async_engine_fields(hass, field, engine)) is None:
            return None
        item |= fields
    return item


def _free_name(hass: HomeAssistant, title: str) -> str:
    """Return a name that no pipeline has; satellites remember their pipeline by name."""
    taken = {pipeline.name for pipeline in async_get_pipelines(hass)}
    numbered = (f"{NAME} ({title} {number})" for number in count(2))
    names = chain((NAME, f"{NAME} ({title})"), numbered)
    return next(name for name in names if name not in taken)
