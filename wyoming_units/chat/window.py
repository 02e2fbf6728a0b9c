"""How long a prompt small models on an NPU take, which is compiled in, and what of a conversation fits into that.

Nobody counts tokens there before the prompt is sent, so they are estimated: rather too many than too few.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wyoming_units.errors import TooLarge

Message = Mapping[str, Any]

_LENGTH = re.compile(r"[-_]p(\d{3,4})(?=[-_]|$)")
_CONTEXT = re.compile(r"-ctx(-|$)", re.IGNORECASE)
_MODULE = re.compile(r"ax6[23]0|-prefill(-|$)", re.IGNORECASE)
"""In the names of models for the AX630C."""
_PREFILL = 128
"""Tokens that are read at once, where a name does not say it."""
_KEPT = 1024
"""Tokens of the prompt where what was said before is kept."""
_PICTURE = re.compile(r"-(224|364|448)(-|$)")
_PATCH = 28
"""Pixels of a picture's side that become one token's; 64 tokens where nobody tells the side."""
_WORD = re.compile(r"[a-z]+")
_ENGLISH = {
    *("and", "are", "for", "from", "have", "is", "it", "not", "of", "or"),
    *("that", "the", "this", "to", "was", "what", "with", "you", "your"),
}
"""Words that are seldom missing in English, which makes fewer tokens than other languages do."""
_ENGLISH_PART = 8
"""One word in so many is one of these, in English."""
_PER_MESSAGE, _OPENING = 5, 4
"""Tokens by which a template marks a message, and the place of the answer."""


def limit_of(model: str, parameters: Mapping[str, Any] | None = None) -> int | None:
    """Return how many tokens a prompt may have, by the name of a model; None where none is known.

    `parameters`, where a model's package has told them, know better than a name which says nothing of it.
    """
    told = parameters or {}
    if isinstance(kept := told.get("precompute_len"), int) and kept > 0:
        return kept
    if _CONTEXT.search(model):
        return _KEPT
    layers = str(told.get("template_filename_axmodel", ""))
    if named := _LENGTH.search(model) or _LENGTH.search(layers):
        return int(named[1])
    return _PREFILL if _MODULE.search(model) else None


def picture_tokens(model: str) -> int:
    """Return about how many tokens of a prompt a picture takes."""
    side = _PICTURE.search(model)
    return (int(side[1]) // _PATCH) ** 2 if side else 64


def tokens(text: str) -> int:
    """Return about how many tokens a text has.

    By the scripts of its letters, set by texts of home automation in 20 languages that were counted with Qwen's
    vocabulary: a tenth too few for Finnish, up to a third too many for English, German and Chinese.
    """
    words = _WORD.findall(text.lower())
    english = _ENGLISH_PART * sum(word in _ENGLISH for word in words) >= len(words) > 0
    thirtieths = sum(_thirtieths(letter, english=english) for letter in text)
    return -(-thirtieths // 30)


def fit(messages: Sequence[Message], limit: int, model: str, *, taken: int = 0) -> list[Message]:
    """Return the messages without the oldest turns, so that the others fit; `TooLarge` where none can leave.

    System messages at the beginning and the last turn stay. `taken` are tokens of what else is sent, such as tools.
    """
    first = next((at for at, each in enumerate(messages) if each["role"] != "system"), None)
    head, rest = messages[:first], messages[first:] if first is not None else ()
    starts = [at for at, each in enumerate(rest) if each["role"] == "user"] or [0]
    sizes = [_of_message(each, model) for each in rest]
    must = taken + _OPENING + sum(_of_message(each, model) for each in head)
    kept = next(
        (at for at in (0, *starts) if must + sum(sizes[at:]) <= limit and at <= starts[-1]), None
    )
    if kept is None:
        length = must + sum(sizes[starts[-1] :])
        raise TooLarge(f"the prompt has about {length} tokens; {model} takes {limit}")
    return [*head, *rest[kept:]]


def tools_tokens(tools: Sequence[Mapping[str, Any]]) -> int:
    """Return about how many tokens the tools of a request have."""
    return sum(tokens(json.dumps(tool, ensure_ascii=False)) for tool in tools)


def _of_message(message: Message, model: str) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    size = _PER_MESSAGE
    for part in parts:
        size += tokens(text) if (text := part.get("text")) is not None else picture_tokens(model)
    if calls := message.get("tool_calls"):
        size += tokens(json.dumps(calls, ensure_ascii=False))
    return size


def _thirtieths(letter: str, *, english: bool) -> int:
    """Return what a letter adds, in thirtieths of a token."""
    code = ord(letter)
    if code < 0x80:
        if letter.isalpha() or letter == " ":
            return 7 if english else 10
        return 30 if letter.isalnum() else 25
    if code < 0x400:  # Greek, and Latin letters with marks, which often part a word in two
        return 30
    if code < 0x800:
        return 20
    return 60 if code >= 0x10000 else 25 if 0x2E80 <= code < 0xAC00 else 30
