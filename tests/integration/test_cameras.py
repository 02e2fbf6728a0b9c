"""Cameras that behave, and cameras that do not: the newest picture comes, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count, pairwise
from pathlib import Path

import pytest

pytest.importorskip("av")
pytest.importorskip("PIL")

from tests.integration.camera_server import (
    Rtsp,
    answer,
    jpeg,
    live,
    motion,
    part,
    rtp_packets,
    serving,
    silent,
    still,
    video,
)
from tests.integration.recordings import resident_mb
from wyoming_units.errors import BadImage, BadRequest, TimedOut, UnitError
from wyoming_units.video.addresses import Allowed
from wyoming_units.video.camera import Camera, Frame, grab

PRIVATE = Allowed()
RED, GREEN = (220, 20, 20), (20, 200, 20)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "camera"]


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


class Watched(Camera):
    """A camera that remembers its states."""

    def __init__(self, url: str, allowed: Allowed = PRIVATE) -> None:
        self.states: list[tuple[str, str | None]] = []
        super().__init__(url, allowed=allowed, changed=self._note)

    def _note(self) -> None:
        assert asyncio.get_running_loop() is self._loop
        self.states.append((self.state, self.text))

    async def next(self, seconds: float = 20) -> Frame:
        return await asyncio.wait_for(self.newest(), seconds)


@asynccontextmanager
async def opened(url: str, allowed: Allowed = PRIVATE) -> AsyncIterator[Watched]:
    camera = Watched(url, allowed)
    camera.start()
    try:
        yield camera
    finally:
        camera.close()


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    end = time.monotonic() + 7
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert not threads()


def is_close(frame: Frame, color: tuple[int, int, int]) -> bool:
    corner = frame.pixels[-8:, -8:].reshape(-1, 3).mean(axis=0)
    return all(abs(has - wants) < 16 for has, wants in zip(corner, color, strict=True))


def endless(color: tuple[int, int, int] = RED) -> Iterator[bytes]:
    picture = jpeg(color)
    while True:
        yield picture


async def test_motion_jpeg_gives_ever_newer_pictures_in_their_colours() -> None:
    with serving(motion(endless)) as server:
        async with opened(server.url()) as camera:
            first, second = await camera.next(), await camera.next()
            assert first.pixels.shape == (48, 64, 3)
            assert (first.width, first.height) == (64, 48)
            assert is_close(first, RED)
            assert time.time() - 5 < first.at < second.at <= time.time()
            assert camera.states == [("running", None)]


async def test_who_asks_rarely_gets_the_newest_and_the_others_are_counted() -> None:
    with serving(motion(endless, rate=50)) as server:
        async with opened(server.url()) as camera:
            await camera.next()
            await asyncio.sleep(0.6)
            frame = await camera.next()
            assert time.time() - frame.at < 0.2
            assert camera.dropped >= 10


async def test_a_still_picture_is_fetched_when_it_is_asked_for() -> None:
    pictures = count()

    def play(connection: socket.socket, head: str) -> None:
        still(jpeg(RED if next(pictures) == 0 else GREEN))(connection, head)

    with serving(play) as server:
        async with opened(server.url("/snap.jpg")) as camera:
            assert is_close(await camera.next(), RED)
            await asyncio.sleep(0.3)
            assert len(server.heads) == 1
            assert is_close(await camera.next(), GREEN)
            assert len(server.heads) == 2
            assert camera.states == [("running", None)]


@pytest.mark.parametrize(("form", "codec"), [("mp4", "libx264"), ("matroska", "mpeg4")])
async def test_a_file_is_played_at_its_own_pace_again_and_again(
    tmp_path: Path, form: str, codec: str
) -> None:
    path = tmp_path / "yard"
    path.write_bytes(video(form, codec, frames=30, color=GREEN))  # 1.2 s
    async with opened(str(path), Allowed(files=True)) as camera:
        began = time.monotonic()
        shots = [await camera.next() for _ in range(40)]
        assert time.monotonic() - began > 1
        assert is_close(shots[0], GREEN)
        assert camera.states == [("running", None)]


async def test_a_file_that_is_not_allowed_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "yard.jpg"
    path.write_bytes(jpeg(RED))
    async with opened(str(path)) as camera:
        await until(lambda: camera.state == "failed")
        assert "cameras.files" in (camera.text or "")


async def test_the_size_may_change_and_bytes_may_break_in_mid_stream() -> None:
    broken = bytearray(video(frames=40))
    for place in range(len(broken) // 3, len(broken) // 2, 97):
        broken[place] ^= 0xFF
    data = bytes(broken) + video(frames=75, size=(128, 96), color=GREEN)
    with serving(live("video/mp2t", data, 5)) as server:
        async with opened(server.url()) as camera:
            sizes = []
            while (128, 96) not in sizes:
                frame = await camera.next()
                assert frame.pixels.shape == (frame.height, frame.width, 3)
                sizes.append((frame.width, frame.height))
            assert sizes[0] == (64, 48)
            assert is_close(frame, GREEN)
            assert camera.states == [("running", None)]


async def test_broken_pictures_are_counted_and_the_next_one_comes() -> None:
    def pictures() -> Iterator[bytes]:
        yield jpeg(RED)
        for _ in range(5):
            yield b"\xff\xd8 this is no picture \xff\xd9"
        while True:
            yield jpeg(GREEN)

    with serving(motion(pictures)) as server:
        async with opened(server.url()) as camera:
            while not is_close(await camera.next(), GREEN):
                pass
            assert camera.dropped >= 5
            assert camera.states == [("running", None)]


async def test_a_camera_that_stalls_is_opened_again_and_others_go_on() -> None:
    tries = count()

    def stalling(connection: socket.socket, head: str) -> None:
        if next(tries):
            motion(lambda: endless(GREEN))(connection, head)
        connection.sendall(answer("multipart/x-mixed-replace; boundary=frame"))
        for _ in range(5):
            connection.sendall(part(jpeg(RED)))
        connection.recv(1)

    with serving(stalling) as bad, serving(motion(endless)) as good:
        async with opened(bad.url()) as camera, opened(good.url()) as other:
            stamps = []
            while not camera.states or camera.states[-1] != ("running", None) or len(bad.heads) < 2:
                stamps.append((await other.next()).at)
            while not is_close(await camera.next(), GREEN):
                pass
            assert [state for state, _ in camera.states] == ["running", "stalled", "running"]
            assert camera.states[1][1] == "nothing comes from the camera"
            assert other.states == [("running", None)]
            assert max(b - a for a, b in pairwise(stamps)) < 1


async def test_a_stream_that_ends_is_opened_again_a_little_later_each_time() -> None:
    began: list[float] = []

    def play(connection: socket.socket, head: str) -> None:
        began.append(time.monotonic())
        motion(lambda: iter([jpeg(RED)] * 3))(connection, head)

    with serving(play) as server:
        async with opened(server.url()) as camera:
            await until(lambda: len(began) == 3)
            assert [text for _, text in camera.states][:2] == [None, "the stream ended"]
            assert began[1] - began[0] > 0.9
            assert began[2] - began[1] > 1.9


async def test_a_camera_that_says_nothing_is_let_go_at_once() -> None:
    with serving(silent) as server:
        async with opened(server.url()) as camera:
            await until(lambda: server.heads)
            assert camera.state == "connecting"
        began = time.monotonic()
        await until(lambda: not threads())
        assert time.monotonic() - began < 1


async def test_a_running_camera_is_let_go_at_once() -> None:
    before = threading.active_count()
    with serving(motion(endless)) as server:
        async with opened(server.url()) as camera:
            await camera.next()
        began = time.monotonic()
        await until(lambda: not threads())
        assert time.monotonic() - began < 0.5
    assert threading.active_count() <= before + 1  # the event loop's own worker


async def test_nobody_there_is_told_and_tried_again() -> None:
    with serving(still(jpeg(RED))) as server:
        url = server.url()
    async with opened(url) as camera:
        await until(lambda: camera.state == "failed")
        assert camera.text == "the camera cannot be opened: Connection refused"


async def test_a_redirect_leads_only_where_cameras_may_be_opened() -> None:
    def play(connection: socket.socket, head: str) -> None:
        where = "http://8.8.8.8/" if "/away" in head else "/here"
        where = "file:///etc/passwd" if "/file" in head else where
        if "/here" in head:
            still(jpeg(RED))(connection, head)
        connection.sendall(
            answer("text/html", status="302 Found", Location=where, Content_Length=0)
        )

    with serving(play) as server:
        async with opened(server.url("/start")) as camera:
            assert is_close(await camera.next(), RED)
        async with opened(server.url("/away")) as camera:
            await until(lambda: camera.state == "failed")
            assert "8.8.8.8 is in no private network" in (camera.text or "")
        async with opened(server.url("/file")) as camera:
            await until(lambda: camera.state == "failed")


async def test_a_playlist_opens_no_file_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "secret.ts"
    path.write_bytes(video())
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{path}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {path}\n",
    ):
        play = answer("application/x-mpegurl", text.encode(), Content_Length=len(text))
        with serving(lambda connection, head, play=play: connection.sendall(play)) as server:  # type: ignore[misc]
            with pytest.raises(UnitError):
                grab(server.url("/a.m3u8"), 3)


async def test_basic_credentials_open_the_camera_and_appear_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    right = "Authorization: Basic " + b64encode(b"joe:s3cr%t").decode()

    def play(connection: socket.socket, head: str) -> None:
        if right in head:
            still(jpeg(RED))(connection, head)
        connection.sendall(
            answer(
                "text/html",
                status="401 Unauthorized",
                WWW_Authenticate='Basic realm="yard"',
                Content_Length=0,
            )
        )

    with serving(play) as server:
        async with opened(server.url(user="joe:s3cr%25t")) as camera:
            assert is_close(await camera.next(), RED)
        async with opened(server.url(user="joe:wr0ng")) as camera:
            await until(lambda: camera.state == "failed")
            assert camera.text == "the camera answered 401 Unauthorized"
            assert camera.source == server.url()
    told = caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in ("s3cr", "wr0ng", "joe") if secret in told]


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return rtp_packets()


@pytest.mark.parametrize("scheme", ["", "Basic", "Digest"])
async def test_rtsp_is_played_over_tcp(packets: list[bytes], scheme: str) -> None:
    rtsp = Rtsp(packets, scheme, password="s3:cr@t")
    with serving(rtsp) as server:
        async with opened(server.url("/live", scheme="rtsp", user="joe:s3%3Acr%40t")) as camera:
            first, second = await camera.next(), await camera.next()
            assert is_close(first, (30, 30, 200))
            assert second.at > first.at
            assert camera.source == f"rtsp://127.0.0.1:{server.port}/live"
        began = time.monotonic()
        await until(lambda: not threads())
        assert time.monotonic() - began < 0.5
    assert {"DESCRIBE", "SETUP", "PLAY"} <= set(rtsp.methods)


async def test_rtsp_with_wrong_credentials_tells_none(
    packets: list[bytes], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(Rtsp(packets, "Digest", password="right")) as server:
        async with opened(server.url("/live", scheme="rtsp", user="joe:wr0ng")) as camera:
            await until(lambda: camera.state == "failed")
            assert "401" in (camera.text or "")
    told = caplog.text + "".join(capfd.readouterr()) + (camera.text or "")
    assert "wr0ng" not in told


async def test_memory_stays_flat_over_many_frames() -> None:
    picture = jpeg(RED, 640, 480)

    def pictures() -> Iterator[bytes]:
        while True:
            yield picture

    with serving(motion(pictures, rate=1000)) as server:
        async with opened(server.url()) as camera:
            await camera.next()
            for goal in (500, 3000):
                while camera.dropped < goal:
                    await camera.next()
                    await asyncio.sleep(0.05)
                if goal == 500:
                    before = resident_mb()
            assert resident_mb() - before < 20


def test_grab_takes_one_picture_of_whatever_has_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(GREEN, 3000, 2000))
    assert grab(str(path)).shape == (1080, 1620, 3)
    with serving(motion(endless)) as server:
        assert grab(server.url()).shape == (48, 64, 3)


def test_grab_says_what_is_wrong_without_credentials(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"this is text")
    with pytest.raises(BadImage, match=r"a\.jpg: "):
        grab(str(path))
    with pytest.raises(BadRequest, match="No such file"):
        grab(str(tmp_path / "none.jpg"))
    with serving(silent) as server:
        with pytest.raises(TimedOut) as error:
            grab(server.url(user="joe:secret"), 1)
        assert "secret" not in str(error.value)


def test_an_rtsp_camera_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with pytest.raises(TimedOut):
            grab(f"rtsp://127.0.0.1:{listening.getsockname()[1]}/live", 1)


async def test_an_rtsp_camera_that_stalls_is_opened_again(packets: list[bytes]) -> None:
    rtsp = Rtsp(packets)

    def play(connection: socket.socket, head: str) -> None:
        rtsp.packets = packets if rtsp.methods else packets[:10]
        rtsp(connection, head)
        connection.recv(1)

    with serving(play) as server:
        async with opened(server.url("/live", scheme="rtsp")) as camera:
            await until(lambda: len(camera.states) == 3)
            assert [state for state, _ in camera.states] == ["running", "stalled", "running"]
            await camera.next()
