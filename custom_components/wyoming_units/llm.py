"""Tools with which any agent of Assist answers what cameras see."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, override

import probatio
from homeassistant.components.homeassistant import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, intent
from homeassistant.helpers.llm import (
    LLM_API_ASSIST,
    LLMContext,
    Tool,
    ToolAnnotations,
    ToolInput,
    ToolResult,
)
from homeassistant.util.json import JsonObjectType, JsonValueType

from .const import DOMAIN, TASK_DEPTH
from .coordinator import NodeCoordinator
from .looking import async_loaded_nodes, async_take_picture, can_do, seen_in
from .pictures import SeenObject
from .watch import CameraWatch

NAME: Final = "name"
AREA: Final = "area"
LABEL: Final = "label"
TOLD: Final = 10
"""So many objects of a camera are told of at most, the nearest ones."""

type Cameras = dict[str, tuple[NodeCoordinator, CameraWatch]]
"""By entity id."""


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """Return the tools, None where the assistant may see no camera."""
    if api_id != LLM_API_ASSIST:
        return None
    cameras = _async_cameras(hass, llm_context)
    tools: list[Tool] = [
        tool for kind in (Look, MeasureDistance) if (tool := kind.about(hass, cameras))
    ]
    return LLMTools(tools=tools) if tools else None


@callback
def _async_cameras(hass: HomeAssistant, llm_context: LLMContext) -> Cameras:
    """Return the cameras that are watched and exposed to the assistant."""
    return {
        entity_id: (node, watch)
        for node in async_loaded_nodes(hass)
        for watch in node.watches.values()
        if (entity_id := watch.camera_entity_id) is not None
        and async_should_expose(hass, llm_context.assistant, entity_id)
    }


class CameraTool(Tool):
    """Asks for what cameras see now."""

    integration = DOMAIN
    annotations = ToolAnnotations(read_only=True, open_world=False)
    parameters = probatio.Schema(
        {
            probatio.Optional(NAME, description="One camera"): cv.string,
            probatio.Optional(AREA): cv.string,
            probatio.Optional(
                LABEL, description="One kind of object, in English: person, car, dog, …"
            ): cv.string,
        }
    )
    purpose: str
    extra_tasks: tuple[str, ...] = ()
    """What has to be done with pictures, beside what the camera is watched for."""

    def __init__(self, description: str) -> None:
        self.description = description

    @classmethod
    def about(cls, hass: HomeAssistant, cameras: Cameras) -> CameraTool | None:
        """Return the tool for those of the cameras that it can be used with, None for none."""
        names = [
            state.name
            for entity_id, (node, _) in cameras.items()
            if can_do(node, cls.extra_tasks) and (state := hass.states.get(entity_id))
        ]
        return cls(f"{cls.purpose} Cameras: {', '.join(sorted(names))}") if names else None

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Tell what the cameras see, or why one of them is not known."""
        given = {
            key: value
            for key, value in tool_input.tool_args.items()
            if not intent.is_blank_slot_value(value)
        }
        args = self.parameters(given)
        cameras = _async_cameras(hass, llm_context)
        found = intent.async_match_targets(
            hass,
            intent.MatchTargetsConstraints(
                name=args.get(NAME), area_name=args.get(AREA), allow_duplicate_names=True
            ),
            states=[state for camera in cameras if (state := hass.states.get(camera))],
        )
        if not found.is_match:
            return ToolResult(data={"error": "There is no such camera"}, error=True)
        asked = [
            (state.name, *cameras[state.entity_id])
            for state in found.states
            if can_do(cameras[state.entity_id][0], self.extra_tasks)
        ]
        label = args.get(LABEL, "").lower()
        told = await asyncio.gather(
            *(self._tell(hass, name, node, watch, label) for name, node, watch in asked)
        )
        return ToolResult(data={"cameras": [*told]})

    async def _tell(
        self, hass: HomeAssistant, name: str, node: NodeCoordinator, watch: CameraWatch, label: str
    ) -> JsonObjectType:
        if watch.resting:
            return {"camera": name, "error": "It is switched off, or in its quiet hours"}
        try:
            seen = await self._look(hass, node, watch, label)
        except HomeAssistantError as err:
            return {"camera": name, "error": str(err)}
        return {"camera": name, "seen": self.summary([o for o in seen if label in ("", o.label)])}

    async def _look(
        self, hass: HomeAssistant, node: NodeCoordinator, watch: CameraWatch, label: str
    ) -> Sequence[SeenObject]:
        """Return what the watch sees, else what is in a fresh picture."""
        settings = watch.settings
        known = not label or label in watch.labels
        if known and {*self.extra_tasks} <= {*settings.tasks} and watch.last is not None:
            return watch.last.objects
        picture = await async_take_picture(hass, watch.camera_entity_id or "")
        return seen_in(
            await node.node.analyze(
                picture.content,
                picture.mime,
                tasks=[*dict.fromkeys((*settings.tasks, *self.extra_tasks))],
                labels=[label] if label else watch.labels,
                model=settings.model if known else None,
                min_confidence=settings.confidence,
                calibration=settings.calibration,
            )
        )

    def summary(self, seen: Sequence[SeenObject]) -> list[JsonValueType]:
        """Return what to tell of objects."""
        raise NotImplementedError


class Look(CameraTool):
    """How many of what are seen, and where."""

    name = f"{DOMAIN}__look"
    title = "Look through cameras"
    purpose = "Tells what cameras see now, and how many of it."

    @override
    def summary(self, seen: Sequence[SeenObject]) -> list[JsonValueType]:
        """Return the number of objects by label, with their zones and postures."""
        by_label: dict[str, list[SeenObject]] = defaultdict(list)
        for one in seen:
            by_label[one.label].append(one)
        summary: list[JsonValueType] = []
        for label, objects in by_label.items():
            zones = sorted({zone for one in objects for zone in one.zones})
            postures = sorted({one.posture for one in objects if one.posture})
            about: JsonObjectType = {"zones": [*zones], "postures": [*postures]}
            summary.append(
                {
                    "label": label,
                    "count": len(objects),
                    **{key: value for key, value in about.items() if value},
                }
            )
        return summary


class MeasureDistance(CameraTool):
    """How far away what is seen is."""

    name = f"{DOMAIN}__measure_distance"
    title = "Measure distances from cameras"
    purpose = (
        "Tells how many metres what a camera sees is away from it. Where metres are not"
        " known: nearness, 0 to 1 for the nearest thing in the picture."
    )
    extra_tasks = (TASK_DEPTH,)

    @override
    def summary(self, seen: Sequence[SeenObject]) -> list[JsonValueType]:
        """Return the nearest objects, in metres where they are known."""
        metric = sorted((one.distance, one.label) for one in seen if one.distance is not None)
        if metric:
            return [{"label": label, "metres": round(at, 1)} for at, label in metric[:TOLD]]
        relative = sorted(
            ((one.nearness, one.label) for one in seen if one.nearness is not None), reverse=True
        )
        return [{"label": label, "nearness": round(at, 2)} for at, label in relative[:TOLD]]
