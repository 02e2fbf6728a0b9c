"""What a camera sees, as numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfLength, UnitOfTime
from homeassistant.helpers.typing import StateType

from .camera_entity import CameraEntity, LabelEntity, Names
from .const import TASK_DEPTH
from .pictures import SeenObject
from .watch import CameraWatch


def _nearest(seen: list[SeenObject]) -> float | None:
    return min((one.distance for one in seen if one.distance is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class SeenSensorDescription(SensorEntityDescription):
    """Something of the objects of a label."""

    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    value: Callable[[list[SeenObject]], StateType]


@dataclass(frozen=True, kw_only=True)
class WatchSensorDescription(SensorEntityDescription):
    """How a watch does."""

    entity_category: EntityCategory = EntityCategory.DIAGNOSTIC
    entity_registry_enabled_default: bool = False
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    value: Callable[[CameraWatch], StateType]


SEEN_SENSORS = COUNT, ZONE_COUNT, NEAREST = (
    SeenSensorDescription(key="count", translation_key="count", value=len),
    SeenSensorDescription(
        key="zone_count",
        translation_key="zone_count",
        entity_registry_enabled_default=False,
        value=len,
    ),
    SeenSensorDescription(
        key="nearest",
        translation_key="nearest",
        device_class=SensorDeviceClass.DISTANCE,
        native_unit_of_measurement=UnitOfLength.METERS,
        suggested_display_precision=1,
        value=_nearest,
    ),
)
WATCH_SENSORS = (
    WatchSensorDescription(
        key="inference",
        translation_key="inference",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        value=lambda watch: watch.inference,
    ),
    WatchSensorDescription(
        key="fps",
        translation_key="fps",
        native_unit_of_measurement="fps",
        suggested_display_precision=1,
        value=lambda watch: watch.fps,
    ),
)


def camera_sensors(watch: CameraWatch, names: Names) -> Iterator[CameraEntity]:
    """Yield the sensors of a camera."""
    for label in watch.labels:
        yield SeenSensor(watch, COUNT, names, label)
        if TASK_DEPTH in watch.settings.tasks:
            yield SeenSensor(watch, NEAREST, names, label)
    for zone, labels in watch.settings.labels_by_zone.items():
        for label in labels:
            yield SeenSensor(watch, ZONE_COUNT, names, label, zone)
    for description in WATCH_SENSORS:
        yield WatchSensor(watch, description)


class SeenSensor(LabelEntity, SensorEntity):
    """Something of the objects of a label, all of them or those in a zone."""

    entity_description: SeenSensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value, None while the camera is not watched."""
        seen = self._watch.last
        if seen is None:
            return None
        return self.entity_description.value(seen.seen(self._label, self._zone))


class WatchSensor(CameraEntity, SensorEntity):
    """How a watch does."""

    entity_description: WatchSensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value, None while the camera is not watched."""
        return self.entity_description.value(self._watch)
