"""Reading the data of `chat`: every wrong shape is one `BadRequest`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wyoming.event import Event

from wyoming_units.chat.exchange import ChatRequest
from wyoming_units.chat.options import History
from wyoming_units.errors import BadImage, BadRequest, TooLarge
from wyoming_units.units.read import (
    choice,
    context,
    flag,
    mapping,
    number,
    objects,
    optional_text,
    text,
    texts,
)
from wyoming_units.wire.parts import Part, unpack

_MOST_MESSAGES = 1000
_MOST_CHARACTERS = 400_000
"""Of all messages of one request."""
_MOST_TOOLS = 256
_MOST_PICTURES = 16
_MOST_BYTES = 16 * 1024 * 1024
"""Of all pictures of one request; one that is shown twice counts twice."""
_MOST_TOKENS = 1_000_000
_MOST_TURNS = 1000
_MOST_NAME = 200
_FEWEST_CHOICES, _MOST_CHOICES = 2, 20
_ROLES = ("system", "user", "assistant", "tool")
_PICTURES = ("image/jpeg", "image/png", "image/webp")
_POLICIES = ("all", "window", "summary")


_ALL = History(policy="all")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a `chat` asks for."""

    request: ChatRequest
    """With all of the messages, as they came: their pictures are parts with names."""
    pictures: Mapping[str, Part] = field(default_factory=dict)
    """By those names."""
    choices: tuple[str, ...] = ()
    history: History = _ALL
    key: str | None = None
    """Which answer is wanted once only."""


def wanted_of(event: Event) -> Wanted:
    """Return what a `chat` asks for; `BadRequest`, `BadImage`, `TooLarge`."""
    data = event.data
    session = _name(data, "session")
    history = _history(data)
    if history.policy == "summary" and session is None:
        raise BadRequest("a summary of the past needs a session")
    choices = _choices(data)
    schema = _schema(data)
    if choices and schema is not None:
        raise BadRequest("choices and a response_schema cannot be met together")
    prepare = flag(data, "prepare")
    pictures = unpack(event)
    request = ChatRequest(
        messages=_messages(data, pictures),
        tools=_tools(data),
        model=optional_text(data, "model"),
        temperature=_temperature(data),
        max_tokens=_whole(data, "max_tokens", _MOST_TOKENS),
        schema=schema,
        think=flag(data, "thinking") and not choices,
        weigh=bool(choices) and not prepare,
        prepare=prepare,
        session=session,
    )
    return Wanted(
        request=request,
        pictures=pictures,
        choices=choices,
        history=history,
        key=_name(data, "idempotency_key"),
    )


def spoken_of(event: Event) -> tuple[str, str | None]:
    """Return the text of a `transcript` and the id of its conversation; `BadRequest`, `TooLarge`."""
    said = text(event)
    if not said.strip():
        raise BadRequest("a transcript needs words")
    return said, _name(context(event), "conversation_id")


def _name(data: dict[str, Any], key: str) -> str | None:
    value = optional_text(data, key)
    if value is not None and len(value) > _MOST_NAME:
        raise BadRequest(f"{key} may have {_MOST_NAME} characters at most")
    return value


def _whole(data: dict[str, Any], key: str, most: int) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"{key} must be a whole number from 1 to {most}")
    return value


def _temperature(data: dict[str, Any]) -> float | None:
    if data.get("temperature") is None:
        return None
    return number(data, "temperature", 1.0, least=0.0, most=2.0)


def _schema(data: dict[str, Any]) -> dict[str, Any] | None:
    if data.get("response_schema") is None:
        return None
    return mapping(data, "response_schema")


def _choices(data: dict[str, Any]) -> tuple[str, ...]:
    choices = texts(data, "choices")
    if data.get("choices") is None:
        return ()
    if not _FEWEST_CHOICES <= len(choices) <= _MOST_CHOICES or not all(map(str.strip, choices)):
        raise BadRequest(f"choices must be {_FEWEST_CHOICES} to {_MOST_CHOICES} texts")
    return choices


def _history(data: dict[str, Any]) -> History:
    if data.get("history") is None:
        return _ALL
    given, usual = mapping(data, "history"), History()
    policy = choice(given, "policy", _POLICIES) or usual.policy
    turns = _whole(given, "turns", _MOST_TURNS) or usual.turns
    return History(policy=policy, turns=turns)  # type: ignore[arg-type]  # one of the policies


def _tools(data: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    tools = objects(data, "tools", _MOST_TOOLS)
    for tool in tools:
        match tool:
            case {"type": "function", "function": {"name": str(name)}} if name:
                pass
            case _:
                raise BadRequest("a tool needs the type function and a function with a name")
    return tuple(tools)


# -- messages


def _messages(data: dict[str, Any], parts: Mapping[str, Part]) -> tuple[dict[str, Any], ...]:
    """Return the messages as they came; their shapes are right, and their pictures are there."""
    messages = objects(data, "messages", _MOST_MESSAGES)
    if not messages:
        raise BadRequest("chat needs messages")
    characters = sum(_checked(message) for message in messages)
    if characters > _MOST_CHARACTERS:
        raise TooLarge(f"the messages are over the limit of {_MOST_CHARACTERS} characters")
    shown = [_picture(part["name"], parts) for message in messages for part in _images(message)]
    if len(shown) > _MOST_PICTURES:
        raise BadRequest(f"messages may have {_MOST_PICTURES} pictures at most")
    if sum(len(part.data) for part in shown) > _MOST_BYTES:
        raise TooLarge(f"the pictures are over the limit of {_MOST_BYTES} bytes")
    return tuple(messages)


def _checked(message: dict[str, Any]) -> int:
    """Return the characters of a message whose shape is right."""
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise BadRequest(f"the role of a message must be one of: {', '.join(_ROLES)}")
    calls = message.get("tool_calls")
    if calls is not None and role != "assistant":
        raise BadRequest("only an assistant message may have tool_calls")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise BadRequest("a tool message needs a tool_call_id")
    characters = _characters_of_calls(calls) if calls is not None else 0
    if isinstance(content, str):
        return characters + len(content)
    if content is None and calls:
        return characters
    if not isinstance(content, list):
        raise BadRequest("the content of a message must be a text or a list of parts")
    return characters + sum(map(_characters_of_part, content))


def _characters_of_part(part: Any) -> int:
    match part:
        case {"type": "text", "text": str(written)}:
            return len(written)
        case {"type": "image", "name": str()}:
            return 0
    raise BadRequest("a part of a message must be a text, or an image with its name")


def _characters_of_calls(calls: Any) -> int:
    if not isinstance(calls, list):
        raise BadRequest("tool_calls must be a list")
    characters = 0
    for call in calls:
        match call:
            case {
                "id": str(),
                "type": "function",
                "function": {"name": str(), "arguments": str(arguments)},
            }:
                characters += len(arguments)
            case _:
                raise BadRequest(
                    "a tool call needs an id, the type function and a function with a name and arguments"
                )
    return characters


def _images(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return (
        [part for part in content if part["type"] == "image"] if isinstance(content, list) else []
    )


def _picture(name: str, parts: Mapping[str, Part]) -> Part:
    part = parts.get(name)
    if part is None:
        raise BadRequest(f"no picture called {name!r} was sent")
    if part.mime not in _PICTURES:
        raise BadImage(f"a picture must be one of {', '.join(_PICTURES)}, not {part.mime}")
    return part


def with_pictures(
    messages: Sequence[Mapping[str, Any]], pictures: Mapping[str, Part]
) -> list[Mapping[str, Any]]:
    """Return messages with the pictures in the place of their names, as OpenAI's shape has them; takes long."""
    return [
        {**message, "content": [_shown(part, pictures) for part in message["content"]]}
        if _images(message)
        else message
        for message in messages
    ]


def _shown(part: dict[str, Any], pictures: Mapping[str, Part]) -> dict[str, Any]:
    if part["type"] != "image":
        return part
    picture = pictures[part["name"]]
    url = f"data:{picture.mime};base64,{b64encode(picture.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}
