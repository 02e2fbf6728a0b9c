"""`wyoming-units see`: what is in pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from wyoming_units.command import AsJson, Uri, client_of, line, ms, picture_of, summary
from wyoming_units.dialog.seeing import Looking, Seen, analyze
from wyoming_units.errors import BadImage, BadRequest, UnknownModel
from wyoming_units.wire.client import Client

_OUT = Console()
_WIDEST = 1920
"""Longer side of the picture of a depth map."""


def see(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE|URL...", help="JPEG, PNG, WebP; http, rtsp.")
    ],
    uri: Uri = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="detect, segment, pose, hand, oriented, depth; repeatable. Default: what --model does, else detect."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Name of a model, or its file or folder, for which a node is started."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only objects called so; repeatable.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Leave out what is less certain, 0 to 1.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Picture to write, .jpg; a folder for those of several IMAGES."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what is in IMAGES; with -o draw it."""
    units = _units(uri, model, task or ())
    files = _outputs(images, out)

    async def run() -> None:
        began = perf_counter()
        count = 0
        async with client_of(uri, units=units) as client:
            tasks = tuple(task or await _tasks_of(client, None if units else model, bool(units)))
            only_depth = set(tasks) == {"depth"}
            if only_depth and out is None:
                raise BadRequest(
                    "depth alone is a picture: add -o FILE.jpg, or --task detect for the distances of objects"
                )
            wanted = Looking(
                tasks=tasks,
                model=None if units else model,
                labels=tuple(label or ()),
                min_confidence=min_confidence,
                want=("depth-map" if only_depth else "annotated",) if files else (),
            )
            for index, image in enumerate(images):
                seen = await analyze(client, await asyncio.to_thread(_read, image), wanted)
                count += len(seen.objects)
                if files:
                    await asyncio.to_thread(_write, files[index], seen)
                _tell(image, seen, as_json=as_json)
        if as_json:
            timings = {"total": ms(perf_counter() - began)}
            summary(files=len(images), objects=count, timings_ms=timings)

    asyncio.run(run())


def _units(uri: str | None, model: str | None, tasks: Sequence[str]) -> list[str]:
    """Return the units of the node that a model's file needs, none where `model` is no file."""
    if model is None or not Path(model).expanduser().exists():
        return []
    if uri is not None:
        raise BadRequest(f"{model} is a file here, and --uri a node: give one of them")
    engine = "onnx-depth" if set(tasks) == {"depth"} else "onnx-vision"
    return [f"vision={engine}:{model}"]


async def _tasks_of(client: Client, model: str | None, alone: bool) -> list[str]:
    """Return what a model does, or the only one there is; nothing where no model is meant."""
    if model is None and not alone:
        return []
    info = await client.info()
    for program in info.get("vision", []):
        for each in program["models"]:
            if model in (None, each["name"]):
                tasks: list[str] = each["tasks"]
                return tasks
    raise UnknownModel(f"no vision model is called {model!r}")


def _outputs(images: Sequence[str], out: Path | None) -> list[Path]:
    """Return where the picture of each image is written, each its own file; nothing without `out`."""
    if out is None:
        return []
    if len(images) == 1 and not out.is_dir():
        if out.suffix.lower() not in {".jpg", ".jpeg"}:
            raise BadRequest(f"{out} must end in .jpg")
        return [out]
    files: list[Path] = []
    for image in images:
        stem = Path(urlsplit(image).path if "://" in image else image).stem or "picture"
        same = sum(file.stem.rpartition("-")[0] == stem or file.stem == stem for file in files)
        files.append(out / (f"{stem}-{same + 1}.jpg" if same else f"{stem}.jpg"))
    return files


def _read(image: str) -> bytes:
    """Return a picture's file; `BadImage`, `TooLarge`, and what a camera says."""
    if "://" in image:
        from wyoming_units.video.camera import grab
        from wyoming_units.vision.picture import write_jpeg

        return write_jpeg(grab(image), quality=95)
    return picture_of(Path(image))


def _write(path: Path, seen: Seen) -> None:
    picture = seen.annotated
    if seen.depth is not None:
        from wyoming_units.vision.draw import colour_depth
        from wyoming_units.vision.picture import write_jpeg

        part = min(1, _WIDEST / max(seen.width, seen.height))
        size = (max(1, round(seen.width * part)), max(1, round(seen.height * part)))
        picture = write_jpeg(colour_depth(seen.depth, *size))
    if picture is None:
        raise BadImage("the node sent no picture")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    except OSError as err:
        raise BadRequest(f"cannot write {path}: {err.strerror}") from None


def _tell(image: str, seen: Seen, *, as_json: bool) -> None:
    if as_json:
        size = {"width": seen.width, "height": seen.height}
        line("analysis", file=image, **size, objects=seen.objects, timings_ms=seen.timing)
        return
    spent = f", {seen.timing['total']:.0f} ms" if "total" in seen.timing else ""
    _OUT.print(f"{image}: {seen.width}x{seen.height}{spent}", markup=False, highlight=False)
    if seen.objects:
        _OUT.print(_table(seen.objects))
    elif seen.depth is None:
        _OUT.print("nothing found")


def _table(objects: Sequence[dict[str, Any]]) -> Table:
    """Return a row for each object and a column for all that is known of any."""
    shown = {
        "label": lambda one: str(one["label"]),
        "confidence": lambda one: f"{one['confidence']:.2f}",
        "box": lambda one: ", ".join(f"{side:.0f}" for side in one["box"]),
        "distance": lambda one: f"{one['distance']:.1f} m",
        "nearness": lambda one: f"{one['nearness']:.2f}",
        "posture": lambda one: str(one["posture"]),
        "gesture": lambda one: str(one["gesture"]),
    }
    keys = [key for key in shown if any(key in one for one in objects)]
    table = Table(box=None)
    for key in keys:
        table.add_column(key, justify="right" if key in {"confidence", "distance"} else "left")
    for one in objects:
        table.add_row(*(shown[key](one) if key in one else "" for key in keys))
    return table
