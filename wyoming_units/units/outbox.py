"""What waits to be sent to a client that may read slowly."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from wyoming.event import Event

_MOST = 2
"""Events that may be lost and yet wait."""


class Outbox:
    """Sends events in order; while the client is slow, the oldest of those that may be lost are."""

    def __init__(self, send: Callable[[Event], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[tuple[Event, bool]] = deque()
        self._news = asyncio.Event()
        self.lost = 0
        """Events that were not sent."""

    def put(self, event: Event, *, may_be_lost: bool = False) -> None:
        """Add an event."""
        if may_be_lost:
            losable = [item for item in self._waiting if item[1]]
            if len(losable) >= _MOST:
                self._waiting.remove(losable[0])
                self.lost += 1
        self._waiting.append((event, may_be_lost))
        self._news.set()

    async def flush(self) -> None:
        """Send what waits."""
        while self._waiting:
            await self._send(self._waiting.popleft()[0])

    async def run(self) -> None:
        """Send for ever; raises what the connection raises."""
        while True:
            await self.flush()
            self._news.clear()
            if not self._waiting:
                await self._news.wait()
