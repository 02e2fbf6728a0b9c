"""The bytes of requests: what changes from turn to turn comes last, so that a server knows the beginning again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from wyoming_units.chat.exchange import ChatRequest
from wyoming_units.engines._openai_errors import Refused
from wyoming_units.engines._openai_server import CHAT, Found, Server

_ALTERNATIVES = 20
"""First tokens that are weighed; the most that the API allows."""
_OLD_ALTERNATIVES = 5
"""The same for `/v1/completions`."""

COMPLETION, COMPLETIONS = "/completion", "/v1/completions"
PATHS = (CHAT, COMPLETION, COMPLETIONS)
"""Ways to ask, the best one first."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a server wants to be asked, as far as that has been found out."""

    path: str = CHAT
    schema: Literal["json_schema", "json_object"] = "json_schema"
    """How to ask it for JSON."""

    def after(self, refused: Refused, request: ChatRequest) -> Way | None:
        """Return what to try after a refusal; None where nothing is left."""
        if refused.no_such_path:
            further = PATHS[PATHS.index(self.path) + 1 :]
            return replace(self, path=further[0]) if further else None
        strict = self.path == CHAT and self.schema == "json_schema"
        if request.schema is not None and strict and refused.no_such_form:
            return replace(self, schema="json_object")
        return None


class Slots:
    """Gives each session a place of its own in a server that has several, the one that was not used for longest."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, str | None] = OrderedDict()

    def of(self, session: str | None, count: int | None) -> int | None:
        """Return the place of a session; None leaves it to the server."""
        if session is None or count is None or count < 2:
            return None
        if len(self._sessions) != count:
            self._sessions = OrderedDict.fromkeys(range(count))
        slot = next((at for at, name in self._sessions.items() if name == session), None)
        if slot is None:
            slot = next(iter(self._sessions))
        self._sessions[slot] = session
        self._sessions.move_to_end(slot)
        return slot


def chat_body(
    request: ChatRequest, server: Server, model: Found, way: Way, slot: int | None
) -> bytes:
    """Return a request for `/v1/chat/completions`."""
    settings: dict[str, Any] = {
        "model": model.name,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_own(request, server, slot),
    }
    if server.kind in {"llama.cpp", "vLLM"}:
        settings["chat_template_kwargs"] = {"enable_thinking": request.think}
    if model.thinking:
        settings["reasoning_effort"] = "medium" if request.think else "none"
    settings["temperature"] = _temperature(request)
    if request.prepare and server.kind == "llama.cpp":
        settings["n_predict"] = 0
    else:
        settings["max_tokens"] = _most(request)
    if request.weigh:
        settings |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
    if request.schema is not None:
        settings["response_format"] = _format(request.schema, way)
    if request.tools:
        settings["tools"] = list(request.tools)
    return _write(settings, "messages", list(request.messages))


def completion_body(
    request: ChatRequest, server: Server, prompt: str, stop: tuple[str, ...], slot: int | None
) -> bytes:
    """Return a request for llama.cpp's `/completion`."""
    settings: dict[str, Any] = {
        "stream": True,
        **_own(request, server, slot),
        "temperature": _temperature(request),
        "n_predict": 0 if request.prepare else _most(request),
    }
    if request.weigh:
        settings["n_probs"] = _ALTERNATIVES
    if request.schema is not None:
        settings["json_schema"] = request.schema
    return _write({**settings, "stop": list(stop)}, "prompt", prompt)


def completions_body(
    request: ChatRequest, model: Found, prompt: str, stop: tuple[str, ...]
) -> bytes:
    """Return a request for `/v1/completions`."""
    settings: dict[str, Any] = {
        "model": model.name,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": _temperature(request),
        "max_tokens": _most(request),
    }
    if request.weigh:
        settings["logprobs"] = _OLD_ALTERNATIVES
    return _write({**settings, "stop": list(stop[:4])}, "prompt", prompt)


def _own(request: ChatRequest, server: Server, slot: int | None) -> dict[str, Any]:
    """Return what only llama.cpp understands."""
    if server.kind != "llama.cpp":
        return {}
    return {"cache_prompt": True, **({} if slot is None else {"id_slot": slot})}


def _temperature(request: ChatRequest) -> float | None:
    # A token that was drawn by chance may be half a character, of which servers tell no probabilities.
    return 0.0 if request.weigh else request.temperature


def _most(request: ChatRequest) -> int | None:
    return 1 if request.weigh or request.prepare else request.max_tokens


def _format(schema: Mapping[str, Any], way: Way) -> dict[str, Any]:
    if way.schema == "json_object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


def _write(settings: Mapping[str, Any], key: str, last: Any) -> bytes:
    told = {name: value for name, value in settings.items() if value is not None}
    return json.dumps({**told, key: last}, ensure_ascii=False, separators=(",", ":")).encode()
