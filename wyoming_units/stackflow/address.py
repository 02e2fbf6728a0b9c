"""Where a module is: `HOST[:PORT]` or `serial:DEVICE[@BAUD]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wyoming_units.errors import BadRequest

PORT = 10001
BAUD = 115_200

_SERIAL = "serial:"
_HOST = re.compile(
    r"(?:\[(?P<ip6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]+))(?::(?P<port>\d+))?"
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """A module in the network, or at a serial line where `device` is set."""

    host: str = ""
    port: int = PORT
    device: str = ""
    baud: int = BAUD

    @property
    def where(self) -> str:
        """Return the address as people read it."""
        if self.device:
            return self.device
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that a user wrote; `BadRequest`. IPv6 hosts stand in brackets."""
    text = text.strip()
    if text.startswith(_SERIAL):
        return _parse_serial(text)
    found = _HOST.fullmatch(text)
    port = int((found and found["port"]) or PORT)
    if found is None or not 0 < port < 1 << 16:
        raise BadRequest(f"{text!r} is no module's address: HOST[:PORT] or serial:DEVICE[@BAUD]")
    return Address(host=found["ip6"] or found["host"], port=port)


def _parse_serial(text: str) -> Address:
    device, at, baud = text.removeprefix(_SERIAL).partition("@")
    if not device or (at and not (baud.isascii() and baud.isdigit() and int(baud))):
        raise BadRequest(f"{text!r} is no serial line: serial:DEVICE[@BAUD]")
    return Address(device=device, baud=int(baud) if at else BAUD)
