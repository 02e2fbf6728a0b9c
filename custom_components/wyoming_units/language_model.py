"""What a node's language models can do, what they are asked, and the pieces of their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from wyoming.event import Event

from .pictures import Picture

ENOUGH_FOR_TOOLS: Final = 4096
"""Tokens; what is said of tools and a home takes two thousand."""


@dataclass(frozen=True, kw_only=True)
class LlmModel:
    """A model of a language model program."""

    name: str
    description: str | None
    installed: bool
    supports_tools: bool
    supports_images: bool
    supports_choices: bool
    context_length: int | None
    """Tokens; None where nobody tells."""

    @property
    def fits_tools(self) -> bool:
        """Return whether it can call tools, and take in what they and the home are."""
        length = self.context_length
        return self.supports_tools and (length is None or length >= ENOUGH_FOR_TOOLS)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a model of `info.llm`."""
        length = data.get("context_length")
        return cls(
            name=str(data["name"]),
            description=data.get("description"),
            installed=bool(data["installed"]),
            supports_tools=data.get("supports_tools") is True,
            supports_images=data.get("supports_images") is True,
            supports_choices=data.get("supports_choices") is True,
            context_length=None if length is None else int(length),
        )


@dataclass(frozen=True, kw_only=True)
class LlmProgram:
    """A program of `info.llm`."""

    name: str
    installed: bool
    models: Sequence[LlmModel]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a program of `info.llm`."""
        return cls(
            name=str(data["name"]),
            installed=bool(data["installed"]),
            models=[LlmModel.from_dict(model) for model in data["models"]],
        )


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One answer that is wanted of a model."""

    messages: Sequence[Mapping[str, Any]]
    """In OpenAI's shape; a picture is a part `{"type": "image", "name": …}`."""
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """By those names."""
    tools: Sequence[Mapping[str, Any]] = ()
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    response_schema: Mapping[str, Any] | None = None
    choices: Sequence[str] = ()
    history: Mapping[str, Any] | None = None
    session: str | None = None
    idempotency_key: str | None = None
    prepare: bool = False

    def event(self) -> Event:
        """Return the request as it is sent."""
        pictures = self.pictures.items()
        told = vars(self) | {
            "pictures": None,
            "parts": [
                {"name": name, "mime": it.mime, "length": len(it.content)} for name, it in pictures
            ],
        }
        return Event(
            type="chat",
            data={key: value for key, value in told.items() if value not in (None, False, (), [])},
            payload=b"".join(it.content for _, it in pictures) or None,
        )


@dataclass(frozen=True)
class Said:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class Thought:
    """A piece of what the model thinks; never to be spoken."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Called:
    """A tool that the model wants to have called."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of an answer."""

    reason: str
    """`stop`, `length`, `tool_calls` or `prepared`."""
    cached: bool
    """Whether it is the answer of an earlier request with the same key."""
    probabilities: Sequence[float]
    """Of the choices, where some were given."""
    usage: Mapping[str, int | None]
    context: Mapping[str, Any]
    """What took how long."""


type Piece = Said | Thought | Called | Ended


def piece_of(event: Event) -> Piece | None:
    """Return the piece that an event is, None for any other; raises what the shape is wrong by."""
    data = event.data
    if event.type == "chat-stop":
        return Ended(
            reason=str(data["finish_reason"]),
            cached=data.get("cached") is True,
            probabilities=[float(each) for each in data.get("probabilities") or ()],
            usage=data.get("usage") or {},
            context=data.get("context") or {},
        )
    if event.type != "chat-chunk":
        return None
    match data:
        case {"text": str(text)}:
            return Said(text)
        case {"thinking": str(text)}:
            return Thought(text)
        case {"tool_call": {"id": str(call), "name": str(name), "arguments": dict(arguments)}}:
            return Called(id=call, name=name, arguments=arguments)
    raise ValueError("a chunk without a piece")
