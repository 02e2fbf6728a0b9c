"""Whether a node can be reached, and whether something is in front of a camera."""

from collections.abc import Iterator
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .camera_entity import CameraEntity, LabelEntity, Names, async_add_cameras
from .const import DOMAIN, TASK_POSE
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .watch import CameraWatch

PARALLEL_UPDATES = 0

CAMERA_SENSORS = OCCUPANCY, ZONE_OCCUPANCY, LYING = (
    BinarySensorEntityDescription(
        key="occupancy",
        translation_key="occupancy",
        device_class=BinarySensorDeviceClass.OCCUPANCY,
    ),
    BinarySensorEntityDescription(
        key="zone_occupancy",
        translation_key="zone_occupancy",
        device_class=BinarySensorDeviceClass.OCCUPANCY,
    ),
    BinarySensorEntityDescription(key="lying", translation_key="lying"),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the connectivity of a node, and what its cameras see."""
    async_add_entities([NodeConnectivity(entry.runtime_data)])
    await async_add_cameras(
        hass, entry, async_add_entities, Platform.BINARY_SENSOR, _camera_sensors
    )


def _camera_sensors(watch: CameraWatch, names: Names) -> Iterator[CameraEntity]:
    for label in watch.labels:
        yield Occupancy(watch, OCCUPANCY, names, label)
    for zone, labels in watch.settings.labels_by_zone.items():
        for label in labels:
            yield Occupancy(watch, ZONE_OCCUPANCY, names, label, zone)
    if TASK_POSE in watch.settings.tasks:
        yield SomebodyLying(watch, LYING)


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


class Occupancy(LabelEntity, BinarySensorEntity):
    """On while the camera sees something of a label."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it sees any, None while the camera is not watched."""
        seen = self._watch.last
        return None if seen is None else bool(seen.seen(self._label, self._zone))


class SomebodyLying(CameraEntity, BinarySensorEntity):
    """On while the camera sees a person who lies."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it sees anybody lying, None while the camera is not watched."""
        seen = self._watch.last
        return None if seen is None else any(one.posture == "lying" for one in seen.objects)
