"""Triggers: what happens in front of cameras."""

from typing import Any, ClassVar, Final, override

import probatio
from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.const import CONF_OPTIONS
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    ENTITY_STATE_TRIGGER_SCHEMA,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
)

from .const import DOMAIN
from .event import DETECTION, GESTURE as GESTURE_EVENT, GESTURES

LABEL: Final = "label"
ZONE: Final = "zone"
GESTURE: Final = "gesture"
MAX_DISTANCE: Final = "max_distance"
MIN_CONFIDENCE: Final = "min_confidence"

_EVENTS = {"event": DomainSpec()}
_NAMES = probatio.All(cv.ensure_list, [cv.string])
_OPTIONS: dict[str, Any] = {
    LABEL: _NAMES,
    ZONE: _NAMES,
    GESTURE: probatio.All(cv.ensure_list, [probatio.In(GESTURES)]),
    MAX_DISTANCE: probatio.All(probatio.Coerce(float), probatio.Range(min=0, min_included=False)),
    MIN_CONFIDENCE: probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=1)),
}


class ObjectTrigger(StatelessEntityTriggerBase):
    """Fires for events of cameras that meet all options."""

    _domain_specs = _EVENTS
    _event_types: ClassVar[list[str]]
    """Used where the option `gesture` does not choose."""
    _entities: ClassVar[str]
    """The translation key of the entities that have them."""

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return the entities of ours; others may have event types of the same name."""
        registry = er.async_get(self._hass)
        events = super().entity_filter(entities)
        return {
            entity_id
            for entity_id in events
            if (entity := registry.async_get(entity_id))
            and (entity.platform, entity.translation_key) == (DOMAIN, self._entities)
        }

    @override
    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        """Return whether something has happened; two objects may do so in one picture, at one time."""
        return _happening(from_state) != _happening(to_state)

    @override
    def is_valid_state(
        self, state: State, report_not_triggered: NotTriggeredReasonReporter
    ) -> bool:
        """Return whether the event meets the options; without a known distance it is too far."""
        options, told = self._options, state.attributes
        distance = told.get("distance")
        return (
            told.get(ATTR_EVENT_TYPE) in (options.get(GESTURE) or self._event_types)
            and _any_of(options.get(LABEL), told.get(LABEL))
            and _any_of(options.get(ZONE), told.get(ZONE))
            and told.get("confidence", 0) >= options.get(MIN_CONFIDENCE, 0)
            and (
                MAX_DISTANCE not in options
                or (distance is not None and distance <= options[MAX_DISTANCE])
            )
        )


def _happening(state: State) -> tuple[object, ...]:
    told = state.attributes
    return (state.state, *map(told.get, (ATTR_EVENT_TYPE, LABEL, "track", "box", ZONE)))


def _any_of(wanted: list[str] | None, told: str | None) -> bool:
    return not wanted or told in wanted


def _trigger(event_types: list[str], *options: str, of: str = DETECTION.key) -> type[Trigger]:
    """Return a trigger for events of some types, with those options and the ones that all have."""
    offered = (*options, MAX_DISTANCE, MIN_CONFIDENCE)

    class CustomTrigger(ObjectTrigger):
        _event_types = event_types
        _entities = of
        _schema = ENTITY_STATE_TRIGGER_SCHEMA.extend(
            {
                probatio.Required(CONF_OPTIONS, default={}): {
                    probatio.Optional(option): _OPTIONS[option] for option in offered
                }
            }
        )

    return CustomTrigger


TRIGGERS: dict[str, type[Trigger]] = {
    "object_appeared": _trigger(["appeared"], LABEL),
    "object_left": _trigger(["left"], LABEL),
    "object_entered_zone": _trigger(["entered-zone"], LABEL, ZONE),
    "object_left_zone": _trigger(["left-zone"], LABEL, ZONE),
    "object_lingered": _trigger(["lingered"], LABEL, ZONE),
    "person_lying": _trigger(["lying"]),
    "gesture_made": _trigger(GESTURES, GESTURE, of=GESTURE_EVENT.key),
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return TRIGGERS
