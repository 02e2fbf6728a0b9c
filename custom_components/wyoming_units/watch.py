"""Watches one camera: sends the node where its pictures come from, or the pictures, and keeps what it sees."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.components.camera import (
    async_get_image,
    async_get_stream_source,
    get_camera_from_entity_id,
)
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, CoreState, Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device import async_entity_id_to_device
from homeassistant.helpers.event import (
    async_track_entity_registry_updated_event,
    async_track_state_change_event,
    async_track_time_change,
)
from homeassistant.util import dt as dt_util
from wyoming.event import Event as WyomingEvent

from .camera_settings import CameraSettings, async_camera_entity_id
from .client import Node, NodeConnection, NodeError, read, with_image
from .const import LOGGER, SOURCE_STREAM, TUNED
from .pictures import Analysis, ObjectEvent

RETRY_FIRST: Final = 1.0
RETRY_LAST: Final = 60.0
"""Seconds before a watch that broke is tried again, doubled each time."""
PATIENCE: Final = 10.0
"""Seconds without a picture after which a camera counts as gone."""
PICTURE_TIMEOUT: Final = 10
PICTURE_SIZE: Final = {"width": 1280, "height": 720}
"""What a camera is asked to scale its pictures to; models look at less."""
PUSH: Final = "push"
PASSING: Final = ("busy", "cancelled", "engine-failed", "loading", "timeout")
"""Codes of errors that nobody needs to do anything about."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something about a camera that only the user can put right."""

    key: str
    """Of its texts."""
    text: str = ""
    """What the node says."""


class CameraWatch:
    """The watch of one camera subentry, for as long as the entry is loaded."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry, node: Node
    ) -> None:
        self.subentry = subentry
        """Home Assistant changes it in place."""
        self.subentry_id = subentry.subentry_id
        self.last: Analysis | None = None
        """What is seen now; None while that is not known."""
        self.fps: float | None = None
        """Pictures analysed per second."""
        self.inference: float | None = None
        """Milliseconds that the models took for the last picture that they looked at."""
        self.state = "connecting"
        """What the node said last of the watch."""
        self._hass = hass
        self._entry = entry
        self._node = node
        self._known = self._content(subentry)
        self._wants: set[str] = set()
        self._listeners: list[CALLBACK_TYPE] = []
        self._event_listeners: list[Callable[[ObjectEvent], None]] = []
        self._hold: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._connection: NodeConnection | None = None
        self._source = PUSH
        self._running = False
        self._blind = False
        """Whether the camera gives no pictures."""
        self._reported = False
        """Whether it was logged that the watch does not run."""
        self._refusal: str | None = None
        """Why the node refuses the watch."""
        self._streamless = False
        self._delay = RETRY_FIRST

    # -- what it is about

    @property
    def title(self) -> str:
        """Return the name of the camera."""
        return self.subentry.title

    @property
    def settings(self) -> CameraSettings:
        """Return what the user set."""
        return CameraSettings(self.subentry.data)

    @property
    def camera_entity_id(self) -> str | None:
        """Return the camera's entity id, None where the camera was removed."""
        return async_camera_entity_id(self._hass, self.settings.camera)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels that are looked for."""
        return self.settings.labels

    @property
    def zones(self) -> tuple[str, ...]:
        """Return the names of the zones."""
        return tuple(self.settings.labels_by_zone)

    @property
    def device(self) -> dr.AnyDeviceEntry | None:
        """Return the camera's device, None where it has none."""
        if (entity_id := self.camera_entity_id) is None:
            return None
        return async_entity_id_to_device(self._hass, entity_id)

    @property
    def resting(self) -> bool:
        """Return whether nobody wants the camera to be watched now."""
        return self._hold in ("off", "quiet")

    @property
    def available(self) -> bool:
        """Return whether the camera is watched, or rests because it was told to."""
        return self.resting or (self._hold is None and self._running and not self._blind)

    @property
    def trouble(self) -> Trouble | None:
        """Return what only the user can put right."""
        if self._hold == "camera" and self._camera_removed():
            return Trouble(key="camera_gone")
        if self._refusal is not None:
            return Trouble(key="watch_refused", text=self._refusal)
        return Trouble(key="no_stream") if self._streamless else None

    def diagnostics(self) -> dict[str, Any]:
        """Return how it does, without addresses and pictures."""
        return {
            "title": self.title,
            "data": {**self.subentry.data},
            "source": PUSH if self._source == PUSH else SOURCE_STREAM,
            "hold": self._hold,
            "state": self.state,
            "available": self.available,
            "trouble": self.trouble and self.trouble.key,
            "fps": self.fps,
            "objects": len(self.last.objects) if self.last else None,
            "timing": self.last.timing if self.last else None,
        }

    # -- who listens

    @callback
    def async_add_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when anything may have changed; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def async_add_event_listener(self, listener: Callable[[ObjectEvent], None]) -> CALLBACK_TYPE:
        """Call `listener` for everything that happens; return what ends that."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    @callback
    def async_want(self, part: str) -> None:
        """Ask for a part of the analyses, as soon as the watch starts."""
        self._wants.add(part)

    @callback
    def async_changed(self) -> bool:
        """Take over what entities may change of the subentry; return whether more has changed."""
        content = self._content(self.subentry)
        if content == self._known:
            return False
        fixed, known = (
            {k: v for k, v in it[1].items() if k not in TUNED} for it in (content, self._known)
        )
        if fixed != known or content[0] != self._known[0]:
            self._known = content  # so that one change leads to one reload
            return True
        self._known = content
        if self._connection is not None and self.settings.detection:
            self._in_background(self._ask_again(self._connection), "change")
        self.async_refresh()
        self._notify()
        return False

    # -- when it runs

    @callback
    def async_start(self) -> None:
        """Watch from now on, whenever the camera is there and nothing speaks against it."""
        on_unload = self._entry.async_on_unload
        if (camera := self.camera_entity_id) is not None:
            on_unload(async_track_state_change_event(self._hass, camera, self.async_refresh))
            on_unload(
                async_track_entity_registry_updated_event(self._hass, camera, self._camera_updated)
            )
        for at in self.settings.quiet_hours or ():
            on_unload(
                async_track_time_change(
                    self._hass, self.async_refresh, at.hour, at.minute, at.second
                )
            )
        on_unload(self._stop)
        self.async_refresh()

    @callback
    def _camera_updated(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "remove":
            self.async_refresh()
        elif event.data["action"] == "update" and event.data["changes"].keys() & {
            "entity_id",
            "device_id",
        }:
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    @callback
    def async_refresh(self, _reason: object = None) -> None:
        """Start or stop, as it should be now."""
        hold, before = self._why_not(), self._hold
        self._hold = hold
        if hold is None and self._task is None:
            self._task = self._in_background(self._keep_watching(), "watch")
        elif hold is not None:
            self._stop()
            self.last = self.fps = None
        if hold != before:
            if hold == "camera" and self._hass.state is CoreState.running:
                self._report("the camera is not there")
            self._notify()

    def _why_not(self) -> str | None:
        """Return what speaks against watching now: `off`, `quiet`, `camera`, or nothing."""
        if not self.settings.detection:
            return "off"
        if self.settings.is_quiet(dt_util.now()):
            return "quiet"
        try:
            camera = get_camera_from_entity_id(self._hass, self.camera_entity_id or "")
        except HomeAssistantError:
            return "camera"
        return None if camera.available else "camera"

    def _camera_removed(self) -> bool:
        entity_id = self.camera_entity_id
        return entity_id is None or (
            self._hass.states.get(entity_id) is None
            and er.async_get(self._hass).async_get(entity_id) is None
        )

    @callback
    def _stop(self) -> None:
        task, self._task, self._running = self._task, None, False
        if task is not None:
            task.cancel()

    def _in_background[T](self, job: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        name = f"{self._entry.title} {self.title}: {what}"
        return self._entry.async_create_background_task(self._hass, job, name)

    # -- watching

    async def _keep_watching(self) -> None:
        self._delay = RETRY_FIRST
        while True:
            try:
                await self._watch()
            except NodeError as err:
                passing = err.placeholders.get("code", PASSING[0]) in PASSING
                self._refusal = None if passing else err.placeholders["text"]
                self._lost(str(err))
            await asyncio.sleep(self._delay)
            self._delay = min(self._delay * 2, RETRY_LAST)

    async def _watch(self) -> None:
        """Watch until the node ends it; `NodeError` when it refuses or goes away."""
        if (source := await self._find_source()) is None:
            return
        self._source, self._blind = source, False
        async with self._node.connect() as connection:
            await self._ask(connection)
            self._connection = connection
            feeding = None
            if self._source == PUSH:
                feeding = self._in_background(self._feed(connection), "pictures")
            try:
                while self.state != "ended":
                    self._take(await connection.receive())
            finally:
                self._connection = None
                if feeding is not None:
                    feeding.cancel()

    async def _find_source(self) -> str | None:
        """Return where the pictures come from, None while the camera does not tell."""
        self._streamless = False
        if not self.settings.from_stream:
            return PUSH
        try:
            source = await async_get_stream_source(self._hass, self.camera_entity_id or "")
        except Exception as err:  # noqa: BLE001  of any camera integration, whatever it raises
            self._lost(str(err) or type(err).__name__)
            return None
        self._streamless = source is None
        return source or PUSH

    async def _ask(self, connection: NodeConnection) -> None:
        """Ask for the watch; one that runs is replaced."""
        about = {"id": self.subentry_id, "source": self._source, **self.settings.request()}
        if self._wants:
            about["want"] = sorted(self._wants)
        self.state = "connecting"
        await connection.send(WyomingEvent(type="watch", data=about))

    async def _ask_again(self, connection: NodeConnection) -> None:
        with suppress(NodeError):  # who reads the answers hears of it too
            await self._ask(connection)

    async def _feed(self, connection: NodeConnection) -> None:
        """Send the camera's pictures at the wanted rate; ends with the connection."""
        pause = 1 / self.settings.fps
        seen_at = started = self._hass.loop.time()
        while True:
            try:
                picture = await async_get_image(
                    self._hass, self.camera_entity_id or "", PICTURE_TIMEOUT, **PICTURE_SIZE
                )
            except Exception as err:  # noqa: BLE001  of any camera integration, whatever it raises
                if self._hass.loop.time() - seen_at >= PATIENCE:
                    self._blinded(str(err) or type(err).__name__)
                self.async_refresh()
            else:
                seen_at = self._hass.loop.time()
                self._blinded(None)
                # The same one too: the node believes what it sees more than once.
                about = {"id": self.subentry_id, "timestamp": time.time()}
                frame = with_image("frame", about, picture.content, picture.content_type)
                with suppress(NodeError):  # who reads the answers hears of it too
                    await connection.send(frame)
            started = max(started + pause, self._hass.loop.time())
            await asyncio.sleep(started - self._hass.loop.time())

    @callback
    def _take(self, event: WyomingEvent) -> None:
        """Take over what the node tells."""
        match event.type:
            case "watch-status":
                self._take_status(event)
            case "image-analysis":
                self.last = read(Analysis.from_event, event)
                self.inference = self.last.inference or self.inference
                self._notify()
            case "object-event":
                happened = read(ObjectEvent.from_event, event)
                for listener in self._event_listeners:
                    listener(happened)

    @callback
    def _take_status(self, event: WyomingEvent) -> None:
        self.state = str(event.data.get("state"))
        fps = event.data.get("fps")
        self.fps = float(fps) if isinstance(fps, int | float) else None
        if self.state == "running":
            self._running, self._refusal, self._delay = True, None, RETRY_FIRST
            self._report(None)
        elif self.state != "connecting":
            self._lost(str(event.data.get("text") or self.state))
        self._notify()

    @callback
    def _lost(self, why: str) -> None:
        self._running = False
        self.last = self.fps = None
        self._report(why)
        self._notify()

    @callback
    def _blinded(self, why: str | None) -> None:
        """Take over that the camera gives no pictures, and why; None when it gives some."""
        if self._blind != (why is not None):
            self._blind = why is not None
            self.last = None
            self._report(why)
            self._notify()

    @callback
    def _report(self, why: str | None) -> None:
        """Log once why the camera is not watched, and once that it is again."""
        if why is not None and not self._reported:
            LOGGER.warning("%s is not watched: %s", self.title, why)
            self._reported = True
        elif why is None and self._reported and self.available:
            LOGGER.info("%s is watched again", self.title)
            self._reported = False

    @callback
    def _notify(self) -> None:
        for listener in [*self._listeners]:
            listener()

    @staticmethod
    def _content(subentry: ConfigSubentry) -> tuple[str, dict[str, Any]]:
        return subentry.title, {**subentry.data}
