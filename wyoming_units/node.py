"""The composition root: settings -> engines -> units -> server -> advertisement."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import uuid4

from wyoming.event import Event

from wyoming_units import __version__
from wyoming_units.config import NodeConfig, read_home
from wyoming_units.errors import Unsupported
from wyoming_units.observe.process import resident_memory
from wyoming_units.staff import Staff
from wyoming_units.units.base import Unit
from wyoming_units.units.intent import IntentUnit
from wyoming_units.units.llm import LlmUnit
from wyoming_units.units.stt import SttUnit
from wyoming_units.units.tts import TtsUnit
from wyoming_units.units.vision import VisionUnit
from wyoming_units.units.wake import WakeUnit
from wyoming_units.wire.discovery import SERVICE_TYPES, Advertisement
from wyoming_units.wire.frames import encode
from wyoming_units.wire.requests import Request, Route
from wyoming_units.wire.server import Server

_LOGGER = logging.getLogger(__name__)

PROTOCOL = 1
"""Version of our own events; in TXT `v` and in `info`."""
_DOMAINS = ("asr", "tts", "handle", "intent", "wake", "mic", "snd", "llm", "vision")


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
        self._info: bytes | None = None
        self._vision = VisionUnit(cameras=config.cameras)
        self._started = monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

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
        home = await asyncio.to_thread(read_home, self.config.home) if self.config.home else None
        stt = SttUnit(default_home=home, turn=self.config.turn)
        units: tuple[Unit, ...] = (
            stt,
            WakeUnit(words=self.config.wake_words, recognizers=stt.programs),
            TtsUnit(options=self.config.speaking),
            IntentUnit(default_home=home),
            LlmUnit(options=self.config.chat),
            self._vision,
        )
        self.staff = Staff(self.config, units, self._forget_info)
        await self.staff.hire()
        # Audio without a request goes to the first unit that takes audio: one that can answer.
        self.units = tuple(sorted(units, key=lambda unit: not unit.lanes))
        self.routes = _routes(self.units)
        try:
            self.port = await self._server.start(self.config.host, self.config.port)
        except OSError as err:
            where = f"{self.config.host}:{self.config.port}"
            raise Unsupported(f"cannot listen on {where}: {err.strerror or err}") from err
        self.staff.load()
        self._advertisement = Advertisement(
            name=self.config.name,
            host=self.config.host,
            port=self.port,
            types=[SERVICE_TYPES[kind] for kind in self.config.advertise],
            properties=self._properties,
        )
        await self._advertisement.start()
        kinds = ", ".join(self._kinds)
        _LOGGER.info(
            "%s listens on %s:%d with %s", self.config.name, self.config.host, self.port, kinds
        )

    async def loaded(self) -> None:
        """Wait until every engine is ready; raises what kept one from loading."""
        await self.staff.loaded()

    async def stop(self, grace: float = 5.0) -> None:
        """Say goodbye, finish running requests within `grace` seconds, free everything."""
        if self._advertisement is not None:
            await self._advertisement.close()
        await self._server.stop(grace)
        await self.staff.dismiss()

    @property
    def _kinds(self) -> list[str]:
        return [unit.kind for unit in self.units if unit.lanes]

    @property
    def _properties(self) -> dict[str, str]:
        return {
            "id": self.id,
            "name": self.config.name,
            "v": str(PROTOCOL),
            "ver": __version__,
            "units": ",".join(self._kinds),
            "tls": "0",
            "auth": "0",
        }

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
        """Return uptime in seconds, memory in bytes, connections, and what engines and watches are doing."""
        return {
            "uptime": round(monotonic() - self._started, 1),
            "memory": resident_memory(),
            "connections": self._server.connections,
            "engines": [lane.state() for lane in self.staff.lanes],
            "watches": self._vision.watches(),
        }

    def _forget_info(self) -> None:
        self._info = None
        if self._advertisement is not None:
            task = asyncio.create_task(self._advertisement.tell(self._properties))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _routes(units: Sequence[Unit]) -> dict[str, Route]:
    """Return the routes by opener; a request that several units answer goes to one of them when it comes."""
    takers: dict[str, list[tuple[Unit, Route]]] = {}
    for unit in units:
        for route in unit.routes:
            takers.setdefault(route.opener, []).append((unit, route))
    return {
        opener: shared[0][1]
        if len(shared) == 1
        else Route(opener=opener, run=partial(_answer_by_one, shared))
        for opener, shared in takers.items()
    }


async def _answer_by_one(shared: Sequence[tuple[Unit, Route]], request: Request) -> None:
    """Answer by the unit whose program was selected last, else by the first that has engines."""
    newest = [*request.selected]

    def rank(taker: tuple[Unit, Route]) -> tuple[int, bool]:
        unit, _ = taker
        return (newest.index(unit.kind) if unit.kind in newest else -1, bool(unit.lanes))

    await max(shared, key=rank)[1].run(request)


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
