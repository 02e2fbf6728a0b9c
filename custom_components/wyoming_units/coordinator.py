"""Keeps what a node says about itself up to date."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .client import Node, NodeError, NodeInfo
from .const import DOMAIN, LOGGER

UPDATE_INTERVAL = timedelta(seconds=30)

type WyomingUnitsConfigEntry = ConfigEntry[NodeCoordinator]


class NodeCoordinator(DataUpdateCoordinator[NodeInfo]):
    """Describes a node every 30 s: what its units can do, and whether it is there at all."""

    config_entry: WyomingUnitsConfigEntry

    def __init__(self, hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> None:
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=UPDATE_INTERVAL,
            always_update=False,
        )
        self.node = Node(host=entry.data[CONF_HOST], port=entry.data[CONF_PORT])
        self.timings: dict[str, Mapping[str, Any]] = {}
        """What each unit's last request spent its time on, as the unit told; for diagnostics."""

    @override
    async def _async_update_data(self) -> NodeInfo:
        """Ask the node."""
        try:
            info = await self.node.describe()
        except NodeError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key=err.key,
                translation_placeholders=err.placeholders,
            ) from err
        if info.id != self.config_entry.unique_id:
            # The address went to another node; its entities must not answer in this one's name.
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="wrong_node",
                translation_placeholders={"name": info.name},
            )
        self._update_device(info)
        return info

    @callback
    def _update_device(self, info: NodeInfo) -> None:
        dr.async_get(self.hass).async_get_or_create(
            config_entry_id=self.config_entry.entry_id,
            identifiers={(DOMAIN, info.id)},
            name=info.name,
            manufacturer="Wyoming Units",
            model="Node",
            sw_version=info.version,
        )
