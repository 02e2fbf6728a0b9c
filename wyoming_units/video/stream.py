"""One stream of pictures: opened and decoded with PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote

from wyoming_units.errors import BadImage, BadRequest, TimedOut, UnitError
from wyoming_units.video.addresses import Allowed, check, file_of, network, port, resolve
from wyoming_units.video.web import Web
from wyoming_units.vision.scene import Pixels

FIRST = 15.0
"""Seconds for the first picture: some cameras send a whole one every ten."""
NEXT = 5.0
"""Seconds without a picture after which a stream has stalled."""
MOST = (1920, 1080)
"""Width and height of the largest picture that is given out."""

# No playlists, which name further addresses and files.
_FORMATS = (
    "mpjpeg,mpegts,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,flv,avi,asf,ogg,h264,hevc,mjpeg,nut,"
    "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,gif"
)
_ALL = {"analyzeduration": "2000000", "fpsprobesize": "0"}
_READ = {"protocol_whitelist": "none", "format_whitelist": _FORMATS}
_RTSP = {
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls",
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
}
_MOST_PIXELS = {"max_pixels": str(64 << 20)}


@cache
def _hardware() -> str | None:
    """Return the kind of device that decodes H.264 on this machine."""
    import av
    from av.codec.hwaccel import HWAccel, hwdevices_available

    for name in hwdevices_available():
        try:
            if av.CodecContext.create("h264", "r", hwaccel=HWAccel(name)).is_hwaccel:
                return str(name)
        except (av.FFmpegError, RuntimeError):
            continue
    return None


class Stream:
    """A camera's stream, decoded frame by frame in the thread of its user; all calls but `cut` block."""

    recorded = False
    """Whether it has an end, and comes as fast as it is read."""

    def __init__(self, url: str, allowed: Allowed | None, *, hardware: bool = True) -> None:
        self._url = url
        self._allowed = allowed
        self._hardware = hardware
        self._web = Web(url, allowed) if url.lower().startswith("http") else None
        self._container: Any = None

    def open(self, seconds: float = FIRST) -> None:
        """Connect within so many seconds and find the video; a `UnitError` says why not."""
        began = monotonic()
        try:
            self._open(seconds)
        except Exception as error:  # noqa: BLE001 - of three libraries and the system
            self.close()
            raise _explained(error, late=monotonic() - began >= seconds) from None

    def _open(self, seconds: float) -> None:
        import av
        from av.codec.hwaccel import HWAccel

        # What libraries log holds addresses with their passwords.
        av.logging.set_level(None)
        source, options, form = self._source(seconds)
        device = _hardware() if self._hardware else None
        self._container = av.open(
            source,
            "r",
            format=form,
            options={**_ALL, **options},
            timeout=(seconds, NEXT),
            hwaccel=HWAccel(device) if device else None,
        )
        if not self._container.streams.video:
            raise BadImage("there is no video in it")
        codec = self._container.streams.video[0].codec_context
        codec.options = _MOST_PIXELS
        if not self.recorded:
            codec.flags |= av.codec.context.Flags.low_delay

    def _source(self, seconds: float) -> tuple[Any, dict[str, str], str | None]:
        """Return what PyAV shall open: something to read wherever we can connect ourselves."""
        if self._web is not None:
            self._web.open(seconds)
            self.recorded = self._web.recorded
            several = self._web.content_type.startswith("multipart/")
            return self._web, _READ, "mpjpeg" if several else None
        if (path := file_of(self._url)) is not None:
            if self._allowed is not None:
                check(self._url, self._allowed)
            self.recorded = True
            # A pipe that nobody writes to must not block; a number as its name gives nothing away.
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb"), _READ, None
        return self._pinned(), _RTSP, None

    def _pinned(self) -> str:
        """Return the address with the host replaced by what it resolves to now, which is checked."""
        parts = network(self._url)
        host = resolve(parts.hostname or "", port(parts), self._allowed)
        netloc = f"[{host}]:{port(parts)}" if ":" in host else f"{host}:{port(parts)}"
        if parts.username is not None:
            user, password = (
                quote(unquote(part or ""), safe="") for part in (parts.username, parts.password)
            )
            netloc = f"{user}:{password}@{netloc}"
        return parts._replace(netloc=netloc).geturl()

    def packets(self) -> Iterator[tuple[list[Any], int]]:
        """Yield for each packet its frames and how many were broken; a `UnitError` says why it broke off."""
        import av

        video = self._container.streams.video[0]
        packets = self._container.demux()
        while True:
            began = monotonic()
            try:
                packet = next(packets, None)
            except Exception as error:  # noqa: BLE001 - of three libraries and the system
                raise _explained(error, late=monotonic() - began >= NEXT) from None
            if packet is None:
                return
            if packet.stream is not video:
                yield [], 0
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                yield [], 1
                continue
            if frames and self._web is not None:
                self._web.refresh(NEXT)
            whole = [frame for frame in frames if not frame.is_corrupt]
            yield whole, len(frames) - len(whole)

    def cut(self) -> None:
        """End all waiting for an HTTP camera at once; others end with their time-out. From any thread."""
        if self._web is not None:
            self._web.cut()

    def close(self) -> None:
        """Let the camera go."""
        if self._container is not None:
            self._container.close()
        if self._web is not None:
            self._web.close()


def picture(frame: Any) -> Pixels:
    """Return a decoded frame as RGB, made smaller where it is larger than `MOST`."""
    ratio = min(1.0, MOST[0] / frame.width, MOST[1] / frame.height)
    width, height = (max(1, round(side * ratio)) for side in (frame.width, frame.height))
    pixels: Pixels = frame.reformat(width, height, format="rgb24").to_ndarray()
    return pixels


def _explained(error: Exception, *, late: bool) -> UnitError:
    """Return what is wrong in one line; never the library's own, which may hold the address."""
    from av.error import InvalidDataError

    if isinstance(error, UnitError):
        return error
    if isinstance(error, HTTPError):
        error.close()
        return BadRequest(f"the camera answered {error.code} {_phrase(error.code)}".rstrip())
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        return _explained(error.reason, late=late)
    if late or isinstance(error, TimeoutError):
        return TimedOut("nothing comes from the camera")
    if isinstance(error, InvalidDataError):
        return BadImage("it is no video or picture that can be decoded")
    if isinstance(error, HTTPException):
        return BadRequest("the camera does not speak HTTP")
    why = getattr(error, "strerror", None) or type(error).__name__
    return BadRequest(f"the camera cannot be opened: {why}")


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in set(HTTPStatus) else ""
