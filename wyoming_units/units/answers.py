"""Answers that are given once: who asks again with the same key gets the same one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

_SECONDS = 600.0
_MOST = 256
_MOST_BYTES = 4 * 1024 * 1024

Name = tuple[str, str]
"""The host that asked, and its key."""
Told = tuple[str, dict[str, Any]]
"""Type and data of an event."""


@dataclass(eq=False)
class _Place:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Answers:
    """Finished answers of the last 10 minutes, at most 256 of them and 4 MiB together."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kept: dict[Name, tuple[float, bytes]] = {}
        """When it is to be forgotten, and its events as JSON; oldest first."""
        self._places: dict[Name, _Place] = {}

    @asynccontextmanager
    async def alone(self, name: Name) -> AsyncIterator[list[Told] | None]:
        """Wait while others ask for the same answer, then have it, or be the only one to make it."""
        place = self._places.setdefault(name, _Place())
        place.users += 1
        try:
            async with place.lock:
                yield self._find(name)
        finally:
            place.users -= 1
            if not place.users:
                del self._places[name]

    def keep(self, name: Name, answer: Sequence[Told]) -> None:
        """Keep a finished answer; the oldest ones leave where there is no room."""
        written = json.dumps(answer).encode()
        if len(written) > _MOST_BYTES:
            return
        self._forget()
        self._kept.pop(name, None)
        self._kept[name] = (self._clock() + _SECONDS, written)
        while len(self._kept) > _MOST or self.size > _MOST_BYTES:
            del self._kept[next(iter(self._kept))]

    @property
    def size(self) -> int:
        """Return the bytes of all answers."""
        return sum(len(written) for _, written in self._kept.values())

    def _find(self, name: Name) -> list[Told] | None:
        self._forget()
        if name not in self._kept:
            return None
        return [(kind, data) for kind, data in json.loads(self._kept[name][1])]

    def _forget(self) -> None:
        now = self._clock()
        for name in [name for name, (until, _) in self._kept.items() if until <= now]:
            del self._kept[name]
