"""Streams of one kind of which a connection may have several, told apart by `id`."""

from __future__ import annotations

import asyncio

import pytest

from wyoming_units.wire.limits import Limits

from .raw import Raw, raw
from .service import serving


async def _frames(peer: Raw, count: int) -> list[dict[str, object]]:
    frames = [await asyncio.wait_for(peer.frame(), 2) for _ in range(count)]
    return [frame for frame in frames if frame is not None]


async def test_each_event_goes_to_the_stream_that_it_names_and_answers_say_whose_they_are() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for key in ("yard", "door"):
            await peer.event("follow", {"id": key})
        for key in ("yard", "door", "yard"):
            await peer.event("step", {"id": key})
        frames = await _frames(peer, 3)
        steps = [(frame["id"], frame["steps"]) for frame in frames]
        assert [s for s in steps if s[0] == "yard"] == [("yard", 1), ("yard", 2)]
        assert [s for s in steps if s[0] == "door"] == [("door", 1)]
        await peer.event("unfollow", {"id": "yard"})
        assert await _frames(peer, 1) == [{"type": "followed", "id": "yard", "steps": 2}]
        await peer.event("step", {"id": "door"})
        assert await _frames(peer, 1) == [{"type": "stepped", "id": "door", "steps": 2}]


async def test_they_hold_up_no_other_request_and_no_other_request_holds_them_up() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("follow", {"id": "yard"})
        await peer.event("repeat", {"text": "hello"})
        assert await _frames(peer, 1) == [{"type": "repeated", "text": "hello"}]
        await peer.event("wait")
        await peer.event("step", {"id": "yard"})
        assert await _frames(peer, 1) == [{"type": "stepped", "id": "yard", "steps": 1}]


async def test_a_second_one_of_the_same_name_replaces_the_first_silently() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("follow", {"id": "yard"})
        await peer.event("step", {"id": "yard"})
        assert (await _frames(peer, 1))[0]["steps"] == 1
        await peer.event("follow", {"id": "yard"})
        await peer.event("step", {"id": "yard"})
        assert await _frames(peer, 1) == [{"type": "stepped", "id": "yard", "steps": 1}]


@pytest.mark.parametrize("key", [None, "", 7, ["yard"], "x" * 201])
async def test_one_without_a_name_is_refused_and_the_connection_goes_on(key: object) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("follow", {} if key is None else {"id": key})
        assert (await _frames(peer, 1))[0]["code"] == "bad-request"
        await peer.event("repeat", {"text": "still here"})
        assert (await _frames(peer, 1))[0]["text"] == "still here"


async def test_an_event_for_a_stream_that_nobody_opened_is_one_error() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("follow", {"id": "yard"})
        for _ in range(3):
            await peer.event("step", {"id": "door"})
        await peer.event("step", {"id": "yard"})
        frames = await _frames(peer, 2)
        assert sorted(str(frame["type"]) for frame in frames) == ["error", "stepped"]


async def test_the_error_of_one_says_whose_it_is_and_leaves_the_others_alone() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("follow", {"id": "yard"})
        await peer.event("follow", {"id": "door", "wrong": True})
        assert (await _frames(peer, 1))[0] | {"text": ""} == {
            "type": "error",
            "id": "door",
            "code": "bad-request",
            "text": "",
        }
        await peer.event("step", {"id": "door"})  # of a stream that was refused: dropped
        await peer.event("step", {"id": "yard"})
        assert (await _frames(peer, 1))[0]["id"] == "yard"


async def test_more_than_allowed_are_busy_and_count_not_against_other_requests() -> None:
    async with serving(Limits(streams=3, pending=2)) as (port, _, _), raw(port) as peer:
        for number in range(4):
            await peer.event("follow", {"id": str(number)})
        assert (await _frames(peer, 1))[0]["code"] == "busy"
        await peer.event("repeat", {"text": "hello"})
        assert (await _frames(peer, 1))[0]["text"] == "hello"


async def test_a_client_that_only_listens_is_not_idle() -> None:
    limits = Limits(idle=0.1, frame=5)
    async with serving(limits) as (port, _, _), raw(port) as peer, raw(port) as silent:
        await peer.event("follow", {"id": "yard"})
        error = await asyncio.wait_for(silent.frame(), 2)
        assert error is not None
        assert error["code"] == "timeout"
        await asyncio.sleep(0.3)
        await peer.event("step", {"id": "yard"})
        assert (await _frames(peer, 1))[0]["steps"] == 1
        await peer.event("unfollow", {"id": "yard"})
        assert [f["type"] for f in await _frames(peer, 2)] == ["followed", "error"]
