"""Pictures of what cameras see: the last event, all objects marked, how far away everything is."""

from collections.abc import Iterator
from io import BytesIO
from typing import cast, override

from homeassistant.components.image import ImageEntity, ImageEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util
from PIL import Image, ImageOps

from .camera_entity import CameraEntity, Names, async_add_cameras
from .const import TASK_DEPTH
from .coordinator import WyomingUnitsConfigEntry
from .pictures import Analysis, ObjectEvent
from .watch import CameraWatch

PARALLEL_UPDATES = 0

UPDATE_INTERVAL = 5.0
"""Seconds between two states of a picture that always changes; the recorder keeps each of them."""
NEAR, BETWEEN, FAR = "#ffe945", "#d3436e", "#10073a"

IMAGES = LAST_EVENT, ANNOTATED, DEPTH_MAP = (
    ImageEntityDescription(key="last_event", translation_key="last_event"),
    ImageEntityDescription(key="annotated", translation_key="annotated"),
    ImageEntityDescription(key="depth_map", translation_key="depth_map"),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the pictures of cameras."""

    def images(watch: CameraWatch, _names: Names) -> Iterator[CameraEntity]:
        yield LastEventImage(hass, watch, LAST_EVENT)
        yield AnnotatedImage(hass, watch, ANNOTATED)
        if TASK_DEPTH in watch.settings.tasks:
            yield DepthImage(hass, watch, DEPTH_MAP)

    await async_add_cameras(hass, entry, async_add_entities, Platform.IMAGE, images)


class SightImage(CameraEntity, ImageEntity):
    """A picture that the node sent last."""

    _attr_content_type = "image/jpeg"
    _picture: bytes | None = None

    def __init__(
        self, hass: HomeAssistant, watch: CameraWatch, description: ImageEntityDescription
    ) -> None:
        CameraEntity.__init__(self, watch, description)
        ImageEntity.__init__(self, hass)

    @override
    async def async_image(self) -> bytes | None:
        """Return the picture, None where there was none."""
        return self._picture


class LastEventImage(SightImage):
    """The moment when something happened last, with the object marked."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what happens."""
        await super().async_added_to_hass()
        self.async_on_remove(self._watch.async_add_event_listener(self._happened))

    @callback
    def _happened(self, event: ObjectEvent) -> None:
        if event.snapshot is not None:
            self._picture = event.snapshot
            self._attr_image_last_updated = dt_util.utc_from_timestamp(event.timestamp)
            self.async_write_ha_state()


class AnnotatedImage(SightImage):
    """A part of the analyses, which the node sends only while this entity is enabled."""

    _part = "annotated"
    _shown = 0.0
    """When the picture of the state was taken."""
    _metric = False

    @override
    async def async_added_to_hass(self) -> None:
        """Ask for the part."""
        await super().async_added_to_hass()
        self._watch.async_want(self._part)

    @callback
    @override
    def _update(self) -> None:
        seen = self._watch.last
        if seen is not None and (picture := seen.parts.get(self._part)) is not None:
            self._picture = picture
            self._take(seen)
            if seen.timestamp - self._shown >= UPDATE_INTERVAL:
                self._shown = seen.timestamp
                self._attr_image_last_updated = dt_util.utc_from_timestamp(seen.timestamp)
        super()._update()

    @callback
    def _take(self, seen: Analysis) -> None:
        """Take over what else the picture needs."""


class DepthImage(AnnotatedImage):
    """How far away everything is, in colours."""

    _attr_content_type = "image/png"
    _part = "depth-map"
    _size = (1, 1)
    """Of the camera's picture."""

    @callback
    @override
    def _take(self, seen: Analysis) -> None:
        self._metric = seen.metric
        self._size = (seen.width, seen.height)

    @override
    async def async_image(self) -> bytes | None:
        """Return the coloured depth map, None where there was none."""
        if self._picture is None:
            return None
        return await self.hass.async_add_executor_job(
            coloured, self._picture, self._metric, self._size
        )


def coloured(depth: bytes, far_is_large: bool, size: tuple[int, int]) -> bytes:
    """Return a 16-bit depth map (PNG) in colours, nearest to farthest, in the shape of a picture of that size."""
    with Image.open(BytesIO(depth)) as opened:
        values = opened.convert("I")
    least, most = cast(tuple[float, float], values.getextrema())  # it has one channel
    scale = 255 / max(most - least, 1)
    grey = values.point(lambda value: value * scale - least * scale).convert("L")
    if far_is_large:
        grey = ImageOps.invert(grey)
    width, height = size
    grey = grey.resize((grey.width, max(1, round(grey.width * height / width))))
    written = BytesIO()
    ImageOps.colorize(grey, FAR, NEAR, mid=BETWEEN).save(written, "PNG")
    return written.getvalue()
