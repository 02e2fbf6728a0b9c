"""The devices of a node: the node itself, and a child device per program of its units."""

from collections.abc import Iterator

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import ChildDeviceInfo

from .client import UNITS, NodeInfo
from .const import DOMAIN


def program_id(node_id: str, unit: str, program: str) -> str:
    """Return what the device and the main entity of a program are known by."""
    return f"{node_id}_{unit}_{program}"


def offered_ids(info: NodeInfo) -> Iterator[str]:
    """Yield the ids of all programs that a node offers now."""
    for unit in UNITS:
        for program in info.programs(unit):
            yield program_id(info.id, unit, program.name)


@callback
def async_update_devices(hass: HomeAssistant, entry: ConfigEntry, info: NodeInfo) -> None:
    """Create or rename the devices of a node and of what it offers; none is removed."""
    registry = dr.async_get(hass)
    node = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, info.id)},
        name=info.name,
        manufacturer="Wyoming Units",
        model="Node",
        sw_version=info.version,
    )
    known = [_id(child) for child in dr.async_entries_for_parent_device(registry, node.id)]
    offered = [program for program in offered_ids(info) if program not in known]
    named: set[str] = set()
    for program in (*known, *offered):  # oldest first: a device keeps the short name it got
        unit, name = _parse(program, info.id)
        registry.async_get_or_create_child(
            config_entry_id=entry.entry_id,
            parent_device_id=node.id,
            identifiers={(DOMAIN, program)},
            translation_key=f"{unit}_program" if unit in named else unit,
            translation_placeholders={"program": name},
        )
        named.add(unit)


@callback
def async_program_device(
    hass: HomeAssistant, entry: ConfigEntry, node_id: str, program: str
) -> ChildDeviceInfo:
    """Return the device of a program, which `async_update_devices` made and named."""
    node = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, node_id), entry.entry_id)
    assert node is not None
    return ChildDeviceInfo(identifiers={(DOMAIN, program)}, parent_device_id=node.id)


@callback
def async_program_titles(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Return what the user knows the programs of a node as, by id."""
    children = dr.async_child_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return {_id(child): child.name_by_user or child.name or "-" for child in children}


@callback
def async_may_remove(entry: ConfigEntry, device: dr.AnyDeviceEntry) -> bool:
    """Return whether the user may delete a device: that of a program which is offered no more.

    Nothing is deleted without the user. A model that failed to load is not offered either, and
    its entity's name, area and place in a pipeline must outlive that.
    """
    if entry.state is not ConfigEntryState.LOADED or not isinstance(device, dr.ChildDeviceEntry):
        return False
    return _id(device) not in offered_ids(entry.runtime_data.data)


def _id(device: dr.ChildDeviceEntry) -> str:
    return next(name for domain, name in device.identifiers if domain == DOMAIN)


def _parse(program: str, node_id: str) -> tuple[str, str]:
    """Return the unit and the name of a program by its id."""
    unit, _, name = program.removeprefix(f"{node_id}_").partition("_")
    return unit, name
