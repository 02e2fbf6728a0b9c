"""`wyoming-units models`: what there is, what is here, bring it, check it, delete it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from wyoming_units.catalog.fetch import Progress as Report
from wyoming_units.catalog.library import Catalogue, best_target, this_machine
from wyoming_units.catalog.manifest import Kind, Manifest, Target
from wyoming_units.catalog.plan import Plan, plan
from wyoming_units.catalog.store import Receipt, installed, remove as remove_model
from wyoming_units.config import load_config
from wyoming_units.errors import BadRequest, UnitError, UnknownModel, Unsupported

models = typer.Typer(no_args_is_help=True, help="See, pull, verify and remove models.")
_OUT = Console()
_ERR = Console(stderr=True)

ModelsDir = Annotated[
    Path | None,
    typer.Option(help="Where models are; default: the node's, models in its data folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line, a summary last.")]
TargetOf = Annotated[
    str | None, typer.Option(help=f"Kind of machine: {', '.join(get_args(Target))}.")
]
Names = Annotated[list[str], typer.Argument(help="Names or aliases of models.")]


@models.command("list")
def list_models(
    kind: Annotated[str | None, typer.Option(help=f"{', '.join(get_args(Kind))}.")] = None,
    language: Annotated[str | None, typer.Option(help="Language code, such as en or de.")] = None,
    target: TargetOf = None,
    only_installed: Annotated[bool, typer.Option("--installed", help="Only what is here.")] = False,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """List the models of the catalogue."""
    began = perf_counter()
    wanted_kind = _choice("--kind", kind, get_args(Kind))
    wanted_target = _choice("--target", target, get_args(Target))
    folder = _folder(models_dir)
    here = {receipt.name: receipt for receipt in installed(folder)}
    rows = [
        _row(manifest, here.get(manifest.name), wanted_target)
        for manifest in sorted(Catalogue(folder), key=lambda one: (one.kind, one.name.lower()))
        if wanted_kind in {None, manifest.kind}
        and (wanted_target is None or wanted_target in manifest.targets)
        and (language is None or _speaks(manifest, language))
        and (not only_installed or manifest.name in here)
    ]
    if not as_json:
        _OUT.print(_table(rows))
        return
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False))
    _summary(
        began, models=len(rows), installed=sum(row["installed"] for row in rows), folder=str(folder)
    )


@models.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Names or aliases, or: recommended.")],
    target: TargetOf = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Agree to licences that ask for it.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network.")] = False,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Download models, or the recommended ones for this machine."""
    from wyoming_units.catalog.pull import present, pull as pull_model

    began = perf_counter()
    folder = _folder(models_dir)
    plans = _plans(names, _choice("--target", target, get_args(Target)), folder)
    if packages := [one.variant.on_module for one in plans if one.variant.on_module]:
        raise Unsupported(f"on the module itself: apt install {' '.join(packages)}")
    here = {one.manifest.name: present(one, folder) for one in plans}
    missing = [one.manifest for one in plans if here[one.manifest.name] is None]
    if offline and missing:
        raise UnitError(f"not here, and --offline forbids to get it: {missing[0].name}")
    for manifest in missing:
        _agree(manifest, accept_license)
    for one in plans:
        receipt = here[one.manifest.name]
        fresh = receipt is None
        if receipt is None:
            with _bars() as report:
                receipt = pull_model(one, folder, report)
        if as_json:
            _line("pulled" if fresh else "present", **_told(receipt, folder))
        else:
            done = "pulled" if fresh else "is here already"
            _OUT.print(f"{receipt.name}: {_size(receipt.size)}, {done}", soft_wrap=True)
    if as_json:
        _summary(began, models=len(plans))


@models.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Default: all that are here.")] = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Read all files of installed models and compare them with what came."""
    from wyoming_units.catalog.pull import damage

    began = perf_counter()
    folder = _folder(models_dir)
    broken = 0
    receipts = _installed(names, folder)
    for receipt in receipts:
        faults = damage(receipt, folder / receipt.name)
        broken += bool(faults)
        if as_json:
            listed = [{"file": fault.name, "what": fault.what} for fault in faults]
            _line("verified", name=receipt.name, ok=not faults, faults=listed)
        elif not faults:
            _OUT.print(f"[green]ok  [/] {receipt.name}")
        for fault in faults if not as_json else ():
            _OUT.print(f"[red]fail[/] {receipt.name}: {fault.name} {fault.what}", soft_wrap=True)
    if as_json:
        _summary(began, models=len(receipts), broken=broken)
    raise typer.Exit(1 if broken else 0)


@models.command()
def remove(names: Names, models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """Delete installed models."""
    began = perf_counter()
    folder = _folder(models_dir)
    receipts = _installed(names, folder)
    for receipt in receipts:
        remove_model(receipt.name, folder)
        if as_json:
            _line("removed", **_told(receipt, folder))
        else:
            _OUT.print(f"{receipt.name}: {_size(receipt.size)}, removed", soft_wrap=True)
    if as_json:
        _summary(began, models=len(receipts))


def _folder(given: Path | None) -> Path:
    return given if given is not None else load_config().models


def _choice(option: str, given: str | None, choices: Sequence[Any]) -> Any:
    if given is not None and given not in choices:
        raise BadRequest(f"{option} {given} is none of: {', '.join(choices)}")
    return given


def _plans(names: Sequence[str], target: Target | None, folder: Path) -> list[Plan]:
    """Return what to pull, each model once; `UnknownModel`, `Unsupported`."""
    catalogue = Catalogue(folder)
    machine = target or this_machine()
    wanted: dict[str, Plan] = {}
    for name in names:
        if name == "recommended":
            recommended = catalogue.recommended(machine)
            wanted.update((one.name, plan(one, best_target(one, machine))) for one in recommended)
        else:
            found = catalogue.find(name)
            wanted[found.name] = plan(found, target or best_target(found, machine))
    return list(wanted.values())


def _installed(names: Sequence[str] | None, folder: Path) -> list[Receipt]:
    """Return the receipts of models by name or alias, all where none is named; `UnknownModel`."""
    here = {receipt.name.lower(): receipt for receipt in installed(folder)}
    if not names:
        return list(here.values())
    catalogue = Catalogue(folder)
    found: dict[str, Receipt] = {}
    for name in names:
        key = name.lower() if name.lower() in here else catalogue.find(name).name.lower()
        if key not in here:
            raise UnknownModel(f"model {name} is not installed")
        found[key] = here[key]
    return list(found.values())


def _agree(manifest: Manifest, accepted: bool) -> None:
    """Show the licence before the first byte; `BadRequest` where it asks for consent and gets none."""
    _ERR.print(
        f"{manifest.name}: {manifest.license}, {manifest.author}, {manifest.upstream}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if not manifest.notice:
        return
    _ERR.print(manifest.notice, markup=False, highlight=False)
    if accepted:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadRequest(f"{manifest.name} asks you to agree to its licence: --accept-license")
    if not typer.confirm("Do you agree?", err=True):
        raise UnitError(f"{manifest.name} was not pulled")


@contextmanager
def _bars() -> Iterator[Report]:
    """Show a progress bar for each file that is reported, on stderr and only to a person."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_ERR, disable=not sys.stderr.isatty()) as shown:
        tasks: dict[str, TaskID] = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(name.rpartition("/")[2], total=total)
            shown.update(tasks[name], completed=done, total=total)

        yield report


def _row(manifest: Manifest, receipt: Receipt | None, target: Target | None) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "aliases": list(manifest.aliases),
        "kind": manifest.kind,
        "languages": list(manifest.languages),
        "license": manifest.license,
        "size": receipt.size if receipt else manifest.bytes(target or manifest.targets[0]),
        "targets": list(manifest.targets),
        "installed": receipt is not None,
    }


def _speaks(manifest: Manifest, language: str) -> bool:
    """Return whether a model knows a language; one that names no region is good for all of them."""
    wanted = language.lower().replace("_", "-")
    short = wanted.partition("-")[0]
    known = [code.lower() for code in manifest.languages if code.lower().partition("-")[0] == short]
    return wanted in known or (bool(known) and (wanted == short or known == [short]))


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None)
    table.add_column("name", overflow="fold")  # whole, as it is what `pull` takes
    for title in ("kind", "languages", "size", "targets", "licence", "here"):
        table.add_column(title)
    for row in rows:
        languages = row["languages"]
        many = f"{', '.join(languages[:4])} +{len(languages) - 4}" if len(languages) > 5 else None
        table.add_row(
            row["name"],
            row["kind"],
            many or ", ".join(languages),
            _size(row["size"]),
            ", ".join(row["targets"]),
            row["license"],
            "yes" if row["installed"] else "",
        )
    return table


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"


def _told(receipt: Receipt, folder: Path) -> dict[str, Any]:
    where = str(folder / receipt.name)
    return {"name": receipt.name, "size": receipt.size, "target": receipt.target, "path": where}


def _line(kind: str, **values: object) -> None:
    typer.echo(json.dumps({"type": kind, **values}, ensure_ascii=False))


def _summary(began: float, **values: object) -> None:
    total = round((perf_counter() - began) * 1000, 1)
    _line("summary", **values, timings_ms={"total": total})
