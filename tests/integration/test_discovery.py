"""Nodes are found by zeroconf, under addresses that work, and say goodbye."""

from __future__ import annotations

import asyncio
import logging
from uuid import uuid4

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from wyoming_units.wire.discovery import (
    UNITS_TYPE,
    WYOMING_TYPE,
    Advertisement,
    FoundNode,
    advertised_addresses,
    find_nodes,
)


def advertisement(name: str, port: int = 4321, **changes: object) -> Advertisement:
    """Announce on every interface."""
    values = {"host": "0.0.0.0", "properties": {"id": uuid4().hex, "v": "1"}, **changes}
    return Advertisement(name=name, port=port, **values)  # type: ignore[arg-type]


async def found(name: str) -> list[FoundNode]:
    return [node for node in await find_nodes(timeout=1.5) if node.name.startswith(name)]


async def test_a_wildcard_is_announced_as_a_real_address() -> None:
    name = f"test {uuid4().hex}"
    announced = advertisement(name)
    await announced.start()
    try:
        (node,) = await found(name)
    finally:
        await announced.close()
    assert node.host not in ("0.0.0.0", "::")
    assert node.host in [str(address) for address in advertised_addresses("0.0.0.0")]
    assert (node.port, node.properties["v"]) == (4321, "1")
    assert node.uri == f"tcp://{node.host}:4321"


async def test_a_second_node_of_the_same_name_gets_another_one() -> None:
    name = f"test {uuid4().hex}"
    first, second = advertisement(name, 1111), advertisement(name, 2222)
    await first.start()
    await second.start()
    try:
        nodes = await found(name)
    finally:
        await first.close()
        await second.close()
    assert {node.port for node in nodes} == {1111, 2222}
    assert len({node.name for node in nodes}) == 2


async def test_a_closed_node_is_gone() -> None:
    name = f"test {uuid4().hex}"
    announced = advertisement(name)
    await announced.start()
    async with AsyncZeroconf() as other:
        service = AsyncServiceInfo(UNITS_TYPE, f"{name}.{UNITS_TYPE}")
        assert await service.async_request(other.zeroconf, 2000)
        await announced.close()
        await asyncio.sleep(1.5)  # a goodbye takes effect after a second (RFC 6762, 10.1)
        gone = AsyncServiceInfo(UNITS_TYPE, f"{name}.{UNITS_TYPE}")
        assert not await gone.async_request(other.zeroconf, 500)


async def test_both_types_can_be_announced() -> None:
    name = f"test {uuid4().hex}"
    announced = advertisement(name, types=(UNITS_TYPE, WYOMING_TYPE))
    await announced.start()
    try:
        async with AsyncZeroconf() as other:
            for kind in (UNITS_TYPE, WYOMING_TYPE):
                service = AsyncServiceInfo(kind, f"{name}.{kind}")
                assert await service.async_request(other.zeroconf, 2000)
                assert service.port == 4321
    finally:
        await announced.close()


async def test_trouble_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_network() -> None:
        raise OSError("no multicast here")

    monkeypatch.setattr("wyoming_units.wire.discovery.AsyncZeroconf", no_network)
    announced = advertisement("test")
    with caplog.at_level(logging.WARNING):
        await announced.start()
    await announced.close()
    assert "no multicast here" in caplog.text


@pytest.mark.parametrize(("bound", "expected"), [("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"])])
def test_a_bound_address_is_announced_as_it_is(bound: str, expected: list[str]) -> None:
    assert [str(address) for address in advertised_addresses(bound)] == expected


def test_no_wildcard_and_no_ipv6_is_announced_for_an_ipv4_socket() -> None:
    addresses = advertised_addresses("0.0.0.0")
    assert addresses
    assert not any(address.is_unspecified or address.version == 6 for address in addresses)
