"""Messages and tools as the text that a model was trained with: its own template renders them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wyoming_units.chat.exchange import ChatRequest
from wyoming_units.chat.templates import environment
from wyoming_units.errors import BadRequest, EngineFailed, Unsupported


class Prompt:
    """Renders requests; a template comes with a model's file, so it runs in a sandbox."""

    def __init__(self, template: str) -> None:
        """Compile the template; `EngineFailed` where it is none."""
        from jinja2 import TemplateError

        self._error = TemplateError
        try:
            self._template = environment().from_string(template)
        except TemplateError as err:
            raise EngineFailed(f"the model's template is broken: {err}") from err

    def render(self, request: ChatRequest, *, bos: str, eos: str) -> str:
        """Return the text; `bos` and `eos` are how texts begin and end. `BadRequest` for what it does not take."""
        messages = [_plain(message) for message in request.messages]
        try:
            text: str = self._template.render(
                messages=messages,
                tools=list(request.tools) or None,
                add_generation_prompt=True,
                enable_thinking=request.think,
                bos_token=bos,
                eos_token=eos,
            )
        except (self._error, ArithmeticError, LookupError, TypeError, ValueError) as err:
            raise BadRequest(f"the model's template does not take the messages: {err}") from err
        return text


def takes_tools(template: str) -> bool:
    """Return whether a template has a place for tools."""
    return re.search(r"\btools\b", template) is not None


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as templates expect it: content is text, arguments are objects."""
    plain = {**message, "content": _text(message.get("content"))}
    if calls := message.get("tool_calls"):
        plain["tool_calls"] = [
            {**call, "function": _with_object(call["function"])} for call in calls
        ]
    return plain


def _text(content: str | Sequence[Mapping[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if any(part.get("type") != "text" for part in content):
        raise Unsupported("this model understands text only")
    return "".join(part["text"] for part in content)


def _with_object(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            raise BadRequest(f"arguments of {function.get('name')} are no JSON") from None
    return {**function, "arguments": arguments}
