"""Home Assistant's HTTP and websocket API, as its own frontend uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from demo.processes import DemoError

_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An event of a subscription."""

    time: float
    """When it was received, on the event loop's clock."""
    event: Mapping[str, Any]


class Api:
    """A logged-in user's connection: `async with Api.connect(url, token) as api`."""

    def __init__(
        self, http: aiohttp.ClientSession, websocket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._http = http
        self._websocket = websocket
        self._last_id = 0
        self._results: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[int, asyncio.Queue[Arrival]] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, token: str) -> AsyncIterator[Api]:
        """Log in at `url` (`http://host:port`) with an access token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(url, headers=headers) as http,
            http.ws_connect("/api/websocket", max_msg_size=0) as websocket,
        ):
            await websocket.receive_json()
            await websocket.send_json({"type": "auth", "access_token": token})
            if (await websocket.receive_json())["type"] != "auth_ok":
                raise DemoError("Home Assistant refused the login")
            api = cls(http, websocket)
            reader = asyncio.create_task(api._read())
            try:
                yield api
            finally:
                reader.cancel()
                with suppress(asyncio.CancelledError):
                    await reader

    async def call(self, command: str, **data: Any) -> Any:
        """Send a websocket command and return its result."""
        return await self._send(self._next_id(), command, data)

    async def subscribe(self, command: str, **data: Any) -> asyncio.Queue[Arrival]:
        """Send a websocket command that answers with events; return the queue they go to."""
        number = self._next_id()
        events = self._events[number] = asyncio.Queue()
        await self._send(number, command, data)
        return events

    async def service(self, name: str, entity_id: str, **data: Any) -> None:
        """Perform an action (`domain.action`) on an entity."""
        domain, action = name.split(".")
        await self.call(
            "call_service",
            domain=domain,
            service=action,
            target={"entity_id": entity_id},
            service_data=data,
        )

    async def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """Post JSON to the HTTP API and return the JSON of the answer."""
        async with self._http.post(path, json=data) as response:
            return await answer(response)

    async def get(self, path: str) -> Any:
        """Return the JSON at `path`."""
        async with self._http.get(path) as response:
            return await answer(response)

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Give what is at `path`, to be read as it arrives."""
        async with self._http.get(path) as response:
            if not response.ok:
                raise DemoError(f"Home Assistant refused {path} ({response.status})")
            yield response.content

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary websocket message."""
        await self._websocket.send_bytes(data)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _send(self, number: int, command: str, data: Mapping[str, Any]) -> Any:
        result = self._results[number] = asyncio.get_running_loop().create_future()
        await self._websocket.send_json({"id": number, "type": command, **data})
        try:
            return await asyncio.wait_for(result, _TIMEOUT)
        except TimeoutError:
            raise DemoError(f"Home Assistant did not answer {command}") from None
        finally:
            del self._results[number]

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        async for message in self._websocket:
            data = message.json()
            if data["type"] == "event" and data["id"] in self._events:
                self._events[data["id"]].put_nowait(Arrival(time=clock(), event=data["event"]))
            elif data["type"] == "result" and (future := self._results.get(data["id"])):
                if data["success"]:
                    future.set_result(data["result"])
                else:
                    future.set_exception(DemoError(f"Home Assistant: {data['error']['message']}"))
        for future in self._results.values():
            if not future.done():
                future.set_exception(DemoError("Home Assistant hung up"))


async def answer(response: aiohttp.ClientResponse) -> Any:
    """Return the JSON of a response; `DemoError` with its text when it is a failure."""
    if not response.ok:
        detail = f"{response.status}: {(await response.text())[:200]}"
        raise DemoError(f"Home Assistant refused {response.url.path}: {detail}")
    return await response.json()
