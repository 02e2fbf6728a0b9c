"""One client: a reader task that never waits for inference and worker tasks that answer in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from wyoming.error import Error
from wyoming.event import Event
from wyoming.ping import Pong

from wyoming_units.errors import (
    BadRequest,
    Busy,
    UnitError,
    UnknownModel,
)
from wyoming_units.wire.frames import FrameReader, encode
from wyoming_units.wire.limits import Limits
from wyoming_units.wire.requests import Arrival, Request, Route, request_id, stream_key

_LOGGER = logging.getLogger(__name__)
_LINGER = 1.0
_LINGER_BYTES = 65_536


class Service(Protocol):
    """What a connection serves."""

    @property
    def routes(self) -> Mapping[str, Route]:
        """Routes by opener; of those that share a beginning the first is the default."""

    @property
    def programs(self) -> Mapping[str, str]:
        """Kind of unit by the name that `select-program` may ask for."""

    def info_frame(self) -> bytes:
        """Return the encoded `info` event."""

    def stats(self) -> dict[str, Any]:
        """Return what the node is doing, the data of a `stats` event."""


class Connection:
    """Routes the events of one client to requests and the answers back."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        service: Service,
        limits: Limits,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._service = service
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        peer = writer.get_extra_info("peername")
        self._client = str(peer[0]) if peer else ""
        self._selected: dict[str, str] = {}
        self._drain = asyncio.Lock()
        # Streams without an end of their own run beside the requests that have one.
        self._waiting: dict[bool, asyncio.Queue[Request]] = {
            endless: asyncio.Queue() for endless in (False, True)
        }
        self._requests: list[Request] = []
        """Running first, then those that wait."""
        self._beside: set[asyncio.Task[Any]] = set()
        """Work on streams that run beside all others."""
        self._open: dict[tuple[str, str | None], Request] = {}
        """The request that takes a body event, by its type and, where there may be several, by its key."""
        self._last: dict[str, tuple[Route, Event]] = {}
        """The last opener of a stream, by the event that begins the stream."""
        self._astray: set[str] = set()
        """Ends of streams that belong to no request and whose sender was told."""
        self._draining = False
        self._handlers: dict[str, Callable[[Event], Awaitable[None]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "cancel": self._cancel,
            "select-program": self._select_program,
            "stats": self._stats,
        }

    # -- life

    async def serve(self) -> None:
        """Serve until the client leaves or breaks the rules; its work is cancelled then."""
        frames = FrameReader(self._reader, self._limits, quiet=lambda: bool(self._beside))
        workers = [asyncio.create_task(self._work(queue)) for queue in self._waiting.values()]
        try:
            while (event := await frames.read()) is not None:
                try:
                    await self._take(event)
                except UnitError as err:
                    await self._tell(err, event)
        except UnitError as err:
            await self.refuse(err)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            frames.close()
            workers += self._beside
            for worker in workers:
                worker.cancel()
            for request in self._requests:
                request.drop()
            self._writer.close()
            await asyncio.gather(*workers, return_exceptions=True)
            with suppress(OSError):
                await self._writer.wait_closed()

    async def refuse(self, error: UnitError) -> None:
        """Tell the client what is wrong and hang up once it has, or after a second."""
        with suppress(OSError, UnitError, asyncio.TimeoutError, TimeoutError):
            await self._tell(error, None)
            await asyncio.wait_for(self._linger(), _LINGER)
        self._writer.close()

    async def _linger(self) -> None:
        """Read on until the peer hangs up: closing with bytes unread would take the error back (RST)."""
        self._writer.write_eof()
        while await self._reader.read(_LINGER_BYTES):
            pass

    async def drain(self) -> None:
        """Take no new request, wait until those that are here are answered, and hang up."""
        self._draining = True
        for request in [request for request in self._requests if not request.route.endless]:
            await request.answered.wait()
        self._writer.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    # -- what comes in

    async def _take(self, event: Event) -> None:
        """Give an event to who it is for; an unknown type is dropped, as the protocol asks."""
        if handler := self._handlers.get(event.type):
            await handler(event)
        elif request := self._taker(event):
            request.begun = request.begun or event.type == request.route.begin
            if event.type == request.route.end:
                request.finish()
                self._forget(request)
            else:
                await request.put(Arrival(event, self._loop.time()))
        elif route := self._service.routes.get(event.type):
            self._begin(route, event)
        elif repeated := self._last.get(event.type) or self._default(event.type):
            request = self._begin(*repeated, begun=True)
            await request.put(Arrival(event, self._loop.time()))
        elif end := self._end_of(event.type):
            self._stray(event.type, end)

    def _taker(self, event: Event) -> Request | None:
        """Return the open request that an event continues; a second beginning continues nothing."""
        request = self._open.get((event.type, None)) or self._open.get(
            (event.type, stream_key(event))
        )
        if request is None or (request.begun and event.type == request.route.begin):
            return None
        return request

    def _default(self, event_type: str) -> tuple[Route, Event] | None:
        """Return what a bare beginning opens before any opener was sent."""
        for route in self._service.routes.values():
            if route.begin == event_type:
                return route, Event(type=route.opener)
        return None

    def _end_of(self, event_type: str) -> str | None:
        """Return the end of the stream that an event would be a part of."""
        for route in self._service.routes.values():
            if event_type in route.body or event_type == route.end:
                return route.end
        return None

    def _stray(self, event_type: str, end: str) -> None:
        """Refuse the first event of a stream that nobody opened and drop the others up to its end."""
        told = end in self._astray
        if event_type == end:
            self._astray.discard(end)
        else:
            self._astray.add(end)
        if not told:
            raise BadRequest(f"{event_type} belongs to no request")

    def _begin(self, route: Route, opener: Event, begun: bool = False) -> Request:
        """Queue a new request; one of the same stream that was not finished is over."""
        request = Request(
            route,
            opener,
            inbox=self._limits.inbox,
            send=self._send,
            client=self._client,
            selected=dict(self._selected),
            begun=begun,
        )
        if route.keyed and request.key is None:
            raise BadRequest(f"{opener.type} needs an id, a text of at most 200 characters")
        if route.end is not None:
            self._adopt(request, route.end)
        try:
            request.identify()
            self._admit(route)
        except UnitError:
            request.drop()  # what follows of its stream is not for another request
            raise
        if route.begin is not None:
            self._last[route.begin] = (route, opener)
        self._requests.append(request)
        if route.keyed:
            task: asyncio.Task[Any] = asyncio.create_task(self._answer(request))
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)
        else:
            self._waiting[route.endless].put_nowait(request)
        return request

    def _adopt(self, request: Request, end: str) -> None:
        """Make a request the taker of its body events."""
        self._astray.discard(end)
        for event_type in (*request.route.body, end):
            if older := self._open.get((event_type, request.key)):
                self._forget(older)
                older.cancel()
            self._open[event_type, request.key] = request

    def _admit(self, route: Route) -> None:
        if self._draining:
            raise Busy("the node is shutting down")
        alike = sum(request.route.keyed == route.keyed for request in self._requests)
        if route.keyed and alike >= self._limits.streams:
            raise Busy(f"{alike} streams run on this connection, which is the most")
        if not route.keyed and alike > self._limits.pending:
            raise Busy("too many requests wait on this connection")

    def _forget(self, request: Request) -> None:
        for event_type in [key for key, value in self._open.items() if value is request]:
            del self._open[event_type]

    async def _describe(self, event: Event) -> None:
        await self._write(self._service.info_frame())

    async def _ping(self, event: Event) -> None:
        await self._send(Pong(text=event.data.get("text")).event())

    async def _cancel(self, event: Event) -> None:
        wanted = event.data.get("id")
        matching = [request for request in self._requests if request.id == wanted]
        if wanted is None or not matching:
            raise BadRequest("no such request to cancel")
        for request in matching:
            request.cancel()

    async def _select_program(self, event: Event) -> None:
        name = event.data.get("name")
        kind = self._service.programs.get(name) if isinstance(name, str) else None
        if kind is None:
            raise UnknownModel(f"no program is called {name!r}")
        self._selected.pop(kind, None)  # the one that was selected last comes last
        self._selected[kind] = event.data["name"]

    async def _stats(self, event: Event) -> None:
        await self._send(Event(type="stats", data=self._service.stats()))

    # -- the workers

    async def _work(self, queue: asyncio.Queue[Request]) -> None:
        while True:
            if not await self._answer(await queue.get()):
                return

    async def _answer(self, request: Request) -> bool:
        """Answer a request; return False where the client has left."""
        try:
            error = await request.answer()
            # Who replaces an endless stream without having named it is waiting for no answer.
            replaced = request.cancelled and request.route.endless and request.id is None
            if error is not None and not replaced:
                await request.send(Error(text=str(error), code=error.code))
        except OSError:
            return False
        finally:
            request.drop()
            self._requests.remove(request)
        return True

    # -- what goes out

    async def _tell(self, error: UnitError, event: Event | None) -> None:
        answer = Error(text=str(error), code=error.code).event()
        with suppress(BadRequest):
            if event is not None and (identity := request_id(event)):
                answer.data["request"] = {"id": identity}
        await self._send(answer)

    async def _send(self, event: Event) -> None:
        await self._write(encode(event))

    async def _write(self, frame: bytes) -> None:
        """Write a frame and wait while the peer is slow; one that takes nothing is cut off."""
        self._writer.write(frame)
        async with self._drain:
            # Not `wait_for`: before Python 3.12 it loses a cancellation that comes as the wait ends.
            drained = asyncio.ensure_future(self._writer.drain())
            try:
                done, _ = await asyncio.wait({drained}, timeout=self._limits.frame)
            finally:
                drained.cancel()
            if not done:
                self.abort()
                raise ConnectionAbortedError("the peer takes nothing")
            drained.result()
