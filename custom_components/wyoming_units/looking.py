"""Has a node look at one picture: of a camera, of an image entity or of a file."""

import mimetypes
from collections.abc import Iterable, Iterator
from pathlib import Path

from homeassistant.components import camera, image
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.service import async_get_config_entry

from .client import NodeError
from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .pictures import LARGEST, ImageAnalysis, Picture, SeenObject
from .watch import CameraWatch


async def async_take_picture(hass: HomeAssistant, entity_id: str) -> Picture:
    """Return what a camera or an image entity shows now; `HomeAssistantError` when it shows nothing."""
    if entity_id.startswith(f"{image.DOMAIN}."):
        shown = await image.async_get_image(hass, entity_id)
        return Picture.of(entity_id, shown.content, shown.content_type)
    taken = await camera.async_get_image(hass, entity_id)
    return Picture.of(entity_id, taken.content, taken.content_type)


def read_picture(path: str) -> Picture:
    """Return the picture in a file; `OSError` when it cannot be read."""
    with Path(path).open("rb") as file:
        content = file.read(LARGEST)  # never more than is refused
    return Picture.of(path, content, mimetypes.guess_type(path)[0])


@callback
def async_loaded_nodes(hass: HomeAssistant) -> Iterator[NodeCoordinator]:
    """Yield all nodes that are set up, also those that do not answer at the moment."""
    entries: list[WyomingUnitsConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in entries:
        yield entry.runtime_data


@callback
def async_watch_of(hass: HomeAssistant, entity_id: str) -> CameraWatch | None:
    """Return the watch of a camera, None where it has none."""
    watches = (watch for node in async_loaded_nodes(hass) for watch in node.watches.values())
    return next((watch for watch in watches if watch.camera_entity_id == entity_id), None)


@callback
def async_find_node(
    hass: HomeAssistant,
    tasks: Iterable[str],
    *,
    model: str | None = None,
    entry_id: str | None = None,
) -> NodeCoordinator:
    """Return the node of an entry, else the first one that can do all `tasks` with the model.

    Raises `ServiceValidationError` where there is none.
    """
    if entry_id is not None:
        entry: WyomingUnitsConfigEntry = async_get_config_entry(hass, DOMAIN, entry_id)
        nodes = [entry.runtime_data]
    else:
        nodes = [*async_loaded_nodes(hass)]
    for node in nodes:
        if node.last_update_success and can_do(node, tasks, model):
            return node
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="no_vision",
        translation_placeholders={"tasks": ", ".join([*tasks, *([model] if model else [])])},
    )


def can_do(node: NodeCoordinator, tasks: Iterable[str], model: str | None = None) -> bool:
    """Return whether a node has all `tasks`, with one model or several, and a model of that name."""
    models = [
        each
        for program in node.data.vision
        if program.installed
        for each in program.models
        if each.installed
    ]
    return {*tasks} <= {task for each in models for task in each.tasks} and (
        model is None or model in [each.name for each in models]
    )


def seen_in(analysis: ImageAnalysis) -> list[SeenObject]:
    """Return the objects of an answer; `NodeError` when they make no sense."""
    try:
        return [SeenObject.from_dict(each) for each in analysis.objects]
    except (KeyError, TypeError, ValueError) as err:
        raise NodeError("bad_answer", event="image-analysis") from err
