"""A TCP server of connections that ends well."""

from __future__ import annotations

import asyncio
import logging
from ssl import SSLContext

from wyoming_units.errors import Busy
from wyoming_units.wire.connection import Connection, Service
from wyoming_units.wire.limits import Limits

_LOGGER = logging.getLogger(__name__)


class Server:
    """Accepts connections for a service, at most `limits.connections` at a time."""

    def __init__(
        self, service: Service, limits: Limits | None = None, ssl: SSLContext | None = None
    ) -> None:
        self._service = service
        self._limits = limits or Limits()
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    @property
    def connections(self) -> int:
        """Return how many clients are connected."""
        return len(self._connections)

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port, which the system chooses when `port` is 0."""
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=self._limits.header, ssl=self._ssl
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace: float = 5.0) -> None:
        """Stop listening, give running requests `grace` seconds to finish, then hang up."""
        if self._server is None:
            return
        self._server.close()
        if self._connections:
            await asyncio.wait(
                [asyncio.ensure_future(connection.drain()) for connection in self._connections],
                timeout=grace,
            )
        for connection in self._connections:
            connection.abort()
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=grace)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._service, self._limits)
        if len(self._connections) >= self._limits.connections:
            await connection.refuse(Busy("too many connections"))
            return
        task = asyncio.ensure_future(connection.serve())
        self._connections[connection] = task
        try:
            await task
        finally:
            del self._connections[connection]
