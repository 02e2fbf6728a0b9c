"""Diagnostics of a node."""

from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant

from .const import (
    CONF_GREETING,
    CONF_PICTURE,
    CONF_PROMPT,
    SUBENTRY_AI_TASK,
    SUBENTRY_CONVERSATION,
)
from .coordinator import WyomingUnitsConfigEntry

USER_TEXTS: Final = {CONF_GREETING, CONF_PICTURE, CONF_PROMPT}
"""What users wrote for a persona."""


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: WyomingUnitsConfigEntry
) -> dict[str, Any]:
    """Return what is known about a node, without where it is."""
    coordinator = entry.runtime_data
    return {
        "entry": async_redact_data(dict(entry.data), {CONF_HOST}),
        "options": dict(entry.options),
        "reachable": coordinator.last_update_success,
        "info": coordinator.data.raw,
        "stats": coordinator.stats.raw if coordinator.stats else None,
        "timings": {
            f"{unit} {program}": told for (unit, program), told in coordinator.timings.items()
        },
        "personas": [
            async_redact_data(dict(each.data), USER_TEXTS)
            for each in entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
        ],
        "ai_tasks": [dict(each.data) for each in entry.get_subentries_of_type(SUBENTRY_AI_TASK)],
        "cameras": [watch.diagnostics() for watch in coordinator.watches.values()],
    }
