"""Connections to a model's server, of one event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from wyoming_units.chat.exchange import Delta
from wyoming_units.engines._openai_deltas import Reader
from wyoming_units.engines._openai_errors import Lost, Refused, check_event, message_of
from wyoming_units.engines._openai_server import Server, probe
from wyoming_units.engines._openai_stream import MOST, EventParser, read_event
from wyoming_units.errors import BadRequest, EngineFailed, TimedOut

if TYPE_CHECKING:
    from aiohttp import ClientResponse

T = TypeVar("T")

_TAIL = 1.0
"""Seconds to wait for the numbers of an answer that has ended."""
_MOST_ERROR = 1 << 16
"""Bytes of an error that are read."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is, and how it knows us."""

    base: str
    """Without `/v1` and without credentials."""
    host: str
    headers: Mapping[str, str]
    secret: str

    @classmethod
    def read(cls, url: str, token: str | None) -> Address:
        """Read the settings; `BadRequest`, which does not repeat them."""
        try:
            parts = urlsplit(url.strip())
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment:
            raise BadRequest("option url must look like http://HOST:PORT, with or without /v1")
        token = (token or "").strip()
        if not (token.isascii() and token.isprintable()):
            raise BadRequest("option token has a character that cannot be sent")
        host = parts.netloc.rpartition("@")[2]
        path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if parts.username is not None and not token:
            from base64 import b64encode

            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        base = f"{parts.scheme}://{host}{path}"
        return cls(base=base, host=host, headers=headers, secret=token)

    def unreachable(self) -> Lost:
        """Return what to raise where nobody answers."""
        return Lost(EngineFailed(f"the model's server at {self.host} cannot be reached"))


class _Patience:
    """How long to wait for the next bytes of an answer."""

    def __init__(self, first: float, between: float) -> None:
        self._now = asyncio.get_running_loop().time
        self._between = between
        self._error = f"the model's server said nothing for {first:g} s"
        self._until = self._now() + first

    def heard(self) -> None:
        """Begin to wait for the next token."""
        self._error = f"the model's server fell silent for {self._between:g} s"
        self._until = self._now() + self._between

    def ended(self) -> None:
        """Begin to wait for what may come after the last token."""
        self._until = self._now() + _TAIL

    async def wait(self, work: Awaitable[T]) -> T:
        """Return what comes in time; `TimedOut`."""
        from aiohttp import ClientError

        # Not asyncio.wait_for: before Python 3.12 it can lose a cancellation.
        if sys.version_info >= (3, 11):
            from asyncio import timeout_at
        else:
            from async_timeout import timeout_at

        try:
            async with timeout_at(self._until):
                return await work
        except asyncio.TimeoutError as err:
            if isinstance(err, ClientError):  # no connection in time
                raise
            raise TimedOut(self._error) from None


class Link:
    """Talks with a server; made and closed in the loop that it belongs to."""

    def __init__(self, address: Address, connect: float) -> None:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        self.loop = asyncio.get_running_loop()
        self.meeting = asyncio.Lock()
        """Held by who finds out what the server is."""
        self._address = address
        self._connect = connect
        self._session = ClientSession(
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=None, connect=connect),
            cookie_jar=DummyCookieJar(),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def probe(self) -> Server:
        """Find out what the server is."""
        address = self._address
        return await probe(self._session, address.base, address.headers, self._connect)

    async def answer(
        self, path: str, body: bytes, reader: Reader, *, first: float, between: float
    ) -> AsyncGenerator[Delta, None]:
        """Ask and yield the answer; `Refused`, `Lost`, `TimedOut`, `EngineFailed`.

        `first` and `between` are the seconds in which the first and each further token must come.
        """
        from aiohttp import ClientError

        patience = _Patience(first, between)
        try:
            response = await patience.wait(self._post(path, body))
        except (ClientError, OSError) as err:
            raise self._address.unreachable() from err
        ended, broke = False, None
        try:
            async with aclosing(_events(response, patience)) as events:
                async for event in events:
                    if ended := event is None:
                        break
                    check_event(event)
                    for delta in _read(reader, event):
                        yield delta
                        patience.heard()
                    if reader.calling:
                        patience.heard()
                    if reader.reason is not None:
                        patience.ended()
        except TimedOut:
            if reader.reason is None:
                raise
        except (ClientError, OSError) as err:
            broke = err
        finally:
            response.close()
        if reader.reason is None and not ended:
            raise Lost(EngineFailed("the model's server broke off")) from broke
        for delta in reader.end():
            yield delta

    async def _post(self, path: str, body: bytes) -> ClientResponse:
        response = await self._session.post(
            self._address.base + path,
            data=body,
            headers={"Content-Type": "application/json", **self._address.headers},
            allow_redirects=False,
        )
        if response.status < 300:
            return response
        try:
            text = (await response.content.read(_MOST_ERROR)).decode("utf-8", "replace")
        finally:
            response.close()
        if self._address.secret:
            text = text.replace(self._address.secret, "…")
        retry_after = response.headers.get("Retry-After", "")
        raise Refused(response.status, message_of(text), retry_after)


def _read(reader: Reader, event: Mapping[str, Any]) -> list[Delta]:
    """Return what an event says; `EngineFailed` where its shape is wrong somewhere within."""
    try:
        return list(reader.read(event))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as err:
        raise EngineFailed("the model's server sent what makes no sense") from err


async def _events(
    response: ClientResponse, patience: _Patience
) -> AsyncGenerator[Mapping[str, Any] | None, None]:
    """Yield the events of a stream, and None at the end that a server tells; or the one object that is no stream."""
    parser = EventParser()
    content = response.content
    data = await patience.wait(content.readany())
    if data.lstrip()[:1] == b"{":
        while more := await patience.wait(content.readany()):
            data += more
            if len(data) > MOST:
                raise EngineFailed("the model's server sent an answer of more than 1 MiB")
        yield read_event(data.decode("utf-8", "replace"))
        yield None
        return
    while data:
        for text in parser.feed(data):
            yield read_event(text)
        data = await patience.wait(content.readany())
    for text in parser.finish():
        yield read_event(text)
