"""Wyoming Units: local units for voice and cameras that announce themselves, as entities of Home Assistant."""

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .actions import async_setup_actions
from .characters import async_setup_pictures
from .chat_actions import async_setup_chat_actions
from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .core_wyoming import async_move_over
from .devices import async_may_remove
from .issues import async_forget, async_review_node, async_review_pipelines
from .pipeline import async_create_wanted_pipelines
from .preview import async_setup_previews
from .references import async_follow_renames

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [
    Platform.AI_TASK,
    Platform.BINARY_SENSOR,
    Platform.CONVERSATION,
    Platform.EVENT,
    Platform.IMAGE,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.STT,
    Platform.SWITCH,
    Platform.TTS,
    Platform.UPDATE,
    Platform.WAKE_WORD,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what is there for all nodes, also those that are away."""
    async_follow_renames(hass)
    async_setup_actions(hass)
    async_setup_chat_actions(hass)
    async_setup_previews(hass)
    await async_setup_pictures(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> bool:
    """Set up a node."""
    coordinator = NodeCoordinator(hass, entry, async_review_node)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator

    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    for watch in coordinator.watches.values():
        watch.async_start()
        # A camera may be switched on or off without a change of its state.
        entry.async_on_unload(coordinator.async_add_listener(watch.async_refresh))
    _async_follow_subentries(hass, entry)
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


@callback
def _async_follow_subentries(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> None:
    """Set the node up again when the user adds, changes or removes a camera, a persona or AI tasks.

    An update listener of the entry would forbid the flows to reload it themselves.
    """
    watches = entry.runtime_data.watches

    def made() -> dict[str, object]:
        # Whether a camera has changed is for its watch to say, which takes over what it can.
        return {
            each.subentry_id: each.subentry_id in watches or (each.title, each.data)
            for each in entry.subentries.values()
        }

    known = made()

    @callback
    def follow(change: ConfigEntryChange, changed: ConfigEntry) -> None:
        nonlocal known
        if changed is not entry or change is not ConfigEntryChange.UPDATED:
            return
        differ = [watch for watch in watches.values() if watch.async_changed()]
        before, known = known, made()  # so that one change leads to one reload
        if differ or known != before:
            hass.config_entries.async_schedule_reload(entry.entry_id)

    entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, follow))
