"""A client with time-outs, for the command line, for turns and for tests."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from wyoming.event import Event, Eventable
from wyoming.info import Describe

from wyoming_units.errors import BadRequest, TimedOut, UnitError, from_code
from wyoming_units.wire.frames import FrameReader, encode
from wyoming_units.wire.limits import Limits

DEFAULT_PORT = 10600


class Client:
    """One connection to a Wyoming server: `async with Client("tcp://host:port") as client`."""

    def __init__(
        self,
        uri: str,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        ssl: SSLContext | None = None,
    ) -> None:
        self._host, self._port = parse_uri(uri)
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._ssl = ssl
        self._limits = Limits(payload=16 * 1024 * 1024)
        self._streams: tuple[FrameReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Client:
        """Connect; `TimedOut` or `UnitError` where nobody listens."""
        where = f"{self._host}:{self._port}"
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(
                    self._host, self._port, limit=self._limits.header, ssl=self._ssl
                ),
                self._connect_timeout,
            )
        except (asyncio.TimeoutError, TimeoutError):
            raise TimedOut(f"{where} does not answer") from None
        except OSError as err:
            raise UnitError(f"cannot connect to {where}: {err.strerror or err}") from err
        self._streams = FrameReader(reader, self._limits), writer
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up."""
        if self._streams is not None:
            frames, writer = self._streams
            frames.close()
            writer.close()

    async def send(self, event: Event | Eventable) -> None:
        """Send one event."""
        _, writer = self._connected()
        writer.write(encode(event if isinstance(event, Event) else event.event()))
        await writer.drain()

    async def receive(self, timeout: float | None = None) -> Event:
        """Return the next event; an `error` event, silence and a closed connection are raised."""
        frames, _ = self._connected()
        seconds = self._read_timeout if timeout is None else timeout
        try:
            event = await asyncio.wait_for(frames.read(), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise TimedOut(f"no answer within {seconds:g} s") from None
        except (OSError, asyncio.IncompleteReadError):
            event = None
        if event is None:
            raise UnitError("the connection was closed")
        if event.type == "error":
            raise from_code(event.data.get("code"), str(event.data.get("text")))
        return event

    async def info(self) -> dict[str, Any]:
        """Return the data of the server's `info` event."""
        await self.send(Describe())
        while (event := await self.receive()).type != "info":
            pass
        return event.data

    def _connected(self) -> tuple[FrameReader, asyncio.StreamWriter]:
        if self._streams is None:
            raise UnitError("not connected")
        return self._streams


def parse_uri(uri: str) -> tuple[str, int]:
    """Return host and port of `tcp://host:port` or `host[:port]`; `BadRequest` for anything else."""
    try:
        parts = urlsplit(uri if "://" in uri else f"tcp://{uri}")
        if parts.scheme == "tcp" and parts.hostname:
            return parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:  # a port that is no number
        pass
    raise BadRequest(f"{uri!r} is no address like tcp://192.168.1.5:{DEFAULT_PORT}")
