"""What the entities of all units share."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import cast, override

from homeassistant.core import callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from wyoming.info import AsrModel, IntentModel, TtsVoice

from .choices import Choice, choice_of
from .client import NodeConnection, Program
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .devices import async_program_device, program_id


class ProgramEntity(CoordinatorEntity[NodeCoordinator]):
    """Something of one program of a node; unavailable while the node, or only the program, is away."""

    _attr_has_entity_name = True
    on_removal: Callable[[], None]
    """Called when the entity goes, with the entry or because the user deleted its device."""

    def __init__(self, coordinator: NodeCoordinator, unit: str, program: str) -> None:
        super().__init__(coordinator)
        node_id = coordinator.data.id
        self._unit = unit
        self._program_name = program
        self._attr_unique_id = program_id(node_id, unit, program)
        self._attr_device_info = async_program_device(
            coordinator.hass, coordinator.config_entry, node_id, self._attr_unique_id
        )

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Tell that the entity goes."""
        await super().async_will_remove_from_hass()
        self.on_removal()

    @property
    def _offered(self) -> Program | None:
        return self.coordinator.data.program(self._unit, self._program_name)

    @property
    def _choice(self) -> Choice:
        return choice_of(self.coordinator.config_entry, self._unit, self._program_name)

    @property
    @override
    def available(self) -> bool:
        """Return whether the program can be asked."""
        return super().available and self._offered is not None


class UnitEntity[P: Program](ProgramEntity):
    """What a program does, as the main entity of its device, whose name it bears."""

    _attr_name: str | None = None

    def __init__(self, coordinator: NodeCoordinator, unit: str, program: str) -> None:
        super().__init__(coordinator, unit, program)
        self._attr_translation_key = unit
        self._refresh_offer()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._refresh_offer()
        super()._handle_coordinator_update()

    @callback
    def _refresh_offer(self) -> None:
        """Take over what the program offers now; the last offer stays while it is away."""
        if (program := self._offered) is not None:
            self._refresh(cast(P, program))

    @callback
    def _refresh(self, program: P) -> None:
        """Take over what the program offers."""
        raise NotImplementedError

    @callback
    def _answered(self, context: object) -> None:
        """Keep what an answer of the program tells of the time it took."""
        self.coordinator.async_answered(self._unit, self._program_name, context)

    def _connect(self) -> AbstractAsyncContextManager[NodeConnection]:
        """Open a connection to the program."""
        only = len(self.coordinator.data.programs(self._unit)) < 2
        return self.coordinator.node.connect(None if only else self._program_name)


@callback
def async_add_programs(
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    units: Iterable[str],
    make: Callable[[NodeCoordinator, str, str], Iterable[ProgramEntity]],
) -> None:
    """Add what `make` returns for each program of `units`, now or as soon as the node offers it."""
    coordinator = entry.runtime_data
    present: set[tuple[str, str]] = set()

    @callback
    def add_new() -> None:
        offered = ((unit, it.name) for unit in units for it in coordinator.data.programs(unit))
        for program in [program for program in offered if program not in present]:
            present.add(program)
            entities = list(make(coordinator, *program))
            for entity in entities:
                # The user may delete the device of a program that is away, and it may come back.
                entity.on_removal = partial(present.discard, program)
            async_add_entities(entities)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))


@callback
def async_add_unit(
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    factory: Callable[[NodeCoordinator, str, str], ProgramEntity],
    unit: str,
) -> None:
    """Add the main entity of every program of a unit."""
    async_add_programs(
        entry,
        async_add_entities,
        (unit,),
        lambda coordinator, unit, program: [factory(coordinator, unit, program)],
    )


def spoken_languages(models: Sequence[AsrModel | IntentModel | TtsVoice]) -> list[str]:
    """Return the languages of all installed models or voices, sorted."""
    return sorted({code for model in models if model.installed for code in model.languages})
