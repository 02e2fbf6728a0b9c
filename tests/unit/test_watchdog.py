"""What systemd is told, over a real socket: ready, alive from the event loop, stopping."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wyoming_units.observe.watchdog import notify, watchdog_period, watched


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    """Return all messages that have come."""
    manager.setblocking(False)
    messages = []
    try:
        while True:
            messages.append(manager.recv(100).decode())
    except BlockingIOError:
        return messages


def test_a_node_without_a_service_manager_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


def test_a_manager_that_went_away_does_not_stop_the_node(manager: socket.socket) -> None:
    manager.close()
    assert not notify("READY=1")


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"wyoming-units-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert notify("READY=1")
        assert listening.recv(100) == b"READY=1"


async def test_ready_comes_when_the_node_listens_and_stopping_before_it_says_goodbye(
    manager: socket.socket,
) -> None:
    async with watched():
        assert heard(manager) == ["READY=1"]
    assert heard(manager) == ["STOPPING=1"]


async def test_stopping_is_told_after_a_failure_too(manager: socket.socket) -> None:
    with pytest.raises(OSError, match="broken"):
        async with watched():
            raise OSError("broken")
    assert heard(manager) == ["READY=1", "STOPPING=1"]


async def test_signs_of_life_come_while_the_loop_runs_and_stay_away_while_it_is_blocked(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    async with watched():
        manager.setblocking(False)
        loop = asyncio.get_running_loop()
        for wanted in (b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"):
            assert await asyncio.wait_for(loop.sock_recv(manager, 100), 5) == wanted
        heard(manager)
        time.sleep(0.2)  # noqa: ASYNC251 - a loop that hangs is what is tested
        assert heard(manager) == []
        assert await asyncio.wait_for(loop.sock_recv(manager, 100), 5) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_it_names(
    variables: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert watchdog_period() == seconds
