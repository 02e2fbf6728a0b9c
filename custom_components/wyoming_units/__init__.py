"""Wyoming Units: local voice units that announce themselves, as entities of Home Assistant."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .pipeline import async_create_consented_pipeline, async_follow_renames

PLATFORMS = [Platform.CONVERSATION, Platform.STT, Platform.TTS, Platform.WAKE_WORD]


async def async_setup_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> bool:
    """Set up a node."""
    coordinator = NodeCoordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator

    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    await async_create_consented_pipeline(hass, entry)
    entry.async_on_unload(async_follow_renames(hass, entry))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> bool:
    """Unload a node."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
