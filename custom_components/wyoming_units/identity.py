"""Gives a node's entry another id: the same machine, whose data folder was lost.

Everything that Home Assistant knows of a node hangs on its id: the entry, the devices, the
entities. All of it is rewritten in place, so that entity ids, names, areas and what refers to
them stay as they are.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .const import DOMAIN


@callback
def async_entry_of(hass: HomeAssistant, node_id: str) -> ConfigEntry | None:
    """Return the entry of a node, None where it has none or the user only ignores it."""
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, node_id)
    return None if entry is None or entry.source == SOURCE_IGNORE else entry


async def async_adopt(
    hass: HomeAssistant, entry: ConfigEntry, node_id: str, address: Mapping[str, Any]
) -> None:
    """Make `entry` that of the node `node_id` at `address`, and set it up again.

    The new id must have no entry of its own; one that only ignores it is removed. All flows that
    are about to add the node end.
    """
    manager = hass.config_entries
    if (ignored := manager.async_entry_for_domain_unique_id(DOMAIN, node_id)) is not None:
        await manager.async_remove(ignored.entry_id)
    await manager.async_unload(entry.entry_id)
    _rename_entities(hass, entry, node_id)
    _rename_devices(hass, entry, node_id)
    manager.async_update_entry(entry, unique_id=node_id, data={**entry.data, **address})
    for flow in manager.flow.async_progress_by_handler(DOMAIN, include_uninitialized=True):
        if flow["context"].get("unique_id") == node_id:
            manager.flow.async_abort(flow["flow_id"])
    manager.async_schedule_reload(entry.entry_id)


def _renamed(entry: ConfigEntry, name: str, node_id: str) -> str:
    """Return an id of an entity or a device with the node's id in front of it exchanged."""
    old = str(entry.unique_id)
    return node_id + name.removeprefix(old) if name.startswith(old) else name


@callback
def _rename_entities(hass: HomeAssistant, entry: ConfigEntry, node_id: str) -> None:
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        unique_id = _renamed(entry, entity.unique_id, node_id)
        registry.async_update_entity(entity.entity_id, new_unique_id=unique_id)


@callback
def _rename_devices(hass: HomeAssistant, entry: ConfigEntry, node_id: str) -> None:
    registry = dr.async_get(hass)

    def renamed(device: dr.DeviceEntry | dr.ChildDeviceEntry) -> set[tuple[str, str]]:
        return {(domain, _renamed(entry, name, node_id)) for domain, name in device.identifiers}

    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_device(device.id, new_identifiers=renamed(device))
    for child in dr.async_child_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_child_device(child.id, new_identifiers=renamed(child))
