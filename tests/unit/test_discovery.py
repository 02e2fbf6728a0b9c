"""Which addresses are announced, and what is read from an announcement."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import ifaddr
import pytest
from zeroconf.asyncio import AsyncServiceInfo

from wyoming_units.wire import discovery
from wyoming_units.wire.discovery import (
    UNITS_TYPE,
    WYOMING_TYPE,
    Advertisement,
    FoundNode,
    advertised_addresses,
)

LOOPBACK = ["127.0.0.1", "::1"]
HOME = ["192.168.1.7", "fd00::7"]
LINK_LOCAL = ["169.254.3.4", "fe80::7"]


def adapter(*addresses: str) -> ifaddr.Adapter:
    """Return a network interface in the shape of ifaddr: IPv6 addresses come with flow and scope."""
    ips = [ifaddr.IP((text, 0, 2) if ":" in text else text, 24, "net0") for text in addresses]
    return ifaddr.Adapter("net0", "net0", ips)


@pytest.mark.parametrize(
    ("bound", "interfaces", "announced"),
    [
        ("0.0.0.0", [LOOPBACK, HOME], ["192.168.1.7"]),
        ("::", [LOOPBACK, HOME], ["192.168.1.7", "fd00::7"]),
        ("", [LOOPBACK, HOME], ["192.168.1.7", "fd00::7"]),
        ("::", [LOOPBACK, LINK_LOCAL, HOME], ["192.168.1.7", "fd00::7"]),
        ("0.0.0.0", [LOOPBACK, HOME, ["10.0.0.7"]], ["192.168.1.7", "10.0.0.7"]),
        ("0.0.0.0", [LOOPBACK], ["127.0.0.1"]),
        ("::", [LOOPBACK, LINK_LOCAL], ["127.0.0.1", "::1"]),
        ("0.0.0.0", [], []),
    ],
)
def test_of_a_wildcard_those_addresses_are_announced_that_others_can_reach(
    bound: str,
    interfaces: list[list[str]],
    announced: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapters = [adapter(*addresses) for addresses in interfaces]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert advertised_addresses(bound) == [ip_address(text) for text in announced]


@pytest.mark.parametrize(
    ("host", "uri"),
    [("192.168.1.7", "tcp://192.168.1.7:10600"), ("fd00::7", "tcp://[fd00::7]:10600")],
)
def test_the_address_of_a_node_is_one_for_a_client(host: str, uri: str) -> None:
    assert FoundNode(name="attic", host=host, port=10600, properties={}).uri == uri


def test_an_announcement_says_where_the_node_is_and_what_it_is() -> None:
    announced = Advertisement(
        name="attic", host="192.168.1.7", port=10600, properties={"id": "5f0c", "v": "1"}
    )
    announced._addresses = advertised_addresses("192.168.1.7")
    service = announced._service(UNITS_TYPE)
    assert (service.name, service.type) == (f"attic.{UNITS_TYPE}", UNITS_TYPE)
    assert (service.port, service.server) == (10600, "wyoming-units-5f0c.local.")
    assert service.parsed_addresses() == ["192.168.1.7"]
    assert announced._service(WYOMING_TYPE).server == service.server


def test_a_node_without_an_id_is_told_apart_by_its_port() -> None:
    announced = Advertisement(name="attic", host="127.0.0.1", port=10601, properties={})
    assert announced._service(UNITS_TYPE).server == "wyoming-units-10601.local."


def service(
    port: int | None = 10600, addresses: tuple[str, ...] = ("192.168.1.7",)
) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        UNITS_TYPE,
        f"attic.{UNITS_TYPE}",
        port=port,
        properties={"id": "5f0c", "tls": None},
        addresses=[socket.inet_aton(address) for address in addresses],
    )


def test_an_announcement_is_read() -> None:
    assert discovery._found(service()) == FoundNode(
        name="attic", host="192.168.1.7", port=10600, properties={"id": "5f0c", "tls": ""}
    )


def test_of_several_addresses_the_first_is_used() -> None:
    found = discovery._found(service(addresses=("192.168.1.7", "10.0.0.7")))
    assert found is not None
    assert found.host == "192.168.1.7"


@pytest.mark.parametrize("useless", [service(port=None), service(port=0), service(addresses=())])
def test_an_announcement_that_says_not_where_the_node_is_is_none(useless: AsyncServiceInfo) -> None:
    assert discovery._found(useless) is None


def test_the_addresses_are_looked_at_every_half_minute() -> None:
    assert discovery._REFRESH == 30
