"""A camera without a lens: it plays pictures and videos, as MJPEG and as a still."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from itertools import cycle
from pathlib import Path

import av
from aiohttp import web
from PIL import Image, ImageOps

from demo.processes import DemoError

_SIZE = (1620, 1080)
_FPS = 5
_STILL_SECONDS = 8
"""For which a picture is shown."""
_SWAY = 16
"""Pixels by which the camera sways in the wind: a still picture would show no motion."""
_BOUNDARY = "picture"


class PictureCamera:
    """Shows files, all in a folder, or what is at an address, one after the other and again."""

    def __init__(self, shown: Sequence[str]) -> None:
        """`DemoError` where one cannot be opened."""
        self._shown = [source for each in shown for source in _sources(each)]
        for source in self._shown:
            _open(source).close()
        self._newest = b""
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Run it on a free port of loopback; give its address, which has `/stream` and `/still`."""
        app = web.Application()
        app.add_routes([web.get("/stream", self._stream), web.get("/still", self._still)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        player = asyncio.create_task(self._play())
        try:
            host, port, *_ = runner.addresses[0]
            yield f"http://{host}:{port}"
        finally:
            player.cancel()
            with suppress(asyncio.CancelledError):
                await player
            await runner.cleanup()

    async def _play(self) -> None:
        pictures = _play(self._shown)
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + 1 / _FPS
            picture = await asyncio.to_thread(lambda: _jpeg(next(pictures)))
            async with self._changed:
                self._newest = picture
                self._changed.notify_all()
            await asyncio.sleep(due - clock())

    async def _next(self) -> bytes:
        async with self._changed:
            await self._changed.wait()
            return self._newest

    async def _still(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._newest or await self._next(), content_type="image/jpeg")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                picture = await self._next()
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}"
                part = f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode()
                await response.write(part + picture + b"\r\n")
        return response


def _sources(shown: str) -> list[str]:
    folder = Path(shown)
    if not folder.is_dir():
        return [shown]
    if not (files := sorted(str(path) for path in folder.iterdir() if path.is_file())):
        raise DemoError(f"there is no picture in {folder}")
    return files


def _open(source: str) -> av.container.InputContainer:
    try:
        container = av.open(source, timeout=10)
    except (OSError, av.FFmpegError) as err:
        raise DemoError(f"cannot show {source}: {err.strerror or err}") from err
    if not container.streams.video:
        container.close()
        raise DemoError(f"cannot show {source}: there is no picture in it")
    return container


def _play(sources: Sequence[str]) -> Iterator[Image.Image]:
    """Yield what the camera sees, `_FPS` pictures for each second."""
    for source in cycle(sources):
        with _open(source) as container:
            # FFmpeg reads single pictures with one of these.
            is_still = container.format.name == "image2" or container.format.name.endswith("_pipe")
            at = 0.0
            for frame in container.decode(video=0):
                if is_still:
                    yield from _swaying(_image(frame))
                elif frame.time is None or frame.time >= at:
                    at = (frame.time or at) + 1 / _FPS
                    yield ImageOps.pad(_image(frame), _SIZE)


def _image(frame: av.VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def _swaying(picture: Image.Image) -> Iterator[Image.Image]:
    width, height = _SIZE
    wide = ImageOps.pad(picture, (width + 2 * _SWAY, height))
    for number in range(_STILL_SECONDS * _FPS):
        left = round(_SWAY * (1 + math.sin(number / 2)))
        yield wide.crop((left, 0, left + width, height))


def _jpeg(picture: Image.Image) -> bytes:
    written = BytesIO()
    picture.save(written, "JPEG", quality=85)
    return written.getvalue()
