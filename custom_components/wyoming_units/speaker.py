"""Where the speaker is.

A unit that knows the room can tell "the light" from all the others. A conversation agent is told
the device; a speech-to-text entity is not: its API takes audio and metadata, nothing else. But the
pipeline runs it inside a chat session, which travels with the task as a context variable, and the
pipeline's own record of running turns says which device each turn belongs to. Joining the two
gives the device of exactly this utterance, whatever else is running. The list of running turns has
no public name in Home Assistant; should it ever move, the area is left out and nothing else breaks.
"""

from collections.abc import Iterator

from homeassistant.components.assist_pipeline import PipelineEventType
from homeassistant.components.assist_pipeline.pipeline import (
    KEY_ASSIST_PIPELINE,
    PipelineData,
    PipelineRun,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.helpers.chat_session import current_session

from .home import async_area_id_of_device, async_area_id_of_entity

_SPEECH = (PipelineEventType.STT_START, PipelineEventType.STT_END)


@callback
def async_area_of_speaker(
    hass: HomeAssistant, device_id: str | None, satellite_id: str | None
) -> ar.AreaEntry | None:
    """Return the area of a satellite entity, or else of the device."""
    satellite = er.async_get(hass).async_get(satellite_id) if satellite_id else None
    area_id = async_area_id_of_entity(hass, satellite) if satellite else None
    area_id = area_id or async_area_id_of_device(hass, device_id)
    return ar.async_get(hass).async_get_area(area_id) if area_id else None


@callback
def async_area_of_utterance(hass: HomeAssistant, engine: str) -> ar.AreaEntry | None:
    """Return the area of whoever speaks to the `engine` (entity id) in this task.

    None outside a pipeline, and where several turns of one conversation listen at the same time
    in different areas.
    """
    session, data = current_session.get(), hass.data.get(KEY_ASSIST_PIPELINE)
    if session is None or data is None:
        return None
    areas = {
        area.id if area else None: area
        for run in _runs(data)
        if _listens(data, run, session.conversation_id, engine)
        for area in [async_area_of_speaker(hass, run.device_id, run.satellite_id)]
    }
    return next(iter(areas.values())) if len(areas) == 1 else None


def _runs(data: PipelineData) -> Iterator[PipelineRun]:
    for runs in getattr(data.pipeline_runs, "_pipeline_runs", {}).values():
        yield from runs.values()


def _listens(data: PipelineData, run: PipelineRun, conversation_id: str, engine: str) -> bool:
    """Return whether a run is in its speech-to-text stage, for this conversation and engine."""
    debug = data.pipeline_debug[run.pipeline.id].get(run.id)
    events = debug.events if debug else []
    start = next((event for event in events if event.type is PipelineEventType.RUN_START), None)
    speech = next((event for event in reversed(events) if event.type in _SPEECH), None)
    return (
        start is not None
        and (start.data or {}).get("conversation_id") == conversation_id
        and speech is not None
        and (speech.data or {}).get("engine") == engine
    )
