"""What the entities of cameras share: they are on the camera's own device."""

from collections.abc import Callable, Iterable, Mapping
from typing import override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN, TUNED
from .coordinator import WyomingUnitsConfigEntry
from .watch import CameraWatch

SHOWN_LABELS = 4
"""So many labels have their entities enabled from the start."""

type Names = Mapping[str, str]
"""What labels are called in the language of Home Assistant."""


class CameraEntity(Entity):
    """Something that is seen by a camera."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, watch: CameraWatch, description: EntityDescription, *about: str) -> None:
        """`about` tells it apart from others of its description."""
        self._watch = watch
        self._told: tuple[object, ...] = ()
        self.entity_description = description
        self._attr_unique_id = "_".join((watch.subentry_id, description.key, *about))
        if (device := watch.device) is not None:
            self.device_entry = device
        else:
            self._attr_device_info = DeviceInfo(
                identifiers={(DOMAIN, watch.subentry_id)},
                name=watch.title,
                entry_type=DeviceEntryType.SERVICE,
            )

    @property
    @override
    def available(self) -> bool:
        """Return whether the camera is watched, or rests because it was told to."""
        return self._watch.available

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the watch."""
        await super().async_added_to_hass()
        self.async_on_remove(self._watch.async_add_listener(self._update))

    @callback
    def _update(self) -> None:
        """Show what has changed; most looks change little."""
        told = (self.available, self.state)
        if told != self._told:
            self._told = told
            self.async_write_ha_state()


class LabelEntity(CameraEntity):
    """Something about the objects of a label, all of them or those in a zone."""

    def __init__(
        self,
        watch: CameraWatch,
        description: EntityDescription,
        names: Names,
        label: str,
        zone: str | None = None,
    ) -> None:
        super().__init__(watch, description, *(() if zone is None else (zone,)), label)
        self._label = label
        self._zone = zone
        self._attr_translation_placeholders = {
            "label": names.get(label, label[:1].upper() + label[1:])
        }
        self._attr_extra_state_attributes = {"label": label}
        if zone is not None:
            self._attr_translation_placeholders |= {"zone": zone}
            self._attr_extra_state_attributes |= {"zone": zone}
        if label not in watch.labels[:SHOWN_LABELS]:
            self._attr_entity_registry_enabled_default = False


class TunedEntity(CameraEntity):
    """Something of the watch that the user changes; always there."""

    @property
    @override
    def available(self) -> bool:
        """Return that it can be changed at any time."""
        return True

    @callback
    def _tune(self, key: str, value: object) -> None:
        """Keep a setting in the subentry, which is followed by the watch."""
        assert key in TUNED
        entry = self.platform.config_entry
        assert entry is not None
        data = {**self._watch.subentry.data, key: value}
        self.hass.config_entries.async_update_subentry(entry, self._watch.subentry, data=data)


async def async_label_names(hass: HomeAssistant) -> dict[str, str]:
    """Return what the usual labels are called in the language of Home Assistant."""
    texts = await async_get_translations(hass, hass.config.language, "selector", [DOMAIN])
    start = f"component.{DOMAIN}.selector.labels.options."
    return {
        key.removeprefix(start).replace("_", " "): text
        for key, text in texts.items()
        if key.startswith(start)
    }


async def async_add_cameras(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    platform: str,
    make: Callable[[CameraWatch, Names], Iterable[CameraEntity]],
) -> None:
    """Add what `make` returns for each camera; forget what was there for labels and zones of before."""
    names = await async_label_names(hass)
    registry = er.async_get(hass)
    known = er.async_entries_for_config_entry(registry, entry.entry_id)
    for subentry_id, watch in entry.runtime_data.watches.items():
        entities = [*make(watch, names)]
        wanted = {entity.unique_id for entity in entities}
        for old in known:
            if (old.domain, old.config_subentry_id) == (platform, subentry_id):
                if old.unique_id not in wanted:
                    registry.async_remove(old.entity_id)
        async_add_entities(entities, config_subentry_id=subentry_id)
