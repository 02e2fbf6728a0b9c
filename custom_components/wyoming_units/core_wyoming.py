"""Takes over from Home Assistant's own `wyoming` integration, where it has set up the same node."""

from collections.abc import Iterable
from typing import Final

from homeassistant.components.assist_pipeline import async_get_pipelines
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.const import CONF_HOST, CONF_PORT, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .const import CONF_MOVE_FROM, LOGGER
from .coordinator import WyomingUnitsConfigEntry
from .devices import program_id
from .home import async_area_id_of_entity
from .references import async_engines, async_repoint

CORE: Final = "wyoming"
CORE_TYPE: Final = "_wyoming._tcp.local."

_PLATFORMS: Final = {
    "wake": Platform.WAKE_WORD,
    "stt": Platform.STT,
    "tts": Platform.TTS,
    "intent": Platform.CONVERSATION,
}


@callback
def async_find_core_entry(
    hass: HomeAssistant, addresses: Iterable[tuple[str, int]], name: str
) -> ConfigEntry | None:
    """Return the active core entry of a server.

    At one of its addresses (hosts in lower case), or announced by its name.
    """
    places = {*addresses}
    # What core makes of the announcement: its name and that of the first program.
    announced = f"{name}.{CORE_TYPE}_"
    for entry in hass.config_entries.async_entries(CORE, include_ignore=False):
        place = (str(entry.data.get(CONF_HOST)).lower(), entry.data.get(CONF_PORT))
        if not entry.disabled_by and (
            place in places or str(entry.unique_id).startswith(announced)
        ):
            return entry
    return None


@callback
def async_pipelines_of(hass: HomeAssistant, entry: ConfigEntry) -> list[str]:
    """Return the names of the pipelines that use entities of an entry."""
    ours = {each.entity_id for each in _entities(hass, entry)}
    return [
        pipeline.name
        for pipeline in async_get_pipelines(hass)
        if ours & {*async_engines(pipeline).values()}
    ]


async def async_move_over(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> None:
    """Do what the user agreed to in the config flow: let `entry` do what a core entry did.

    The core entry is disabled and not removed: all of it can be had back by enabling it, and as
    long as it is there, core does not offer the node as a new discovery.
    """
    data = dict(entry.data)
    if (core_id := data.pop(CONF_MOVE_FROM, None)) is None:
        return
    hass.config_entries.async_update_entry(entry, data=data)
    core = hass.config_entries.async_get_entry(core_id)
    if core is None or core.disabled_by:
        return
    twins = _twins(hass, core, entry)
    await async_repoint(hass, {old.entity_id: new.entity_id for old, new in twins})
    for old, new in twins:
        _take_area(hass, old, new)
    if left := async_pipelines_of(hass, core):
        LOGGER.warning(
            "%s stays enabled: the node has nothing that could take its place in %s",
            core.title,
            ", ".join(left),
        )
        return
    await hass.config_entries.async_set_disabled_by(core_id, ConfigEntryDisabler.USER)


@callback
def async_dismiss_core_discovery(hass: HomeAssistant, node_id: str) -> None:
    """Take back core's offer to set up a node that is set up here, unless somebody is at it."""

    def same(found: ZeroconfServiceInfo) -> bool:
        return found.type == CORE_TYPE and found.properties.get("id") == node_id

    hass.config_entries.flow.async_dismiss_discovery_flows(ZeroconfServiceInfo, same)


@callback
def _entities(hass: HomeAssistant, entry: ConfigEntry) -> list[er.RegistryEntry]:
    return er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)


@callback
def _twins(
    hass: HomeAssistant, core: ConfigEntry, entry: WyomingUnitsConfigEntry
) -> list[tuple[er.RegistryEntry, er.RegistryEntry]]:
    """Return core's entities with ours; core has one per kind, which uses the first program."""
    node = entry.runtime_data.data
    firsts = {
        (platform, program_id(node.id, unit, program.name))
        for unit, platform in _PLATFORMS.items()
        for program in node.programs(unit)[:1]
    }
    ours = {
        entity.domain: entity
        for entity in _entities(hass, entry)
        if (entity.domain, entity.unique_id) in firsts
    }
    return [(old, ours[old.domain]) for old in _entities(hass, core) if old.domain in ours]


@callback
def _take_area(hass: HomeAssistant, old: er.RegistryEntry, new: er.RegistryEntry) -> None:
    """Put our entity where core's was, unless it has a place already."""
    area_id = async_area_id_of_entity(hass, old)
    if area_id is not None and new.device_id and async_area_id_of_entity(hass, new) is None:
        # The entity bears its device's name and lies where that lies.
        dr.async_get(hass).async_update_child_device(new.device_id, area_id=area_id)
