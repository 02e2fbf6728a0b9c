"""Finds the tool calls that unlock, open or disarm something, which wait for a spoken yes.

Whatever the model says, what counts is what a call would act on; so it is looked up as the tool itself
would do. What scripts, scenes and buttons do cannot be known: their calls are run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import probatio
from homeassistant.components import conversation
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.components.conversation.default_agent import DefaultAgent
from homeassistant.const import (
    ATTR_AREA_ID,
    ATTR_DEVICE_CLASS,
    ATTR_DEVICE_ID,
    ATTR_ENTITY_ID,
    ATTR_FLOOR_ID,
    ATTR_LABEL_ID,
    ENTITY_MATCH_ALL,
)
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, Context, HomeAssistant, State
from homeassistant.helpers import intent, llm
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids
from homeassistant.util import dt as dt_util

PATIENCE: Final = timedelta(seconds=60)
"""How long a call waits for its yes."""

UNLOCK: Final = "unlock"
OPEN: Final = "open"
DISARM: Final = "disarm"

HARMLESS_COVERS: Final = frozenset({"awning", "blind", "curtain", "damper", "shade", "shutter"})
"""Device classes of covers that let nobody in."""
_OPENING: Final = ("turn_on", "turnon", "toggle", "open", "position")
_UNLOCKING: Final = ("turn_off", "turnoff", "toggle", "unlock", "open")
_DISARMING: Final = ("turn_off", "turnoff", "toggle", "disarm")
"""Words in the names of intents and actions that do so, by what they act on."""
_RISKS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "alarm_control_panel": (DISARM, _DISARMING),
    "cover": (OPEN, _OPENING),
    "lock": (UNLOCK, _UNLOCKING),
    "valve": (OPEN, _OPENING),
}
"""By domain of an entity: what may be done to it, and the words that do."""
_POSITIONS: Final = ("position", "tilt_position")
_CALL_ACTION: Final = "homeassistant__call_action"
"""The tool of administrators for any action."""
_COMMAND: Final = "conversation_command"
"""The argument of a timer that is to do something at its end."""
_TARGETS: Final = (ATTR_AREA_ID, ATTR_DEVICE_ID, ATTR_ENTITY_ID, ATTR_FLOOR_ID, ATTR_LABEL_ID)


@dataclass(frozen=True, kw_only=True)
class Held:
    """Calls that wait for a yes."""

    calls: tuple[llm.ToolInput, ...]
    targets: Mapping[str, tuple[str, ...]]
    """What they would unlock, open or disarm: names of entities."""
    since: datetime

    @property
    def waits(self) -> bool:
        """Return whether a yes still counts."""
        return dt_util.utcnow() - self.since < PATIENCE


async def async_hold(
    hass: HomeAssistant, api: llm.APIInstance, calls: Sequence[llm.ToolInput]
) -> Held | None:
    """Return those of some calls that have to wait, None where all may be run."""
    held: list[llm.ToolInput] = []
    targets: dict[str, dict[str, None]] = {}
    for call in calls:
        found = [*_risks(hass, api, call)]
        if command := call.tool_args.get(_COMMAND):
            found += await _async_risks_of_command(hass, str(command), api.llm_context)
        if found:
            held.append(call)
        for what, name in found:
            targets.setdefault(what, {})[name] = None
    if not held:
        return None
    names = {what: tuple(found) for what, found in targets.items()}
    return Held(calls=tuple(held), targets=names, since=dt_util.utcnow())


def _risks(
    hass: HomeAssistant, api: llm.APIInstance, call: llm.ToolInput
) -> Iterable[tuple[str, str]]:
    """Yield what a call would do, and the name of what it would do it to."""
    tool = next((tool for tool in api.tools if tool.name == call.tool_name), None)
    while isinstance(tool, llm.NamespacedTool):
        tool = tool.tool
    if isinstance(tool, llm.IntentTool):
        doing, arguments = tool.intent_type.lower(), call.tool_args
        states = _states_of_intent(hass, tool.intent_type, arguments, api.llm_context)
    elif tool is not None and tool.name == _CALL_ACTION:
        doing, arguments = str(call.tool_args.get("action")).lower(), _fields(call.tool_args)
        # Of a template nobody knows what comes out.
        if any(begin in str(arguments) for begin in ("{{", "{%")):
            yield from _risks_of_template(doing)
            return
        states = _states_of_action(hass, doing, arguments)
    else:
        return
    if "position" in doing and _closes(arguments):
        return
    yield from _risks_for(doing, states)


def _risks_for(doing: str, states: Iterable[State]) -> Iterable[tuple[str, str]]:
    """Yield what an intent or action would do to some things, and their names."""
    for state in states:
        what, words = _RISKS.get(state.domain, ("", ()))
        cover_class = state.attributes.get(ATTR_DEVICE_CLASS) if state.domain == "cover" else None
        if any(word in doing for word in words) and cover_class not in HARMLESS_COVERS:
            yield what, state.name


async def _async_risks_of_command(
    hass: HomeAssistant, command: str, context: llm.LLMContext
) -> Sequence[tuple[str, str]]:
    """Return what a sentence would do that a timer says to Home Assistant's own agent later."""
    agent = async_get_agent(hass, conversation.HOME_ASSISTANT_AGENT)
    if not isinstance(agent, DefaultAgent):
        return ()
    found = await agent.async_recognize_intent(
        conversation.ConversationInput(
            text=command,
            context=context.context or Context(),
            conversation_id=None,
            device_id=context.device_id,
            satellite_id=None,
            language=context.language or hass.config.language,
            agent_id=conversation.HOME_ASSISTANT_AGENT,
        )
    )
    if found is None:
        return ()
    name, arguments = found.intent.name, {it.name: it.value for it in found.entities_list}
    if _closes(arguments):
        return ()
    return [*_risks_for(name.lower(), _states_of_intent(hass, name, arguments, context))]


def _closes(arguments: Mapping[str, Any]) -> bool:
    """Return whether a position is asked for that is quite closed."""
    asked = [arguments[key] for key in _POSITIONS if arguments.get(key) is not None]
    return bool(asked) and all(str(position).strip() in ("0", "0.0") for position in asked)


def _fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return target and data of an action together."""
    given = (arguments.get("data"), arguments.get("target"))
    return {key: value for it in given if isinstance(it, Mapping) for key, value in it.items()}


def _risks_of_template(action: str) -> Iterable[tuple[str, str]]:
    domain, _, doing = action.partition(".")
    for each, (what, words) in _RISKS.items():
        if domain in (each, HOMEASSISTANT_DOMAIN) and any(word in doing for word in words):
            yield what, action
            return


def _states_of_action(
    hass: HomeAssistant, action: str, fields: Mapping[str, Any]
) -> Sequence[State]:
    """Return what an action would act on: of its own domain, unless it is for all of them."""
    domain = action.partition(".")[0]
    try:
        selection = TargetSelection({key: fields.get(key) for key in _TARGETS})
    except TypeError:
        return ()  # the tool will say what is wrong with it
    if ENTITY_MATCH_ALL in selection.entity_ids:
        states = hass.states.async_all()
    else:
        referenced = async_extract_referenced_entity_ids(hass, selection)
        found = sorted(referenced.referenced | referenced.indirectly_referenced)
        states = [state for entity_id in found if (state := hass.states.get(entity_id))]
    return [state for state in states if domain in (state.domain, HOMEASSISTANT_DOMAIN)]


def _states_of_intent(
    hass: HomeAssistant,
    intent_type: str,
    arguments: Mapping[str, Any],
    context: llm.LLMContext,
) -> Sequence[State]:
    """Return what an intent would act on, found as its handler finds it."""
    found = (it for it in intent.async_get(hass) if it.intent_type == intent_type)
    handler = next(found, None)
    if not isinstance(handler, intent.DynamicServiceIntentHandler):
        return ()
    given = {
        key: {"value": value}
        for key, value in arguments.items()
        if not intent.is_blank_slot_value(value)
    }
    try:
        slots = handler.async_validate_slots(given)
    except probatio.Invalid:
        return ()  # the tool will say what is wrong with it
    wanted = {key: slot["value"] for key, slot in slots.items()}
    domains = wanted.get("domain", handler.required_domains)
    classes = wanted.get("device_class")
    constraints = intent.MatchTargetsConstraints(
        name=None if wanted.get("name") == "all" else wanted.get("name"),
        area_name=wanted.get("area"),
        floor_name=wanted.get("floor"),
        domains=None if domains is None else {*domains},
        device_classes=None if classes is None else {*classes},
        assistant=context.assistant,
        features=handler.required_features,
        states=handler.required_states,
    )
    preferences = llm.async_get_match_preferences(hass, context)
    return intent.async_match_targets(hass, constraints, preferences).states
