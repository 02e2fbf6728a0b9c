"""Frames are read up to their limits, byte by byte if need be, and written as they are read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from wyoming.event import Event

from wyoming_units.errors import BadFrame, TimedOut, TooLarge
from wyoming_units.wire.frames import FrameReader, encode
from wyoming_units.wire.limits import Limits

SMALL = Limits(header=100, data=20, payload=10, image=30)


async def read(sent: bytes, limits: Limits = SMALL) -> Event | None:
    """Read a frame from a peer that has sent all and hung up."""
    reader = asyncio.StreamReader(limit=limits.header)
    reader.feed_data(sent)
    reader.feed_eof()
    return await FrameReader(reader, limits).read()


def frame(kind: str = "x", data: bytes = b"", payload: bytes = b"") -> bytes:
    header = {"type": kind, "data_length": len(data), "payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + data + payload


async def test_the_end_between_frames_is_no_error() -> None:
    assert await read(b"") is None


@pytest.mark.parametrize("cut", [1, 10, 52, 54, 56])
async def test_the_end_within_a_frame_is_one(cut: int) -> None:
    whole = frame(data=b"{ }", payload=b"12")
    assert len(whole) > cut
    with pytest.raises(asyncio.IncompleteReadError):
        await read(whole[:cut])


async def test_the_data_block_is_merged_over_the_data_of_the_header() -> None:
    line = b'{"type":"x","data":{"a":0,"b":2},"data_length":7}\n'
    assert await read(line + b'{"a":1}') == Event(type="x", data={"a": 1, "b": 2}, payload=None)


@pytest.mark.parametrize("absent", [{}, {"data": None}, {"data_length": None}, {"data_length": 0}])
async def test_what_is_absent_is_empty(absent: dict[str, Any]) -> None:
    line = json.dumps({"type": "x", **absent}).encode() + b"\n"
    assert await read(line) == Event(type="x", data={}, payload=None)


@pytest.mark.parametrize(("length", "fits"), [(100, True), (102, False)])
async def test_a_header_line_is_read_up_to_its_limit(length: int, fits: bool) -> None:
    line = b'{"type":"x"}'.ljust(length) + b"\n"
    if fits:
        assert await read(line) == Event(type="x")
    else:
        with pytest.raises(TooLarge):
            await read(line)


@pytest.mark.parametrize(("length", "fits"), [(20, True), (21, False)])
async def test_a_data_block_is_read_up_to_its_limit(length: int, fits: bool) -> None:
    sent = frame(data=b'{"a":1}'.ljust(length))
    if fits:
        assert await read(sent) == Event(type="x", data={"a": 1})
    else:
        with pytest.raises(TooLarge):
            await read(sent)


@pytest.mark.parametrize(("kind", "limit"), [("x", 10), ("frame", 30)])
async def test_a_payload_is_read_up_to_the_limit_of_its_event(kind: str, limit: int) -> None:
    payload = b"p" * limit
    assert await read(frame(kind, payload=payload)) == Event(type=kind, payload=payload)
    with pytest.raises(TooLarge):
        await read(frame(kind, payload=payload + b"p"))


@pytest.mark.parametrize("key", ["data_length", "payload_length"])
@pytest.mark.parametrize("length", [-1, True, False, "1", 1.0, [1], {}])
async def test_a_length_is_a_whole_number(key: str, length: object) -> None:
    with pytest.raises(BadFrame, match=key):
        await read(json.dumps({"type": "x", key: length}).encode() + b"\n")


@pytest.mark.parametrize("header", [b"{", b"7", b"[]", b"", b"\xff", b'{"type":7}', b"{}"])
async def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadFrame):
        await read(header + b"\n")


@pytest.mark.parametrize(
    ("begun", "seconds", "what"),
    [(b"", 0.05, "nothing was sent"), (b"{", 0.1, "the frame was not finished")],
)
async def test_each_wait_has_its_own_limit(begun: bytes, seconds: float, what: str) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(begun)
    start = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match=f"{what} within {seconds:g} s"):
        await FrameReader(reader, Limits(idle=0.05, frame=0.1)).read()
    assert asyncio.get_running_loop().time() - start >= seconds - 0.01


async def test_a_frame_that_came_in_time_leaves_no_time_out_behind() -> None:
    reader = asyncio.StreamReader()
    frames = FrameReader(reader, Limits(idle=0.2, frame=0.2))
    reader.feed_data(frame() * 2)
    assert await frames.read() == Event(type="x")
    await asyncio.sleep(0.3)
    assert await frames.read() == Event(type="x")


async def test_the_time_counts_from_the_last_frame() -> None:
    reader = asyncio.StreamReader()
    frames = FrameReader(reader, Limits(idle=0.2, frame=0.1))
    for _ in range(4):
        await asyncio.sleep(0.1)
        reader.feed_data(frame())
        assert await frames.read() == Event(type="x")
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match="nothing was sent"):
        await frames.read()
    assert asyncio.get_running_loop().time() - began >= 0.19


async def test_a_closed_reader_watches_no_more() -> None:
    reader = asyncio.StreamReader()
    frames = FrameReader(reader, Limits(idle=0.05))
    waiting = asyncio.create_task(frames.read())
    await asyncio.sleep(0)
    frames.close()
    await asyncio.sleep(0.1)
    assert not waiting.done()
    waiting.cancel()


def test_an_event_without_content_is_one_line() -> None:
    assert json.loads(encode(Event(type="x"))) == {"type": "x", "version": "1.10"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)


@given(
    st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(), json_values, max_size=3),
    st.binary(min_size=1, max_size=50) | st.none(),
)
def test_what_is_written_is_read_again(
    kind: str, data: dict[str, Any], payload: bytes | None
) -> None:
    event = Event(type=kind, data=data, payload=payload)
    assert asyncio.run(read(encode(event), Limits())) == event
