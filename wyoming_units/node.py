"""The composition root: settings -> engines -> units -> server -> advertisement."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, cast
from uuid import uuid4

from wyoming.event import Event

from wyoming_units import __version__
from wyoming_units.config import NodeConfig, read_home
from wyoming_units.engines import ENGINES, create_engine, default_engine
from wyoming_units.engines.base import Engine, VoiceDetector
from wyoming_units.errors import BadRequest, Unsupported
from wyoming_units.observe.process import resident_memory
from wyoming_units.units.base import Unit
from wyoming_units.units.intent import IntentUnit
from wyoming_units.units.lane import Lane
from wyoming_units.units.stt import SttUnit
from wyoming_units.units.tts import TtsUnit
from wyoming_units.units.wake import WakeUnit
from wyoming_units.wire.discovery import SERVICE_TYPES, Advertisement
from wyoming_units.wire.frames import encode
from wyoming_units.wire.requests import Route
from wyoming_units.wire.server import Server

_LOGGER = logging.getLogger(__name__)

PROTOCOL = 1
"""Version of our own events; in TXT `v` and in `info`."""
_DOMAINS = ("asr", "tts", "handle", "intent", "wake", "mic", "snd")


KINDS = ("stt", "wake", "tts", "intent")


class Node:
    """One Wyoming port with its units: `async with Node(config) as node`."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.id = ""
        self.port = config.port
        self.units: tuple[Unit, ...] = ()
        self.routes: Mapping[str, Route] = {}
        self._server = Server(self, config.limits)
        self._advertisement: Advertisement | None = None
        self._loading: list[asyncio.Task[None]] = []
        self._info: bytes | None = None
        self._started = monotonic()

    async def __aenter__(self) -> Node:
        """Start; `BadRequest` or `Unsupported` for settings that cannot be met."""
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen, then load, then announce."""
        self.id = await asyncio.to_thread(_node_id, self.config.data_dir)
        self.units = await asyncio.to_thread(make_units, self.config)
        self.routes = {route.opener: route for unit in self.units for route in unit.routes}
        try:
            self.port = await self._server.start(self.config.host, self.config.port)
        except OSError as err:
            where = f"{self.config.host}:{self.config.port}"
            raise Unsupported(f"cannot listen on {where}: {err.strerror or err}") from err
        for lane in self._lanes:
            task = lane.load()
            task.add_done_callback(self._forget_info)
            self._loading.append(task)
        self._advertisement = Advertisement(
            name=self.config.name,
            host=self.config.host,
            port=self.port,
            types=[SERVICE_TYPES[kind] for kind in self.config.advertise],
            properties={
                "id": self.id,
                "name": self.config.name,
                "v": str(PROTOCOL),
                "ver": __version__,
                "units": ",".join(self._kinds),
                "tls": "0",
                "auth": "0",
            },
        )
        await self._advertisement.start()
        kinds = ", ".join(self._kinds)
        _LOGGER.info(
            "%s listens on %s:%d with %s", self.config.name, self.config.host, self.port, kinds
        )

    async def loaded(self) -> None:
        """Wait until every engine is ready; raises what kept one from loading."""
        await asyncio.gather(*self._loading)

    async def stop(self, grace: float = 5.0) -> None:
        """Say goodbye, finish running requests within `grace` seconds, free everything."""
        if self._advertisement is not None:
            await self._advertisement.close()
        await self._server.stop(grace)
        for lane in self._lanes:
            await lane.close()
        await asyncio.gather(*self._loading, return_exceptions=True)

    @property
    def _lanes(self) -> list[Lane[Any]]:
        return [lane for unit in self.units for lane in unit.lanes]

    @property
    def _kinds(self) -> list[str]:
        return [unit.kind for unit in self.units if unit.lanes]

    @property
    def programs(self) -> dict[str, str]:
        """Kind of unit by name of program, for all programs in `info`."""
        return {
            lane.name: unit.kind
            for unit in self.units
            for lane in unit.lanes
            if lane.kind == unit.kind and not lane.failed
        }

    def info_frame(self) -> bytes:
        """Return the `info` event as bytes, made once and again after a change."""
        if self._info is None:
            data: dict[str, Any] = {domain: [] for domain in _DOMAINS}
            for unit in self.units:
                data |= unit.info()
            data["node"] = {
                "id": self.id,
                "name": self.config.name,
                "version": __version__,
                "protocol": PROTOCOL,
            }
            self._info = encode(Event(type="info", data=data))
        return self._info

    def stats(self) -> dict[str, Any]:
        """Return uptime in seconds, memory in bytes, connections, and what each engine is doing."""
        return {
            "uptime": round(monotonic() - self._started, 1),
            "memory": resident_memory(),
            "connections": self._server.connections,
            "engines": [lane.state() for lane in self._lanes],
        }

    def _forget_info(self, task: asyncio.Task[None]) -> None:
        self._info = None


def make_units(config: NodeConfig) -> tuple[Unit, ...]:
    """Return all units, engines constructed and not loaded; those without an engine come last."""
    chosen = [_choice(entry) for entry in config.units] or [
        (kind, engine) for kind in KINDS if (engine := default_engine(kind))
    ]
    if not chosen:
        raise Unsupported("no engine is installed: pip install 'wyoming-units[embedded]'")
    engines: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for kind, name in dict.fromkeys(chosen):
        engines[kind].append(create_engine(name, **_options(kind, name, config)))
    _check_words(config, engines["wake"])
    vad = default_engine("vad") if engines["stt"] else None
    home = read_home(config.home) if config.home else None
    units: tuple[Unit, ...] = (
        SttUnit(engines["stt"], cast(VoiceDetector, create_engine(vad)) if vad else None, home),
        WakeUnit(engines["wake"]),
        TtsUnit(engines["tts"]),
        IntentUnit(engines["intent"], home),
    )
    # Audio without a request goes to the first unit that takes audio: one that can answer.
    return tuple(sorted(units, key=lambda unit: not unit.lanes))


def _options(kind: str, name: str, config: NodeConfig) -> dict[str, Any]:
    """Return what an engine is constructed with: its share of the settings."""
    if kind != "wake" or not config.wake_words:
        return {}
    has = {model.name for model in create_engine(name).info.models}
    return {"words": {word: value for word, value in config.wake_words.items() if word in has}}


def _check_words(config: NodeConfig, detectors: Sequence[Engine]) -> None:
    has = {model.name for detector in detectors for model in detector.info.models}
    if unknown := sorted(config.wake_words.keys() - has):
        raise BadRequest(f"setting wake_words: no word is called {', '.join(unknown)}")


def _choice(entry: str) -> tuple[str, str]:
    """Return kind and engine of `KIND[=ENGINE]`."""
    kind, _, name = entry.partition("=")
    if kind not in KINDS:
        raise BadRequest(f"no unit is called {kind!r}; there are: {', '.join(KINDS)}")
    engine = name or default_engine(kind)
    if engine is None:
        rows = [row for row in ENGINES.values() if row.kind == kind]
        raise Unsupported(f"{kind} needs: pip install 'wyoming-units[{rows[0].extra}]'")
    if engine not in ENGINES or ENGINES[engine].kind != kind:
        raise BadRequest(f"no {kind} engine is called {engine!r}")
    return kind, engine


def _node_id(folder: Path) -> str:
    """Return the id kept in the data folder; made at the first start."""
    path = folder / "node-id"
    try:
        if kept := path.read_text("ascii").strip():
            return kept
    except FileNotFoundError:
        pass
    identity = uuid4().hex
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(identity + "\n", "ascii")
        part.rename(path)
    except OSError as err:
        raise Unsupported(f"cannot keep the node's id in {folder}: {err.strerror}") from err
    return identity
