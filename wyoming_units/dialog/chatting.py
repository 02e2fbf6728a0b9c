"""A question to a language model: sends it to an llm unit and yields the answer as it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wyoming.event import Event

from wyoming_units.chat.exchange import Called, Said, Thought, ToolCall, Usage
from wyoming_units.errors import UnitError
from wyoming_units.wire.client import Client
from wyoming_units.wire.parts import Part, pack

_PATIENCE = 180.0
"""Seconds for the next piece. A node gives up on its model's server earlier, and says so."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The end of an answer, the last piece."""

    reason: str
    """`stop`, `length`, `tool_calls` or `prepared`."""
    usage: Usage = field(default_factory=Usage)
    timing: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage, as the unit measured them."""
    rate: float | None = None
    """Tokens a second."""
    cached: bool = False
    """Whether it is the answer of an earlier request with the same key."""


Piece = Said | Thought | Called | Answered


async def chat(
    client: Client,
    *,
    messages: Sequence[Mapping[str, Any]],
    images: Sequence[Part] = (),
    model: str | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    max_tokens: int | None = None,
) -> AsyncGenerator[Piece, None]:
    """Yield the answer to messages, `Answered` last; hanging up before that ends the model's work.

    Messages and tools have the shape of docs/protocol.md; an image is shown where a message names it.
    """
    data: dict[str, Any] = {"messages": list(messages)}
    options = {"model": model, "tools": list(tools), "max_tokens": max_tokens}
    data |= {key: value for key, value in options.items() if value not in (None, [])}
    payload = None
    if images:
        data, payload = pack(data, images)
    await client.send(Event(type="chat", data=data, payload=payload))
    piece: Piece | None = None
    while not isinstance(piece, Answered):
        event = await client.receive(_PATIENCE)
        try:
            piece = _piece(event)
        except (KeyError, TypeError, AttributeError, ValueError) as err:
            raise UnitError(f"the node's answer cannot be understood: {err!r}") from None
        if piece is not None:
            yield piece


def _piece(event: Event) -> Piece | None:
    """Return the piece that an event is, None for any other event."""
    data = event.data
    if event.type == "chat-stop":
        told = data.get("context", {})
        usage = data.get("usage", {})
        return Answered(
            reason=str(data["finish_reason"]),
            usage=Usage(**{key: usage.get(key) for key in ("prompt", "completion", "cached")}),
            timing=told.get("timing", {}),
            rate=told.get("rate"),
            cached=data.get("cached") is True,
        )
    if event.type != "chat-chunk":
        return None
    match data:
        case {"text": str(text)}:
            return Said(text)
        case {"thinking": str(text)}:
            return Thought(text)
        case {"tool_call": {"id": str(call), "name": str(name), "arguments": dict(arguments)}}:
            return Called(ToolCall(id=call, name=name, arguments=arguments))
    raise ValueError("a chunk without a piece")
