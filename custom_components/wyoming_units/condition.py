"""Conditions: what is in front of cameras."""

from typing import Final, override

import probatio
from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.const import CONF_OPTIONS, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import (
    ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL,
    Condition,
    ConditionConfig,
    EntityStateConditionBase,
)

from .const import DOMAIN

LABEL: Final = "label"
ZONE: Final = "zone"

_OCCUPANCY = {"binary_sensor": DomainSpec(device_class=BinarySensorDeviceClass.OCCUPANCY)}
_NAMES = probatio.All(cv.ensure_list, [cv.string])


class ObjectCondition(EntityStateConditionBase):
    """Tests the occupancy sensors of ours that are about a label and a zone."""

    _domain_specs = _OCCUPANCY
    _schema = ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL.extend(
        {
            probatio.Required(CONF_OPTIONS, default={}): {
                probatio.Optional(LABEL): _NAMES,
                probatio.Optional(ZONE): _NAMES,
            }
        }
    )

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        super().__init__(hass, config)
        options = config.options or {}
        self._labels: list[str] = options.get(LABEL, [])
        self._zones: list[str] = options.get(ZONE, [])

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the entities of ours; those of other integrations know no labels."""
        registry = er.async_get(self._hass)
        occupancy = super().entity_filter(entities)
        return {
            entity_id
            for entity_id in occupancy
            if (entity := registry.async_get(entity_id)) and entity.platform == DOMAIN
        }

    @override
    def _should_include(self, _state: State) -> bool:
        """Return whether a sensor is about what is asked for, and knows."""
        told = _state.attributes
        return (
            super()._should_include(_state)
            and (not self._labels or told.get(LABEL) in self._labels)
            and (not self._zones or told.get(ZONE) in self._zones)
        )

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Return whether all agree; where none knows, nothing is known to be absent."""
        return bool(states) and super()._check_all_match_state(states)


def _condition(states: set[str | bool]) -> type[Condition]:
    class CustomCondition(ObjectCondition):
        _states = states

    return CustomCondition


CONDITIONS = {
    "object_present": _condition({STATE_ON}),
    "object_not_present": _condition({STATE_OFF}),
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return CONDITIONS
