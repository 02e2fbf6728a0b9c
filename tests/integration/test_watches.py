"""Watches whose pictures the client sends: what is told of them, when, and what ends them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from .raw import Raw, raw
from .service import until
from .squares import Squares, picture, seeing

EMPTY = picture()
FAST = {"source": "push", "fps": 30, "rules": {"motion": 0, "inertia": 1, "patience": 0.2}}
YARD = {"name": "yard", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}


def person(left: int = 40) -> bytes:
    """Return a picture with somebody."""
    return picture(("person", left, 60, 60))


async def start(peer: Raw, key: str = "door", **data: Any) -> None:
    """Begin a watch and take its first status."""
    await peer.event("watch", {"id": key, **FAST, **data})
    status = await peer.frame()
    assert status is not None
    assert (status["type"], status["state"]) == ("watch-status", "connecting"), status


async def shown(peer: Raw, image: bytes, key: str = "door", **data: Any) -> list[dict[str, Any]]:
    """Send a picture; return all that is told up to its analysis, and before it what happened."""
    await peer.event("frame", {"id": key, **data}, image)
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != "image-analysis":
        frame = await peer.frame()
        assert frame is not None
        frame["payload"] = peer.payload
        frames.append(frame)
    return frames


def happened(frames: list[dict[str, Any]]) -> list[str]:
    """Return the kinds of all events."""
    return [frame["kind"] for frame in frames if frame["type"] == "object-event"]


async def looks(peer: Raw, image: bytes, count: int, key: str = "door") -> list[dict[str, Any]]:
    """Show a picture several times; return everything that is told."""
    return [frame for _ in range(count) for frame in await shown(peer, image, key)]


async def test_somebody_who_comes_has_appeared_once_with_a_snapshot_and_keeps_a_number() -> None:
    async with seeing() as (peer, _, _):
        await start(peer)
        await looks(peer, EMPTY, 3)
        before = time.time()
        frames = await looks(peer, person(), 5)
        events = [frame for frame in frames if frame["type"] == "object-event"]
        assert [event["kind"] for event in events] == ["appeared"]
        event = events[0]
        assert event["id"] == "door"
        assert event["object"]["label"] == "person"
        assert event["object"]["box"] == pytest.approx([40, 60, 100, 120], abs=3)
        assert before <= event["timestamp"] <= time.time()
        assert event["parts"][0]["name"] == "snapshot"
        assert event["payload"].startswith(b"\xff\xd8")
        analyses = [frame for frame in frames if frame["type"] == "image-analysis"]
        tracks = {each["track"] for analysis in analyses for each in analysis["objects"]}
        assert tracks == {event["object"]["track"]}
        assert [a["seq"] for a in analyses] == list(range(4, 9))


async def test_what_is_there_at_the_first_look_has_not_appeared_but_leaves() -> None:
    async with seeing() as (peer, _, _):
        await start(peer)
        frames = await looks(peer, person(), 5)
        assert happened(frames) == []
        assert frames[-1]["objects"][0]["label"] == "person"
        await asyncio.sleep(0.25)
        frames = await looks(peer, EMPTY, 3)
        await asyncio.sleep(0.25)
        assert happened(frames + await looks(peer, EMPTY, 3)) == ["left"]


async def test_a_zone_is_entered_with_the_foot_and_told_with_its_name() -> None:
    async with seeing() as (peer, _, _):
        await start(peer, zones=[YARD])
        await looks(peer, EMPTY, 1)
        frames = await looks(peer, person(80), 4)
        assert happened(frames) == ["appeared"]
        assert frames[-1]["objects"][0]["zones"] == []
        frames = [f for left in (95, 110, 125, 140) for f in await shown(peer, person(left))]
        frames += await looks(peer, person(150), 2)
        events = [frame for frame in frames if frame["type"] == "object-event"]
        assert [(event["kind"], event["zone"]) for event in events] == [("entered-zone", "yard")]
        assert frames[-1]["objects"][0]["zones"] == ["yard"]
        frames = await looks(peer, person(135), 1) + await looks(peer, person(125), 3)
        assert happened(frames) == ["left-zone"]


async def test_nothing_is_computed_where_nothing_moves_and_objects_stay() -> None:
    squares = Squares()
    async with seeing(squares) as (peer, _, _):
        await start(peer, rules={"motion": 0.01, "patience": 0.1, "inertia": 1})
        frames = await looks(peer, person(), 12)
        analyses = [frame for frame in frames if frame["type"] == "image-analysis"]
        assert 3 <= squares.looks < 8
        assert [each["label"] for each in analyses[-1]["objects"]] == ["person"]
        assert [a["motion"] for a in analyses][-1] is False
        looked = squares.looks
        frames = await looks(peer, person(200), 1)
        assert squares.looks == looked + 1
        assert frames[-1]["motion"] is True


async def test_wanted_pictures_come_with_what_was_looked_at() -> None:
    async with seeing() as (peer, _, _):
        await start(peer, want=["annotated"])
        frames = await shown(peer, person())
        assert frames[-1]["parts"][0]["name"] == "annotated"
        assert frames[-1]["payload"].startswith(b"\xff\xd8")


async def test_a_picture_overtaken_by_a_newer_one_is_dropped_and_counted() -> None:
    squares = Squares()
    squares.gate.clear()
    async with seeing(squares) as (peer, service, _):
        await start(peer)
        await peer.event("frame", {"id": "door", "timestamp": 0}, EMPTY)
        await until(lambda: service.unit.lanes[0].state()["running"] == 1)
        for timestamp in range(1, 5):
            await peer.event("frame", {"id": "door", "timestamp": timestamp}, EMPTY)
        await until(lambda: service.stats()["watches"][0]["dropped"] == 3)
        squares.gate.set()
        await peer.frame()  # running
        assert [(await peer.frame() or {}).get("timestamp") for _ in range(2)] == [0, 4]


async def test_a_broken_picture_is_told_once_and_the_watch_goes_on() -> None:
    async with seeing() as (peer, _, _):
        await start(peer)
        await shown(peer, EMPTY)
        for _ in range(3):
            await peer.event("frame", {"id": "door"}, b"no picture")
            await asyncio.sleep(0.1)
        frames = await looks(peer, person(), 3)
        told = [frame for frame in frames if frame["type"] == "watch-status"]
        assert len(told) == 1
        assert told[0]["text"]
        assert frames[-1]["objects"]


async def test_unwatching_is_answered_and_frees_the_watch() -> None:
    async with seeing() as (peer, service, _):
        await start(peer)
        await shown(peer, EMPTY)
        await peer.event("unwatch", {"id": "door"})
        frame = await peer.frame()
        assert frame is not None
        assert (frame["type"], frame["id"], frame["state"]) == ("watch-status", "door", "ended")
        await until(lambda: not service.unit.watches())


async def test_a_client_that_leaves_frees_its_watches_within_100_ms() -> None:
    async with seeing() as (_, service, port):
        async with raw(port) as peer:
            await start(peer, "door")
            await start(peer, "yard")
            assert len(service.unit.watches()) == 2
        began = time.monotonic()
        await until(lambda: not service.unit.watches())
        assert time.monotonic() - began < 0.1


async def test_cameras_of_one_client_take_turns_and_do_not_mix() -> None:
    async with seeing() as (peer, _, _):
        for key in ("door", "yard"):
            await start(peer, key)
        for key, image in (("door", person()), ("yard", picture(("car", 100, 100, 50)))):
            await peer.event("frame", {"id": key}, EMPTY)
            for _ in range(4):
                await peer.event("frame", {"id": key}, image)
                await asyncio.sleep(0.06)
        seen: dict[str, set[str]] = {"door": set(), "yard": set()}
        while not all(seen.values()):
            frame = await peer.frame()
            assert frame is not None
            for each in frame.get("objects", ()):
                seen[frame["id"]].add(each["label"])
        assert seen == {"door": {"person"}, "yard": {"car"}}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"source": None}, "bad-request"),
        ({"fps": 0}, "bad-request"),
        ({"fps": 31}, "bad-request"),
        ({"tasks": ["pose"]}, "unsupported"),
        ({"model": "nobody's"}, "unknown-model"),
        ({"zones": [{"name": "yard", "polygon": [[0, 0], [1, 1]]}]}, "bad-request"),
        ({"zones": [{"name": "yard", "polygon": [[0, 0], [1, 1], [2, 0]]}]}, "bad-request"),
        ({"zones": [YARD, YARD]}, "bad-request"),
        ({"zones": [YARD] * 33}, "bad-request"),
        ({"rules": {"colour": 1}}, "bad-request"),
        ({"rules": {"inertia": 0}}, "bad-request"),
        ({"rules": {"confidence": {"person": 3}}}, "bad-request"),
        ({"source": "ftp://127.0.0.1/x"}, "bad-request"),
        ({"source": "http://8.8.8.8/x"}, "bad-request"),
        ({"source": "/etc/passwd"}, "bad-request"),
    ],
)
async def test_a_watch_that_makes_no_sense_is_one_error_with_its_id(
    data: dict[str, Any], code: str
) -> None:
    async with seeing() as (peer, service, _):
        await peer.event("watch", {"id": "door", **FAST, **data})
        frame = await peer.frame()
        assert frame is not None
        assert (frame["type"], frame["code"], frame["id"]) == ("error", code, "door")
        assert service.unit.watches() == []


async def test_a_silent_client_is_told_that_no_picture_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wyoming_units.units.sources._STALLED", 0.1)
    async with seeing() as (peer, _, _):
        await start(peer)
        await shown(peer, EMPTY)
        frame = await peer.frame()
        assert frame is not None
        assert (frame["type"], frame["state"]) == ("watch-status", "stalled")
        assert frame["text"]
        frames = await shown(peer, EMPTY)
        assert frames[0]["state"] == "running"
