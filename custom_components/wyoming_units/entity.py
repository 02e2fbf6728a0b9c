"""What the entities of all units share."""

from collections.abc import Sequence
from typing import ClassVar, override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from wyoming.info import AsrModel, IntentModel, TtsVoice

from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry


class UnitEntity(CoordinatorEntity[NodeCoordinator]):
    """A unit of a node; unavailable while the node, or only the unit, is away."""

    _attr_has_entity_name = True
    unit: ClassVar[str]
    """Name of the unit's property of `NodeInfo`, and its key in ids and translations."""

    def __init__(self, coordinator: NodeCoordinator) -> None:
        super().__init__(coordinator)
        self._attr_translation_key = self.unit
        self._attr_unique_id = f"{coordinator.data.id}_{self.unit}"
        # On the node itself: a child device would lose the node's name from the entity's, and
        # with two nodes nobody could tell their engines apart in the pipeline settings.
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, coordinator.data.id)})
        self._refresh()

    @property
    @override
    def available(self) -> bool:
        """Return whether the unit can be asked."""
        return super().available and getattr(self.coordinator.data, self.unit) is not None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._refresh()
        super()._handle_coordinator_update()

    @callback
    def _refresh(self) -> None:
        """Take over what the unit offers now; the last offer stays while the unit is away."""


@callback
def async_add_unit(
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    factory: type[UnitEntity],
) -> None:
    """Add the entity of a unit, now or as soon as the node has one."""
    coordinator = entry.runtime_data
    added = False

    @callback
    def add_once() -> None:
        nonlocal added
        if not added and getattr(coordinator.data, factory.unit) is not None:
            added = True
            async_add_entities([factory(coordinator)])

    add_once()
    entry.async_on_unload(coordinator.async_add_listener(add_once))


def spoken_languages(models: Sequence[AsrModel | IntentModel | TtsVoice]) -> list[str]:
    """Return the languages of all installed models or voices, sorted."""
    return sorted({code for model in models if model.installed for code in model.languages})
