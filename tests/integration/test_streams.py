"""Requests of one connection: their order, their streams, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from wyoming_units.wire.limits import Limits

from .raw import raw
from .service import serving


async def test_a_bug_in_a_unit_is_one_error_without_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("break")
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "engine-failed"
        assert "a bug" not in error["text"]
    assert "ZeroDivisionError" in caplog.text


async def test_requests_are_answered_in_order_and_describe_overtakes_them() -> None:
    async with serving() as (port, service, _), raw(port) as peer:
        await peer.event("wait")
        await peer.event("repeat", {"text": "after"})
        await peer.event("describe")
        assert await peer.frame() == {"type": "info", "asr": []}
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        assert await peer.frame() == {"type": "repeated", "text": "after"}


async def test_a_disconnect_frees_the_running_work_within_100_ms() -> None:
    async with serving() as (port, service, _):
        async with raw(port) as peer:
            await peer.event("wait")
            await asyncio.wait_for(service.waiting.wait(), 2)
        await asyncio.wait_for(service.freed.wait(), 0.1)


async def test_a_running_and_a_waiting_request_can_be_cancelled_by_id() -> None:
    async with serving() as (port, service, _), raw(port) as peer:
        await peer.event("wait", {"request": {"id": "running"}})
        await peer.event("repeat", {"text": "never", "request": {"id": "waiting"}})
        await peer.event("repeat", {"text": "last"})
        await asyncio.wait_for(service.waiting.wait(), 2)
        await peer.event("cancel", {"id": "waiting"})
        await peer.event("cancel", {"id": "running"})
        frames = await peer.frames_until("repeated")
        assert [(f["type"], f.get("code"), f.get("request", {}).get("id")) for f in frames] == [
            ("error", "cancelled", "running"),
            ("error", "cancelled", "waiting"),
            ("repeated", None, None),
        ]
        assert frames[-1]["text"] == "last"


async def test_cancelling_what_is_not_there_is_an_error() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("cancel", {"id": "gone"})
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "bad-request"


async def test_more_waiting_requests_than_allowed_are_busy() -> None:
    async with serving(Limits(pending=2)) as (port, service, _), raw(port) as peer:
        for number in range(4):
            await peer.event("wait", {"request": {"id": str(number)}})
        error = await peer.frame()
        assert error is not None
        assert (error["code"], error["request"]) == ("busy", {"id": "3"})
        service.release.set()
        assert [await peer.frame() for _ in range(3)] == [
            {"type": "waited", "request": {"id": str(number)}} for number in range(3)
        ]


async def test_a_stream_is_counted_to_its_end_and_a_second_one_repeats_the_opener() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("count", {"name": "n"})
        for _ in range(2):
            await peer.event("begin")
            await peer.event("bytes", payload=b"12345")
            await peer.event("end")
            assert await peer.frame() == {"type": "counted", "bytes": 5, "name": "n"}


async def test_a_bare_stream_goes_to_the_default_route() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("begin", payload=b"1")
        await peer.event("bytes", payload=b"23")
        await peer.event("end")
        assert await peer.frame() == {"type": "counted", "bytes": 3}


@pytest.mark.parametrize("before", [["count", "begin"], ["begin"], ["begin", "bytes"]])
async def test_a_second_beginning_is_a_stream_of_its_own(before: list[str]) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for kind in (*before, "begin"):
            await peer.event(kind)
        await peer.event("bytes", payload=b"22")
        await peer.event("end")
        error, counted = await peer.frames_until("counted")
        assert error["code"] == "cancelled"
        assert counted["bytes"] == 2


async def test_a_beginning_that_comes_late_is_one_of_the_same_stream() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for kind in ("count", "bytes", "begin", "bytes"):
            await peer.event(kind, payload=b"1")
        await peer.event("end")
        assert await peer.frame() == {"type": "counted", "bytes": 3}


async def test_what_comes_after_the_end_of_a_stream_is_an_error() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("count")
        await peer.event("end")
        assert await peer.frame() == {"type": "counted", "bytes": 0}
        await peer.event("bytes", payload=b"1")
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "bad-request"


async def test_a_second_start_cancels_the_unfinished_stream() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("count", {"name": "first", "request": {"id": "1"}})
        await peer.event("begin")
        await peer.event("bytes", payload=b"1")
        await peer.event("count", {"name": "second"})
        await peer.event("begin")
        await peer.event("bytes", payload=b"22")
        await peer.event("end")
        error, counted = await peer.frames_until("counted")
        assert (error["code"], error["request"]) == ("cancelled", {"id": "1"})
        assert counted == {"type": "counted", "bytes": 2, "name": "second"}


async def test_strays_of_no_request_are_one_error_and_lose_nothing() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for _ in range(3):
            await peer.event("bytes", payload=b"1")
        await peer.event("repeat", {"text": "on"})
        error, repeated = await peer.frames_until("repeated")
        assert error["code"] == "bad-request"
        assert repeated["text"] == "on"


async def test_strays_are_told_again_after_a_stream_that_was_in_order() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for kind in ("bytes", "count", "end"):
            await peer.event(kind)
        error, _ = await peer.frames_until("counted")
        assert error["code"] == "bad-request"
        await peer.event("bytes")
        error = await peer.frame() or {}
        assert error["code"] == "bad-request"


@pytest.mark.parametrize("id_", ["old", None])
async def test_who_replaces_an_endless_stream_is_told_of_its_end_if_it_has_a_name(
    id_: str | None,
) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("listen", {"request": {"id": id_}} if id_ else {})
        await peer.event("sound")
        await peer.frame()
        await peer.event("listen")
        if id_:
            error = await peer.frame() or {}
            assert (error["code"], error["request"]) == ("cancelled", {"id": id_})
        await peer.event("sound")
        assert await peer.frame() == {"type": "heard"}


async def test_a_whole_surrogate_pair_is_text() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.write(b'{"type":"ping","data":{"text":"\\ud83d\\ude00"}}\n')
        assert await peer.frame() == {"type": "pong", "text": "😀"}


async def test_unknown_events_are_dropped() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("from-the-future", payload=b"1234")
        await peer.event("ping", {"text": "still here"})
        assert await peer.frame() == {"type": "pong", "text": "still here"}


async def test_each_stray_end_is_one_error() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for _ in range(2):
            await peer.event("bytes", payload=b"1")
            await peer.event("end")  # of what was refused already
            await peer.event("end")
            await peer.event("ping", {"text": "done"})
            frames = await peer.frames_until("pong")
            assert [frame.get("code") for frame in frames] == ["bad-request", "bad-request", None]


@pytest.mark.parametrize("id_", [7, "x" * 201, None])
async def test_what_follows_a_refused_opener_is_not_for_another_request(id_: object) -> None:
    async with serving(Limits(inbox=10)) as (port, _, _), raw(port) as peer:
        await peer.event("count", {"name": "before"})
        await peer.event("end")
        assert await peer.frame() == {"type": "counted", "bytes": 0, "name": "before"}
        await peer.event("count", {"request": {"id": id_}})
        for kind in ("begin", "bytes", "bytes", "end"):
            await peer.event(kind, payload=b"x" * 100)
        await peer.event("ping")
        error, pong = await peer.frames_until("pong")
        assert (error["code"], pong["type"]) == ("bad-request", "pong")
        await peer.event("begin")
        await peer.event("end")
        assert await peer.frame() == {"type": "counted", "bytes": 0, "name": "before"}


async def test_a_bare_stream_over_the_bound_is_one_error_and_its_body_is_dropped() -> None:
    async with serving(Limits(pending=0)) as (port, service, _), raw(port) as peer:
        await peer.event("wait")
        for kind in ("begin", "bytes", "end"):
            await peer.event(kind)
        await peer.event("begin")
        frames = [await peer.frame() or {} for _ in range(2)]
        assert [frame["code"] for frame in frames] == ["busy", "busy"]
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        assert await peer.silent()


async def test_what_still_comes_of_a_cancelled_stream_is_dropped() -> None:
    async with serving(Limits(inbox=10)) as (port, service, _), raw(port) as peer:
        await peer.event("wait")
        await peer.event("count", {"request": {"id": "c"}})
        await peer.event("begin")
        await peer.event("cancel", {"id": "c"})
        for _ in range(5):
            await peer.event("bytes", payload=b"x" * 100)
        await peer.event("end")
        await peer.event("ping", {"text": "not held up"})
        assert await peer.frame() == {"type": "pong", "text": "not held up"}
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "cancelled"
        assert await peer.silent()


async def test_what_still_comes_of_a_stream_that_was_answered_early_is_dropped() -> None:
    async with serving(Limits(inbox=10)) as (port, _, _), raw(port) as peer:
        await peer.event("guess", {"text": "I know"})
        assert await peer.frame() == {"type": "repeated", "text": "I know"}
        for kind in ("hint", "hint", "hint", "no-more-hints"):
            await peer.event(kind, payload=b"x" * 100)
        await peer.event("ping", {"text": "not held up"})
        assert await peer.frame() == {"type": "pong", "text": "not held up"}


async def test_an_endless_stream_does_not_hold_up_other_requests() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("listen", {"request": {"id": "l"}})
        await peer.event("sound")
        assert await peer.frame() == {"type": "heard", "request": {"id": "l"}}
        await peer.event("repeat", {"text": "beside it"})
        assert await peer.frame() == {"type": "repeated", "text": "beside it"}
        await peer.event("silence")
        assert await peer.frame() == {"type": "heard-nothing", "request": {"id": "l"}}


async def test_a_selected_program_is_told_to_later_requests_of_this_connection() -> None:
    async with serving() as (port, _, _), raw(port) as peer, raw(port) as other:
        await peer.event("select-program", {"name": "counter"})
        for client, selected in ((peer, {"count": "counter"}), (other, {})):
            await client.event("begin")
            await client.event("end")
            assert await client.frame() == {"type": "counted", "bytes": 0, **selected}


@pytest.mark.parametrize("name", ["other", None, 7, ["counter"]])
async def test_selecting_a_program_that_is_not_there_is_an_error(name: object) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("select-program", {"name": name})
        error = await peer.frame()
        assert error is not None
        assert (error["type"], error["code"]) == ("error", "unknown-model")


async def test_stats_are_told() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("stats")
        assert await peer.frame() == {"type": "stats", "connections": 1}
