"""Adds a camera to a node, or changes it: what to look for, zones, distances, rules."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import probatio
from homeassistant.components.camera import async_get_stream_source
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import PERCENTAGE
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TimeSelector,
)

from .camera_entity import async_label_names
from .camera_settings import async_camera_entity_id
from .client import NodeInfo
from .const import (
    AUTOMATIC,
    CONF_CALIBRATION,
    CONF_CAMERA,
    CONF_CONFIDENCE,
    CONF_END,
    CONF_FPS,
    CONF_LABELS,
    CONF_MODEL,
    CONF_NAME,
    CONF_PLACES,
    CONF_POLYGON,
    CONF_QUIET,
    CONF_RULES,
    CONF_SOURCE,
    CONF_START,
    CONF_TASKS,
    CONF_ZONES,
    DEFAULT_CONFIDENCE,
    DEFAULT_FPS,
    DEFAULT_LABELS,
    DEFAULT_TASKS,
    RULES,
    SOURCE_SNAPSHOTS,
    SOURCE_STREAM,
    SUBENTRY_CAMERA,
    TASK_DEPTH,
    TASK_HAND,
    TASK_POSE,
    TASKS,
)
from .coordinator import NodeCoordinator
from .preview import PREVIEWS, async_preview

MOST_ZONES: Final = 32
CORNERS: Final = (3, 64)
MOST_PLACES: Final = 2
LONGEST: Final = 86_400

type Names = Mapping[str, str]


def _choice(
    key: str,
    options: Iterable[str],
    mode: SelectSelectorMode,
    *,
    names: Names | None = None,
    multiple: bool = False,
    custom_value: bool = False,
) -> SelectSelector:
    """Return a choice of `options`, translated under `key` or named by `names`."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[
                SelectOptionDict(value=each, label=(names or {}).get(each, each))
                for each in options
            ],
            translation_key=key,
            mode=mode,
            multiple=multiple,
            custom_value=custom_value,
        )
    )


def _number(least: float, most: float, step: float, unit: str = "s") -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=least,
            max=most,
            step=step,
            unit_of_measurement=unit,
            mode=NumberSelectorMode.BOX,
        )
    )


def _camera_schema(node: NodeInfo, names: Names) -> probatio.Schema:
    """Return the form of a camera; what there is to choose depends on the node's models."""
    models = node.models(TASKS)
    tasks = [task for task in TASKS if any(task in model.tasks for model in models)]
    labels = [*dict.fromkeys(label for model in models for label in model.labels)]
    usual = [label for label in DEFAULT_LABELS if label in labels]
    hours = {
        probatio.Optional(CONF_START): TimeSelector(),
        probatio.Optional(CONF_END): TimeSelector(),
    }
    return probatio.Schema(
        {
            probatio.Required(CONF_CAMERA): EntitySelector(EntitySelectorConfig(domain="camera")),
            probatio.Required(CONF_SOURCE, default=SOURCE_STREAM): _choice(
                CONF_SOURCE, (SOURCE_STREAM, SOURCE_SNAPSHOTS), SelectSelectorMode.LIST
            ),
            probatio.Required(CONF_TASKS, default=[*DEFAULT_TASKS]): _choice(
                CONF_TASKS, tasks, SelectSelectorMode.LIST, multiple=True
            ),
            probatio.Required(CONF_LABELS, default=usual): _choice(
                CONF_LABELS,
                labels,
                SelectSelectorMode.DROPDOWN,
                names=names,
                multiple=True,
                custom_value=True,
            ),
            probatio.Required(CONF_FPS, default=DEFAULT_FPS): _number(0.1, 30, 0.1, "fps"),
            probatio.Required(CONF_CONFIDENCE, default=DEFAULT_CONFIDENCE * 100): _number(
                5, 95, 1, PERCENTAGE
            ),
            probatio.Required(CONF_MODEL, default=AUTOMATIC): _choice(
                CONF_MODEL,
                [AUTOMATIC, *(model.name for model in models)],
                SelectSelectorMode.DROPDOWN,
                names={model.name: model.description or model.name for model in models},
            ),
            probatio.Required(CONF_QUIET, default=dict): section(
                probatio.Schema(hours), {"collapsed": True}
            ),
        }
    )


RULES_SCHEMA = probatio.Schema(
    {
        probatio.Required(rule, default=default): (
            _number(1, 1000, 1, "×") if rule == "inertia" else _number(0, LONGEST, 1)
        )
        for rule, default in RULES.items()
    }
)
PLACES_SCHEMA = probatio.Schema(
    {probatio.Optional(CONF_PLACES): TextSelector(TextSelectorConfig(multiline=True))}
)


class CameraSubentryFlow(ConfigSubentryFlow):
    """Makes or changes the subentry of a camera."""

    _title: str

    def __init__(self) -> None:
        self._data: dict[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a camera."""
        return await self._async_begin()

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a camera."""
        self._data = {**self._get_reconfigure_subentry().data}
        return await self._async_begin()

    async def _async_begin(self) -> SubentryFlowResult:
        if self._get_entry().state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if not self._node.models(TASKS):
            return self.async_abort(reason="no_vision")
        return await self.async_step_camera()

    async def async_step_camera(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask which camera, and what to look for."""
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._async_check(user_input)
            if not errors:
                self._take_camera(user_input)
                return await self.async_step_overview()
        schema = _camera_schema(self._node, await async_label_names(self.hass))
        return self.async_show_form(
            step_id="camera",
            data_schema=self.add_suggested_values_to_schema(schema, user_input or self._shown()),
            errors=errors,
        )

    async def async_step_overview(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show what the camera sees, and ask what else to set."""
        options = ["zone", "remove_zones", "calibration", "rules", "finish"]
        if not self._zones:
            options.remove("remove_zones")
        if TASK_DEPTH not in self._data[CONF_TASKS]:
            options.remove("calibration")
        return self.async_show_menu(
            step_id="overview",
            menu_options=options,
            description_placeholders={
                "camera": self._title,
                "picture": await self._async_picture(),
            },
        )

    async def async_step_zone(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a zone, in place of one of the same name."""
        errors: dict[str, str] = {}
        if user_input is not None:
            name = user_input[CONF_NAME].strip()
            corners = _points(user_input[CONF_POLYGON], 2)
            others = [zone for zone in self._zones if zone["name"] != name]
            if not name:
                errors[CONF_NAME] = "no_name"
            if corners is None or not CORNERS[0] <= len(corners) <= CORNERS[1]:
                errors[CONF_POLYGON] = "bad_polygon"
            elif len(others) >= MOST_ZONES:
                errors["base"] = "too_many_zones"
            elif not errors:
                zone = {"name": name, "polygon": [[x / 100, y / 100] for x, y in corners]}
                if labels := user_input.get(CONF_LABELS):
                    zone["labels"] = labels
                self._data[CONF_ZONES] = [*others, zone]
                return await self.async_step_overview()
        names = await async_label_names(self.hass)
        schema = probatio.Schema(
            {
                probatio.Required(CONF_NAME): TextSelector(),
                probatio.Required(CONF_POLYGON): TextSelector(TextSelectorConfig(multiline=True)),
                probatio.Optional(CONF_LABELS): _choice(
                    CONF_LABELS,
                    self._data[CONF_LABELS],
                    SelectSelectorMode.LIST,
                    names=names,
                    multiple=True,
                ),
            }
        )
        return self.async_show_form(
            step_id="zone",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"picture": await self._async_picture()},
        )

    async def async_step_remove_zones(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Remove zones."""
        if user_input is not None:
            gone = user_input[CONF_ZONES]
            self._data[CONF_ZONES] = [zone for zone in self._zones if zone["name"] not in gone]
            return await self.async_step_overview()
        zones = SelectSelector(
            SelectSelectorConfig(
                options=[zone["name"] for zone in self._zones],
                multiple=True,
                mode=SelectSelectorMode.LIST,
            )
        )
        return self.async_show_form(
            step_id="remove_zones",
            data_schema=probatio.Schema({probatio.Required(CONF_ZONES, default=list): zones}),
        )

    async def async_step_calibration(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for places whose distances are known."""
        errors: dict[str, str] = {}
        if user_input is not None:
            places = _points(user_input.get(CONF_PLACES, ""), 3)
            if places is not None and len(places) <= MOST_PLACES:
                self._data[CONF_CALIBRATION] = [
                    {"point": [x / 100, y / 100], "distance": distance} for x, y, distance in places
                ]
                return await self.async_step_overview()
            errors[CONF_PLACES] = "bad_places"
        known = (
            f"{100 * x:g} {100 * y:g} {place['distance']:g}"
            for place in self._data.get(CONF_CALIBRATION, ())
            for x, y in [place["point"]]
        )
        shown = user_input or {CONF_PLACES: ", ".join(known)}
        return self.async_show_form(
            step_id="calibration",
            data_schema=self.add_suggested_values_to_schema(PLACES_SCHEMA, shown),
            errors=errors,
            description_placeholders={"picture": await self._async_picture()},
        )

    async def async_step_rules(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for the rules that make objects into events."""
        if user_input is not None:
            whole = {"inertia": int(user_input["inertia"])}
            self._data[CONF_RULES] = {**user_input, **whole}
            return await self.async_step_overview()
        return self.async_show_form(
            step_id="rules",
            data_schema=self.add_suggested_values_to_schema(
                RULES_SCHEMA, self._data.get(CONF_RULES)
            ),
        )

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Make or change the subentry."""
        about: dict[str, Any] = {
            "title": self._title,
            "data": self._data,
            "unique_id": self._data[CONF_CAMERA],
        }
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(
                self._get_entry(), self._get_reconfigure_subentry(), **about
            )
        return self.async_create_entry(**about)

    @callback
    def async_remove(self) -> None:
        """Forget the picture."""
        self.hass.data[PREVIEWS].pop(self.flow_id, None)

    @property
    def _node(self) -> NodeInfo:
        coordinator: NodeCoordinator = self._get_entry().runtime_data
        return coordinator.data

    @property
    def _zones(self) -> list[dict[str, Any]]:
        return list(self._data.get(CONF_ZONES, ()))

    async def _async_picture(self) -> str:
        camera = async_camera_entity_id(self.hass, self._data[CONF_CAMERA])
        return await async_preview(self.hass, self.flow_id, camera or "", self._zones)

    def _shown(self) -> dict[str, Any]:
        """Return what was set before, as the form shows it."""
        if not self._data:
            return {}
        return {
            **self._data,
            CONF_CAMERA: async_camera_entity_id(self.hass, self._data[CONF_CAMERA]),
            CONF_CONFIDENCE: round(100 * self._data[CONF_CONFIDENCE]),
            CONF_MODEL: self._data.get(CONF_MODEL) or AUTOMATIC,
        }

    async def _async_check(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with the form of a camera."""
        errors: dict[str, str] = {}
        camera = user_input[CONF_CAMERA]
        changed = self.source == SOURCE_RECONFIGURE and self._get_reconfigure_subentry()
        for other in self._get_entry().get_subentries_of_type(SUBENTRY_CAMERA):
            if other is not changed and other.unique_id == self._camera_id(camera):
                errors[CONF_CAMERA] = "already_watched"
        if not user_input[CONF_TASKS]:
            errors[CONF_TASKS] = "no_tasks"
        if not user_input[CONF_LABELS]:
            errors[CONF_LABELS] = "no_labels"
        if len([*filter(None, user_input[CONF_QUIET].values())]) == 1:
            errors["base"] = "half_quiet_hours"
        if user_input[CONF_SOURCE] == SOURCE_STREAM and not await self._async_streams(camera):
            errors[CONF_SOURCE] = "no_stream"
        return errors

    async def _async_streams(self, camera: str) -> bool:
        """Return whether a camera tells where its stream is; one that is away may do so later."""
        try:
            return await async_get_stream_source(self.hass, camera) is not None
        except HomeAssistantError:
            return True

    @callback
    def _take_camera(self, user_input: Mapping[str, Any]) -> None:
        camera = user_input[CONF_CAMERA]
        state = self.hass.states.get(camera)
        self._title = state.name if state else camera
        model = user_input[CONF_MODEL]
        self._data |= {
            **user_input,
            CONF_CAMERA: self._camera_id(camera),
            CONF_CONFIDENCE: user_input[CONF_CONFIDENCE] / 100,
            CONF_LABELS: self._with_needed(user_input[CONF_LABELS], user_input[CONF_TASKS]),
            CONF_MODEL: None if model == AUTOMATIC else model,
        }

    def _with_needed(self, labels: list[str], tasks: list[str]) -> list[str]:
        """Return labels with those whose objects the tasks are about."""
        needed = [
            label
            for task in (TASK_POSE, TASK_HAND)
            if task in tasks
            for model in self._node.models([task])[:1]
            for label in model.labels
            if len(model.labels) == 1
        ]
        return [*dict.fromkeys([*labels, *needed])]

    def _camera_id(self, entity_id: str) -> str:
        entry = er.async_get(self.hass).async_get(entity_id)
        return entry.id if entry else entity_id


def _points(text: str, numbers: int) -> list[tuple[float, ...]] | None:
    """Return the points of a text, two numbers of which are per cent; None where it makes no sense."""
    points = []
    for point in filter(None, map(str.strip, re.split(r"[,;\n]", text))):
        try:
            read = tuple(map(float, point.split()))
        except ValueError:
            return None
        if len(read) != numbers or not all(0 <= side <= 100 for side in read[:2]):
            return None
        if any(not 0 < distance <= 10_000 for distance in read[2:]):
            return None
        points.append(read)
    return points
