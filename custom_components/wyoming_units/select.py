"""Which model looks at a camera's pictures, and who a language model speaks as."""

from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoredExtraData, RestoreEntity

from .camera_entity import CameraEntity, Names, TunedEntity, async_add_cameras
from .const import AUTOMATIC, CONF_MODEL
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .entity import ProgramEntity, async_add_programs
from .greeting import async_greet
from .personas import STANDARD, Persona
from .watch import CameraWatch

PARALLEL_UPDATES = 0

STANDARD_OPTION: Final = "standard"
"""Nobody in particular; no persona may be called that."""

SELECTS = (
    SelectEntityDescription(
        key="model",
        translation_key="model",
        entity_category=EntityCategory.CONFIG,
        options=[AUTOMATIC],
    ),
)
PERSONA_SELECTS = (
    SelectEntityDescription(
        key="persona",
        translation_key="persona",
        options=[STANDARD_OPTION],
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the choices of cameras and of language models."""

    def selects(watch: CameraWatch, _names: Names) -> list[CameraEntity]:
        return [ModelSelect(watch, row, entry.runtime_data) for row in SELECTS]

    await async_add_cameras(hass, entry, async_add_entities, Platform.SELECT, selects)
    async_add_programs(
        entry,
        async_add_entities,
        ("llm",),
        lambda coordinator, unit, program: [
            PersonaSelect(coordinator, unit, program, row) for row in PERSONA_SELECTS
        ],
    )


class ModelSelect(TunedEntity, SelectEntity):
    """The model, or that the node chooses."""

    def __init__(
        self,
        watch: CameraWatch,
        description: SelectEntityDescription,
        coordinator: NodeCoordinator,
    ) -> None:
        super().__init__(watch, description)
        self._coordinator = coordinator

    @property
    @override
    def options(self) -> list[str]:
        """Return the models that do what is wanted of the camera, and the chosen one."""
        settings = self._watch.settings
        models = self._coordinator.data.models(settings.tasks)
        chosen = [] if settings.model is None else [settings.model]
        return [*dict.fromkeys((AUTOMATIC, *(model.name for model in models), *chosen))]

    @property
    @override
    def current_option(self) -> str:
        """Return the chosen one."""
        return self._watch.settings.model or AUTOMATIC

    @override
    async def async_select_option(self, option: str) -> None:
        """Ask for another one; what is in view does not appear anew."""
        self._tune(CONF_MODEL, None if option == AUTOMATIC else option)


class PersonaSelect(ProgramEntity, SelectEntity, RestoreEntity):
    """Who a language model speaks as, where a voice assistant uses the model itself."""

    def __init__(
        self,
        coordinator: NodeCoordinator,
        unit: str,
        program: str,
        description: SelectEntityDescription,
    ) -> None:
        super().__init__(coordinator, unit, program)
        self.entity_description = description
        self._attr_unique_id = f"{self._attr_unique_id}_{description.key}"
        self._personas = coordinator.personas

    @override
    async def async_added_to_hass(self) -> None:
        """Take up who was chosen before a restart, and follow who is chosen by voice."""
        await super().async_added_to_hass()
        if (last := await self.async_get_last_extra_data()) is not None:
            persona = self._personas.all.get(last.as_dict()[self.entity_description.key], STANDARD)
            self._personas.async_choose(self._program_name, persona)
        self.async_on_remove(
            self._personas.async_listen(self._program_name, self.async_write_ha_state)
        )

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return who is to be taken up; a persona keeps its id when it gets another name."""
        return RestoredExtraData({self.entity_description.key: self._chosen.id})

    @property
    @override
    def options(self) -> list[str]:
        """Return everybody there is."""
        return [*self._by_option]

    @property
    @override
    def current_option(self) -> str:
        """Return who it is now."""
        return self._chosen.name or STANDARD_OPTION

    @property
    @override
    def entity_picture(self) -> str | None:
        """Return the picture of who it is now."""
        return self._chosen.picture

    @override
    async def async_select_option(self, option: str) -> None:
        """Let it be another one, who says hello."""
        persona = self._by_option[option]
        if persona == self._chosen:
            return
        self._personas.async_choose(self._program_name, persona)
        await async_greet(self.hass, self.coordinator, self._program_name, persona)

    @property
    def _chosen(self) -> Persona:
        return self._personas.chosen(self._program_name)

    @property
    def _by_option(self) -> dict[str, Persona]:
        """Return everybody there is, but for those who have a model of another program."""
        node = self.coordinator.data
        ours = {model.name for model in node.language_models(self._program_name)}
        others = {model.name for model in node.language_models()} - ours
        fit = (each for each in self._personas.all.values() if each.model not in others)
        return {STANDARD_OPTION: STANDARD} | {persona.name: persona for persona in fit}
