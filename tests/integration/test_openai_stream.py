"""Server-sent events cut anywhere, and tool calls in the ways in which servers send them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.exchange import Called, Delta, Said, Weighed
from wyoming_units.engines._openai_deltas import Reader
from wyoming_units.engines._openai_stream import MOST, EventParser, read_event
from wyoming_units.errors import EngineFailed


def parse(*pieces: bytes) -> list[str]:
    parser = EventParser()
    return [*(text for piece in pieces for text in parser.feed(piece)), *parser.finish()]


def read(*events: Mapping[str, Any]) -> list[Delta]:
    reader = Reader()
    return [delta for event in events for delta in reader.read(event)]


STREAM = (
    ': a comment\r\n\r\ndata: {"a":"Zwölf 🕛"}\r\n\r\nevent: x\nid: 3\ndata:one\ndata: two\n\n'
    "data: three\r\ndata: four\r\n\r\n"
    "data\r\r: ping\r\rdata: [DONE]\n\n"
).encode()
EVENTS = ['{"a":"Zwölf 🕛"}', "one\ntwo", "three\nfour", "", "[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_may_be_cut_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert parse(*pieces) == EVENTS


def test_a_stream_may_come_byte_by_byte() -> None:
    assert parse(*(bytes([each]) for each in STREAM)) == EVENTS


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_last_event_counts_without_the_empty_line_after_it(end: bytes) -> None:
    assert parse(b"data: 1\n\ndata: 2" + end) == ["1", "2"]


def test_an_event_is_given_as_soon_as_it_has_ended() -> None:
    parser = EventParser()
    assert not list(parser.feed(b"data: 1\r\n"))
    assert list(parser.feed(b"\r")) == ["1"]
    assert not list(parser.feed(b"\n"))


@pytest.mark.parametrize("line", [b"", b"data: ", b"data: x\ndata: "])
def test_a_line_or_an_event_without_end_is_not_kept(line: bytes) -> None:
    with pytest.raises(EngineFailed, match=r"^the model's server sent a line of more than 1 MiB$"):
        parse(line, *[b"x" * (MOST // 4)] * 5, b"\n")


@pytest.mark.parametrize("data", ["{", "null", "[1]", "NaN", "[" * 100_000])
def test_an_event_that_is_no_json_object_is_refused(data: str) -> None:
    with pytest.raises(EngineFailed, match=r"^the model's server sent what is no JSON object$"):
        read_event(data)


def piece(
    name: str | None = None, arguments: Any = "", index: int | None = 0, call_id: str | None = None
) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    call: dict[str, Any] = {"function": function}
    call |= {} if index is None else {"index": index}
    call |= {"id": call_id} if call_id else {}
    return {"choices": [{"delta": {"tool_calls": [call]}}]}


END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "events",
    [
        [piece("f", call_id="1"), piece(arguments='{"a"'), piece(arguments=":1}"),
         piece("g", "{}", 1, "2")],
        [piece("f", '{"a":1}', 0, "1"), piece("g", "{}", 0, "2")],
        [piece("f", '{"a":', 0, "1"), piece("f", "1}", 0, "1"), piece("g", "{}", 1, "2")],
        [piece("f", {"a": 1}, None, "1"), piece("g", None, None, "2")],
        [piece("f", '{"a":1}', None), piece("g", "", None)],
    ],
    ids=["as documented", "the same index", "id and name repeated", "no index", "no index, no id"],
)  # fmt: skip
def test_two_calls_are_told_apart(events: list[dict[str, Any]]) -> None:
    found = [each.call for each in read(*events, END) if isinstance(each, Called)]
    assert [(each.name, each.arguments) for each in found] == [("f", {"a": 1}), ("g", {})]
    assert len({each.id for each in found}) == 2
    assert all(each.id for each in found)


def test_a_call_is_told_as_soon_as_the_next_one_begins() -> None:
    reader = Reader()
    assert not list(reader.read(piece("f", "{}", 0, "1")))
    (first,) = reader.read(piece("g", "{", 1, "2"))
    assert isinstance(first, Called)
    assert first.call.name == "f"
    assert reader.calling


def test_the_older_way_to_call_a_function_is_understood() -> None:
    parts = [{"name": "f", "arguments": '{"a"'}, {"arguments": ":1}"}]
    events: list[dict[str, Any]] = [
        {"choices": [{"delta": {"function_call": each}}]} for each in parts
    ]
    events.append({"choices": [{"delta": {}, "finish_reason": "function_call"}]})
    (called,) = read(*events)
    assert isinstance(called, Called)
    assert (called.call.name, called.call.arguments) == ("f", {"a": 1})


@pytest.mark.parametrize("arguments", ["[1]", '"a"', "{", "1"])
def test_arguments_that_are_no_object_fail(arguments: str) -> None:
    with pytest.raises(EngineFailed) as failed:
        read(piece("f", arguments), END)
    assert str(failed.value) == "the model called f with arguments that are no JSON"


def test_tokens_that_are_written_alike_count_once() -> None:
    top = [
        {"token": "A", "logprob": -3.0},
        {"token": "A", "logprob": -1.0},
        {"token": "B", "logprob": None},
        {"token": "C", "logprob": float("-inf")},
    ]
    content = [{"token": "A", "logprob": -1.0, "top_logprobs": top}]
    event = {"choices": [{"delta": {"content": "A"}, "logprobs": {"content": content}}]}
    assert read(event) == [Weighed({"A": -1.0}), Said("A")]
