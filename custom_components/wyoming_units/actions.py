"""Actions: have a node look at one picture, and tell what it sees."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import probatio
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_ENTITY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv, selector
from homeassistant.util.json import JsonValueType
from PIL import Image

from .client import NodeError
from .const import DEFAULT_TASKS, DOMAIN, TASK_DEPTH, TASKS
from .looking import (
    async_find_node,
    async_take_picture,
    async_watch_of,
    read_picture,
    seen_in,
)
from .pictures import ImageAnalysis, Picture

ANALYZE_IMAGE: Final = "analyze_image"
MEASURE_DEPTH: Final = "measure_depth"
ATTR_PATH: Final = "path"
ATTR_TASKS: Final = "tasks"
ATTR_LABELS: Final = "labels"
ATTR_MODEL: Final = "model"
ATTR_MIN_CONFIDENCE: Final = "min_confidence"
ATTR_ANNOTATED_FILE: Final = "annotated_file"
ATTR_POINTS: Final = "points"

_WHERE: dict[Any, Any] = {
    probatio.Optional(ATTR_CONFIG_ENTRY_ID): selector.ConfigEntrySelector({"integration": DOMAIN}),
    probatio.Optional(ATTR_MODEL): cv.string,
}
_ENTITY = cv.entity_domain(["camera", "image"])
_PART = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=1))
_LABELS = probatio.All(cv.ensure_list, [cv.string])

ANALYZE_SCHEMA = probatio.All(
    probatio.Schema(
        {
            **_WHERE,
            probatio.Exclusive(ATTR_ENTITY_ID, "picture"): _ENTITY,
            probatio.Exclusive(ATTR_PATH, "picture"): cv.string,
            probatio.Optional(ATTR_TASKS, default=[*DEFAULT_TASKS]): probatio.All(
                cv.ensure_list, [probatio.In(TASKS)], probatio.Length(min=1)
            ),
            probatio.Optional(ATTR_LABELS, default=[]): _LABELS,
            probatio.Optional(ATTR_MIN_CONFIDENCE): _PART,
            probatio.Optional(ATTR_ANNOTATED_FILE): cv.string,
        }
    ),
    cv.has_at_least_one_key(ATTR_ENTITY_ID, ATTR_PATH),
)
MEASURE_SCHEMA = probatio.Schema(
    {
        **_WHERE,
        probatio.Required(ATTR_ENTITY_ID): _ENTITY,
        probatio.Optional(ATTR_LABELS, default=[]): _LABELS,
        probatio.Optional(ATTR_POINTS, default=[]): probatio.All(
            cv.ensure_list, [{probatio.Required("x"): _PART, probatio.Required("y"): _PART}]
        ),
    }
)


@callback
def async_setup_actions(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action, schema in (
        (ANALYZE_IMAGE, _analyze_image, ANALYZE_SCHEMA),
        (MEASURE_DEPTH, _measure_depth, MEASURE_SCHEMA),
    ):
        hass.services.async_register(
            DOMAIN, name, action, schema, supports_response=SupportsResponse.ONLY
        )


async def _analyze_image(call: ServiceCall) -> ServiceResponse:
    """Tell what is in a picture, and write it with that drawn in, where that is wanted."""
    file = call.data.get(ATTR_ANNOTATED_FILE)
    if file is not None:
        await _check_path(call.hass, file)
    want = () if file is None else ("annotated",)
    seen = await _look(call, call.data[ATTR_TASKS], want)
    if file is not None:
        picture = _part(seen, "annotated")
        await _with_file(call.hass, file, partial(_write, file, picture))
    return {
        "objects": [*seen.objects],
        "counts": dict(Counter(one.label for one in seen_in(seen))),
        "width": seen.width,
        "height": seen.height,
        "timing": seen.timing,
    }


async def _measure_depth(call: ServiceCall) -> ServiceResponse:
    """Tell how far away the objects and some points of a picture are."""
    seen = await _look(call, (*DEFAULT_TASKS, TASK_DEPTH), ("depth-map",))
    told = ("label", "confidence", "box", "distance", "nearness")
    points = call.data[ATTR_POINTS]
    return {
        "metric": bool(seen.depth.get("metric")),
        "objects": [{key: each[key] for key in told if key in each} for each in seen.objects],
        "points": await call.hass.async_add_executor_job(_depths, seen, points),
    }


async def _look(call: ServiceCall, tasks: Iterable[str], want: Iterable[str]) -> ImageAnalysis:
    """Have the picture of a call looked at."""
    data = call.data
    model = data.get(ATTR_MODEL)
    node = async_find_node(
        call.hass, tasks, model=model, entry_id=data.get(ATTR_CONFIG_ENTRY_ID)
    ).node
    picture = await _picture(call)
    watch = async_watch_of(call.hass, data.get(ATTR_ENTITY_ID, ""))
    return await node.analyze(
        picture.content,
        picture.mime,
        tasks=[*tasks],
        labels=data[ATTR_LABELS],
        model=model,
        min_confidence=data.get(ATTR_MIN_CONFIDENCE),
        want=[*want],
        calibration=watch.settings.calibration if watch else (),
    )


async def _picture(call: ServiceCall) -> Picture:
    if (entity_id := call.data.get(ATTR_ENTITY_ID)) is not None:
        return await async_take_picture(call.hass, entity_id)
    path: str = call.data[ATTR_PATH]
    await _check_path(call.hass, path)
    return await _with_file(call.hass, path, partial(read_picture, path))


async def _check_path(hass: HomeAssistant, path: str) -> None:
    """Refuse a file that Home Assistant's configuration does not allow."""
    if not await hass.async_add_executor_job(hass.config.is_allowed_path, path):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="path_not_allowed",
            translation_placeholders={"path": path},
        )


async def _with_file[R](hass: HomeAssistant, path: str, job: Callable[[], R]) -> R:
    """Read or write a file; `HomeAssistantError` when that fails."""
    try:
        return await hass.async_add_executor_job(job)
    except OSError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="file_failed",
            translation_placeholders={"path": path, "error": err.strerror or str(err)},
        ) from err


def _write(path: str, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    unfinished = Path(f"{path}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _part(seen: ImageAnalysis, name: str) -> bytes:
    """Return a binary that was asked for."""
    if (part := seen.parts.get(name)) is None:
        raise NodeError("bad_answer", event="image-analysis")
    return part


def _depths(seen: ImageAnalysis, points: list[dict[str, float]]) -> list[JsonValueType]:
    """Return how far away points are, in metres, or how near where the map knows no metres."""
    try:
        with Image.open(io.BytesIO(_part(seen, "depth-map"))) as depth:
            grey: list[Any] = [depth.getpixel(_pixel(depth, point)) for point in points]
        if seen.depth["metric"]:
            key, scale = "distance", float(seen.depth["scale"])
        else:
            key, scale = "nearness", 65535.0
        return [
            {**point, key: round(value / scale, 3)}
            for point, value in zip(points, grey, strict=True)
        ]
    except (KeyError, OSError, TypeError, ValueError, ZeroDivisionError) as err:
        raise NodeError("bad_answer", event="image-analysis") from err


def _pixel(picture: Image.Image, point: dict[str, float]) -> tuple[int, int]:
    width, height = picture.size
    return min(int(point["x"] * width), width - 1), min(int(point["y"] * height), height - 1)
