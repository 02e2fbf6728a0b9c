"""Diagnostics of a node."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant

from .coordinator import WyomingUnitsConfigEntry


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
        "cameras": [watch.diagnostics() for watch in coordinator.watches.values()],
    }
