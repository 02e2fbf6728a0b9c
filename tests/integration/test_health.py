"""The health check of containers and of the installer, as a process, against real servers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wyoming_units.config import load_config
from wyoming_units.errors import TimedOut, UnitError
from wyoming_units.node import Node
from wyoming_units.wire.health import ask, node_here


def check(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wyoming_units.wire.health", "--timeout", "5"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def node(folder: Path, port: int = 0) -> Node:
    settings = load_config(
        data_dir=folder, host="127.0.0.1", port=port, advertise=[], units=["intent"], name="Hall"
    )
    return Node(settings)


async def test_a_node_that_answers_is_healthy(tmp_path: Path) -> None:
    async with node(tmp_path) as running:
        done = await asyncio.to_thread(check, WYOMING_UNITS_PORT=str(running.port))
    assert (done.returncode, done.stdout[:5]) == (0, "Hall ")


def test_nobody_at_the_port_is_one_line_and_a_failure() -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        done = check(WYOMING_UNITS_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot connect to 127.0.0.1")
    assert len(done.stderr.splitlines()) == 1


async def test_a_node_whose_loop_hangs_is_not_healthy() -> None:
    with socket.socket() as hanging:  # the kernel takes the connection, nobody answers
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        with pytest.raises(TimedOut):
            await ask(f"tcp://127.0.0.1:{hanging.getsockname()[1]}", timeout=0.2)


async def test_a_node_that_is_still_starting_is_waited_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(UnitError):
        await ask(f"tcp://127.0.0.1:{port}")
    asked = asyncio.create_task(ask(f"tcp://127.0.0.1:{port}", wait=30))
    await asyncio.sleep(0)  # it has begun
    async with node(tmp_path, port):
        assert (await asked)["node"]["name"] == "Hall"


@pytest.mark.parametrize(
    ("host", "uri"),
    [
        ("", "tcp://127.0.0.1:10700"),
        ("0.0.0.0", "tcp://127.0.0.1:10700"),
        ("::", "tcp://[::1]:10700"),
        ("fd00::5", "tcp://[fd00::5]:10700"),
        ("192.168.1.5", "tcp://192.168.1.5:10700"),
    ],
)
def test_the_address_is_the_one_that_the_node_listens_on(
    host: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WYOMING_UNITS_HOST", host)
    monkeypatch.setenv("WYOMING_UNITS_PORT", "10700")
    assert node_here() == uri


def test_a_served_node_tells_systemd_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        command = [Path(sys.executable).parent / "wyoming-units", "serve", "--host=127.0.0.1"]
        options = ["--port=0", "--advertise=none", "--unit=intent", f"--data-dir={tmp_path}"]
        with subprocess.Popen(
            [*command, *options], env=os.environ | told, stdout=subprocess.DEVNULL
        ) as node:
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", *[b"WATCHDOG=1"] * 2]
            node.terminate()
            while (last := manager.recv(100)) == b"WATCHDOG=1":
                pass
            assert last == b"STOPPING=1"
            assert node.wait(20) == 0
