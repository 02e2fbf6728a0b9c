"""What this machine can run and what is on the network."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wyoming_units import __version__
from wyoming_units.config import NodeConfig, load_config
from wyoming_units.engines import ENGINES, EngineRow
from wyoming_units.errors import UnitError
from wyoming_units.roster import Place, places
from wyoming_units.stackflow.module import ModuleAt, module_at
from wyoming_units.wire.client import Client
from wyoming_units.wire.discovery import advertised_addresses, find_nodes


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    what: str
    detail: str


async def examine(config: Path | None = None) -> list[Finding]:
    """Return all findings about a node with these settings; nothing is changed. `BadRequest`."""
    settings = load_config(config)
    findings = [
        Finding(
            ok=True,
            what="wyoming-units",
            detail=f"{__version__} on Python {platform.python_version()}, {platform.machine()}",
        )
    ]
    findings += await asyncio.to_thread(lambda: list(_engines(settings)))
    if settings.module is not None:
        findings.append(await asyncio.to_thread(_module, settings.module))
    findings += [await _port(settings), _addresses(settings)]
    nodes = await find_nodes()
    findings += [await _node(f"node {node.name}", node.uri) for node in nodes]
    if not nodes:
        findings.append(Finding(ok=True, what="network", detail="no node announces itself"))
    return findings


def _engines(settings: NodeConfig) -> Iterator[Finding]:
    """Load every engine that a node would run, for real; one that is not installed is no fault."""
    found = places(settings)
    for name, row in ENGINES.items():
        here = [place for place in found if place.engine == name]
        if row.unit:  # to set up every model of a module would take minutes
            if here:
                models = ", ".join(place.options["mode"].name for place in here)
                yield Finding(ok=True, what=f"{row.kind}: {name}", detail=models)
            continue
        if row.missing:
            hint = f"not installed; {row.remedy}"
            yield Finding(ok=True, what=f"{row.kind}: {name}", detail=hint)
        elif not here:
            yield Finding(ok=True, what=f"{row.kind}: {name}", detail=_absence(name, row))
        for place in here:
            yield _engine(row, place)


def _absence(name: str, row: EngineRow) -> str:
    if row.takes_server:
        return f"no server here: engines.{name}.url in the settings"
    return "no model here" if row.takes_model else "not chosen"


def _engine(row: EngineRow, place: Place) -> Finding:
    what = f"{row.kind}: {place.engine}"
    try:
        engine = place.create()
        engine.load()
        models = engine.info.models
        detail = f"{engine.info.version}, " + (
            models[0].name if row.takes_model else f"{len(models)} models"
        )
        report = dict(getattr(engine, "report", {}))
        engine.close()
    except (UnitError, OSError, ImportError) as err:
        return Finding(ok=False, what=what, detail=str(err))
    if row.takes_server:
        return _server(what, report, [model.name for model in models])
    return Finding(ok=True, what=what, detail=detail)


def _module(place: ModuleAt) -> Finding:
    """Ask a module that runs StackFlow how it is."""
    module = module_at(place)
    try:
        told = [f"StackFlow {module.version()}", f"{len(module.modes())} models"]
        memory, hardware = module.memory(), module.hardware()
    except UnitError as err:
        return Finding(ok=False, what="module", detail=str(err))
    if memory is not None:
        told.append(f"{memory.remain // 1024} of {memory.total // 1024} MB for models free")
    if "temperature" in hardware:
        told.append(f"{hardware['temperature']:.0f} °C")
    return Finding(ok=True, what="module", detail=", ".join(told))


def _server(what: str, report: Mapping[str, Any], models: Sequence[str]) -> Finding:
    """Tell what answers at the address of a model's server."""
    if not report["reachable"]:
        return Finding(ok=False, what=what, detail=f"{report['url']} cannot be reached")
    detail = f"{report['server']} at {report['url']}: {', '.join(models)}"
    return Finding(ok=True, what=what, detail=detail)


async def _port(settings: NodeConfig) -> Finding:
    what = f"port {settings.port}"
    try:
        server = await asyncio.start_server(lambda r, w: w.close(), settings.host, settings.port)
    except OSError as err:
        running = await _node(what, f"tcp://127.0.0.1:{settings.port}")
        in_use = Finding(ok=False, what=what, detail=f"cannot be opened: {err.strerror or err}")
        return running if running.ok else in_use
    server.close()
    return Finding(ok=True, what=what, detail="is free")


def _addresses(settings: NodeConfig) -> Finding:
    addresses = advertised_addresses(settings.host)
    detail = ", ".join(map(str, addresses)) or "no address that others could use"
    return Finding(ok=bool(addresses), what="announced addresses", detail=detail)


async def _node(what: str, uri: str) -> Finding:
    """Ask a node what it offers."""
    try:
        async with Client(uri, connect_timeout=2, read_timeout=2) as client:
            info = await client.info()
    except UnitError as err:
        return Finding(ok=False, what=what, detail=f"{uri}: {err}")
    return Finding(ok=True, what=what, detail=f"{uri}: {', '.join(_programs(info))}")


def _programs(info: dict[str, object]) -> Iterator[str]:
    for domain, programs in info.items():
        if isinstance(programs, list) and programs:
            yield f"{domain} ({', '.join(program['name'] for program in programs)})"
