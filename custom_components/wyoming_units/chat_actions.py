"""Actions of agents: end what one says, let it forget what was said."""

from typing import Any, Final

import probatio
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.entity import Entity

from .agent import AgentEntity
from .const import DOMAIN

STOP: Final = "stop"
RESET: Final = "reset"
ATTR_CONVERSATION_ID: Final = "conversation_id"

STOP_SCHEMA: Final[dict[Any, Any]] = {}
RESET_SCHEMA: Final[dict[Any, Any]] = {probatio.Optional(ATTR_CONVERSATION_ID): cv.string}


@callback
def async_setup_chat_actions(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action, schema in (
        (STOP, _stop, STOP_SCHEMA),
        (RESET, _reset, RESET_SCHEMA),
    ):
        service.async_register_platform_entity_service(
            hass,
            DOMAIN,
            name,
            entity_domain=Platform.CONVERSATION,
            schema=schema,
            func=action,
        )


async def _stop(entity: Entity, _call: ServiceCall) -> None:
    """End the answers of an agent; one that only finds intents writes none."""
    if isinstance(entity, AgentEntity):
        await entity.async_stop()


async def _reset(entity: Entity, call: ServiceCall) -> None:
    """Let an agent forget a conversation, or all; one that only finds intents remembers none."""
    if isinstance(entity, AgentEntity):
        await entity.async_reset(call.data.get(ATTR_CONVERSATION_ID))
