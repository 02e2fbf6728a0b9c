"""Where the speaker is.

A unit that knows the room can tell "the light" from all the others. A conversation agent is told
the device; a speech-to-text entity is not: its API takes audio and metadata, nothing else. But the
pipeline runs it inside a chat session, which travels with the task as a context variable, and the
pipeline's own record of running turns says which device each turn belongs to. Joining the two
gives the device of exactly this utterance, whatever else is running. The list of running turns has
no public name in Home Assistant; should it ever move, the area is left out and nothing else breaks.

The same record tells of a turn whether the pipeline keeps audio for speech-to-text by itself, and a
conversation agent whom it is about to answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from homeassistant.components.assist_pipeline import PipelineEvent, PipelineEventType
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, PipelineRun
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.helpers.chat_session import current_session

from .home import async_area_id_of_device, async_area_id_of_entity

_SPEECH = (PipelineEventType.STT_START, PipelineEventType.STT_END)
_WAKE = (PipelineEventType.WAKE_WORD_START, PipelineEventType.WAKE_WORD_END)


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
    areas = {
        area.id if area else None: area
        for run in _runs(hass, _SPEECH, "engine", engine)
        for area in [async_area_of_speaker(hass, run.device_id, run.satellite_id)]
    }
    return next(iter(areas.values())) if len(areas) == 1 else None


@callback
def async_run_keeps_audio(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether the pipeline itself repeats audio from before a wake word to speech-to-text.

    Satellites may ask it to; what a wake word entity added of the same time would be heard twice.
    """
    return any(
        run.wake_word_settings is not None and run.wake_word_settings.audio_seconds_to_buffer > 0
        for run in _runs(hass, _WAKE, "entity_id", entity_id)
    )


@callback
def async_run_of_task(hass: HomeAssistant) -> PipelineRun | None:
    """Return the run whose conversation this task belongs to, None where there are several."""
    runs = [run for run, _ in _runs_of_task(hass)]
    return runs[0] if len(runs) == 1 else None


@callback
def async_turn_is_over(hass: HomeAssistant) -> Callable[[], bool]:
    """Return what tells whether the turn of this task has ended; outside of one, it never has."""
    run = async_run_of_task(hass)
    return lambda: run is not None and run not in _all_runs(hass)


def _runs(
    hass: HomeAssistant, stage: tuple[PipelineEventType, PipelineEventType], key: str, entity: str
) -> Iterator[PipelineRun]:
    """Yield the runs of this task's conversation that are in a stage, with an entity for it."""
    for run, events in _runs_of_task(hass):
        if _data(reversed(events), stage).get(key) == entity:
            yield run


def _runs_of_task(hass: HomeAssistant) -> Iterator[tuple[PipelineRun, list[PipelineEvent]]]:
    """Yield the runs of this task's conversation, and what happened in them."""
    session = current_session.get()
    if session is None:
        return
    for run in _all_runs(hass):
        debug = hass.data[KEY_ASSIST_PIPELINE].pipeline_debug[run.pipeline.id].get(run.id)
        events = debug.events if debug else []
        start = _data(events, (PipelineEventType.RUN_START,))
        if start.get("conversation_id") == session.conversation_id:
            yield run, events


def _all_runs(hass: HomeAssistant) -> list[PipelineRun]:
    data = hass.data.get(KEY_ASSIST_PIPELINE)
    runs = getattr(data.pipeline_runs, "_pipeline_runs", {}) if data else {}
    return [run for of_pipeline in runs.values() for run in of_pipeline.values()]


def _data(
    events: Iterable[PipelineEvent], types: tuple[PipelineEventType, ...]
) -> Mapping[str, Any]:
    """Return the data of the first event of some types."""
    return next((event.data or {} for event in events if event.type in types), {})
