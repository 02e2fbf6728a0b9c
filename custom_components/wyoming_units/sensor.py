"""How a node and its units do, and what cameras see."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    MAX_LENGTH_STATE_STATE,
    EntityCategory,
    Platform,
    UnitOfInformation,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .camera_entity import async_add_cameras
from .camera_sensor import camera_sensors
from .caption import caption_signal
from .choices import model_in_use
from .client import UNITS, EngineStats, NodeStats
from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .entity import ProgramEntity, async_add_programs

PARALLEL_UPDATES = 0

STATES = ("ready", "loading", "unloaded", "failed")


@dataclass(frozen=True, kw_only=True)
class UnitSensorDescription(SensorEntityDescription):
    """Something of the programs of some units."""

    units: tuple[str, ...] = UNITS


@dataclass(frozen=True, kw_only=True)
class CountSensorDescription[T](UnitSensorDescription):
    """Something that a node counts."""

    value: Callable[[T], StateType]


@dataclass(frozen=True, kw_only=True)
class LatencySensorDescription(UnitSensorDescription):
    """The time that a stage of a program's last request took; the key names the stage."""

    device_class: SensorDeviceClass = SensorDeviceClass.DURATION
    native_unit_of_measurement: str = UnitOfTime.MILLISECONDS
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    suggested_display_precision: int = 0


@dataclass(frozen=True, kw_only=True)
class MemorySensorDescription[T](CountSensorDescription[T]):
    """Bytes of memory."""

    key: str = "memory"
    translation_key: str = "memory"
    device_class: SensorDeviceClass = SensorDeviceClass.DATA_SIZE
    entity_category: EntityCategory = EntityCategory.DIAGNOSTIC
    entity_registry_enabled_default: bool = False
    native_unit_of_measurement: str = UnitOfInformation.BYTES
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    suggested_display_precision: int = 0
    suggested_unit_of_measurement: str = UnitOfInformation.MEGABYTES


def _state(engines: Sequence[EngineStats]) -> str | None:
    """Return what can be had of a program's models now, at best."""
    return next((state for state in STATES if state in {it.state for it in engines}), None)


def _memory(engines: Sequence[EngineStats]) -> int | None:
    """Return what a program's models take, as far as it is known."""
    known = [engine.memory for engine in engines if engine.memory is not None]
    return sum(known) if known else None


NODE_SENSORS: tuple[CountSensorDescription[NodeStats], ...] = (
    MemorySensorDescription(value=lambda stats: stats.memory),
)
ENGINE_SENSORS: tuple[CountSensorDescription[Sequence[EngineStats]], ...] = (
    CountSensorDescription(
        key="state",
        translation_key="state",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(STATES),
        value=_state,
    ),
    CountSensorDescription(
        key="waiting",
        translation_key="waiting",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda engines: sum(engine.waiting for engine in engines),
    ),
    MemorySensorDescription(value=_memory),
)
MODEL_SENSORS = (
    UnitSensorDescription(
        key="model",
        translation_key="model",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("stt", "tts", "intent"),
    ),
)
LLM_MODEL_SENSORS = (
    UnitSensorDescription(
        key="model",
        translation_key="model",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        units=("llm",),
    ),
)
CAPTION_SENSORS = (
    UnitSensorDescription(
        key="caption",
        translation_key="caption",
        entity_registry_enabled_default=False,
        units=("stt",),
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
    LatencySensorDescription(
        key="first_token",
        translation_key="first_token",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("llm",),
    ),
    LatencySensorDescription(
        key="total",
        translation_key="total",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        units=("llm",),
    ),
)
TURN_SENSORS = (
    LatencySensorDescription(
        key="turn",
        translation_key="turn",
        entity_category=EntityCategory.DIAGNOSTIC,
        units=("llm",),
    ),
)
RATE_SENSORS = (
    UnitSensorDescription(
        key="rate",
        translation_key="rate",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        units=("llm",),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a node, of each program and of each camera."""
    async_add_entities(NodeSensor(entry.runtime_data, description) for description in NODE_SENSORS)
    async_add_programs(entry, async_add_entities, UNITS, _program_sensors)
    await async_add_cameras(hass, entry, async_add_entities, Platform.SENSOR, camera_sensors)


def _program_sensors(
    coordinator: NodeCoordinator, unit: str, program: str
) -> Iterator[ProgramEntity]:
    for counted in ENGINE_SENSORS:
        yield EngineSensor(coordinator, unit, program, counted)
    for latency in _of(unit, LATENCY_SENSORS):
        yield LatencySensor(coordinator, unit, program, latency)
    for turn in _of(unit, TURN_SENSORS):
        yield TurnSensor(coordinator, unit, program, turn)
    for rate in _of(unit, RATE_SENSORS):
        yield RateSensor(coordinator, unit, program, rate)
    for model in _of(unit, MODEL_SENSORS):
        yield ModelSensor(coordinator, unit, program, model)
    for model in _of(unit, LLM_MODEL_SENSORS):
        yield LlmModelSensor(coordinator, unit, program, model)
    for caption in _of(unit, CAPTION_SENSORS):
        yield CaptionSensor(coordinator, unit, program, caption)


def _of[D: UnitSensorDescription](unit: str, rows: Iterable[D]) -> Iterator[D]:
    return (row for row in rows if unit in row.units)


class NodeSensor(CoordinatorEntity[NodeCoordinator], SensorEntity):
    """A sensor of the node itself."""

    _attr_has_entity_name = True
    entity_description: CountSensorDescription[NodeStats]

    def __init__(
        self, coordinator: NodeCoordinator, description: CountSensorDescription[NodeStats]
    ) -> None:
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


class ProgramSensor[D: UnitSensorDescription](ProgramEntity, SensorEntity):
    """A sensor of a program."""

    def __init__(
        self, coordinator: NodeCoordinator, unit: str, program: str, description: D
    ) -> None:
        super().__init__(coordinator, unit, program)
        self.entity_description = description
        self._description = description
        self._attr_unique_id = f"{self._attr_unique_id}_{description.key}"

    @property
    def _answer(self) -> Mapping[str, Any]:
        """Return what the program's last answer told of itself."""
        return self.coordinator.timings.get((self._unit, self._program_name), {})

    @property
    def _timing(self) -> Mapping[str, float]:
        """Return how long the stages of the last request took, as far as the program tells."""
        match self._answer.get("timing"):
            case dict(timing):
                return {key: took for key, took in timing.items() if _is_number(took)}
        return {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class ModelSensor(ProgramSensor[UnitSensorDescription]):
    """The model or voice that is used where none is asked for."""

    @property
    @override
    def native_value(self) -> StateType:
        """Return the one that the user chose, else the node's first."""
        program = self._offered
        return model_in_use(self._choice, self._unit, program) if program else None


class LlmModelSensor(ProgramSensor[UnitSensorDescription]):
    """The language model that answers now."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow who the program speaks as."""
        await super().async_added_to_hass()
        personas = self.coordinator.personas
        self.async_on_remove(personas.async_listen(self._program_name, self.async_write_ha_state))

    @property
    @override
    def native_value(self) -> StateType:
        """Return that of who is chosen, else the node's first."""
        models = [each.name for each in self.coordinator.data.language_models(self._program_name)]
        wanted = self.coordinator.personas.chosen(self._program_name).model
        return wanted if wanted in models else next(iter(models), None)


class EngineSensor(ProgramSensor[CountSensorDescription[Sequence[EngineStats]]]):
    """A sensor of what the node counts of a program."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the node tells; it does of a program that failed, which it does not offer."""
        return self.coordinator.last_update_success and (
            bool(self._engines) or self._offered is not None
        )

    @property
    def _engines(self) -> Sequence[EngineStats]:
        stats = self.coordinator.stats
        return stats.engines.get((self._unit, self._program_name), ()) if stats else ()

    @property
    @override
    def native_value(self) -> StateType:
        """Return the value, None from a node that does not count it."""
        return self._description.value(self._engines) if self._engines else None


class LatencySensor(ProgramSensor[LatencySensorDescription]):
    """A sensor of the time that the last request took."""

    @property
    @override
    def native_value(self) -> StateType:
        """Return milliseconds, None before the first request and where the program does not tell."""
        return self._timing.get(self._description.key)


class TurnSensor(LatencySensor):
    """The time that a whole turn of a conversation took, with that of its stages."""

    @property
    @override
    def extra_state_attributes(self) -> dict[str, float]:
        """Return milliseconds by stage."""
        return {key: took for key, took in self._timing.items() if key != self._description.key}


class RateSensor(ProgramSensor[UnitSensorDescription]):
    """How fast a language model writes."""

    @property
    @override
    def native_value(self) -> StateType:
        """Return tokens a second, None before the first answer and where the program does not tell."""
        rate = self._answer.get("rate")
        return rate if _is_number(rate) else None


class CaptionSensor(ProgramSensor[UnitSensorDescription]):
    """What is being said, word by word."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what the program hears."""
        await super().async_added_to_hass()
        signal = caption_signal(self.coordinator.config_entry, self._program_name)
        self.async_on_remove(async_dispatcher_connect(self.hass, signal, self._show))

    @callback
    def _show(self, text: str, speaker: str | None) -> None:
        # Of what is too long for a state, the newest words are worth most.
        fits = len(text) <= MAX_LENGTH_STATE_STATE
        self._attr_native_value = text if fits else f"…{text[1 - MAX_LENGTH_STATE_STATE :]}"
        self._attr_extra_state_attributes = {"speaker": speaker}
        self.async_write_ha_state()
