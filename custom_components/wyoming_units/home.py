"""The home that a speaker talks about, as `context.home` tells it to a unit.

Built from what the user exposed to Assist, with the names that Home Assistant itself matches a
sentence with. It is built once and kept until something in it changes, and only listens for
changes while it is kept; building takes milliseconds and happens while somebody begins to speak.
"""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.components.conversation import DOMAIN as ASSISTANT
from homeassistant.components.homeassistant.exposed_entities import (
    async_listen_entity_updates,
    async_should_expose,
)
from homeassistant.const import ATTR_DEVICE_CLASS, EVENT_STATE_CHANGED
from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    intent,
)
from homeassistant.util.hass_dict import HassKey

from .sentences import async_get_sentences

_REGISTRIES: Final = (
    ar.EVENT_AREA_REGISTRY_UPDATED,
    dr.EVENT_DEVICE_REGISTRY_UPDATED,
    er.EVENT_ENTITY_REGISTRY_UPDATED,
    fr.EVENT_FLOOR_REGISTRY_UPDATED,
)


class HomeCache:
    """The home in the shape of `context.home`, kept until it changes."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._home: dict[str, Any] | None = None
        self._unsubscribe: list[CALLBACK_TYPE] = []

    @callback
    def get(self) -> dict[str, Any]:
        """Return entities, areas and floors; not to be changed."""
        if self._home is None:
            self._home = _build(self._hass)
            self._listen()
        return self._home

    @callback
    def _listen(self) -> None:
        bus = self._hass.bus
        self._unsubscribe = [
            *(bus.async_listen(event, self._forget) for event in _REGISTRIES),
            bus.async_listen(EVENT_STATE_CHANGED, self._forget, event_filter=_came_or_went),
            async_listen_entity_updates(self._hass, ASSISTANT, self._forget),
        ]

    @callback
    def _forget(self, _event: Event[Any] | None = None) -> None:
        self._home = None
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []


_CACHE: HassKey[HomeCache] = HassKey("wyoming_units_home")


async def async_get_home(
    hass: HomeAssistant, language: str, area: ar.AreaEntry | None
) -> dict[str, Any]:
    """Return `context.home` for a speaker of `language` in `area`."""
    sentences = await async_get_sentences(hass, language)
    if (cache := hass.data.get(_CACHE)) is None:
        cache = hass.data[_CACHE] = HomeCache(hass)
    return {
        "area": area.name if area else None,
        "language": language,
        **cache.get(),
        "sentences": sentences,
    }


@callback
def _came_or_went(data: EventStateChangedData) -> bool:
    return data["old_state"] is None or data["new_state"] is None


def _build(hass: HomeAssistant) -> dict[str, Any]:
    areas, floors = ar.async_get(hass), fr.async_get(hass)
    return {
        "entities": list(_entities(hass)),
        "areas": [
            {
                "name": area.name,
                "aliases": sorted(area.aliases),
                "floor": floor.name
                if area.floor_id and (floor := floors.async_get_floor(area.floor_id))
                else None,
            }
            for area in areas.async_list_areas()
        ],
        "floors": [
            {"name": floor.name, "aliases": sorted(floor.aliases)}
            for floor in floors.async_list_floors()
        ],
    }


def _entities(hass: HomeAssistant) -> Iterator[dict[str, Any]]:
    registry, areas = er.async_get(hass), ar.async_get(hass)
    for state in hass.states.async_all():
        if not async_should_expose(hass, ASSISTANT, state.entity_id):
            continue
        entry = registry.async_get(state.entity_id)
        names = _names(hass, entry, state)
        if not names:
            continue
        area_id = async_area_id_of_entity(hass, entry) if entry else None
        area = areas.async_get_area(area_id) if area_id else None
        yield {
            "name": names[0],
            "aliases": names[1:],
            "domain": state.domain,
            "device_class": state.attributes.get(ATTR_DEVICE_CLASS),
            "area": area.name if area else None,
        }


def _names(hass: HomeAssistant, entry: er.RegistryEntry | None, state: State) -> list[str]:
    names = (name.strip() for name in intent.async_get_entity_aliases(hass, entry, state=state))
    return [name for name in names if name]


@callback
def async_area_id_of_entity(hass: HomeAssistant, entry: er.RegistryEntry) -> str | None:
    """Return the area of an entity, its own or else its device's."""
    return entry.area_id or async_area_id_of_device(hass, entry.device_id)


@callback
def async_area_id_of_device(hass: HomeAssistant, device_id: str | None) -> str | None:
    """Return the area of a device, its own or else its parent's."""
    device = dr.async_get(hass).async_get(device_id) if device_id else None
    return dr.async_get_effective_area_id(hass, device) if device else None
