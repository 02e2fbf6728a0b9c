"""Nothing that a user says can break a request, and replies are whole however they arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from wyoming_units.errors import EngineFailed
from wyoming_units.stackflow import framing
from wyoming_units.stackflow.framing import NONE, Reply, Splitter, encode, encode_raw

NASTY = '{}"\\\n\t🙂é漢'
TEXTS = st.one_of(st.text(st.sampled_from(NASTY)), st.text(st.characters(codec="utf-8")))
RESET = (
    b'{"request_id": "0","work_id": "sys","created": 1731488402,'
    b'"error":{"code":-1, "message":"reace reset"}}'
)


def line(text: str, request_id: str = "1") -> bytes:
    message = {
        "created": 1731488402,
        "data": {"delta": text, "finish": False, "index": 0},
        "error": {"code": 0, "message": ""},
        "object": "llm.utf-8.stream",
        "request_id": request_id,
        "work_id": "llm.1000",
    }
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


def deltas(replies: list[Reply]) -> list[str]:
    return [reply.data["delta"] for reply in replies]


def depths(message: bytes) -> list[int]:
    """Return the module's brace depth after each byte."""
    depth, before, found = 0, b"", []
    for at in range(len(message)):
        byte = message[at : at + 1]
        if before != b"\\":
            depth += {b"{": 1, b"}": -1}.get(byte, 0)
        found.append(depth)
        before = byte
    return found


@given(TEXTS, TEXTS)
@example("}\\", "{")
@example("\\}", "\\{")
def test_the_module_sees_one_message_whatever_the_text(text: str, key: str) -> None:
    message = encode("a-1", "llm.1000", "inference", "llm.utf-8", {key or "k": text, "index": 0})
    depth = depths(message)
    assert message.endswith(b"}\n")
    assert message.count(b"\n") == 1
    assert min(depth[:-2]) > 0
    assert depth[-2:] == [0, 0]
    assert json.loads(message)["data"] == {key or "k": text, "index": 0}


@given(TEXTS)
@example("\\")
@example('a" \\" {\\')
@example("C:\\{new}\\\\")
def test_the_module_finds_the_end_of_every_string(text: str) -> None:
    message = encode("a-1", "vlm.1000", "inference", "vlm.utf-8", text).decode()
    body = message.split('"data":"', 1)[1]
    end = next(at for at, c in enumerate(body) if c == '"' and body[at - 1 : at] != "\\")
    assert body[end:] == '"}\n'
    assert json.loads(f'"{body[:end]}"') == text
    assert "\\ud8" not in message.lower()


def test_the_keys_stand_in_the_order_that_units_search_them() -> None:
    message = encode("a-1", "llm", "setup", "llm.setup", {"model": "m", "prompt": "action object"})
    assert list(json.loads(message)) == ["request_id", "work_id", "action", "object", "data"]
    assert message.startswith(b'{"request_id":"a-1","work_id":"llm","action":"setup",')


def test_a_request_without_data_has_no_such_key() -> None:
    assert json.loads(encode("1", "sys", "ping")) == {
        "request_id": "1",
        "work_id": "sys",
        "action": "ping",
        "object": NONE,
    }


def test_a_text_with_half_a_surrogate_pair_can_be_sent() -> None:
    assert json.loads(encode("1", "llm", "inference", "llm.utf-8", "a\ud83d"))["data"] == "a?"


@given(st.binary(max_size=200))
def test_raw_data_follow_their_header_at_once(payload: bytes) -> None:
    message = encode_raw("a-9", "yolo.1001", "inference", "yolo.jpeg.base64", payload)
    start = b'{"RAW":%d,"request_id":"a-9",' % len(payload)
    assert message.startswith(start)
    header = message[: message.index(b"}") + 1]
    assert message == header + payload + b"\n"
    assert "data" not in json.loads(header)


def test_replies_are_the_same_wherever_they_are_cut() -> None:
    texts = ["I am é", "漢字 🙂", 'a "}" and {', ""]
    stream = b"".join(map(line, texts)) + RESET
    for at in range(len(stream) + 1):
        splitter = Splitter()
        replies = splitter.feed(stream[:at]) + splitter.feed(stream[at:])
        assert deltas(replies[:-1]) == texts
        assert replies[-1].code == -1


@given(st.lists(TEXTS, max_size=4), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_replies_are_the_same_in_pieces_of_any_size(texts: list[str], sizes: list[int]) -> None:
    stream, splitter, replies, turn = b"".join(map(line, texts)), Splitter(), [], 0
    while stream:
        size = sizes[turn % len(sizes)]
        replies += splitter.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert deltas(replies) == texts


def test_the_message_without_a_newline_is_heard_at_once_and_once() -> None:
    splitter = Splitter()
    (reset,) = splitter.feed(RESET)
    assert (reset.request_id, reset.code, reset.message) == ("0", -1, "reace reset")
    assert (reset.object, reset.data) == (NONE, None)
    assert deltas(splitter.feed(b"\n" + line("next"))) == ["next"]


def test_a_reply_behind_the_message_without_a_newline_is_heard() -> None:
    splitter = Splitter()
    assert splitter.feed(RESET[:-1]) == []
    replies = splitter.feed(RESET[-1:] + line("next"))
    assert [reply.code for reply in replies] == [-1, 0]


def test_a_beginning_that_ends_in_a_brace_is_no_reply() -> None:
    splitter = Splitter()
    whole = line("x } y")
    for brace in [at for at, byte in enumerate(whole) if byte == ord("}")][:-1]:
        assert Splitter().feed(whole[: brace + 1]) == []
    assert deltas(splitter.feed(whole)) == ["x } y"]


def test_a_big_reply_in_small_pieces_is_whole() -> None:
    big, splitter, found = line("漢{}" * 50_000), Splitter(), []
    for at in range(0, len(big), 1400):
        found += splitter.feed(big[at : at + 1400])
    assert deltas(found) == ["漢{}" * 50_000]


@pytest.mark.parametrize("junk", [b"hello\n", b"[1]\n", b'"x"\n', b"{\n", b"[" * 99_999 + b"\n"])
def test_what_is_no_reply_is_refused_and_the_next_is_heard(junk: bytes) -> None:
    splitter = Splitter()
    with pytest.raises(EngineFailed):
        splitter.feed(junk + line("next"))
    assert deltas(splitter.feed(b"")) == ["next"]


def test_a_reply_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MOST", 10_000)
    splitter = Splitter()
    for _ in range(10):
        assert splitter.feed(b"x" * 1000) == []
    with pytest.raises(EngineFailed, match="more than"):
        splitter.feed(b"x")
    assert deltas(splitter.feed(line("next"))) == ["next"]


@pytest.mark.parametrize(
    ("message", "code"),
    [({}, 0), ({"error": None}, 0), ({"error": {"code": -9}}, -9), ({"error": {"code": "x"}}, -99)],
)
def test_a_reply_with_parts_missing_is_read(message: dict[str, Any], code: int) -> None:
    (reply,) = Splitter().feed(json.dumps({"request_id": 7, **message}).encode() + b"\n")
    assert (reply.request_id, reply.code, reply.data) == ("7", code, None)
