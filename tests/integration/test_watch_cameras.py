"""Watches of cameras that the node opens itself, some of which misbehave, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest

pytest.importorskip("av")

from .camera_server import motion, serving, still
from .raw import Raw
from .recordings import resident_mb
from .service import until
from .squares import picture, seeing

RULES = {"motion": 0, "patience": 0.3, "inertia": 1}
EMPTY = picture()
SOMEBODY = picture(("person", 100, 60, 60))


def passing() -> Iterator[bytes]:
    """Yield an empty yard, and then somebody in it."""
    return chain(repeat(EMPTY, 30), repeat(SOMEBODY))


async def told(peer: Raw, kind: str, key: str, **wanted: Any) -> dict[str, Any]:
    """Return the first event of a kind and watch that has some values."""
    while True:
        frame = await peer.frame(20)
        assert frame is not None
        if (frame["type"], frame.get("id")) == (kind, key):
            if wanted.items() <= frame.items():
                return frame


async def watch(peer: Raw, key: str, url: str) -> None:
    await peer.event("watch", {"id": key, "source": url, "fps": 20, "rules": RULES})


async def test_somebody_who_comes_into_a_stream_has_appeared() -> None:
    with serving(motion(passing)) as camera:
        async with seeing() as (peer, service, _):
            await watch(peer, "yard", camera.url())
            assert (await told(peer, "watch-status", "yard"))["state"] == "connecting"
            await told(peer, "watch-status", "yard", state="running")
            event = await told(peer, "object-event", "yard")
            assert (event["kind"], event["object"]["label"]) == ("appeared", "person")
            assert (await told(peer, "image-analysis", "yard"))["width"] == 320
            assert service.unit.watches()[0]["state"] == "running"
            await peer.event("unwatch", {"id": "yard"})
            await told(peer, "watch-status", "yard", state="ended")
            await until(lambda: not service.unit.watches())


async def test_a_camera_of_still_pictures_is_watched_like_a_stream() -> None:
    with serving(still(SOMEBODY)) as camera:
        async with seeing() as (peer, _, _):
            await watch(peer, "door", camera.url())
            seen = [await told(peer, "image-analysis", "door") for _ in range(4)]
            assert seen[-1]["objects"][0]["label"] == "person"


async def test_credentials_are_nowhere_in_what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with serving(still(SOMEBODY)) as camera:
        async with seeing() as (peer, service, _):
            await watch(peer, "door", camera.url("/x?token=hidden", user="me:secret"))
            await told(peer, "image-analysis", "door")
            watched = str(service.stats())
            assert "127.0.0.1" in watched
            for secret in ("secret", "hidden"):
                assert secret not in watched
                assert secret not in caplog.text


def misbehaving(connection: socket.socket, head: str) -> None:
    """Send what no decoder takes, and hang up."""
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + bytes(range(256)) * 99
    )


async def test_cameras_that_misbehave_are_told_and_disturb_no_other() -> None:
    def stalls() -> Iterator[bytes]:
        yield from repeat(EMPTY, 20)
        raise ConnectionAbortedError

    def resizes() -> Iterator[bytes]:
        for width in (320, 160, 640):
            yield from repeat(picture(("car", 40, 40, 40), width=width, height=120), 15)

    with (
        serving(motion(passing)) as good,
        serving(motion(stalls)) as ending,
        serving(motion(resizes)) as changing,
        serving(misbehaving) as broken,
    ):
        async with seeing() as (peer, service, _):
            urls = {"good": good, "ending": ending, "changing": changing, "broken": broken}
            for key, server in urls.items():
                await watch(peer, key, server.url())
            widths: set[int] = set()
            states: dict[str, str] = {}
            seqs: list[int] = []
            last: dict[str, Any] = {}
            while len(widths) < 3 or len(seqs) < 60 or states.keys() < {"ending", "broken"}:
                frame = await peer.frame(20)
                assert frame is not None
                assert frame["type"] != "error", frame
                if frame["type"] == "watch-status" and frame["state"] == "failed":
                    assert frame["text"]
                    states[frame["id"]] = frame["text"]
                elif frame["type"] == "image-analysis":
                    last[frame["id"]] = frame
                    if frame["id"] == "changing":
                        widths.add(frame["width"])
                    if frame["id"] == "good":
                        seqs.append(frame["seq"])
            assert "good" not in states
            assert widths == {320, 160, 640}
            assert last["good"]["objects"][0]["label"] == "person"
            assert len(service.unit.watches()) == 4


async def test_memory_is_flat_while_a_watch_runs() -> None:
    with serving(motion(lambda: repeat(SOMEBODY), rate=200)) as camera:
        async with seeing() as (peer, _, _):
            await peer.event(
                "watch",
                {"id": "yard", "source": camera.url(), "fps": 30, "rules": RULES}
                | {"want": ["annotated"]},
            )
            for _ in range(20):
                await told(peer, "image-analysis", "yard")
            before = resident_mb()
            for _ in range(150):
                await told(peer, "image-analysis", "yard")
            assert resident_mb() - before < 20


async def test_a_client_that_leaves_frees_its_camera() -> None:
    with serving(motion(passing)) as camera:
        async with seeing() as (peer, service, _):
            await watch(peer, "yard", camera.url())
            await told(peer, "image-analysis", "yard")
            peer.writer.close()
            await until(lambda: not service.unit.watches())
