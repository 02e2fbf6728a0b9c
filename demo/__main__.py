"""`script/run`: a node, a real Home Assistant, and a spoken sentence that switches a light."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo import assist, home, home_assistant, node, speech
from demo.api import Api
from demo.processes import Child, DemoError, choose_port
from demo.report import Report
from demo.turn import Turn, run_turn
from wyoming_units.errors import UnitError

_NODE_PORT = 10600
_HOME_ASSISTANT_PORT = 8123
_RESULT = (
    "transcript",
    "intent",
    "state_before",
    "state_after",
    "reply",
    "audio_seconds",
    "timings_ms",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for on the command line."""

    once: bool
    wav: Path | None
    text: str
    node_port: int | None
    home_assistant_port: int | None


class Demo:
    """The running parts; `async with Demo(...)` ends them all."""

    def __init__(self, options: Options, folder: Path, report: Report) -> None:
        self._options = options
        self._folder = folder
        self._report = report
        self._parts = AsyncExitStack()
        self.children: list[Child] = []

    async def __aenter__(self) -> Demo:
        """Start nothing yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop what was started, last first."""
        await self._parts.aclose()

    def _port(self, name: str, wanted: int | None, default: int, host: str) -> int:
        port = choose_port(wanted, default, host)
        if wanted is None and port != default:
            self._report.say(f"  port {default} is in use: {name} takes {port}")
        return port

    async def start_node(self) -> tuple[str, str]:
        """Start the node; return its address and id."""
        port = self._port("the node", self._options.node_port, _NODE_PORT, "0.0.0.0")
        uri = f"tcp://127.0.0.1:{port}"
        with self._report.step("Starting a node with the embedded profile") as step:
            child = await node.start(self._folder / "node", port)
            self._own(child)
            info = await node.ready(child, uri)
            engines = ", ".join(program["name"] for program in node.programs(info))
            step.text = f"Node on port {port}: {engines}"
        return uri, info["node"]["id"]

    async def start_home_assistant(self) -> tuple[str, Api]:
        """Start Home Assistant with the demo home; return its address and API."""
        port = self._port(
            "Home Assistant", self._options.home_assistant_port, _HOME_ASSISTANT_PORT, "127.0.0.1"
        )
        url = f"http://127.0.0.1:{port}"
        with self._report.step("Starting Home Assistant") as step:
            home_assistant.prepare(self._folder / "config", port)
            child = await home_assistant.start(self._folder / "config")
            self._own(child)
            await home_assistant.ready(child, url)
            token = await home_assistant.onboard(url)
            api = await self._parts.enter_async_context(Api.connect(url, token))
            things = await home.furnish(api)
            step.text = f"Home Assistant at {url}: onboarded, a home of {things} things"
        return url, api

    async def assemble(self, api: Api, node_id: str) -> str:
        """Set the discovered node up as a user does; return the id of the pipeline."""
        with self._report.step("Waiting for zeroconf to find the node") as step:
            flow_id = await assist.discovered(api, node_id)
            step.text = "Zeroconf found the node"
        with self._report.step("Setting the integration up") as step:
            pipeline = await assist.pipeline_of(api, await assist.set_up(api, flow_id))
            step.text = f"Integration set up, with the Assist pipeline “{pipeline['name']}”"
        return str(pipeline["id"])

    async def speak(self, api: Api, uri: str, pipeline: str) -> Turn:
        """Say the sentence to the pipeline from the tablet."""
        options = self._options
        device = await home.listener(api)
        if options.wav:
            spoken = await asyncio.to_thread(speech.read, options.wav)
        else:
            spoken = await speech.synthesize(uri, options.text)
        with self._report.step(f"Speaking in the {home.LISTENER_AREA}: {spoken.origin}") as step:
            turn = await run_turn(api, pipeline, device, spoken)
            step.text = f"Spoke in the {home.LISTENER_AREA}: {spoken.origin}"
        return turn

    async def part_ended(self) -> None:
        """Wait until a part ends by itself, and raise what it was."""
        await asyncio.wait(
            [asyncio.create_task(child.ended()) for child in self.children],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for child in self.children:
            child.check()

    def _own(self, child: Child) -> None:
        self.children.append(child)
        self._parts.push_async_callback(child.stop)
