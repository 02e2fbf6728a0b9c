"""Messages written as one prompt, for servers that complete texts but know nothing of chats."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from wyoming_units.errors import BadRequest, EngineFailed

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A text that a model shall go on with."""

    text: str
    stop: tuple[str, ...]
    """What it must not write: from there on it would speak for others."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the models of a family mark who says what. The text that starts every prompt is the server's to add."""

    system: tuple[str, str] | None
    """What stands before and after a message; None: it goes into the user's first one."""
    user: tuple[str, str]
    assistant: tuple[str, str]
    opens: str
    """What stands before the answer."""
    within: tuple[str, str] = ("", "\n\n")
    """What stands around a system message in a user's."""
    stop: tuple[str, ...]

    def write(self, messages: Messages) -> Prompt:
        """Return the prompt."""
        text, held = "", ""
        for role, content in _plain(messages):
            if role == "system" and self.system is None:
                held += self.within[0] + content + self.within[1]
                continue
            sides = {"system": self.system, "assistant": self.assistant}.get(role) or self.user
            before = ""
            if sides is self.user:
                before, held = held, ""
            text += sides[0] + before + content + sides[1]
        if held:
            text += self.user[0] + held.rstrip() + self.user[1]
        return Prompt(text=text + self.opens, stop=self.stop)


def _headed(before: str, between: str, after: str, *more_stops: str) -> Shape:
    """Return a shape that is the same for all roles but for their names."""
    heads = [before + role + between for role in ("system", "user", "assistant")]
    system, user, assistant = ((head, after) for head in heads)
    stop = (after.rstrip(), *more_stops)
    return Shape(system=system, user=user, assistant=assistant, opens=heads[2], stop=stop)


SHAPES = {
    "chatml": _headed("<|im_start|>", "\n", "<|im_end|>\n", "<|im_start|>"),
    "llama-3": _headed("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"),
    "llama-2": Shape(
        system=None,
        within=("<<SYS>>\n", "\n<</SYS>>\n\n"),
        user=("[INST] ", " [/INST]"),
        assistant=(" ", " </s><s>"),
        opens="",
        stop=("</s>", "[INST]"),
    ),
    "mistral": Shape(
        system=None,
        user=("[INST] ", " [/INST]"),
        assistant=(" ", "</s>"),
        opens="",
        stop=("</s>", "[INST]"),
    ),
    "gemma": Shape(
        system=None,
        user=("<start_of_turn>user\n", "<end_of_turn>\n"),
        assistant=("<start_of_turn>model\n", "<end_of_turn>\n"),
        opens="<start_of_turn>model\n",
        stop=("<end_of_turn>", "<start_of_turn>"),
    ),
    "phi-3": _headed("<|", "|>\n", "<|end|>\n", "<|user|>"),
    "plain": Shape(
        system=("", "\n\n"),
        user=("User: ", "\n"),
        assistant=("Assistant: ", "\n"),
        opens="Assistant:",
        stop=("\nUser:", "\nAssistant:"),
    ),
}
"""By the name of a family; `plain` is for models that have not been trained for chats."""

_FAMILIES = (
    ("llama-3", re.compile(r"llama-?3", re.IGNORECASE)),
    ("llama-2", re.compile(r"llama-?2", re.IGNORECASE)),
    ("mistral", re.compile(r"mi[sx]tral", re.IGNORECASE)),
    ("gemma", re.compile(r"gemma", re.IGNORECASE)),
    ("phi-3", re.compile(r"phi-?3", re.IGNORECASE)),
)
_MARKS = tuple(
    sorted({mark for name, shape in SHAPES.items() if name != "plain" for mark in shape.stop})
)


def shape_of(name: str | None, model: str) -> Shape:
    """Return the shape of a name, else that of the model's family; `BadRequest` for an unknown name."""
    if name is None:
        found = (family for family, pattern in _FAMILIES if pattern.search(model))
        return SHAPES[next(found, "chatml")]
    if name not in SHAPES:
        raise BadRequest(f"no template is called {name!r}; there are: {', '.join(SHAPES)}")
    return SHAPES[name]


def write_jinja(source: str, messages: Messages, *, think: bool = False) -> Prompt:
    """Return the prompt that a model's own template makes; `EngineFailed` where it does not take the messages."""
    from jinja2 import TemplateError

    try:
        text = (
            environment()
            .from_string(source)
            .render(
                messages=[{"role": role, "content": content} for role, content in _plain(messages)],
                add_generation_prompt=True,
                enable_thinking=think,
                tools=None,
                bos_token="",  # the server adds it
                eos_token="",
            )
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as err:
        raise EngineFailed(f"the model's template does not take these messages: {err}") from err
    return Prompt(text=text, stop=tuple(mark for mark in _MARKS if mark in source))


def environment() -> Any:
    """Return what templates of models expect, in a sandbox: they come from others."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = _to_json
    made.globals |= {"raise_exception": _raise, "strftime_now": _now}
    return made


def _raise(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _to_json(value: Any, indent: int | None = None) -> str:
    """Write JSON as models know it; Jinja's own filter writes it for web pages."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _plain(messages: Messages) -> list[tuple[str, str]]:
    """Return role and text of each message."""
    return [(str(each.get("role")), _text(each.get("content"))) for each in messages]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
