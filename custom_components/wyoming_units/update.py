"""Whether the software of a node is as new as this integration."""

from typing import Final, override

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.update import UpdateEntity, UpdateEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.loader import async_get_integration

from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry

PARALLEL_UPDATES = 0

DESCRIPTIONS = (SOFTWARE,) = (
    UpdateEntityDescription(
        key="software",
        translation_key="software",
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
)

HOW: Final = (
    "https://github.com/wyoming-units/wyoming-units/blob/main/docs/install.md#keeping-it-up-to-date"
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up what tells of newer software for the node."""
    ours = (await async_get_integration(hass, DOMAIN)).version
    assert ours is not None  # no custom integration is loaded without
    async_add_entities([NodeSoftware(entry.runtime_data, str(ours))])


class NodeSoftware(CoordinatorEntity[NodeCoordinator], UpdateEntity):
    """On while a node is older than this integration; both are released together.

    How a node is updated depends on how it was installed, which only its owner knows.
    """

    _attr_has_entity_name = True
    entity_description = SOFTWARE
    _attr_title = "Wyoming Units"
    _attr_release_url = HOW

    def __init__(self, coordinator: NodeCoordinator, ours: str) -> None:
        super().__init__(coordinator)
        node_id = coordinator.data.id
        self._ours = ours
        self._attr_unique_id = f"{node_id}_{SOFTWARE.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, node_id)})

    @property
    @override
    def installed_version(self) -> str:
        """Return the version of the node."""
        return self.coordinator.data.version

    @property
    @override
    def latest_version(self) -> str:
        """Return the version that goes with this integration, or the node's where that is newer."""
        installed = self.installed_version
        try:
            newer = AwesomeVersion(installed) > AwesomeVersion(self._ours)
        except AwesomeVersionException:  # a version of the owner's own making
            newer = True
        return installed if newer else self._ours
