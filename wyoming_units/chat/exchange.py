"""What a language model is asked, and the pieces in which it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls", "prepared"]
"""Why an answer ended: the model had finished, the limit was reached, it calls tools, only its beginning was wanted."""


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One answer that is wanted of a model."""

    messages: Sequence[Mapping[str, Any]]
    """In OpenAI's shape, oldest first; pictures are `image_url` parts with data URLs."""
    tools: Sequence[Mapping[str, Any]] = ()
    """In OpenAI's shape."""
    model: str | None = None
    """Name of a model of the engine; None takes its first."""
    temperature: float | None = None
    """From 0 to 2; None leaves it to the model."""
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer shall meet; engines that can make the model keep to it."""
    think: bool = False
    """Whether a model that can may think before it answers."""
    weigh: bool = False
    """Whether to tell how likely each first token of the answer is (`Weighed`)."""
    prepare: bool = False
    """Only take in the messages and tools, so that the answer to more of them begins sooner."""
    session: str | None = None
    """Whose prompts begin alike, so that a server can keep what it computed of them."""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A function that the model wants to have called."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one answer; None where the engine does not tell."""

    prompt: int | None = None
    """All that went in."""
    completion: int | None = None
    cached: int | None = None
    """Of those that went in, the ones that were known from before."""


@dataclass(frozen=True)
class Said:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class Thought:
    """A piece of what the model thinks before it answers; nobody should speak it."""

    text: str


@dataclass(frozen=True)
class Called:
    """A whole tool call."""

    call: ToolCall


@dataclass(frozen=True)
class Weighed:
    """How likely the first tokens of an answer are."""

    logprobs: Mapping[str, float]
    """Natural logarithm by text of the token, of the most likely ones."""


@dataclass(frozen=True)
class Ended:
    """The end of an answer, the last piece."""

    reason: FinishReason
    usage: Usage = Usage()


Delta = Said | Thought | Called | Weighed | Ended
