"""The newest picture of a camera, whatever happens to its stream."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wyoming_units.errors import TimedOut, UnitError
from wyoming_units.video.addresses import Allowed, redact
from wyoming_units.video.stream import FIRST, NEXT, Stream, picture
from wyoming_units.vision.scene import Pixels

_LOGGER = logging.getLogger(__name__)
_LONGEST = 30.0
"""Seconds between two tries; a stream that ran for so long is tried again after one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One picture of a camera."""

    pixels: Pixels
    """At most 1920x1080."""
    at: float
    """When it arrived, in seconds since the epoch."""
    width: int
    height: int
    """Size of the stream."""


class Camera:
    """Reads one stream in a thread of its own, again and again, and keeps its newest frame only.

    `changed` is called in the event loop that `start` was called in. After `close` the thread ends with the next
    packet, at once where it waits for HTTP, else within the time-out of what it waits for: 5 s for a packet,
    15 s each for an RTSP camera's first answer and for its first pictures, and as long as the system resolves a name.
    """

    def __init__(self, url: str, *, allowed: Allowed, changed: Callable[[], None]) -> None:
        self.source = redact(url)
        """The address without credentials."""
        self.state = "connecting"
        """`connecting`, `running`, `stalled` or `failed`."""
        self.text: str | None = None
        """Why it is in its state."""
        self.dropped = 0
        """Frames that were overtaken by newer ones, or broken."""
        self._url = url
        self._allowed = allowed
        self._changed = changed
        self._hardware = True
        self._frame: tuple[Any, float] | None = None
        self._stream: Stream | None = None
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to connect; called once, in the event loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="camera", daemon=True).start()

    async def newest(self) -> Frame:
        """Wait for a frame that was not given out before; a still picture is fetched for it."""
        while True:
            self._news.clear()
            if taken := self._take():
                return await asyncio.to_thread(_shot, *taken)
            self._wanted.set()
            # It may have come in between.
            if self._frame is None:
                await self._news.wait()

    def close(self) -> None:
        """Let the camera go, without waiting for that."""
        self._closing.set()
        self._wanted.set()
        with self._lock:
            self._frame = None
            if self._stream is not None:
                self._stream.cut()

    def _take(self) -> tuple[Any, float] | None:
        with self._lock:
            taken, self._frame = self._frame, None
        return taken

    def _run(self) -> None:
        pause = 1.0
        while not self._closing.is_set():
            began = time.monotonic()
            state, text = "failed", "the stream ended"
            try:
                if self._play():
                    continue
            except UnitError as error:
                state, text = self._verdict(error), str(error)
            except Exception as error:
                _LOGGER.exception("camera %s", self.source)
                text = f"the camera's stream cannot be read: {type(error).__name__}"
            if time.monotonic() - began > _LONGEST:
                pause = 1.0
            self._tell(state, text)
            self._closing.wait(pause)
            pause = min(2 * pause, _LONGEST)

    def _verdict(self, error: UnitError) -> str:
        return "stalled" if isinstance(error, TimedOut) and self.state == "running" else "failed"

    def _play(self) -> bool:
        """Read the stream to its end; return whether to begin again at once."""
        stream = Stream(self._url, self._allowed, hardware=self._hardware)
        with self._lock:
            self._stream = stream
        seen, began = 0, time.monotonic()
        try:
            stream.open()
            try:
                seen = self._read(stream)
            finally:
                # A device that decodes nothing of this stream is not asked again.
                self._hardware = self._hardware and self.state == "running"
        finally:
            stream.close()
        if seen == 1:
            # A still picture: another is fetched when somebody asks for it.
            # Who closes sets both, but a frame that is just kept may take the wish for itself.
            while not self._closing.is_set() and not self._wanted.wait(0.1):
                pass
            return True
        if not (seen and stream.recorded):
            return False
        self._closing.wait(began + 1 - time.monotonic())
        return True

    def _read(self, stream: Stream) -> int:
        """Keep the newest frame until the stream ends; return how many there were."""
        clock = _Clock(self._closing) if stream.recorded else None
        seen, until = 0, time.monotonic() + FIRST
        for frames, broken in stream.packets():
            if self._closing.is_set():
                break
            self.dropped += broken
            for frame in frames:
                if clock is not None:
                    clock.wait_for(frame.time)
                self._keep(frame)
                seen += 1
                until = time.monotonic() + NEXT
            if time.monotonic() > until:
                raise TimedOut("no pictures come")
        return seen

    def _keep(self, frame: Any) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            self.dropped += self._frame is not None
            self._frame = (frame, time.time())
        if self.state != "running":
            self._tell("running", None)
        if self._wanted.is_set():
            self._wanted.clear()
            self._call(self._news.set)

    def _tell(self, state: str, text: str | None) -> None:
        if not self._closing.is_set() and (state, text) != (self.state, self.text):
            self.state, self.text = state, text
            self._call(self._changed)

    def _call(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            self._closing.set()  # the event loop is gone


class _Clock:
    """Holds a recording to its own pace."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._began: float | None = None

    def wait_for(self, seconds: float | None) -> None:
        """Wait until a frame of that time of the recording is due."""
        if seconds is None:
            return
        if self._began is None:
            self._began = time.monotonic() - seconds
        due = self._began + seconds - time.monotonic()
        self._closing.wait(min(max(due, 0.0), NEXT))


def _shot(frame: Any, at: float) -> Frame:
    return Frame(pixels=picture(frame), at=at, width=frame.width, height=frame.height)


def grab(url: str, seconds: float = 10) -> Pixels:
    """Return one picture of a camera or file, any address; blocking; a `UnitError` says why not."""
    stream = Stream(url, None)
    until = time.monotonic() + seconds
    try:
        stream.open(seconds)
        for frames, _ in stream.packets():
            if frames:
                return picture(frames[0])
            if time.monotonic() > until:
                raise TimedOut("no pictures come")
    except UnitError as error:
        raise type(error)(f"{redact(url)}: {error}") from None
    finally:
        stream.close()
    raise TimedOut(f"{redact(url)}: no pictures come")
