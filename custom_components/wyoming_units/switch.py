"""Whether cameras are watched."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .camera_entity import TunedEntity, async_add_cameras
from .const import CONF_DETECTION
from .coordinator import WyomingUnitsConfigEntry

PARALLEL_UPDATES = 0

SWITCHES = (
    SwitchEntityDescription(
        key="detection", translation_key="detection", entity_category=EntityCategory.CONFIG
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switches of cameras."""
    await async_add_cameras(
        hass,
        entry,
        async_add_entities,
        Platform.SWITCH,
        lambda watch, _: [DetectionSwitch(watch, row) for row in SWITCHES],
    )


class DetectionSwitch(TunedEntity, SwitchEntity):
    """While it is off, no picture of the camera goes anywhere."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the camera may be watched."""
        return self._watch.settings.detection

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Watch the camera."""
        self._tune(CONF_DETECTION, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Stop watching it, at once."""
        self._tune(CONF_DETECTION, False)
