"""What Assist's pipelines refer to.

They store the entity ids of their engines, and Home Assistant does not follow an entity whose id
changes. We do, for our entities in every pipeline; nothing else of a pipeline is touched here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.components.assist_pipeline import (
    Pipeline,
    async_get_pipelines,
    async_update_pipeline,
)
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_PIPELINE_ID, DOMAIN

ENGINES: Final[Mapping[str, Platform]] = {
    "conversation_engine": Platform.CONVERSATION,
    "stt_engine": Platform.STT,
    "tts_engine": Platform.TTS,
    "wake_word_entity": Platform.WAKE_WORD,
}
"""The fields of a pipeline that hold an entity id, and its platform."""


@dataclass(frozen=True, kw_only=True)
class DeadReference:
    """A field of a pipeline with the id of an entity that does not exist."""

    pipeline: Pipeline
    field: str
    entity_id: str


@callback
def async_pipelines_made(hass: HomeAssistant) -> set[str]:
    """Return the ids of the pipelines that we made; the user may have deleted them since."""
    entries = hass.config_entries.async_entries(DOMAIN)
    return {entry.data[CONF_PIPELINE_ID] for entry in entries if CONF_PIPELINE_ID in entry.data}


@callback
def async_engines(pipeline: Pipeline) -> dict[str, str]:
    """Return the engines that a pipeline has, by field."""
    return {field: engine for field in ENGINES if (engine := getattr(pipeline, field))}


async def async_repoint(hass: HomeAssistant, moved: Mapping[str, str]) -> None:
    """Let every pipeline refer to the new entity ids instead of the old ones, `{old: new}`."""

    def dated() -> tuple[Pipeline, dict[str, Any]] | None:
        for pipeline in async_get_pipelines(hass):
            engines = async_engines(pipeline).items()
            if changes := {field: moved[old] for field, old in engines if old in moved}:
                return pipeline, changes
        return None

    # An update writes the whole pipeline, so each is read again after the one before was written.
    while (found := dated()) is not None:
        pipeline, changes = found
        await async_update_pipeline(hass, pipeline, **changes)


@callback
def async_follow_renames(hass: HomeAssistant) -> CALLBACK_TYPE:
    """Keep pipelines pointing at our entities, also while their node is away."""

    @callback
    def ours(data: er.EventEntityRegistryUpdatedData) -> bool:
        if data["action"] != "update" or "old_entity_id" not in data:
            return False
        entity = er.async_get(hass).async_get(data["entity_id"])
        return entity is not None and entity.platform == DOMAIN

    async def follow(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        old, new = str(event.data.get("old_entity_id")), event.data["entity_id"]
        await async_repoint(hass, {old: new})

    return hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, follow, event_filter=ours)


@callback
def async_dead_references(hass: HomeAssistant) -> list[DeadReference]:
    """Return the dead references of pipelines that we made, that use our entities or used them."""
    registry = er.async_get(hass)
    made = async_pipelines_made(hass)
    deleted = {
        entity.entity_id
        for entity in registry.deleted_entities.values()
        if entity.platform == DOMAIN
    }

    def known(engine: str) -> bool:
        # An id without a domain is an engine of another kind, which is not ours to judge.
        return "." not in engine or engine in registry.entities or bool(hass.states.get(engine))

    def ours(engine: str) -> bool:
        entity = registry.async_get(engine)
        return engine in deleted or (entity is not None and entity.platform == DOMAIN)

    return [
        DeadReference(pipeline=pipeline, field=field, entity_id=engine)
        for pipeline in async_get_pipelines(hass)
        if pipeline.id in made or any(map(ours, async_engines(pipeline).values()))
        for field, engine in async_engines(pipeline).items()
        if not known(engine)
    ]
