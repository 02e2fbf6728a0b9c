"""Keeps what a node says about itself up to date."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .client import Node, NodeError, NodeInfo, NodeStats
from .const import DOMAIN, LOGGER, SUBENTRY_CAMERA
from .devices import async_update_devices
from .personas import Personas
from .watch import CameraWatch

UPDATE_INTERVAL = timedelta(seconds=15)
"""A new voice shall be there within 30 s; a node takes ten to find it, and Home Assistant may be a second late."""

type WyomingUnitsConfigEntry = ConfigEntry[NodeCoordinator]


class NodeCoordinator(DataUpdateCoordinator[NodeInfo]):
    """Describes a node every 15 s: what its units can do, and whether it is there at all."""

    config_entry: WyomingUnitsConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: WyomingUnitsConfigEntry,
        on_refresh: Callable[[NodeCoordinator], None],
    ) -> None:
        """Call `on_refresh` after each time the node was asked, also when it keeps failing."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=UPDATE_INTERVAL,
        )
        self._on_refresh = on_refresh
        self.node = Node(host=entry.data[CONF_HOST], port=entry.data[CONF_PORT])
        self.stats: NodeStats | None = None
        """What the node counts; None from a node that does not tell."""
        self.timings: dict[tuple[str, str], Mapping[str, Any]] = {}
        """By unit and program: the context of its last answer, which tells what took how long."""
        self.watches = {
            subentry.subentry_id: CameraWatch(hass, entry, subentry, self.node)
            for subentry in entry.get_subentries_of_type(SUBENTRY_CAMERA)
        }
        """By the subentries of the cameras."""
        self.personas = Personas(entry)

    @override
    async def _async_update_data(self) -> NodeInfo:
        """Ask the node."""
        try:
            info, stats = await self.node.poll()
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
                translation_placeholders={"name": info.name, "id": info.id},
            )
        self.stats = stats
        async_update_devices(self.hass, self.config_entry, info)
        return info

    @callback
    @override
    def _async_refresh_finished(self) -> None:
        self._on_refresh(self)

    @callback
    def async_answered(self, unit: str, program: str, context: object) -> None:
        """Keep what the context of an answer tells of the time it took, and show it at once."""
        self.timings[unit, program] = context if isinstance(context, Mapping) else {}
        self.async_update_listeners()
