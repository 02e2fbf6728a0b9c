"""Where the pictures of a watch come from: a camera that the node opens, or the client that sends them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from wyoming_units.errors import BadRequest
from wyoming_units.video.addresses import Allowed, check
from wyoming_units.video.camera import Camera
from wyoming_units.vision.picture import Picture, read_picture
from wyoming_units.wire.parts import unpack
from wyoming_units.wire.requests import Request

PUSH = "push"
_STALLED = 30.0
"""Seconds without a pushed picture: Home Assistant's cameras may take ten for one."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture, not opened yet."""

    open: Callable[[], Picture]
    """Blocking."""
    timestamp: float
    """Seconds since the epoch."""


class Source(Protocol):
    """Gives the newest picture of a camera."""

    @property
    def state(self) -> str:
        """`connecting`, `running`, `stalled`, `failed` or `ended`."""

    @property
    def text(self) -> str | None:
        """Why it is in its state."""

    @property
    def dropped(self) -> int:
        """Pictures that were overtaken by newer ones or broken."""

    @property
    def name(self) -> str:
        """What it is, without credentials."""

    async def newest(self) -> Shot | None:
        """Wait for a picture that was not given before; None when there will be no more."""

    def close(self) -> None:
        """Let the camera go."""


class CameraSource:
    """A camera that the node opens itself; it ends when the client says so."""

    def __init__(self, request: Request, camera: Camera) -> None:
        self._camera = camera
        self.name = camera.source
        camera.start()
        self._ended = asyncio.ensure_future(_end_of(request))

    @property
    def state(self) -> str:
        """Return that of the camera."""
        return self._camera.state

    @property
    def text(self) -> str | None:
        """Return why the camera is in its state."""
        return self._camera.text

    @property
    def dropped(self) -> int:
        """Return the pictures of the camera that nobody took."""
        return self._camera.dropped

    async def newest(self) -> Shot | None:
        """Wait for a picture, or for the end of the watch."""
        getting = asyncio.ensure_future(self._camera.newest())
        try:
            await asyncio.wait({getting, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                return None
            frame = getting.result()
        finally:
            getting.cancel()
        picture = Picture(pixels=frame.pixels, width=frame.width, height=frame.height)
        return Shot(open=lambda: picture, timestamp=frame.at)

    def close(self) -> None:
        """Close the camera."""
        self._ended.cancel()
        self._camera.close()


async def _end_of(request: Request) -> None:
    """Wait until a client has unwatched; pictures that it sends all the same are nobody's."""
    async for _ in request:
        pass


class PushSource:
    """The client sends `frame` events; the newest one counts."""

    name = PUSH
    text: str | None = None

    def __init__(self, request: Request, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.state = "connecting"
        self.dropped = 0
        self._newest: Shot | None = None
        self._ended = False
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = asyncio.ensure_future(self._read(request))

    async def _read(self, request: Request) -> None:
        async for arrival in request:
            event = arrival.event
            try:
                image = unpack(event).get("image")
                timestamp = event.data.get("timestamp")
            except BadRequest as error:
                self._broken(str(error))
                continue
            if image is None:
                self._broken("a frame needs an image")
                continue
            self.dropped += self._newest is not None
            at = timestamp if isinstance(timestamp, int | float) else time.time()
            self._newest = Shot(open=partial(read_picture, image.data), timestamp=at)
            self._news.set()
            self._set("running")
        self._ended = True
        self._news.set()

    def _broken(self, text: str) -> None:
        self.dropped += 1
        self.text = text
        self._changed()

    def _set(self, state: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_STALLED, self._stall)
        if state != self.state:
            self.state, self.text = state, None
            self._changed()

    def _stall(self) -> None:
        self.state, self.text = "stalled", f"no picture came for {_STALLED:g} s"
        self._changed()

    async def newest(self) -> Shot | None:
        """Wait for a picture, or for the end of the watch."""
        while self._newest is None and not self._ended:
            self._news.clear()
            await self._news.wait()
        if self._ended:
            return None
        shot, self._newest = self._newest, None
        return shot

    def close(self) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        self._reading.cancel()


async def open_source(
    request: Request, source: str, allowed: Allowed, changed: Callable[[], None]
) -> Source:
    """Return the source of a watch; `BadRequest` for an address that may not be opened."""
    if source == PUSH:
        return PushSource(request, changed)
    await asyncio.to_thread(check, source, allowed)
    return CameraSource(request, Camera(source, allowed=allowed, changed=changed))
