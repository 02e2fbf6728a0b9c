"""How much of the past a model reads: what leaves, leaves in blocks, so that prompts begin alike in between."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wyoming_units.chat.options import History

Message = Mapping[str, Any]

_BYTES_PER_TOKEN = 3
"""Few enough for any language: English has about 4 bytes of UTF-8 in a token, German and French 3.5, Chinese
(3 bytes a character) 3 to 5, and JSON of tools about 3. Who counts too many tokens only forgets a little earlier."""
_TOKENS_PER_MESSAGE = 8
"""By which a template marks whose message it is."""
_TOKENS_PER_PICTURE = 1024

_SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Result"}
_SUMMARY = (
    "Summarise this conversation in at most 120 words, in the language of the conversation. Keep names, "
    "numbers, wishes and what was done. Write only the summary."
)


def bounded(messages: Sequence[Message], history: History) -> tuple[list[Message], list[Message]]:
    """Return the messages that a model reads, and those in between that are left out.

    System messages at the beginning stay. Beyond `turns` turns the oldest leave, half of `turns` at a time.
    """
    head, turns = _divided(messages)
    if history.policy == "all":
        return list(messages), []
    over = len(turns) - history.turns
    blocks = -(-over // _block(history)) if over > 0 else 0
    return _parted(head, turns, blocks * _block(history))


def fit(
    messages: Sequence[Message], tokens: int, history: History
) -> tuple[list[Message], list[Message]]:
    """Return the messages that fit into so many tokens, and those that are left out, oldest blocks first.

    The last turn always stays. The tokens are estimated.
    """
    head, turns = _divided(messages)
    sizes = [sum(map(estimate, turn)) for turn in turns]
    room = tokens - sum(map(estimate, head))
    leaving = 0
    while leaving < len(turns) - 1 and sum(sizes[leaving:]) > room:
        leaving += _block(history)
    return _parted(head, turns, leaving)


def estimate(message: Message) -> int:
    """Return about how many tokens a message, or a tool, has: rather too many than too few."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    pictures = [part for part in parts if part["type"] == "image"]
    if pictures:
        message = {**message, "content": [part for part in parts if part not in pictures]}
    written = len(json.dumps(message, ensure_ascii=False).encode())
    return written // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE + _TOKENS_PER_PICTURE * len(pictures)


def summarised(messages: Sequence[Message], summary: str) -> list[Message]:
    """Return the messages with a summary of what was left out behind the first system messages."""
    start = _first_of_all(messages)
    told = {"role": "system", "content": f"Summary of the conversation before:\n{summary}"}
    return [*messages[:start], told, *messages[start:]]


def to_summarise(messages: Sequence[Message], before: str | None, tokens: int) -> list[Message]:
    """Return what to ask a model for a summary of messages, of the last so many tokens of them."""
    lines = [f"Before: {before}"] if before else []
    lines += [
        f"{_SPEAKERS[message['role']]}: {written}"
        for message in messages
        if message["role"] in _SPEAKERS and (written := text_of(message))
    ]
    written = "\n".join(lines).encode()[-tokens * _BYTES_PER_TOKEN :].decode(errors="ignore")
    return [{"role": "system", "content": _SUMMARY}, {"role": "user", "content": written}]


def wishes(messages: Sequence[Message]) -> list[str]:
    """Return what users said in some messages, by which the same past is known again."""
    return [text_of(message) for message in messages if message["role"] == "user"]


def after(messages: Sequence[Message], turns: int) -> Sequence[Message]:
    """Return what comes after so many messages of users and what followed on them."""
    begins = [at for at, message in enumerate(messages) if message["role"] == "user"]
    return messages[begins[turns] :] if turns < len(begins) else ()


def text_of(message: Message) -> str:
    """Return the text of a message."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _block(history: History) -> int:
    return max(1, history.turns // 2)


def _divided(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """Return the system messages at the beginning, and the turns.

    A turn begins with a user's message, but never between the call of a tool and its result.
    """
    start = _first_of_all(messages)
    called: dict[Any, int] = {}
    between: set[int] = set()
    for at, message in enumerate(messages):
        called |= {call["id"]: at for call in message.get("tool_calls") or ()}
        if message["role"] == "tool":
            between.update(range(called.get(message["tool_call_id"], at) + 1, at + 1))
    turns: list[list[Message]] = []
    for at in range(start, len(messages)):
        begins = messages[at]["role"] == "user" and at not in between
        # What comes before the first user's message, such as a greeting, belongs to that turn.
        greeted = len(turns) == 1 and not wishes(turns[0])
        if not turns or (begins and not greeted):
            turns.append([])
        turns[-1].append(messages[at])
    return list(messages[:start]), turns


def _first_of_all(messages: Sequence[Message]) -> int:
    """Return how many system messages come first."""
    others = (at for at, message in enumerate(messages) if message["role"] != "system")
    return next(others, len(messages))


def _parted(
    head: list[Message], turns: list[list[Message]], leaving: int
) -> tuple[list[Message], list[Message]]:
    leaving = max(0, min(leaving, len(turns) - 1))
    left_out = [message for turn in turns[:leaving] for message in turn]
    return [*head, *(message for turn in turns[leaving:] for message in turn)], left_out
