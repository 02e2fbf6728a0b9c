"""How a node and its units do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfInformation, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from wyoming.info import TtsProgram

from .client import UNITS, EngineStats, NodeStats, Program
from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .entity import ProgramEntity, async_add_programs

PARALLEL_UPDATES = 0

STATES = ("loading", "ready", "failed")


@dataclass(frozen=True, kw_only=True)
class NodeSensorDescription(SensorEntityDescription):
    """Something that a node counts."""

    value: Callable[[NodeStats], StateType]


@dataclass(frozen=True, kw_only=True)
class ModelSensorDescription(SensorEntityDescription):
    """Something that a program says of itself."""

    units: tuple[str, ...]
    value: Callable[[Program], StateType]


@dataclass(frozen=True, kw_only=True)
class EngineSensorDescription(SensorEntityDescription):
    """Something that a node counts of a program."""

    value: Callable[[EngineStats], StateType]


@dataclass(frozen=True, kw_only=True)
class LatencySensorDescription(SensorEntityDescription):
    """The time that a stage of a program's last request took; the key names the stage."""

    units: tuple[str, ...]
    device_class: SensorDeviceClass = SensorDeviceClass.DURATION
    native_unit_of_measurement: str = UnitOfTime.MILLISECONDS
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    suggested_display_precision: int = 0


def _model(program: Program) -> str | None:
    """Return the model or voice that serves requests which name none."""
    models = program.voices if isinstance(program, TtsProgram) else program.models
    return next((model.name for model in models if model.installed), None)


NODE_SENSORS = (
    NodeSensorDescription(
        key="memory",
        translation_key="memory",
        device_class=SensorDeviceClass.DATA_SIZE,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        value=lambda stats: stats.memory,
    ),
)
MODEL_SENSORS = (
    ModelSensorDescription(
        key="model",
        translation_key="model",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("stt", "tts", "intent"),
        value=_model,
    ),
)
ENGINE_SENSORS = (
    EngineSensorDescription(
        key="state",
        translation_key="state",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(STATES),
        value=lambda engine: engine.state if engine.state in STATES else None,
    ),
    EngineSensorDescription(
        key="waiting",
        translation_key="waiting",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda engine: engine.waiting,
    ),
)
LATENCY_SENSORS = (
    LatencySensorDescription(
        key="total",
        translation_key="total",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("stt", "tts", "intent"),
    ),
    LatencySensorDescription(
        key="first_chunk",
        translation_key="first_chunk",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("tts",),
    ),
    LatencySensorDescription(
        key="finish",
        translation_key="finish",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("stt",),
    ),
    LatencySensorDescription(
        key="decode",
        translation_key="decode",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        units=("stt", "tts"),
    ),
    LatencySensorDescription(
        key="queue",
        translation_key="queue",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        units=("stt",),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a node and of each program."""
    async_add_entities(NodeSensor(entry.runtime_data, description) for description in NODE_SENSORS)
    async_add_programs(entry, async_add_entities, UNITS, _program_sensors)


def _program_sensors(
    coordinator: NodeCoordinator, unit: str, program: str
) -> Iterator[ProgramEntity]:
    for description in ENGINE_SENSORS:
        yield EngineSensor(coordinator, unit, program, description)
    for model in MODEL_SENSORS:
        if unit in model.units:
            yield ModelSensor(coordinator, unit, program, model)
    for latency in LATENCY_SENSORS:
        if unit in latency.units:
            yield LatencySensor(coordinator, unit, program, latency)


class NodeSensor(CoordinatorEntity[NodeCoordinator], SensorEntity):
    """A sensor of the node itself."""

    _attr_has_entity_name = True
    entity_description: NodeSensorDescription

    def __init__(self, coordinator: NodeCoordinator, description: NodeSensorDescription) -> None:
        super().__init__(coordinator)
        node_id = coordinator.data.id
        self.entity_description = description
        self._attr_unique_id = f"{node_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, node_id)})

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value, None from a node that does not count it."""
        stats = self.coordinator.stats
        return self.entity_description.value(stats) if stats else None


class ProgramSensor[D: SensorEntityDescription](ProgramEntity, SensorEntity):
    """A sensor of a program."""

    def __init__(
        self, coordinator: NodeCoordinator, unit: str, program: str, description: D
    ) -> None:
        super().__init__(coordinator, unit, program)
        self.entity_description = description
        self._description = description
        self._attr_unique_id = f"{self._attr_unique_id}_{description.key}"


class ModelSensor(ProgramSensor[ModelSensorDescription]):
    """A sensor of what a program says of itself."""

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value; only asked while the program is there."""
        program = self._offered
        return self._description.value(program) if program else None


class EngineSensor(ProgramSensor[EngineSensorDescription]):
    """A sensor of what the node counts of a program."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the node tells; it does of a program that failed, which it does not offer."""
        return self.coordinator.last_update_success and (
            self._engine is not None or self._offered is not None
        )

    @property
    def _engine(self) -> EngineStats | None:
        stats = self.coordinator.stats
        return stats.engines.get((self._unit, self._program_name)) if stats else None

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value, None from a node that does not count it."""
        return self._description.value(self._engine) if self._engine else None


class LatencySensor(ProgramSensor[LatencySensorDescription]):
    """A sensor of the time that the last request took."""

    @property
    @override
    def native_value(self) -> StateType:
        """Return milliseconds, None before the first request and where the program does not tell."""
        answer = self.coordinator.timings.get((self._unit, self._program_name), {})
        match answer.get("timing"):
            case dict(timing):
                value = timing.get(self._description.key)
                return value if isinstance(value, int | float) else None
        return None
