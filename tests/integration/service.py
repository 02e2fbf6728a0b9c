"""A small service and a server for the tests of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadRequest
from wyoming_units.wire.frames import encode
from wyoming_units.wire.limits import Limits
from wyoming_units.wire.requests import Request, Route
from wyoming_units.wire.server import Server


class Service:
    """Counts payload bytes of a stream, repeats a text, and waits for ever."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.freed = asyncio.Event()
        self.release = asyncio.Event()
        self.programs = {"counter": "count"}
        self.routes = {
            route.opener: route
            for route in (
                Route(
                    opener="count",
                    run=self._count,
                    body=frozenset({"begin", "bytes"}),
                    begin="begin",
                    end="end",
                ),
                Route(opener="repeat", run=self._repeat),
                Route(opener="wait", run=self._wait),
                Route(opener="break", run=self._break),
                Route(opener="who", run=self._who),
                Route(
                    opener="guess", run=self._repeat, body=frozenset({"hint"}), end="no-more-hints"
                ),
                Route(
                    opener="listen",
                    run=self._listen,
                    body=frozenset({"sound"}),
                    end="silence",
                    endless=True,
                ),
                Route(
                    opener="follow",
                    run=self._follow,
                    body=frozenset({"step"}),
                    end="unfollow",
                    endless=True,
                    keyed=True,
                ),
            )
        }

    def info_frame(self) -> bytes:
        return encode(Event(type="info", data={"asr": []}))

    def stats(self) -> dict[str, Any]:
        return {"connections": 1}

    async def _count(self, request: Request) -> None:
        count = 0
        async for arrival in request:
            count += len(arrival.event.payload or b"")
        data = {"bytes": count, **request.opener.data, **request.selected}
        await request.send(Event(type="counted", data=data))

    async def _repeat(self, request: Request) -> None:
        if "text" not in request.opener.data:
            raise BadRequest("repeat needs a text")
        await request.send(Event(type="repeated", data={"text": request.opener.data["text"]}))

    async def _wait(self, request: Request) -> None:
        self.waiting.set()
        try:
            await self.release.wait()
            await request.send(Event(type="waited"))
        finally:
            await asyncio.sleep(0.01)  # as where something has to be cleaned up
            self.freed.set()

    async def _listen(self, request: Request) -> None:
        async for _ in request:
            await request.send(Event(type="heard"))
        await request.send(Event(type="heard-nothing"))

    async def _follow(self, request: Request) -> None:
        if request.opener.data.get("wrong"):
            raise BadRequest("cannot follow that")
        steps = 0
        async for _ in request:
            steps += 1
            await request.send(Event(type="stepped", data={"steps": steps}))
        await request.send(Event(type="followed", data={"steps": steps}))

    async def _who(self, request: Request) -> None:
        await request.send(Event(type="you", data={"client": request.client}))

    async def _break(self, request: Request) -> None:
        raise ZeroDivisionError("a bug")


@asynccontextmanager
async def serving(limits: Limits | None = None) -> AsyncIterator[tuple[int, Service, Server]]:
    service = Service()
    server = Server(service, limits)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port, service, server
    finally:
        await server.stop(grace=0.1)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for at most two seconds for something to become true."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError
