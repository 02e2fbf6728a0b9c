"""What the commands that ask a node share: options, the connection, pictures, and lines of JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from wyoming_units.config import load_config, read_home
from wyoming_units.errors import BadImage, TooLarge
from wyoming_units.node import Node
from wyoming_units.wire.client import Client
from wyoming_units.wire.discovery import find_nodes
from wyoming_units.wire.limits import MIB, Limits

_MOST = Limits().image

Uri = Annotated[
    str | None, typer.Option(help="Node to ask; default: the first found, else one for this call.")
]
HomeFile = Annotated[Path | None, typer.Option("--home", help="YAML in the shape of context.home.")]
Language = Annotated[str | None, typer.Option(help="Language code, such as en or de.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line, a summary last.")]


@asynccontextmanager
async def client_of(uri: str | None, *, units: Sequence[str] = ()) -> AsyncIterator[Client]:
    """Connect to the given node, else to the first one found, else to one started for this call.

    `units` start one for this call with just these.
    """
    if uri is None and not units and (found := await find_nodes(timeout=1.0, most=1)):
        uri = found[0].uri
    if uri is not None:
        async with Client(uri) as client:
            yield client
        return
    with TemporaryDirectory() as folder:
        settings = load_config(
            data_dir=folder, host="127.0.0.1", port=0, advertise=[], units=list(units) or None
        )
        async with Node(settings) as node, Client(f"tcp://127.0.0.1:{node.port}") as client:
            yield client


def home_of(path: Path | None) -> dict[str, Any] | None:
    """Return the home of a YAML file as `context.home`; `BadRequest`."""
    return None if path is None else read_home(path).as_dict()


def picture_of(path: Path) -> bytes:
    """Return the file of a picture, as far as a node takes it; `BadImage`, `TooLarge`."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as err:
        raise BadImage(f"cannot read {path}: {err.strerror}") from None
    if not data:
        raise BadImage(f"{path} is empty")
    if len(data) > _MOST:
        raise TooLarge(f"{path} is over the limit of {_MOST // MIB} MiB")
    return data


def line(kind: str, **values: object) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps({"type": kind, **values}, ensure_ascii=False))


def summary(**values: object) -> None:
    """Print the last JSON object."""
    line("summary", **values)


def ms(seconds: float) -> float:
    """Return milliseconds, as they are printed."""
    return round(seconds * 1000, 1)
