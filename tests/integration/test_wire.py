"""The wire keeps its promises to every peer, on real sockets, with a small service in the test."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from wyoming.event import Event

from wyoming_units.errors import BadRequest, TimedOut, UnitError
from wyoming_units.wire.client import Client, parse_uri
from wyoming_units.wire.frames import encode
from wyoming_units.wire.limits import Limits
from wyoming_units.wire.requests import Request, Route
from wyoming_units.wire.server import Server

from .raw import raw


class Service:
    """Counts payload bytes of a stream, repeats a text, and waits for ever."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.freed = asyncio.Event()
        self.release = asyncio.Event()
        self.programs = {"counter": "count"}
        self.routes = {
            route.opener: route
            for route in (
                Route(
                    opener="count",
                    run=self._count,
                    body=frozenset({"begin", "bytes"}),
                    begin="begin",
                    end="end",
                ),
                Route(opener="repeat", run=self._repeat),
                Route(opener="wait", run=self._wait),
                Route(opener="break", run=self._break),
                Route(opener="who", run=self._who),
                Route(
                    opener="guess", run=self._repeat, body=frozenset({"hint"}), end="no-more-hints"
                ),
                Route(
                    opener="listen",
                    run=self._listen,
                    body=frozenset({"sound"}),
                    end="silence",
                    endless=True,
                ),
            )
        }

    def info_frame(self) -> bytes:
        return encode(Event(type="info", data={"asr": []}))

    def stats(self) -> dict[str, Any]:
        return {"connections": 1}

    async def _count(self, request: Request) -> None:
        count = 0
        async for arrival in request:
            count += len(arrival.event.payload or b"")
        data = {"bytes": count, **request.opener.data, **request.selected}
        await request.send(Event(type="counted", data=data))

    async def _repeat(self, request: Request) -> None:
        if "text" not in request.opener.data:
            raise BadRequest("repeat needs a text")
        await request.send(Event(type="repeated", data={"text": request.opener.data["text"]}))

    async def _wait(self, request: Request) -> None:
        self.waiting.set()
        try:
            await self.release.wait()
            await request.send(Event(type="waited"))
        finally:
            await asyncio.sleep(0.01)  # as where something has to be cleaned up
            self.freed.set()

    async def _listen(self, request: Request) -> None:
        async for _ in request:
            await request.send(Event(type="heard"))
        await request.send(Event(type="heard-nothing"))

    async def _who(self, request: Request) -> None:
        await request.send(Event(type="you", data={"client": request.client}))

    async def _break(self, request: Request) -> None:
        raise ZeroDivisionError("a bug")


@asynccontextmanager
async def serving(limits: Limits | None = None) -> AsyncIterator[tuple[int, Service, Server]]:
    service = Service()
    server = Server(service, limits)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port, service, server
    finally:
        await server.stop(grace=0.1)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for at most two seconds for something to become true."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x16\x03\x01 TLS hello\n", "bad-frame", id="garbage"),
        pytest.param(b"GET / HTTP/1.1\r\n", "bad-frame", id="http"),
        pytest.param(b"\n", "bad-frame", id="empty-line"),
        pytest.param(b"[1,2]\n", "bad-frame", id="non-object"),
        pytest.param(b"null\n", "bad-frame", id="null"),
        pytest.param(b"[" * 60_000 + b"\n", "bad-frame", id="deep-nesting"),
        pytest.param(b'{"data":{}}\n', "bad-frame", id="no-type"),
        pytest.param(b'{"type":7}\n', "bad-frame", id="type-is-a-number"),
        pytest.param(b'{"type":"x","data":[1]}\n', "bad-frame", id="data-is-a-list"),
        pytest.param(b'{"type":"x","data_length":"8"}\n', "bad-frame", id="length-is-text"),
        pytest.param(b'{"type":"x","data_length":true}\n', "bad-frame", id="length-is-true"),
        pytest.param(
            b'{"type":"x","payload_length":1.5}\n', "bad-frame", id="length-is-a-fraction"
        ),
        pytest.param(b'{"type":"x","payload_length":-5}\n', "bad-frame", id="length-is-negative"),
        pytest.param(b'{"type":"x","data_length":4}\n[12]', "bad-frame", id="data-block-is-a-list"),
        pytest.param(
            b'{"type":"x","data_length":4}\n\xff\xff\xff\xff', "bad-frame", id="data-no-text"
        ),
        pytest.param(b'{"type":"x","data":{"text":"\\ud800"}}\n', "bad-frame", id="half-a-pair"),
        pytest.param(b'{"type":"\xed\xa0\x80"}\n', "bad-frame", id="half-a-pair-in-bytes"),
        pytest.param(b'{"type":"x","data":{"n":NaN}}\n', "bad-frame", id="nan"),
        pytest.param(
            b'{"type":"x","data_length":1048577}\n', "too-large", id="data-over-the-limit"
        ),
        pytest.param(b'{"type":"x","payload_length":1048577}\n', "too-large", id="payload-over"),
        pytest.param(b'{"type":"frame","payload_length":16777217}\n', "too-large", id="image-over"),
        pytest.param(b"x" * 70_000, "too-large", id="endless-header"),
    ],
)
async def test_a_malformed_frame_gets_one_error_and_a_closed_connection(
    sent: bytes, code: str
) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.write(sent)
        error = await peer.frame()
        assert error is not None
        assert (error["type"], error["code"]) == ("error", code)
        assert await peer.frame() is None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b'{"type":"x","data_length":1048576}\n', id="data"),
        pytest.param(b'{"type":"x","payload_length":1048576}\n', id="payload"),
        pytest.param(b'{"type":"frame","payload_length":16777216}\n', id="image"),
    ],
)
async def test_a_declared_size_at_the_limit_is_waited_for(sent: bytes) -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.write(sent)
        assert await peer.silent()


async def test_memory_does_not_grow_with_a_declared_size() -> None:
    async with serving() as (port, _, _):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with raw(port) as peer:
            await peer.write(b'{"type":"audio-chunk","payload_length":8000000000}\n')
            error = await peer.frame()
            with suppress(OSError):  # the node hangs up in the middle
                for _ in range(200):
                    await peer.write(b"\0" * 1_000_000)
        assert error is not None
        assert error["code"] == "too-large"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 5 * 1024


@pytest.mark.parametrize(
    "begun", [b"{", b'{"type":"x","payload_length":9}\n123'], ids=["header", "payload"]
)
async def test_a_frame_that_is_not_finished_in_time_is_an_error(begun: bytes) -> None:
    async with serving(Limits(frame=0.2)) as (port, _, _), raw(port) as peer:
        await peer.write(begun)
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "timeout"
        assert await peer.frame() is None


async def test_a_slow_sender_is_cut_off_although_every_byte_comes_in_time() -> None:
    async with serving(Limits(frame=0.3)) as (port, _, _), raw(port) as peer:
        answer = asyncio.create_task(peer.frame())
        for _ in range(20):
            if answer.done():
                break
            await peer.write(b" ")
            await asyncio.sleep(0.05)
        error = await answer
        assert error is not None
        assert error["code"] == "timeout"


async def test_a_slow_sender_that_keeps_within_the_limit_is_served() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        for byte in b'{"type":"repeat","data":{"text":"slow"}}\n':
            await peer.write(bytes([byte]))
            await asyncio.sleep(0.001)
        assert await peer.frame() == {"type": "repeated", "text": "slow"}


async def test_an_idle_connection_is_told_and_closed() -> None:
    async with serving(Limits(idle=0.1)) as (port, _, _), raw(port) as peer:
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "timeout"


async def test_connections_over_the_limit_are_told_busy_and_the_others_served() -> None:
    async with serving(Limits(connections=1)) as (port, _, _), raw(port) as first:
        await first.event("ping", {"text": "in"})
        assert await first.frame() == {"type": "pong", "text": "in"}
        async with raw(port) as second:
            await second.event("describe")
            await second.event("bytes", payload=b"x" * 100_000)
            error = await second.frame()
            assert error is not None
            assert error["code"] == "busy"
        await first.event("describe")
        assert await first.frame() == {"type": "info", "asr": []}


async def test_a_refused_client_that_does_not_hang_up_is_cut_off_after_a_second() -> None:
    loop = asyncio.get_running_loop()
    async with serving(Limits(connections=0)) as (port, _, _), raw(port) as peer:
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "busy"
        start = loop.time()
        assert await peer.frame() is None
        assert loop.time() - start < 0.9

        async def keep_asking() -> None:
            while loop.time() < start + 4:
                await peer.event("describe")
                await asyncio.sleep(0.02)

        with pytest.raises(OSError):
            await keep_asking()
        assert 0.9 < loop.time() - start < 3


async def test_a_client_that_has_said_all_is_answered_to_its_end_and_hung_up_on() -> None:
    async with serving() as (port, _, server), raw(port) as peer:
        await peer.event("ping", {"text": "last"})
        peer.writer.write_eof()
        assert await peer.frame() == {"type": "pong", "text": "last"}
        assert await peer.frame() is None
        await until(lambda: server.connections == 0)


async def test_a_connection_counts_until_its_work_has_ended() -> None:
    async with serving() as (port, service, server):
        async with raw(port) as peer:
            await peer.event("wait")
            await asyncio.wait_for(service.waiting.wait(), 2)
            assert server.connections == 1
        await until(lambda: server.connections == 0)
        assert service.freed.is_set()


async def test_a_client_is_known_by_its_host() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("who")
        assert await peer.frame() == {"type": "you", "client": "127.0.0.1"}


async def test_a_refused_request_leaves_the_connection_usable() -> None:
    async with serving() as (port, _, _), raw(port) as peer:
        await peer.event("repeat", {"request": {"id": "a"}})
        assert await peer.frame() == {
            "type": "error",
            "text": "repeat needs a text",
            "code": "bad-request",
            "request": {"id": "a"},
        }
        await peer.event("repeat", {"text": "b"})
        assert await peer.frame() == {"type": "repeated", "text": "b"}


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


async def test_a_full_inbox_makes_the_client_wait_and_loses_nothing() -> None:
    async with serving(Limits(inbox=100_000)) as (port, service, _), raw(port) as peer:
        await peer.event("wait")
        await peer.event("count")
        payload = b"x" * 50_000

        async def send() -> None:
            for _ in range(400):
                await peer.event("bytes", payload=payload)
            await peer.event("end")

        sending = asyncio.create_task(send())
        await asyncio.wait({sending}, timeout=0.5)
        assert not sending.done()
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        assert await peer.frame(20) == {"type": "counted", "bytes": 400 * len(payload)}
        await sending


async def test_a_peer_that_takes_nothing_is_cut_off() -> None:
    async with serving(Limits(frame=0.3)) as (port, _, _), raw(port) as peer:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]

        async def keep_asking() -> None:
            for _ in range(400):
                await peer.event("repeat", {"text": "x" * 60_000})
                await asyncio.sleep(0.005)

        with pytest.raises(OSError):
            await keep_asking()


async def test_stopping_finishes_running_requests_and_refuses_new_ones() -> None:
    async with serving() as (port, service, server), raw(port) as peer:
        await peer.event("wait")
        await asyncio.wait_for(service.waiting.wait(), 2)
        stopping = asyncio.create_task(server.stop(grace=5))
        await asyncio.sleep(0.05)
        await peer.event("repeat", {"text": "too late"})
        error = await peer.frame()
        assert error is not None
        assert error["code"] == "busy"
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        assert await peer.frame() is None
        await asyncio.wait_for(stopping, 1)


async def test_stopping_hangs_up_at_once_on_who_waits_for_nothing() -> None:
    async with serving() as (port, service, server), raw(port) as peer, raw(port) as idle:
        await idle.event("ping")
        await idle.frame()
        await peer.event("wait")
        await asyncio.wait_for(service.waiting.wait(), 2)
        stopping = asyncio.create_task(server.stop(grace=5))
        assert await idle.frame(1) is None
        service.release.set()
        assert await peer.frame() == {"type": "waited"}
        await asyncio.wait_for(stopping, 1)


async def test_stopping_does_not_wait_for_a_client_that_leaves() -> None:
    async with serving() as (port, _, server):
        async with raw(port) as peer:
            for _ in range(3):
                await peer.event("wait")
            await peer.event("ping")
            await peer.frame()
            stopping = asyncio.create_task(server.stop(grace=5))
            await asyncio.sleep(0.05)
        await asyncio.wait_for(stopping, 1)


async def test_stopping_does_not_wait_longer_than_its_grace() -> None:
    async with serving() as (port, service, server), raw(port) as peer:
        await peer.event("wait")
        await asyncio.wait_for(service.waiting.wait(), 2)
        await asyncio.wait_for(server.stop(grace=0.2), 1)
        assert service.freed.is_set()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_the_client_raises_errors_by_code_and_silence_as_a_time_out() -> None:
    async with serving() as (port, _, _), Client(f"127.0.0.1:{port}", read_timeout=0.2) as client:
        await client.send(Event(type="repeat"))
        with pytest.raises(BadRequest, match="needs a text"):
            await client.receive()
        with pytest.raises(TimedOut):
            await client.receive()


async def test_the_client_hangs_up_and_is_not_usable_before_and_after() -> None:
    async with serving() as (port, _, server):
        client = Client(f"127.0.0.1:{port}")
        with pytest.raises(UnitError, match="not connected"):
            await client.send(Event(type="ping"))
        async with client:
            assert await client.info() == {"asr": []}
            assert server.connections == 1
        await until(lambda: server.connections == 0)


async def test_the_client_says_that_the_server_hung_up() -> None:
    async with serving() as (port, _, server), Client(f"127.0.0.1:{port}") as client:
        await server.stop(grace=0.1)
        with pytest.raises(UnitError, match="closed"):
            await client.receive()


async def test_the_client_gives_up_on_a_host_that_does_not_answer() -> None:
    with socket.socket() as deaf, ExitStack() as crowd:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # from then on nobody gets in
            other = crowd.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        with pytest.raises(TimedOut, match="does not answer"):
            async with Client(f"127.0.0.1:{deaf.getsockname()[1]}", connect_timeout=0.2):
                pass


async def test_the_client_says_that_nobody_listens(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    with pytest.raises(UnitError, match="cannot connect"):
        async with Client(f"tcp://127.0.0.1:{unused_tcp_port_factory()}"):
            pass


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("tcp://node:1", ("node", 1)),
        ("node", ("node", 10600)),
        ("[::1]:5", ("::1", 5)),
        ("tcp://192.168.1.2", ("192.168.1.2", 10600)),
    ],
)
def test_addresses_are_read(uri: str, expected: tuple[str, int]) -> None:
    assert parse_uri(uri) == expected


@pytest.mark.parametrize("uri", ["http://node", "tcp://", "node:port", ""])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(BadRequest):
        parse_uri(uri)
