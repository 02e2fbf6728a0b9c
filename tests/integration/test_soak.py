"""A full embedded node stays small, however many clients come, stay and talk; takes some minutes."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.wake import Detect

from wyoming_units.dialog.stages import Saying, recognize, synthesize, transcribe
from wyoming_units.dialog.wav import Wav, read_wav
from wyoming_units.wire.client import Client

from .raw import raw
from .recordings import data

pytestmark = [pytest.mark.extra, pytest.mark.timeout(1800)]

MB = 1_000_000


class Running:
    """A node in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, uri: str) -> None:
        self.process = process
        self.uri = uri

    def memory(self) -> int:
        """Return the resident memory in bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def settled(self) -> int:
        """Return the memory once the node has put its work away."""
        await asyncio.sleep(1)
        return self.memory()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Running]:
    units = ("wake=microwakeword", "wake=openwakeword", "stt", "tts", "intent")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wyoming_units", "serve", "--host", "127.0.0.1", "--port", "0"),
        *("--data-dir", str(tmp_path), "--advertise", "none"),
        *(argument for unit in units for argument in ("--unit", unit)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "WYOMING_UNITS_LIMITS__CONNECTIONS": "600"},
    )
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    found = re.search(r"tcp://\S+", line)
    assert found, line
    yield Running(process, found[0])
    process.terminate()
    await process.wait()


async def turn(client: Client, home: dict[str, Any], words: Wav, command: Wav) -> None:
    """Run one turn over all units: wake word, transcript, intent, reply."""
    sound = {"rate": words.rate, "width": words.width, "channels": words.channels}
    for program in ("okay_nabu", "hey_rhasspy"):  # a word of each wake program
        await client.send(Detect(names=[program]))
        await client.send(AudioStart(**sound))
        await client.send(AudioChunk(audio=words.audio, **sound))
        await client.send(AudioStop())
        await client.send(Event(type="ping"))
        while (await client.receive()).type not in {"detection", "not-detected"}:
            pass
    heard = await transcribe(client, command, language="en", home=home)
    assert heard.text, "the command was not heard"
    assert (await recognize(client, heard.text, language="en", home=home)).intents
    reply = synthesize(client, Saying("Turned on the light.", language="en-US"))
    assert [chunk async for chunk in reply]


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[None]:
    """Keep connections open that have asked once what the node is."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            peer = await stack.enter_async_context(raw(port))
            await peer.event("describe")
            assert (await peer.frame() or {})["type"] == "info"
        yield


async def test_connections_and_turns_leave_memory_flat(node: Running) -> None:
    words = read_wav(data("media/wake/oww_okay_nabu.wav"))
    command = read_wav(data("media/home/en/turn off lights in the Office.wav"))
    home = yaml.safe_load(data("media/home/home.yaml").read_text("utf-8"))
    port = int(node.uri.rpartition(":")[2])
    async with Client(node.uri) as client:
        for _ in range(30):  # engines make their buffers, and malloc its arenas
            await turn(client, home, words, command)
        warm = await node.settled()
        print(f"\nwarm: {warm / MB:.1f} MB")
        assert warm < 250 * MB

        async with connections(port, 500):
            idle = await node.settled()
        print(f"with 500 idle connections: {idle / MB:.1f} MB")
        assert idle < warm + 500 * 50_000
        rest = await node.settled()

        for _ in range(100):
            async with connections(port, 1):
                pass
        reconnected = await node.settled()
        print(f"after them: {rest / MB:.1f} MB, after 100 reconnects: {reconnected / MB:.1f} MB")
        assert reconnected < rest + MB

        for number in range(1000):
            await turn(client, home, words, command)
            if number % 250 == 249:
                print(f"after {number + 1} turns: {(await node.settled()) / MB:.1f} MB")
        end = await node.settled()
    assert end < reconnected + 5 * MB
    assert end < 250 * MB
