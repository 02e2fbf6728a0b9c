"""Finds tool calls in the text of models that write them down, as it is written.

Two ways are understood: `<tool_call>{"name", "arguments"}</tool_call>`, anywhere and many times (Hermes, Qwen), and an
answer that is nothing but `{"name", "parameters"}` (Llama 3).
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from wyoming_units.chat.exchange import Called, Said, ToolCall
from wyoming_units.errors import EngineFailed

_OPEN = "<tool_call>"
_CLOSE = "</tool_call>"


class CallReader:
    """Takes the pieces of an answer and gives its texts and calls in their order."""

    def __init__(self) -> None:
        self._held = ""
        """What may yet become a call."""
        self._bare: bool | None = None
        """Whether the answer looks like a call without tags; None before its first letter."""
        self._inside = False
        self._after_call = False
        """Whether only white space came since the last call."""
        self.called = False

    def feed(self, text: str) -> list[Said | Called]:
        """Take the next piece; return what is certain now."""
        self._held += text
        if self._bare is None and (begin := self._held.lstrip()):
            self._bare = begin.startswith("{")
        if self._bare is not False:
            return []
        found: list[Said | Called] = []
        while True:
            before, tag, after = self._held.partition(_CLOSE if self._inside else _OPEN)
            if not tag:
                break
            self._held = after
            found += [self._call(_parsed(before))] if self._inside else self._say(before)
            self._inside = not self._inside
        if not self._inside:
            end = len(self._held) - _begun(self._held)
            said, self._held = self._held[:end], self._held[end:]
            found += self._say(said)
        return found

    def finish(self) -> list[Said | Called]:
        """Return what is left; `EngineFailed` for a call that is none."""
        if self._inside:
            return [self._call(_parsed(self._held))]
        if self._bare and (bare := _bare(self._held)):
            return [self._call(bare)]
        return self._say(self._held)

    def _call(self, call: ToolCall) -> Called:
        self.called = self._after_call = True
        return Called(call)

    def _say(self, text: str) -> list[Said | Called]:
        if self._after_call:
            text = text.lstrip()
            self._after_call = not text
        return [Said(text)] if text else []


def _begun(text: str) -> int:
    """Return how many characters at the end may be the beginning of a tag."""
    return next(
        (length for length in range(len(_OPEN) - 1, 0, -1) if text.endswith(_OPEN[:length])), 0
    )


def _bare(text: str) -> ToolCall | None:
    """Return the call that an answer without tags is, None where it is text."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if isinstance(found, dict) and isinstance(found.get("name"), str) and "parameters" in found:
        return _made(found)
    return None


def _parsed(text: str) -> ToolCall:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise EngineFailed("the model wrote a tool call that is no JSON")
    return _made(found)


def _made(found: dict[str, Any]) -> ToolCall:
    arguments = found.get("arguments", found.get("parameters", {}))
    if not isinstance(arguments, dict):
        raise EngineFailed(
            f"the model called {found['name']} with arguments that are no JSON object"
        )
    return ToolCall(id=f"call_{secrets.token_hex(6)}", name=found["name"], arguments=arguments)
