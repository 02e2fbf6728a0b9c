"""What a model says, out of the events of a server's stream: chat and completion, of OpenAI's kind and llama.cpp's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from wyoming_units.chat.exchange import (
    Called,
    Delta,
    FinishReason,
    Said,
    Thought,
    ToolCall,
    Usage,
    Weighed,
)
from wyoming_units.errors import EngineFailed

_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Where servers put what a model thinks: llama.cpp and DeepSeek, Ollama and vLLM, others."""
_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "limit": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
"""All others mean that the model had finished."""


@dataclass
class _Call:
    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""

    def whole(self) -> Called:
        """Return the call; `EngineFailed` where its arguments are no JSON object."""
        try:
            arguments = json.loads(self.arguments.strip() or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise EngineFailed(f"the model called {self.name} with arguments that are no JSON")
        call_id = self.id or f"call_{token_hex(6)}"
        return Called(ToolCall(id=call_id, name=self.name, arguments=arguments))

    def goes_on(self, index: int, call_id: str, name: str) -> bool:
        """Return whether a piece belongs to this call: some servers give all calls the same index, or none."""
        if index != self.index or (call_id and self.id and call_id != self.id):
            return False
        return not (name and self.arguments and not call_id)


@dataclass
class Reader:
    """Reads the events of one answer; `reason` is set once the model has finished."""

    trim: bool = False
    """Whether the answer may begin with white space that is none of it."""
    reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    _call: _Call | None = None
    _called: bool = False

    def read(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        """Yield what an event says."""
        self._count(event)
        choices = event.get("choices")
        if choices is None and "content" in event:
            yield from self._native(event)
            return
        for choice in choices or ():
            if choice.get("index", 0) == 0:
                yield from self._choice(choice)

    @property
    def calling(self) -> bool:
        """Return True while a tool call comes in pieces, which nobody gets to see."""
        return self._call is not None

    def end(self, reason: str = "stop") -> Iterator[Delta]:
        """Yield what had to wait for the end, whose first reason counts."""
        if self._call is not None:
            yield self._call.whole()
            self._call, self._called = None, True
        if self.reason is None:
            self.reason = "tool_calls" if self._called else _REASONS.get(reason, "stop")

    def _say(self, told: Any) -> Iterator[Delta]:
        text = _text(told)
        if self.trim:
            text = text.lstrip()
        if text:
            self.trim = False
            yield Said(text)

    # -- chat and completion of OpenAI's kind

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Delta]:
        delta = choice.get("delta") or choice.get("message") or {}
        thought = next((text for key in _THOUGHTS if (text := _text(delta.get(key)))), "")
        if thought:
            yield Thought(thought)
        if logprobs := _logprobs(choice.get("logprobs")):
            yield Weighed(logprobs)
        yield from self._say(delta.get("content") or choice.get("text"))
        if function := delta.get("function_call"):
            yield from self._piece(0, {"function": function})
        for position, piece in enumerate(delta.get("tool_calls") or ()):
            yield from self._piece(position, piece)
        if finish := choice.get("finish_reason"):
            yield from self.end(str(finish))

    def _piece(self, position: int, piece: Mapping[str, Any]) -> Iterator[Delta]:
        function = piece.get("function") or {}
        index = piece.get("index")
        index = position if index is None else index
        call_id, name = _text(piece.get("id")), _text(function.get("name"))
        if self._call is not None and not self._call.goes_on(index, call_id, name):
            yield self._call.whole()
            self._call, self._called = None, True
        call = self._call = self._call or _Call(index)
        call.id, call.name = call.id or call_id, call.name or name
        arguments = function.get("arguments")
        call.arguments += json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments)

    # -- llama.cpp's own completion

    def _native(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        if logprobs := _native_logprobs(event.get("completion_probabilities")):
            yield Weighed(logprobs)
        yield from self._say(event["content"])
        if event.get("stop"):
            limit = event.get("stop_type") == "limit" or event.get("stopped_limit")
            yield from self.end("length" if limit else "stop")

    # -- numbers

    def _count(self, event: Mapping[str, Any]) -> None:
        usage, timings = event.get("usage") or {}, event.get("timings") or {}
        details = usage.get("prompt_tokens_details") or {}
        cached = _number(details.get("cached_tokens"), timings.get("cache_n"))
        fresh = _number(timings.get("prompt_n"))
        total = fresh + (cached or 0) if fresh is not None else None
        before = self.usage
        self.usage = Usage(
            prompt=_number(
                usage.get("prompt_tokens"), event.get("tokens_evaluated"), total, before.prompt
            ),
            completion=_number(
                usage.get("completion_tokens"),
                event.get("tokens_predicted"),
                timings.get("predicted_n"),
                before.completion,
            ),
            cached=_number(cached, before.cached),
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(*values: Any) -> int | None:
    return next((value for value in values if isinstance(value, int)), None)


def _best(pairs: Iterator[tuple[Any, Any]]) -> dict[str, float]:
    """Return the likeliest of each text; several tokens may be written alike."""
    found: dict[str, float] = {}
    for token, logprob in pairs:
        if isinstance(token, str) and isinstance(logprob, (int, float)) and math.isfinite(logprob):
            found[token] = max(float(logprob), found.get(token, -math.inf))
    return found


def _logprobs(told: Any) -> dict[str, float]:
    """Return the first token's alternatives, of a chat or of a completion, whose shape is older."""
    if not isinstance(told, Mapping):
        return {}
    if content := told.get("content"):
        return _best((each.get("token"), each.get("logprob")) for each in _top(content[0]))
    top = told.get("top_logprobs")
    return _best(iter(top[0].items())) if top and isinstance(top[0], Mapping) else {}


def _top(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return entry.get("top_logprobs") or [entry]


def _native_logprobs(told: Any) -> dict[str, float]:
    """Return the first token's alternatives; versions before December 2024 tell probabilities."""
    if not told:
        return {}
    if old := told[0].get("probs"):
        return _best(
            (each.get("tok_str"), math.log(each["prob"])) for each in old if each.get("prob")
        )
    return _best((each.get("token"), each.get("logprob")) for each in _top(told[0]))
