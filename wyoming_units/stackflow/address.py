"""Where a module is: `HOST[:PORT]` or `serial:DEVICE[@BAUD]`."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 10001
BAUD = 115_200


@dataclass(frozen=True, kw_only=True)
class Address:
    """A module in the network, or at a serial line where `device` is set."""

    host: str = ""
    port: int = PORT
    device: str = ""
    baud: int = BAUD


def parse_address(text: str) -> Address:
    """Return the address that a user wrote; `BadRequest`. IPv6 hosts stand in brackets."""
    raise NotImplementedError
