"""Which model looks at a camera's pictures."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .camera_entity import CameraEntity, Names, TunedEntity, async_add_cameras
from .const import AUTOMATIC, CONF_MODEL
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .watch import CameraWatch

PARALLEL_UPDATES = 0

SELECTS = (
    SelectEntityDescription(
        key="model",
        translation_key="model",
        entity_category=EntityCategory.CONFIG,
        options=[AUTOMATIC],
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the choices of cameras."""

    def selects(watch: CameraWatch, _names: Names) -> list[CameraEntity]:
        return [ModelSelect(watch, row, entry.runtime_data) for row in SELECTS]

    await async_add_cameras(hass, entry, async_add_entities, Platform.SELECT, selects)


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
