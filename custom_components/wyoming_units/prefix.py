"""What a language model is told before a conversation: written once, and then the same bytes in every turn.

The server of a model need not read again what begins as before. So nothing that changes is in here: the
time and the room go in front of what the user says, or are the matter of tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, TemplateError
from homeassistant.helpers import llm
from homeassistant.helpers.template import Template
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .language_model import LlmModel
from .messages import tools_of
from .personas import Persona


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The beginning of all that a model is asked in a conversation."""

    text: str
    tools: Sequence[Mapping[str, Any]]
    apis: Sequence[str]
    """Ids of the LLM APIs that the tools are of."""

    @property
    def needs_time(self) -> bool:
        """Return whether no tool tells the time."""
        names = (tool["function"]["name"] for tool in self.tools)
        return not any(name.endswith("GetDateTime") for name in names)


def apis_for(persona: Persona, model: LlmModel | None) -> tuple[str, ...]:
    """Return the APIs that a persona may use with a model: none with one that is too small."""
    return persona.tools if model is not None and model.fits_tools else ()


async def async_write_prefix(
    hass: HomeAssistant, persona: Persona, apis: Sequence[str], context: llm.LLMContext
) -> Prefix:
    """Return the beginning as it is now; `HomeAssistantError` of ours where it cannot be had."""
    api = await _async_api(hass, apis, context) if apis else None
    user = None
    if context.context is not None and context.context.user_id is not None:
        user = await hass.auth.async_get_user(context.context.user_id)
    known = {
        "ha_name": hass.config.location_name,
        "user_name": user.name if user else None,
        "llm_context": context,
    }
    try:
        prompt = Template(persona.prompt, hass).async_render(known, parse_result=False)
    except TemplateError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="chat_bad_prompt"
        ) from err
    parts = [str(prompt).strip(), api.api_prompt.strip() if api else ""]
    tools = tuple(tools_of(api)) if api else ()
    return Prefix(text="\n".join(filter(None, parts)), tools=tools, apis=tuple(apis))


def note_of_now(room: str | None) -> str:
    """Return the line that tells when and where somebody speaks."""
    now = dt_util.now()
    return f"({', '.join(filter(None, (now.strftime('%A, %Y-%m-%d, %H:%M'), room)))})"


async def _async_api(
    hass: HomeAssistant, apis: Sequence[str], context: llm.LLMContext
) -> llm.APIInstance:
    try:
        return await llm.async_get_api(hass, [*apis], context)
    except HomeAssistantError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="chat_no_tools"
        ) from err
