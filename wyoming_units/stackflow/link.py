"""One connection to a module."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from typing import Protocol

from wyoming_units.errors import Cancelled, EngineFailed
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.codes import Lost
from wyoming_units.stackflow.framing import Reply, Splitter

STUCK = 15.0
"""Seconds in which a module must take something of what it is sent."""

_PIECE = 1 << 16
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""Seconds and counts: a module without power is noticed within a minute."""


class Ends(Protocol):
    """What a link is made of."""

    def send(self, data: bytes) -> None:
        """Send all."""

    def receive(self, timeout: float) -> Reply | None:
        """Return the next reply; None when time is over, or on being woken."""

    def wake(self) -> None:
        """Let the `receive` that waits, or the next that would, return None."""

    def calm(self) -> None:
        """Forget that it was woken."""

    def close(self) -> None:
        """Let go."""


class Link:
    """A socket, or a share of the one serial line that there is.

    Over a serial line replies to all tasks arrive mixed: each link gets those to its own requests.
    """

    def __init__(self, address: Address, *, timeout: float = 5.0) -> None:
        """Connect; `EngineFailed` says where nobody answers."""
        self._ends: Ends
        if address.device:
            from wyoming_units.stackflow.serial import share

            self._ends = share(address)
        else:
            self._ends = _Socket(address, timeout)

    def send(self, data: bytes) -> None:
        """Send all; `EngineFailed` where the module is gone.

        `Cancelled` when woken while a module in the network takes nothing: the link is of no more use then.
        """
        self._ends.send(data)

    def receive(self, timeout: float) -> Reply | None:
        """Return the next reply, None after `timeout` seconds without one; `EngineFailed` where the module is gone.

        None also when woken.
        """
        return self._ends.receive(timeout)

    def wake(self) -> None:
        """Make a `receive` in another thread, or the next one that would wait, return None at once."""
        self._ends.wake()

    def calm(self) -> None:
        """Forget a `wake` that nobody has noticed."""
        self._ends.calm()

    def close(self) -> None:
        """Close; whoever receives, in whatever thread, gets `EngineFailed` at once."""
        self._ends.close()


def _connect(address: Address, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((address.host, address.port), timeout)
    except (OSError, UnicodeError) as err:
        raise Lost(f"the module at {address.where} cannot be reached") from err
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


class _Socket:
    """A TCP connection; one thread may receive while another sends."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._where = address.where
        self._socket = _connect(address, timeout)
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._bell.setblocking(False)
        self._incoming = self._selector(selectors.EVENT_READ)
        self._splitter = Splitter()
        self._replies: deque[Reply] = deque()
        self._receiving = threading.RLock()
        self._sending = threading.RLock()
        self._closed = False

    def _selector(self, events: int) -> selectors.BaseSelector:
        selector = selectors.DefaultSelector()
        selector.register(self._socket, events)
        selector.register(self._alarm, selectors.EVENT_READ)
        return selector

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        with self._sending:
            while rest:
                self._check()
                try:
                    rest = rest[self._socket.send(rest[:_PIECE]) :]
                except BlockingIOError:
                    self._await_room()
                except OSError as err:
                    raise self._gone() from err

    def _await_room(self) -> None:
        with self._selector(selectors.EVENT_WRITE) as selector:
            ready = [key.fileobj for key, _ in selector.select(STUCK)]
        if self._socket in ready:
            return
        self._check()
        # What was sent of the message has opened braces that nothing would close.
        self.close()
        if ready:
            raise Cancelled("the request was given up while it was sent")
        raise Lost(f"the module at {self._where} takes nothing any more")

    def receive(self, timeout: float) -> Reply | None:
        until = time.monotonic() + timeout
        with self._receiving:
            while not self._replies:
                self._check()
                ready = [
                    key.fileobj
                    for key, _ in self._incoming.select(max(0.0, until - time.monotonic()))
                ]
                self._check()
                if self._socket in ready:
                    self._read()
                elif self._alarm in ready:
                    self.calm()
                    return None
                elif time.monotonic() >= until:
                    return None
            return self._replies.popleft()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as err:
            raise self._gone() from err
        if not data:
            raise self._gone()
        try:
            self._replies += self._splitter.feed(data)
        except EngineFailed as err:
            self.close()
            raise EngineFailed(f"{self._where}: {err}") from err

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already
            self._bell.send(b"!")

    def calm(self) -> None:
        with contextlib.suppress(OSError):
            while self._alarm.recv(64):
                pass

    def close(self) -> None:
        self._closed = True
        self.wake()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        # Only when nobody waits on them may others get these file descriptors.
        with self._receiving, self._sending:
            self._incoming.close()
            for end in (self._socket, self._alarm, self._bell):
                end.close()

    def _check(self) -> None:
        if self._closed:
            raise Lost(f"the connection to the module at {self._where} is closed")

    def _gone(self) -> Lost:
        self._check()
        return Lost(f"the module at {self._where} is gone")
