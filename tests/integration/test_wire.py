"""The wire keeps its bounds against every peer, on real sockets."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress

import pytest

from wyoming_units.wire.limits import Limits

from .raw import raw
from .service import serving, until


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
