"""How sure a node must be of what it sees."""

from typing import override

from homeassistant.components.number import NumberEntity, NumberEntityDescription
from homeassistant.const import PERCENTAGE, EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .camera_entity import TunedEntity, async_add_cameras
from .const import CONF_CONFIDENCE
from .coordinator import WyomingUnitsConfigEntry

PARALLEL_UPDATES = 0

NUMBERS = (
    NumberEntityDescription(
        key="confidence",
        translation_key="confidence",
        entity_category=EntityCategory.CONFIG,
        native_min_value=5,
        native_max_value=95,
        native_step=1,
        native_unit_of_measurement=PERCENTAGE,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the numbers of cameras."""
    await async_add_cameras(
        hass,
        entry,
        async_add_entities,
        Platform.NUMBER,
        lambda watch, _: [ConfidenceNumber(watch, row) for row in NUMBERS],
    )


class ConfidenceNumber(TunedEntity, NumberEntity):
    """The least confidence of an object that is told of."""

    @property
    @override
    def native_value(self) -> float:
        """Return it in per cent."""
        return round(self._watch.settings.confidence * 100)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Ask for another one; what is in view does not appear anew."""
        self._tune(CONF_CONFIDENCE, value / 100)
