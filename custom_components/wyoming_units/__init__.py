"""Wyoming Units: local voice units that announce themselves, as entities of Home Assistant."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .core_wyoming import async_move_over
from .devices import async_may_remove
from .issues import async_forget, async_review_node, async_review_pipelines
from .pipeline import async_create_wanted_pipelines
from .references import async_follow_renames

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.CONVERSATION,
    Platform.SENSOR,
    Platform.STT,
    Platform.TTS,
    Platform.WAKE_WORD,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what is there for all nodes, also those that are away."""
    async_follow_renames(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> bool:
    """Set up a node."""
    coordinator = NodeCoordinator(hass, entry, async_review_node)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator

    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    await async_move_over(hass, entry)
    await async_create_wanted_pipelines(hass)
    async_review_pipelines(hass)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> bool:
    """Unload a node."""
    if entry.disabled_by:
        async_forget(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> None:
    """Clean up after a node that the user removed."""
    async_forget(hass, entry)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: WyomingUnitsConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Return whether the user may delete a device: that of a unit which the node has no more."""
    return async_may_remove(entry, device)
