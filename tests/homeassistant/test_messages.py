"""Chat logs in the words of the protocol."""

import json
from typing import Any

from homeassistant.components.conversation import (
    AssistantContent,
    Content,
    SystemContent,
    ToolResultContent,
    UserContent,
)
from homeassistant.helpers.llm import ToolInput, ToolResult

from custom_components.wyoming_units.messages import ASIDE, messages_of

AGENT = "conversation.agent"
SYSTEM = SystemContent("You are kind.")


def said(text: str | None, **more: Any) -> AssistantContent:
    return AssistantContent(AGENT, text, **more)


def calls(*ids: str, **arguments: Any) -> AssistantContent:
    return said(None, tool_calls=[ToolInput("tool", arguments, id=each) for each in ids])


def result(call_id: str, data: Any = None, *, error: bool = False) -> ToolResultContent:
    return ToolResultContent(AGENT, call_id, "tool", ToolResult(data or {"done": 1}, error=error))


def roles(contents: list[Content]) -> list[str]:
    return [message["role"] for message in messages_of(contents)]


def test_what_was_said_keeps_its_order_and_notes_go_in_front() -> None:
    log = [SYSTEM, UserContent("Hi"), said(" Hello. "), UserContent("And?")]
    assert messages_of(log, notes={3: "(noon)"}) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "(noon)\nAnd?"},
    ]
    assert messages_of(log, start=3) == [{"role": "user", "content": "And?"}]


def test_what_the_model_thought_is_not_told_again() -> None:
    log = [SYSTEM, UserContent("Hi"), said("Hello.", thinking_content="Who is it?")]
    assert "Who" not in json.dumps(messages_of(log))


def test_arguments_and_results_have_one_order() -> None:
    log = [
        [SYSTEM, UserContent("Hi"), calls("a", **first), result("a", second)]
        for first, second in (
            ({"x": 1, "y": {"b": 1, "a": 2}}, {"p": [1], "q": "ü"}),
            ({"y": {"a": 2, "b": 1}, "x": 1}, {"q": "ü", "p": [1]}),
        )
    ]
    assert messages_of(log[0]) == messages_of(log[1])
    _, called, told = messages_of(log[0])
    assert called["tool_calls"][0]["function"]["arguments"] == '{"x":1,"y":{"a":2,"b":1}}'
    assert told == {"role": "tool", "tool_call_id": "a", "content": '{"p":[1],"q":"ü"}'}


def test_a_result_that_is_an_error_says_so() -> None:
    log = [SYSTEM, calls("a", "b"), result("a", {"reason": "no"}, error=True), result("b")]
    told = [json.loads(it["content"]) for it in messages_of(log) if it["role"] == "tool"]
    assert told == [{"error": True, "reason": "no"}, {"done": 1}]


def test_every_call_has_one_result_and_every_result_a_call() -> None:
    log = [SYSTEM, UserContent("1"), calls("a", "b"), result("b"), UserContent("2"), result("a")]
    messages = messages_of(log)
    assert [it["role"] for it in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert [it["tool_call_id"] for it in messages if it["role"] == "tool"] == ["b", "a"]
    assert json.loads(messages[3]["content"]) == {"error": "interrupted"}
    assert messages_of([SYSTEM, calls("a")])[-1]["role"] == "tool"


def test_what_the_model_did_not_say_is_not_put_into_its_mouth() -> None:
    cut_off = said("Error: CancelledError")
    for never in (cut_off, said("It is busy.", native=ASIDE), said(""), said(None)):
        [_, answer] = messages_of([SYSTEM, UserContent("Hi"), never])
        assert answer == {"role": "assistant", "content": "…"}
    for aside in (cut_off, said("It is busy.", native=ASIDE)):
        [_, answer] = messages_of([SYSTEM, UserContent("Hi"), said("Once"), aside])
        assert answer["content"] == "Once"
    log = [SYSTEM, UserContent("Hi"), calls("a"), result("a"), said("Busy.", native=ASIDE)]
    assert roles(log) == ["user", "assistant", "tool", "assistant"]
