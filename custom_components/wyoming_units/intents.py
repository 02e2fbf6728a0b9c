"""Runs the intents that a unit found, in Home Assistant and in the user's name."""

from collections.abc import Sequence
from typing import Any

from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, TemplateError
from homeassistant.helpers import area_registry as ar, intent, template
from wyoming.intent import Intent

from .client import NodeError
from .const import DOMAIN, LOGGER
from .spoken import async_sentence


async def async_run_intents(
    hass: HomeAssistant,
    user_input: conversation.ConversationInput,
    intents: Sequence[Intent],
    area: ar.AreaEntry | None,
) -> intent.IntentResponse:
    """Run intents in their order and return one response; the first that fails ends it."""
    if not intents:
        raise NodeError("bad_answer", event="intents-stop")
    responses = []
    try:
        for found in intents:
            responses.append(await _run(hass, user_input, found, area))
    except intent.MatchFailedError:
        return await _failed(hass, user_input, intent.IntentResponseErrorCode.NO_VALID_TARGETS)
    except intent.IntentError as err:
        LOGGER.warning("Intent %s failed: %s", found.name, err)
        return await _failed(hass, user_input, intent.IntentResponseErrorCode.FAILED_TO_HANDLE)

    speech = (response.speech.get("plain", {}).get("speech") for response in responses)
    responses[0].async_set_speech(" ".join(filter(None, speech)))
    return responses[0]


async def _run(
    hass: HomeAssistant,
    user_input: conversation.ConversationInput,
    found: Intent,
    area: ar.AreaEntry | None,
) -> intent.IntentResponse:
    slots = {entity.name: entity.value for entity in found.entities}
    conversation.async_conversation_trace_append(
        conversation.ConversationTraceEventType.TOOL_CALL,
        {"intent_name": found.name, "slots": slots},
    )
    if area is not None:  # of several things of one name, the one where the speaker is
        slots.setdefault("preferred_area_id", area.id)
    response = await intent.async_handle(
        hass,
        DOMAIN,
        found.name,
        {name: {"value": value} for name, value in slots.items()},
        text_input=user_input.text,
        context=user_input.context,
        language=user_input.language,
        assistant=conversation.DOMAIN,
        device_id=user_input.device_id,
        satellite_id=user_input.satellite_id,
        conversation_agent_id=user_input.agent_id,
    )
    if found.text and not response.speech:
        response.async_set_speech(_render(hass, found.text, response, slots))
    return response


def _render(
    hass: HomeAssistant, text: str, response: intent.IntentResponse, slots: dict[str, Any]
) -> str:
    """Return a reply; it may be a template over the slots and the states that were found."""
    matched = [template.TemplateState(hass, state) for state in response.matched_states]
    unmatched = [template.TemplateState(hass, state) for state in response.unmatched_states]
    try:
        speech = template.Template(text, hass).async_render(
            {
                "slots": {**slots, **response.speech_slots},
                "state": next(iter([*matched, *unmatched]), None),
                "query": {"matched": matched, "unmatched": unmatched},
            },
            parse_result=False,
        )
    except TemplateError as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="bad_reply") from err
    return " ".join(str(speech).split())


async def _failed(
    hass: HomeAssistant,
    user_input: conversation.ConversationInput,
    code: intent.IntentResponseErrorCode,
) -> intent.IntentResponse:
    error = HomeAssistantError(translation_domain=DOMAIN, translation_key=f"intent_{code.value}")
    return await async_error_response(hass, user_input.language, code, error)


async def async_error_response(
    hass: HomeAssistant,
    language: str,
    code: intent.IntentResponseErrorCode,
    error: HomeAssistantError,
) -> intent.IntentResponse:
    """Return a response that tells an error of ours in the language of the request."""
    # The text of an exception itself is always English.
    text = await async_sentence(
        hass, language, str(error.translation_key), **error.translation_placeholders or {}
    )
    response = intent.IntentResponse(language=language)
    response.async_set_error(code, text)
    return response
