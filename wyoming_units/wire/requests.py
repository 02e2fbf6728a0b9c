"""A request: the event that opened it, the events that follow, and where the answers go."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from wyoming.event import Event, Eventable

from wyoming_units.errors import BadRequest, Cancelled, EngineFailed, UnitError

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which events make up one kind of request, and what answers it."""

    opener: str
    run: Callable[[Request], Coroutine[Any, Any, None]]
    """Answers the request; a `UnitError` becomes one `error` event."""
    body: frozenset[str] = frozenset()
    """Events that may follow the opener."""
    begin: str | None = None
    """Body event that begins the stream; sent again after the end, it repeats the last opener."""
    end: str | None = None
    """Event after which no more follow; None: the opener is the whole request."""
    endless: bool = False
    """A stream that ends only when the client leaves; it holds up neither other requests nor a shutdown."""
    keyed: bool = False
    """Whether there may be several at a time, each beside all others, told apart by `id` in their events."""


@dataclass(frozen=True)
class Arrival:
    """A body event and when it came."""

    event: Event
    at: float
    """Time of the event loop's clock, in seconds."""


class Request:
    """One request of one client; its route's `run` reads it with `async for` and answers with `send`."""

    def __init__(
        self,
        route: Route,
        opener: Event,
        *,
        inbox: int,
        send: Callable[[Event], Awaitable[None]],
        client: str,
        selected: Mapping[str, str],
        begun: bool,
    ) -> None:
        self.route = route
        self.opener = opener
        self.client = client
        """Whom queues are fair to: the host that it came from."""
        self.selected = selected
        """Programs that the client selected before, by kind of unit."""
        self.id: str | None = None
        self.key = stream_key(opener) if route.keyed else None
        """Which of several streams it is."""
        self.begun = begun
        self.complete = route.end is None
        """Its end event arrived."""
        self.done = False
        """It was answered or dropped; events that still come for it are thrown away."""
        self.answered = asyncio.Event()
        self.gather = 0
        """Bytes of body that are worth waking up for; the end of the stream always is."""
        self.cancelled = False
        """Ended by the client: by `cancel` or by a newer start."""
        self._task: asyncio.Task[None] | None = None
        self._send = send
        self._most = inbox
        self._arrivals: deque[Arrival] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    def identify(self) -> None:
        """Take over the id of the opener; `BadRequest` where it has the wrong shape."""
        self.id = request_id(self.opener)

    async def send(self, answer: Event | Eventable) -> None:
        """Send an answer, waiting while the client is slow to take it; repeats the request's id and key."""
        event = answer if isinstance(answer, Event) else answer.event()
        if self.id is not None:
            event.data = {**event.data, "request": {"id": self.id}}
        if self.key is not None:
            event.data = {**event.data, "id": self.key}
        await self._send(event)

    async def __aiter__(self) -> AsyncIterator[Arrival]:
        """Yield the body events up to the end event."""
        while True:
            while self._arrivals:
                arrival = self._arrivals.popleft()
                self._bytes -= len(arrival.event.payload or b"")
                self._room.set()
                yield arrival
            if self.complete:
                return
            self._news.clear()
            await self._news.wait()

    async def batches(self, most: int) -> AsyncIterator[list[Arrival]]:
        """Yield the body events that are there, at most so many at a time."""
        batch: list[Arrival] = []
        async for arrival in self:
            batch.append(arrival)
            if len(batch) == most or not self._arrivals:
                yield batch
                batch = []

    @property
    def _over(self) -> bool:
        return self.done or self.cancelled

    async def put(self, arrival: Arrival) -> None:
        """Add a body event, waiting while the inbox is full; nothing is kept once the request is over."""
        while self._bytes >= self._most and not self._over:
            self._room.clear()
            await self._room.wait()
        if self._over:
            return
        self._arrivals.append(arrival)
        self._bytes += len(arrival.event.payload or b"")
        if self._bytes >= min(self.gather, self._most):
            self._news.set()

    def finish(self) -> None:
        """Say that the end event arrived."""
        self.complete = True
        self._news.set()

    async def answer(self) -> UnitError | None:
        """Run the route to its end; return what the client must be told of a failure."""
        if self.cancelled:
            return Cancelled("the request was cancelled")
        self._task = asyncio.ensure_future(self.route.run(self))
        try:
            await asyncio.wait({self._task})
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            raise
        if self._task.cancelled():
            return Cancelled("the request was cancelled")
        return _told(self._task.exception(), self.opener.type)

    def drop(self) -> None:
        """Throw away what waits and all that still comes."""
        self.done = True
        self.answered.set()
        self._arrivals.clear()
        self._bytes = 0
        self._room.set()

    def cancel(self) -> None:
        """End the request on the client's wish, running or not."""
        if not self.done:
            self.cancelled = True
            self._room.set()
            if self._task is not None:
                self._task.cancel()


def _told(error: BaseException | None, what: str) -> UnitError | None:
    if error is None or isinstance(error, OSError):  # the client has left: nobody to tell
        return None
    if isinstance(error, UnitError):
        return error
    _LOGGER.error("%s failed", what, exc_info=error)
    return EngineFailed("the unit failed; its log says why")


def stream_key(event: Event) -> str | None:
    """Return which of several streams an event belongs to, None where it does not say."""
    key = event.data.get("id")
    return key if isinstance(key, str) and 0 < len(key) <= 200 else None


def request_id(event: Event) -> str | None:
    """Return `request.id` of an event; `BadRequest` where it has the wrong shape."""
    request: Any = event.data.get("request")
    if request is None:
        return None
    identity = request.get("id") if isinstance(request, dict) else None
    if not isinstance(identity, str) or len(identity) > 200:
        raise BadRequest("request.id must be a text of at most 200 characters")
    return identity
