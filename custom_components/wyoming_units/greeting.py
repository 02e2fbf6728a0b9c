"""A persona that was chosen says its greeting where somebody spoke with it last."""

from typing import Any, Final

from homeassistant.components import conversation, tts
from homeassistant.components.assist_pipeline import (
    OPTION_PREFERRED,
    Pipeline,
    async_get_pipeline,
    async_get_pipelines,
)
from homeassistant.components.assist_satellite import (
    DOMAIN as ASSIST_SATELLITE,
    AssistSatelliteEntity,
    AssistSatelliteEntityFeature,
)
from homeassistant.components.assist_satellite.const import DATA_COMPONENT
from homeassistant.components.assist_satellite.entity import AssistSatelliteState
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .coordinator import NodeCoordinator
from .devices import program_id
from .personas import Persona
from .voice_of_turn import ATTR_PERSONA_VOICE, async_is_our_speech, async_speak_as

_SPEAKERS: Final[HassKey[dict[tuple[str, str], str]]] = HassKey(f"{DOMAIN}_speakers")
"""By entry and program: the satellite through which somebody spoke with the agent last."""


@callback
def async_note_speaker(
    hass: HomeAssistant, coordinator: NodeCoordinator, program: str, satellite_id: str | None
) -> None:
    """Remember through which satellite, if any, somebody speaks with the main agent of a program."""
    if satellite_id is not None:
        speakers = hass.data.setdefault(_SPEAKERS, {})
        speakers[coordinator.config_entry.entry_id, program] = satellite_id


async def async_greet(
    hass: HomeAssistant, coordinator: NodeCoordinator, program: str, persona: Persona
) -> None:
    """Let a persona that was chosen for a program be heard from now on, and first its greeting.

    The satellite that was spoken to last says it in the background, else the only one that has
    this agent, in the persona's voice where our text-to-speech speaks. Nothing is said without a
    greeting or such a satellite, nor while it is busy. Never raises.
    """
    agent = er.async_get(hass).async_get_entity_id(
        conversation.DOMAIN, DOMAIN, program_id(coordinator.data.id, "llm", program)
    )
    if agent is None:
        return
    async_speak_as(hass, agent, persona)
    last = hass.data.get(_SPEAKERS, {}).get((coordinator.config_entry.entry_id, program))
    if persona.greeting:
        coordinator.config_entry.async_create_background_task(
            hass, _async_greet(hass, agent, last, persona), f"{DOMAIN}_greeting"
        )


async def _async_greet(hass: HomeAssistant, agent: str, last: str | None, persona: Persona) -> None:
    try:
        if (satellite := _satellite(hass, agent, last)) is not None:
            await _async_say(hass, satellite, agent, persona)
    except Exception as err:  # noqa: BLE001  of any satellite's integration, whatever it raises
        LOGGER.warning("%s could not say its greeting: %s", persona.name, err)


@callback
def _satellite(hass: HomeAssistant, agent: str, last: str | None) -> AssistSatelliteEntity | None:
    """Return the satellite that shall speak: the last one, else the only one that has the agent."""
    component = hass.data.get(DATA_COMPONENT)  # absent without any satellite
    present = {each.entity_id: each for each in component.entities} if component else {}
    if last in present:
        return present[last]
    having = [it for it in present.values() if _pipeline(hass, it).conversation_engine == agent]
    return having[0] if len(having) == 1 else None


async def _async_say(
    hass: HomeAssistant, satellite: AssistSatelliteEntity, agent: str, persona: Persona
) -> None:
    features = satellite.supported_features or 0
    pipeline = _pipeline(hass, satellite)
    if satellite.state != AssistSatelliteState.IDLE or not satellite.available:
        return
    # A conversation is one with the agent of the satellite's pipeline, which may be another one.
    if features & AssistSatelliteEntityFeature.START_CONVERSATION and (
        pipeline.conversation_engine == agent
    ):
        action, prefix = "start_conversation", "start_"
    elif features & AssistSatelliteEntityFeature.ANNOUNCE:
        action, prefix = "announce", ""
    else:
        return
    said = {f"{prefix}message": persona.greeting}
    if (media := _spoken(hass, satellite, pipeline, persona)) is not None:
        said[f"{prefix}media_id"] = media
    await hass.services.async_call(
        ASSIST_SATELLITE,
        action,
        {ATTR_ENTITY_ID: satellite.entity_id, "preannounce": False, **said},
        blocking=True,
    )


@callback
def _spoken(
    hass: HomeAssistant, satellite: AssistSatelliteEntity, pipeline: Pipeline, persona: Persona
) -> str | None:
    """Return the greeting in the persona's voice as media; None leaves it to the satellite."""
    if persona.voice is None or not async_is_our_speech(hass, pipeline.tts_engine):
        return None
    options: dict[str, Any] = {ATTR_PERSONA_VOICE: persona.voice, **(satellite.tts_options or {})}
    if pipeline.tts_voice is not None:
        options[tts.ATTR_VOICE] = pipeline.tts_voice
    return tts.generate_media_source_id(
        hass,
        persona.greeting,
        engine=pipeline.tts_engine,
        language=pipeline.tts_language,
        options=options,
    )


@callback
def _pipeline(hass: HomeAssistant, satellite: AssistSatelliteEntity) -> Pipeline:
    """Return the pipeline of a satellite, which its select names."""
    state = hass.states.get(satellite.pipeline_entity_id or "")
    name = state.state if state else OPTION_PREFERRED
    found = (each.id for each in async_get_pipelines(hass) if each.name == name)
    return async_get_pipeline(hass, None if name == OPTION_PREFERRED else next(found, None))
