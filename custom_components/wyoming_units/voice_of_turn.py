"""Lets the reply of a turn through Assist sound in the voice of the persona that answers.

A text-to-speech entity is told what to say, in which language and with which options, but not for
whom. Home Assistant makes the options while it prepares the turn, inside the turn's chat session;
its list of running turns, joined by what it keeps for each conversation, says which agent will
answer. Neither has a public name in Home Assistant; should they ever move, replies sound in the
pipeline's own voice and nothing else breaks.
"""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.chat_session import current_session

from .const import DOMAIN
from .coordinator import WyomingUnitsConfigEntry
from .devices import program_id
from .personas import Persona

ATTR_PERSONA_VOICE: Final = "persona_voice"
"""The option with the voice of the persona that answers; stronger than the pipeline's voice."""
_CONVERSATIONS: Final = "pipeline_conversation_data"
"""In `hass.data`: what the pipeline keeps for each conversation."""


@callback
def async_voice_of_turn(hass: HomeAssistant) -> str | None:
    """Return the voice of the persona that will answer the turn which this task prepares.

    None outside of that, for agents of others, and for a persona that leaves it to the pipeline.
    """
    session = current_session.get()
    if session is None:
        return None
    conversation = hass.data.get(_CONVERSATIONS, {}).get(session.conversation_id)
    for turn in _turns(hass):
        known = getattr(turn, "_conversation_data", None)
        if known is not None and known is conversation and turn.response_audio is None:
            persona = async_persona_of(hass, turn.intent_agent.id)
            return persona.voice if persona else None
    return None


@callback
def async_speak_as(hass: HomeAssistant, agent: str, persona: Persona) -> None:
    """Let what an agent (entity id) will reply in turns that run sound in the voice of a persona.

    For one that is chosen after such a turn was prepared: while it waits for a wake word, or by
    what is said in it.
    """
    for turn in _turns(hass):
        speech = turn.response_audio
        if turn.intent_agent.id != agent or not async_is_our_speech(
            hass, getattr(speech, "engine", None)
        ):
            continue
        # Not in place: what is being spoken already is kept by the options that it has.
        speech.options = {
            key: value for key, value in speech.options.items() if key != ATTR_PERSONA_VOICE
        }
        if persona.voice is not None:
            speech.options[ATTR_PERSONA_VOICE] = persona.voice


@callback
def async_is_our_speech(hass: HomeAssistant, engine: str | None) -> bool:
    """Return whether text-to-speech of this integration has that entity id."""
    entity = er.async_get(hass).async_get(engine) if engine else None
    return entity is not None and entity.platform == DOMAIN


@callback
def async_persona_of(hass: HomeAssistant, agent: str) -> Persona | None:
    """Return who an agent (entity id) is now, None for an agent that is no persona of ours."""
    entity = er.async_get(hass).async_get(agent)
    if entity is None or entity.platform != DOMAIN or entity.config_entry_id is None:
        return None
    entry: WyomingUnitsConfigEntry | None = hass.config_entries.async_get_entry(
        entity.config_entry_id
    )
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        return None
    node = entry.runtime_data
    if persona := node.personas.all.get(entity.unique_id):
        return persona
    for program in node.data.programs("llm"):
        if program_id(node.data.id, "llm", program.name) == entity.unique_id:
            return node.personas.chosen(program.name)
    return None


def _turns(hass: HomeAssistant) -> Iterator[Any]:
    """Yield what runs each turn whose agent is known, of those that are being prepared too."""
    pipelines = hass.data.get(KEY_ASSIST_PIPELINE)
    for runs in getattr(pipelines and pipelines.pipeline_runs, "_pipeline_runs", {}).values():
        for run in runs.values():
            turn = getattr(run, "_processor", None)
            if getattr(turn, "intent_agent", None) is not None:
                yield turn
