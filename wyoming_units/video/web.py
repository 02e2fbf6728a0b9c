"""Pictures over HTTP, from the very address that was checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import unquote
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPDefaultErrorHandler,
    HTTPDigestAuthHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPRedirectHandler,
    OpenerDirector,
    Request,
)

from wyoming_units.errors import BadImage
from wyoming_units.video.addresses import Allowed, network, resolve

_MOST_BYTES = 64 << 20
"""Of one picture with all that comes before it."""


class Web:
    """One request of a camera; every connection of it, redirects too, is checked as it is made."""

    def __init__(self, url: str, allowed: Allowed | None) -> None:
        self._url = url
        self._allowed = allowed
        self._socket: socket.socket | None = None
        self._cut = False
        self._response: HTTPResponse

    def open(self, seconds: float) -> None:
        """Send the request and read the head of the answer; `BadRequest`, `OSError`, `HTTPException`."""
        self.refresh(seconds)
        parts = network(self._url)
        origin = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        self._response = self._opener(origin, parts.username, parts.password).open(
            Request(origin), timeout=seconds
        )

    def _opener(self, origin: str, user: str | None, password: str | None) -> OpenerDirector:
        known = HTTPPasswordMgrWithDefaultRealm()
        if user is not None:
            known.add_password(None, origin, unquote(user), unquote(password or ""))
        opener = OpenerDirector()
        opener.addheaders = [("User-Agent", "wyoming-units")]
        for handler in (
            _Handler(self.connect),
            HTTPDigestAuthHandler(known),
            HTTPBasicAuthHandler(known),
            HTTPRedirectHandler(),
            HTTPDefaultErrorHandler(),
            HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        return opener

    def connect(self, host: str, number: int, tls: bool) -> socket.socket:
        """Return a connection to an address that may be opened, else `BadRequest`."""
        address = resolve(host.strip("[]"), number, self._allowed)
        made = socket.create_connection((address, number), self._seconds)
        if tls:
            # Cameras have certificates that they signed themselves.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            made = context.wrap_socket(made, server_hostname=host)
        self._socket = made
        if self._cut:
            self.cut()
        return made

    @property
    def content_type(self) -> str:
        """Return the media type of the answer."""
        return self._response.headers.get_content_type()

    @property
    def recorded(self) -> bool:
        """Return True where the answer says how long it is."""
        return self._response.length is not None

    def refresh(self, seconds: float) -> None:
        """Give the next picture so many seconds."""
        self._seconds = seconds
        self._deadline = monotonic() + seconds
        self._room = _MOST_BYTES
        if self._socket is not None:
            with suppress(OSError):  # the answer is complete
                self._socket.settimeout(seconds)

    def read(self, size: int) -> bytes:
        """Return what has come, at most `size` bytes, none at the end; `TimeoutError`, `BadImage`."""
        if monotonic() > self._deadline:
            raise TimeoutError
        data = self._response.read1(size)
        self._room -= len(data)
        if self._room < 0:
            raise BadImage(f"no picture in {_MOST_BYTES >> 20} MB")
        return data

    def cut(self) -> None:
        """End all waiting at once; from any thread."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                # Not that of a TLS socket, which first takes away what the other thread reads with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        if hasattr(self, "_response"):
            self._response.close()
        if self._socket is not None:
            self._socket.close()


class _Connection(HTTPConnection):
    def __init__(
        self,
        host: str,
        *,
        connect: Callable[[str, int, bool], socket.socket],
        tls: bool,
        **more: Any,
    ) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(host, **more)
        self._connect, self._tls = connect, tls

    def connect(self) -> None:
        self.sock = self._connect(self.host, self.port, self._tls)


class _Handler(HTTPHandler):
    def __init__(self, connect: Callable[[str, int, bool], socket.socket]) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, req: Request) -> HTTPResponse:
        return self._open(req, tls=False)

    def https_open(self, req: Request) -> HTTPResponse:
        return self._open(req, tls=True)

    https_request = HTTPHandler.do_request_

    def _open(self, req: Request, *, tls: bool) -> HTTPResponse:
        return self.do_open(partial(_Connection, connect=self._connect, tls=tls), req)
