"""The client says what is wrong, and never waits for ever."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from wyoming.event import Event

from wyoming_units.errors import BadRequest, TimedOut, UnitError
from wyoming_units.wire.client import Client, parse_uri

from .service import serving, until


async def test_the_client_raises_errors_by_code_and_silence_as_a_time_out() -> None:
    async with serving() as (port, _, _), Client(f"127.0.0.1:{port}", read_timeout=0.2) as client:
        await client.send(Event(type="repeat"))
        with pytest.raises(BadRequest, match="needs a text"):
            await client.receive()
        with pytest.raises(TimedOut):
            await client.receive()


async def test_the_client_hangs_up_and_is_not_usable_before_and_after() -> None:
    async with serving() as (port, _, server):
        client = Client(f"127.0.0.1:{port}")
        with pytest.raises(UnitError, match="not connected"):
            await client.send(Event(type="ping"))
        async with client:
            assert await client.info() == {"asr": []}
            assert server.connections == 1
        await until(lambda: server.connections == 0)


async def test_the_client_says_that_the_server_hung_up() -> None:
    async with serving() as (port, _, server), Client(f"127.0.0.1:{port}") as client:
        await server.stop(grace=0.1)
        with pytest.raises(UnitError, match="closed"):
            await client.receive()


async def test_the_client_gives_up_on_a_host_that_does_not_answer() -> None:
    with socket.socket() as deaf, ExitStack() as crowd:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # from then on nobody gets in
            other = crowd.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        with pytest.raises(TimedOut, match="does not answer"):
            async with Client(f"127.0.0.1:{deaf.getsockname()[1]}", connect_timeout=0.2):
                pass


async def test_the_client_says_that_nobody_listens(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    with pytest.raises(UnitError, match="cannot connect"):
        async with Client(f"tcp://127.0.0.1:{unused_tcp_port_factory()}"):
            pass


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("tcp://node:1", ("node", 1)),
        ("node", ("node", 10600)),
        ("[::1]:5", ("::1", 5)),
        ("tcp://192.168.1.2", ("192.168.1.2", 10600)),
    ],
)
def test_addresses_are_read(uri: str, expected: tuple[str, int]) -> None:
    assert parse_uri(uri) == expected


@pytest.mark.parametrize("uri", ["http://node", "tcp://", "node:port", ""])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(BadRequest):
        parse_uri(uri)
