"""One connection to a module."""

from __future__ import annotations

from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.framing import Reply


class Link:
    """A socket, or a share of the one serial line that there is.

    Over a serial line replies to all tasks arrive mixed: each link gets those to its own requests.
    """

    def __init__(self, address: Address, *, timeout: float = 5.0) -> None:
        """Connect; `EngineFailed` says where nobody answers."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send all; `EngineFailed` where the module is gone."""
        raise NotImplementedError

    def receive(self, timeout: float) -> Reply | None:
        """Return the next reply, None after `timeout` seconds without one; `EngineFailed` where the module is gone."""
        raise NotImplementedError

    def close(self) -> None:
        """Close; whoever receives, in whatever thread, gets `EngineFailed` at once."""
        raise NotImplementedError
