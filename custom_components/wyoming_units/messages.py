"""Chat logs in the words of the protocol: the same past gives the same bytes, turn after turn."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import probatio
from homeassistant.components import conversation
from homeassistant.helpers import llm
from homeassistant.helpers.json import json_dumps_sorted

type Message = dict[str, Any]

ASIDE: Final = "aside"
"""`native` of what was said to the user, but not by the model: why it could not answer."""
_CUT_OFF: Final = "Error: CancelledError"
"""What Home Assistant writes into the log of a turn that was interrupted."""
_NOTHING: Final = "…"
"""Stands for an answer that the model did not give; servers want one behind each question."""
_NO_RESULT: Final = {"error": "interrupted"}
_NO_NOTES: Final[Mapping[int, str]] = MappingProxyType({})


def system_message(text: str) -> Message:
    """Return what a model is told first."""
    return {"role": "system", "content": text}


def messages_of(
    contents: Sequence[conversation.Content],
    start: int = 1,
    notes: Mapping[int, str] = _NO_NOTES,
) -> list[Message]:
    """Return what was said from `start` on, without what the system said.

    `notes` go in front of what the user said, by the place in the log. Pictures are left out.
    """
    past = _Past()
    for place, content in enumerate(contents[start:], start):
        match content:
            case conversation.UserContent():
                past.add_user("\n".join(filter(None, (notes.get(place), content.content))))
            case conversation.AssistantContent():
                past.add_assistant(content)
            case conversation.ToolResultContent():
                past.add_result(content)
    past.close_calls()
    return past.messages


def tools_of(api: llm.APIInstance) -> list[dict[str, Any]]:
    """Return the tools of an API by name."""
    return [_tool(tool, api) for tool in sorted(api.tools, key=lambda tool: tool.name)]


def speech_of(result: llm.ToolResult) -> str | None:
    """Return what a tool says itself about what it did."""
    match result.data:
        case {"speech": {"plain": {"speech": str(text)}}}:
            return text
    return None


class _Past:
    """Messages in the making; every tool call has its result, and every result its call."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._waiting: list[str] = []
        """Ids of the calls that have no result yet."""

    def add_user(self, text: str) -> None:
        self.close_calls()
        self.messages.append({"role": "user", "content": text})

    def add_assistant(self, content: conversation.AssistantContent) -> None:
        self.close_calls()
        text = (content.content or "").strip()
        if content.native == ASIDE or text == _CUT_OFF:
            if self.messages and self.messages[-1]["role"] == "assistant":
                return  # what the model did say of it is there
            text = ""
        message: Message = {"role": "assistant", "content": text}
        if content.tool_calls:
            message["tool_calls"] = [_call(call) for call in content.tool_calls]
            self._waiting = [call.id for call in content.tool_calls]
        elif not text:
            message["content"] = _NOTHING
        self.messages.append(message)

    def add_result(self, content: conversation.ToolResultContent) -> None:
        if content.tool_call_id not in self._waiting:
            return
        self._waiting.remove(content.tool_call_id)
        data: Mapping[str, Any] = content.result.data
        self._result(
            content.tool_call_id, {"error": True, **data} if content.result.error else data
        )

    def close_calls(self) -> None:
        """Give calls that were cut off a result."""
        for call_id in self._waiting:
            self._result(call_id, _NO_RESULT)
        self._waiting = []

    def _result(self, call_id: str, data: Mapping[str, Any]) -> None:
        text = json_dumps_sorted(data)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})


def _call(call: llm.ToolInput) -> dict[str, Any]:
    arguments = json_dumps_sorted(call.tool_args)
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.tool_name, "arguments": arguments},
    }


def _tool(tool: llm.Tool, api: llm.APIInstance) -> dict[str, Any]:
    parameters = probatio.to_openapi(
        tool.parameters, custom_serializer=api.custom_serializer, openapi_version="3.1.0"
    )
    function = {
        "name": tool.name,
        "description": tool.description or "",
        # In an order of its own: that of a schema may hang on how Home Assistant started.
        "parameters": json.loads(json_dumps_sorted(parameters)),
    }
    return {"type": "function", "function": function}
