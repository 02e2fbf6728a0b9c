"""`wyoming-units ask`: the intent of a sentence, or what a language model answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wyoming_units.chat.exchange import Said, Thought
from wyoming_units.command import (
    AsJson,
    HomeFile,
    Language,
    Uri,
    client_of,
    home_of,
    line,
    picture_of,
    summary,
)
from wyoming_units.dialog.chatting import Answered, chat
from wyoming_units.dialog.stages import recognize, transcribe
from wyoming_units.dialog.wav import read_wav
from wyoming_units.errors import BadImage, BadRequest, TooLarge, UnitError
from wyoming_units.observe.timing import Timings
from wyoming_units.wire.client import Client
from wyoming_units.wire.limits import MIB, Limits
from wyoming_units.wire.parts import Part

_OUT = Console()
_MOST = Limits().image
_FIRST_BYTES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}
"""Of the pictures that a node takes."""


@dataclass(kw_only=True)
class _Question:
    """A sentence, where and of whom it is asked, and how it is told what comes of it."""

    text: str
    language: str | None
    home: dict[str, Any] | None
    images: Sequence[Part]
    model: str | None
    as_json: bool
    timings: Timings = field(default_factory=Timings)

    def message(self) -> dict[str, Any]:
        """Return it as a message to a language model, the pictures first."""
        if not self.images:
            return {"role": "user", "content": self.text}
        shown = [{"type": "image", "name": image.name} for image in self.images]
        return {"role": "user", "content": [*shown, {"type": "text", "text": self.text}]}


def ask(
    text: Annotated[str | None, typer.Argument(help="A sentence.")] = None,
    wav: Annotated[Path | None, typer.Option(help="A spoken sentence instead of a text.")] = None,
    uri: Uri = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Unit of a node that is started for this call, such as llm=openai:http://127.0.0.1:8080; repeatable."
        ),
    ] = None,
    llm: Annotated[
        bool, typer.Option("--llm", help="Ask the language model, even for what has an intent.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="The language model to ask, by name.")] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="JPEG, PNG or WebP for the language model to look at; repeatable."),
    ] = None,
    language: Language = None,
    home: HomeFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the intent of a sentence; where it has none, a language model answers."""
    if (text is None) == (wav is None):
        raise BadRequest("give either TEXT or --wav FILE")
    if uri is not None and unit:
        raise BadRequest("--uri is a node, and --unit starts one: give one of them")

    async def run() -> None:
        options: dict[str, Any] = {
            "language": language,
            "home": await asyncio.to_thread(home_of, home),
            "images": await asyncio.to_thread(_pictures, image or ()),
            "model": model,
            "as_json": as_json,
        }
        audio = None if wav is None else await asyncio.to_thread(read_wav, wav)
        async with client_of(uri, units=unit or ()) as client:
            question = _Question(text=text or "", **options)
            if audio is not None:
                with question.timings.span("stt"):
                    heard = await transcribe(client, audio, language=language, home=question.home)
                question.text = heard.text
            direct = llm or model is not None or bool(image)
            told = await (_answer if direct else _understand)(client, question)
        if as_json:
            timings = question.timings.as_context()["timing"]
            summary(text=question.text, **told, timings_ms=timings)
        if told == _NOT_UNDERSTOOD:
            raise UnitError(f"not understood: {question.text!r}")

    asyncio.run(run())


_NOT_UNDERSTOOD = {"intents": 0}


async def _understand(client: Client, question: _Question) -> Mapping[str, Any]:
    """Print the intents, or the answer of the node's language model where there are none."""
    offered = await client.info()
    if offered.get("llm") and not offered.get("intent"):
        return await _answer(client, question)
    with question.timings.span("intent"):
        understood = await recognize(
            client, question.text, language=question.language, home=question.home
        )
    if offered.get("llm") and not understood.intents:
        return await _answer(client, question)
    for intent in understood.intents:
        slots = {entity.name: entity.value for entity in intent.entities}
        if question.as_json:
            line("intent", text=question.text, name=intent.name, slots=slots)
        else:
            _OUT.print(intent.name, json.dumps(slots, ensure_ascii=False), markup=False)
    return {"intents": len(understood.intents)}


async def _answer(client: Client, question: _Question) -> Mapping[str, Any]:
    """Print what a language model answers, as it is written."""
    answered = Answered(reason="stop")
    said = ""
    try:
        async for piece in chat(
            client, messages=[question.message()], images=question.images, model=question.model
        ):
            if isinstance(piece, Answered):
                answered = piece
            elif isinstance(piece, Said | Thought) and question.as_json:
                line("text" if isinstance(piece, Said) else "thinking", text=piece.text)
            elif isinstance(piece, Said):
                said = piece.text
                typer.echo(said, nl=False)
    finally:
        if said and not said.endswith("\n"):
            typer.echo()
    if answered.reason == "length" and not question.as_json:
        typer.echo("the answer is cut off: it has reached the limit of its length", err=True)
    for stage, spent in answered.timing.items():
        question.timings.set("llm" if stage == "total" else stage, spent / 1000)
    return {
        "finish_reason": answered.reason,
        "usage": asdict(answered.usage),
        "rate": answered.rate,
    }


def _pictures(paths: Sequence[Path]) -> list[Part]:
    """Return pictures as they are sent; `BadImage`, `TooLarge`."""
    pictures = [_picture(f"image-{number}", path) for number, path in enumerate(paths, 1)]
    if sum(len(picture.data) for picture in pictures) > _MOST:
        raise TooLarge(f"the pictures are over the limit of {_MOST // MIB} MiB together")
    return pictures


def _picture(name: str, path: Path) -> Part:
    data = picture_of(path)
    for first, mime in _FIRST_BYTES.items():
        if data.startswith(first):
            return Part(name=name, mime=mime, data=data)
    raise BadImage(f"{path} is no JPEG, PNG or WebP")
