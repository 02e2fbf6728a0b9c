"""Tools with which agents ask what watched cameras see."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, override

import probatio
from homeassistant.components.homeassistant import async_should_expose
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, intent
from homeassistant.helpers.llm import LLMContext, Tool, ToolAnnotations, ToolInput, ToolResult
from homeassistant.util.json import JsonObjectType, JsonValueType

from .const import DOMAIN, TASK_DEPTH
from .coordinator import NodeCoordinator
from .looking import async_loaded_nodes, async_take_picture, can_do, seen_in
from .pictures import SeenObject
from .watch import CameraWatch

NAME: Final = "name"
AREA: Final = "area"
LABEL: Final = "label"
WHICH: Final = {
    probatio.Optional(NAME, description="One camera"): cv.string,
    probatio.Optional(AREA): cv.string,
}
TOLD: Final = 10
"""So many objects of a camera are told of at most, the nearest ones."""
UNKNOWN: Final = "There is no such camera"
RESTING: Final = "It is switched off, or in its quiet hours"

type Cameras = dict[str, tuple[NodeCoordinator, CameraWatch]]
"""By entity id."""


@callback
def async_watched_cameras(hass: HomeAssistant, llm_context: LLMContext) -> Cameras:
    """Return the cameras that are watched and exposed to the assistant."""
    return {
        entity_id: (node, watch)
        for node in async_loaded_nodes(hass)
        for watch in node.watches.values()
        if (entity_id := watch.camera_entity_id) is not None
        and async_should_expose(hass, llm_context.assistant, entity_id)
    }


def arguments(tool: Tool, tool_input: ToolInput) -> dict[str, Any]:
    """Return what a tool is called with, without what is blank; `probatio.Invalid` for nonsense."""
    given = {
        key: value
        for key, value in tool_input.tool_args.items()
        if not intent.is_blank_slot_value(value)
    }
    args: dict[str, Any] = tool.parameters(given)
    return args


@callback
def async_find(hass: HomeAssistant, cameras: Iterable[str], args: Mapping[str, Any]) -> list[State]:
    """Return those of the cameras (entity ids) that a tool is asked about."""
    found = intent.async_match_targets(
        hass,
        intent.MatchTargetsConstraints(
            name=args.get(NAME), area_name=args.get(AREA), allow_duplicate_names=True
        ),
        states=[state for camera in cameras if (state := hass.states.get(camera))],
    )
    return found.states if found.is_match else []


def failed(why: str) -> ToolResult:
    """Return that nothing can be told."""
    return ToolResult(data={"error": why}, error=True)


class CameraTool(Tool):
    """Asks for what watched cameras see now."""

    integration = DOMAIN
    annotations = ToolAnnotations(read_only=True, open_world=False)
    parameters = probatio.Schema(
        {
            **WHICH,
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
        args = arguments(self, tool_input)
        cameras = async_watched_cameras(hass, llm_context)
        if not (found := async_find(hass, cameras, args)):
            return failed(UNKNOWN)
        asked = [
            (state.name, *cameras[state.entity_id])
            for state in found
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
            return {"camera": name, "error": RESTING}
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
