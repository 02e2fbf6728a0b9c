"""Which addresses of cameras may be opened, and how they are shown."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from wyoming_units.errors import BadRequest

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_HIDDEN = "…"

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What cameras may be opened besides those in private networks."""

    hosts: tuple[str, ...] = ()
    """Host names, addresses or networks such as `203.0.113.0/24`."""
    files: bool = False
    """Whether files of this machine may be opened as well."""


def check(url: str, allowed: Allowed) -> None:
    """Raise `BadRequest` for an address that may not be opened; blocking, since it resolves names."""
    if file_of(url) is None:
        parts = network(url)
        resolve(parts.hostname or "", port(parts), allowed)
    elif not allowed.files:
        raise BadRequest("the node may not open files: its setting cameras.files says so")


def file_of(url: str) -> str | None:
    """Return the path that is meant, None for an address in a network."""
    scheme, colon, rest = url.partition(":")
    if scheme.lower() == "file" and colon:
        return unquote(rest.removeprefix("//"))
    return None if "://" in url else url


def network(url: str) -> SplitResult:
    """Return the parts of an address in a network; `BadRequest` where it is none of a camera."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or any(char <= " " for char in url):
        raise BadRequest(f"no address of a camera: it begins with {', '.join(_PORTS)} and a host")
    return parts


def port(parts: SplitResult) -> int:
    """Return the port of an address that `network` took apart."""
    return parts.port or _PORTS[parts.scheme]


def resolve(host: str, number: int, allowed: Allowed | None) -> str:
    """Return the numeric address of a host, IPv4 before IPv6; `BadRequest` unless it may be opened.

    What is connected to must be what this returned: a name may mean something else a moment later.
    """
    try:
        answers = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BadRequest(f"there is no host {host}") from None
    addresses = [ip_address(answer[4][0]) for answer in answers]
    for address in addresses:
        if allowed is not None and not _may_open(host, address, allowed):
            raise BadRequest(
                f"the node may not open {host}: {address} is in no private network, "
                "and the setting cameras.hosts does not name it"
            )
    return str(min(addresses, key=lambda address: address.version))


def _may_open(host: str, address: Address, allowed: Allowed) -> bool:
    # A public IPv4 address in IPv6's clothes counts as private otherwise.
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_private or plain.is_loopback or plain.is_link_local:
        return True
    return any(_names(each, host, plain) for each in allowed.hosts)


def _names(entry: str, host: str, address: Address) -> bool:
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return entry.rstrip(".").lower() == host.rstrip(".").lower()


def redact(url: str) -> str:
    """Return an address without its user, password, query and anything `name=value` in its path."""
    if file_of(url) is not None:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    path = re.sub(r"=[^/]*", "=" + _HIDDEN, parts.path)
    return f"{parts.scheme}://{host}{path}" + (f"?{_HIDDEN}" if parts.query else "")
