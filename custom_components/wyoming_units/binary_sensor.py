"""Whether a node can be reached."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the connectivity of a node."""
    async_add_entities([NodeConnectivity(entry.runtime_data)])


class NodeConnectivity(CoordinatorEntity[NodeCoordinator], BinarySensorEntity):
    """On while the node answers; the one entity that stays when it does not."""

    _attr_has_entity_name = True
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: NodeCoordinator) -> None:
        super().__init__(coordinator)
        node_id = coordinator.data.id
        self._attr_unique_id = f"{node_id}_connectivity"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, node_id)})

    @property
    @override
    def available(self) -> bool:
        """Return that it is known whether the node answers."""
        return True

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the node answered when it was last asked."""
        return self.coordinator.last_update_success
