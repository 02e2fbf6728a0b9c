"""How a node's language model talks with clients that say nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HistoryPolicy = Literal["all", "window", "summary"]


@dataclass(frozen=True, kw_only=True)
class History:
    """What a model reads of the past."""

    policy: HistoryPolicy = "window"
    """All of it; not the oldest turns; a summary of these."""
    turns: int = 40
    """At most so many of the last turns, at least half of it."""


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """Conversations with plain Wyoming clients, whose `transcript` the model answers."""

    prompt: str = (
        "You are a helpful voice assistant. Answer in one or two short sentences of plain text, "
        "in the language of the question."
    )
    """Who the model is."""
    history: History = History()
    max_tokens: int = 400
    """Of one answer."""
    forget: float = 300.0
    """Seconds after its last turn when a conversation is forgotten."""
