"""What happens in front of cameras."""

from collections.abc import Iterator, Mapping
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .camera_entity import CameraEntity, Names, async_add_cameras
from .const import TASK_HAND, TASK_POSE
from .coordinator import WyomingUnitsConfigEntry
from .pictures import ObjectEvent, SeenObject
from .watch import CameraWatch

PARALLEL_UPDATES = 0

KINDS = ["appeared", "left", "entered-zone", "left-zone", "lingered", "gesture", "lying"]
GESTURES = ["open-palm", "fist", "thumb-up", "thumb-down", "pointing"]
POSTURES = ["standing", "sitting", "lying"]

EVENTS = DETECTION, GESTURE, POSTURE = (
    EventEntityDescription(key="detection", translation_key="detection", event_types=KINDS),
    EventEntityDescription(key="gesture", translation_key="gesture", event_types=GESTURES),
    EventEntityDescription(key="posture", translation_key="posture", event_types=POSTURES),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the events of cameras."""
    await async_add_cameras(hass, entry, async_add_entities, Platform.EVENT, _events)


def _events(watch: CameraWatch, _names: Names) -> Iterator[CameraEntity]:
    yield DetectionEvent(watch, DETECTION)
    if TASK_HAND in watch.settings.tasks:
        yield GestureEvent(watch, GESTURE)
    if TASK_POSE in watch.settings.tasks:
        yield PostureEvent(watch, POSTURE)


class SightEvent(CameraEntity, EventEntity):
    """Something that an object did."""

    _unrecorded_attributes = frozenset({"box"})

    @callback
    def _show(self, event_type: str, seen: SeenObject, zone: str | None = None) -> None:
        about = {"zone": zone, "distance": seen.distance}
        self._trigger_event(
            event_type,
            {
                "label": seen.label,
                "track": seen.track,
                "confidence": round(seen.confidence, 2),
                "box": [round(side) for side in seen.box],
                **{key: value for key, value in about.items() if value is not None},
            },
        )
        self.async_write_ha_state()


class DetectionEvent(SightEvent):
    """Everything that happens."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what happens."""
        await super().async_added_to_hass()
        self.async_on_remove(self._watch.async_add_event_listener(self._happened))

    @callback
    def _happened(self, event: ObjectEvent) -> None:
        if event.kind in self.event_types:  # a later node may know more
            self._show(event.kind, event.object, event.zone)


class GestureEvent(SightEvent):
    """A gesture that somebody made; the type tells which."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what happens."""
        await super().async_added_to_hass()
        self.async_on_remove(self._watch.async_add_event_listener(self._happened))

    @callback
    def _happened(self, event: ObjectEvent) -> None:
        if event.kind == "gesture" and event.object.gesture in self.event_types:
            self._show(event.object.gesture, event.object)


class PostureEvent(SightEvent):
    """A person who was seen before has taken another posture."""

    _postures: Mapping[int, str] = {}
    """Of everybody in view, by track."""

    @callback
    @override
    def _update(self) -> None:
        super()._update()
        before, now = self._postures, self._watch.last.objects if self._watch.last else ()
        people = {one.track: one for one in now if one.track is not None and one.posture}
        self._postures = {track: str(one.posture) for track, one in people.items()}
        for track, posture in self._postures.items():
            if before.get(track, posture) != posture and posture in self.event_types:
                self._show(posture, people[track])
