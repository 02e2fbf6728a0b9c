"""Nodes are found by zeroconf, under addresses that work, and say goodbye."""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_address
from uuid import uuid4

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from wyoming_units.wire import discovery
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
        assert announced._zeroconf is not None
        assert announced._zeroconf.zeroconf.done  # its sockets are closed
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


async def test_a_new_address_of_the_machine_is_announced_and_failing_to_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = ["192.0.2.1"]
    looks = 0

    def current(_: str) -> list[discovery.Address]:
        nonlocal looks
        looks += 1
        return [ip_address(text) for text in addresses]

    monkeypatch.setattr(discovery, "_REFRESH", 0.05)
    monkeypatch.setattr(discovery, "advertised_addresses", current)
    name = f"test {uuid4().hex}"
    announced = advertisement(name)
    await announced.start()
    try:
        async with AsyncZeroconf() as other:
            service = AsyncServiceInfo(UNITS_TYPE, f"{name}.{UNITS_TYPE}")
            assert await service.async_request(other.zeroconf, 2000)
            assert service.parsed_addresses() == ["192.0.2.1"]
            looks = 0
            await asyncio.sleep(0.3)
            assert 1 <= looks <= 6
            addresses[:] = ["192.0.2.2"]
            for _ in range(40):
                await asyncio.sleep(0.1)
                service = AsyncServiceInfo(UNITS_TYPE, f"{name}.{UNITS_TYPE}")
                await service.async_request(other.zeroconf, 500)
                if "192.0.2.2" in service.parsed_addresses():
                    break
            assert "192.0.2.2" in service.parsed_addresses()

        async def broken(_: AsyncServiceInfo) -> None:
            raise OSError("the network is down")

        assert announced._zeroconf is not None
        monkeypatch.setattr(announced._zeroconf, "async_update_service", broken)
        addresses[:] = ["192.0.2.3"]
        await asyncio.sleep(0.3)
        assert caplog.text.count("the network is down") == 1
    finally:
        await announced.close()


async def test_a_goodbye_that_fails_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    announced = advertisement(f"test {uuid4().hex}")
    await announced.start()
    zeroconf = announced._zeroconf
    assert zeroconf is not None

    async def broken() -> None:
        raise OSError("the network is down")

    with monkeypatch.context() as patch:
        patch.setattr(zeroconf, "async_unregister_all_services", broken)
        await announced.close()
    await zeroconf.async_close()
    assert "the network is down" in caplog.text
    assert announced._watch is not None
    await asyncio.wait({announced._watch}, timeout=1)
    assert announced._watch.cancelled()


async def test_who_wants_one_node_need_not_wait_for_others() -> None:
    announced = advertisement(f"test {uuid4().hex}")
    await announced.start()
    try:
        start = asyncio.get_running_loop().time()
        assert len(await find_nodes(timeout=30, most=1)) == 1
        assert asyncio.get_running_loop().time() - start < 10
    finally:
        await announced.close()


async def test_looking_for_nodes_ends_in_time() -> None:
    start = asyncio.get_running_loop().time()
    await find_nodes(timeout=0.5, most=1000)
    assert 0.5 <= asyncio.get_running_loop().time() - start < 2.5


@pytest.mark.parametrize(("bound", "expected"), [("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"])])
def test_a_bound_address_is_announced_as_it_is(bound: str, expected: list[str]) -> None:
    assert [str(address) for address in advertised_addresses(bound)] == expected


def test_no_wildcard_and_no_ipv6_is_announced_for_an_ipv4_socket() -> None:
    addresses = advertised_addresses("0.0.0.0")
    assert addresses
    assert not any(address.is_unspecified or address.version == 6 for address in addresses)
