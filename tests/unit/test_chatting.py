"""What a `chat` may hold: every wrong shape is one `BadRequest`, every right one is taken as it is."""

from __future__ import annotations

from typing import Any

import pytest
from wyoming.event import Event

from wyoming_units.chat.options import History
from wyoming_units.errors import BadRequest, TooLarge, UnitError
from wyoming_units.units.chatting import Wanted, wanted_of

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "1", "type": "function", "function": {"name": "lamp", "arguments": "{}"}}
SHOWN = {"role": "user", "content": [{"type": "image", "name": "it"}]}


def read(payload: bytes | None = None, **data: Any) -> Wanted:
    return wanted_of(Event(type="chat", data={"messages": [USER], **data}, payload=payload))


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": ""}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [{"role": "assistant", "tool_calls": [CALL]}],
        [{"role": "assistant", "content": "Hm.", "tool_calls": []}],
        [{"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "x"}]}],
        [{"role": "user", "content": [], "name": "Ada"}],
    ],
)
def test_messages_are_taken_as_they_are(messages: list[dict[str, Any]]) -> None:
    assert list(read(messages=messages).request.messages) == messages


@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        "Hi",
        ["Hi"],
        [{}],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": 5}],
        [{"role": "king", "content": "Hi"}],
        [{"role": ["user"], "content": "Hi"}],
        [{"role": "user", "content": ["Hi"]}],
        [{"role": "user", "content": [{"type": "text"}]}],
        [{"role": "user", "content": [{"type": "image"}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}],
        [{"role": "user", "content": "Hi", "tool_calls": [CALL]}],
        [{"role": "tool", "content": "done"}],
        [{"role": "assistant", "content": None}],
        [{"role": "assistant", "content": None, "tool_calls": []}],
        [{"role": "assistant", "content": None, "tool_calls": CALL}],
        [{"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": 1}]}],
        [{"role": "assistant", "content": None, "tool_calls": [{**CALL, "type": "tool"}]}],
        [{"role": "assistant", "content": None, "tool_calls": [{**CALL, "function": "lamp"}]}],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{**CALL, "function": {"name": "lamp", "arguments": {}}}],
            }
        ],
        [USER] * 1001,
        [SHOWN],
    ],
)
def test_messages_of_a_wrong_shape_are_refused(messages: Any) -> None:
    with pytest.raises(BadRequest):
        read(messages=messages)


@pytest.mark.parametrize(
    "data",
    [
        {"tools": {}},
        {"tools": [{"name": "lamp"}]},
        {"tools": [{"type": "function", "function": {"name": ""}}]},
        {"tools": [{"type": "function", "function": {"name": "lamp"}}] * 257},
        {"model": 1},
        {"temperature": 2.1},
        {"temperature": "hot"},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"thinking": "yes"},
        {"prepare": 1},
        {"response_schema": "object"},
        {"choices": "ab"},
        {"choices": []},
        {"choices": ["one"]},
        {"choices": ["one", " "]},
        {"choices": [str(n) for n in range(21)]},
        {"choices": ["a", "b"], "response_schema": {}},
        {"history": "all"},
        {"history": {"policy": "some"}},
        {"history": {"policy": "window", "turns": 0}},
        {"history": {"policy": "summary"}},
        {"session": 1},
        {"session": "x" * 201},
        {"parts": [{"name": "it"}]},
    ],
)
def test_settings_of_a_wrong_shape_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        read(**data)


def test_what_is_not_said_is_left_to_the_model() -> None:
    wanted = read()
    request = wanted.request
    assert (request.model, request.temperature, request.max_tokens) == (None, None, None)
    assert (request.schema, request.think, request.weigh, request.prepare) == (None, *[False] * 3)
    assert (wanted.history, wanted.choices, wanted.key) == (History(policy="all"), (), None)
    assert read(response_schema={}).request.schema == {}
    assert read(temperature=0).request.temperature == 0


def part(name: str, length: int) -> dict[str, Any]:
    return {"name": name, "mime": "image/png", "length": length}


@pytest.mark.parametrize(
    ("messages", "size", "error"),
    [
        ([USER, {"role": "user", "content": "x" * 400_000}], 1, TooLarge),
        ([SHOWN] * 17, 1, BadRequest),
        ([SHOWN] * 3, 6 * 1024 * 1024, TooLarge),
    ],
)
def test_what_is_too_much_is_refused(
    messages: list[dict[str, Any]], size: int, error: type[UnitError]
) -> None:
    with pytest.raises(error):
        read(bytes(size), messages=messages, parts=[part("it", size)])
