"""`script/run`: a node, a real Home Assistant, a sentence that switches a light, a camera that does."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from demo import assist, home, home_assistant, node, sight, speech
from demo.api import Api
from demo.assist import Assistant
from demo.camera import PictureCamera
from demo.processes import Child, DemoError, choose_port
from demo.report import Report
from demo.sight import Sight
from demo.speech import Speech
from demo.turn import Turn, run_turn
from wyoming_units.errors import UnitError

_NODE_PORT = 10600
_HOME_ASSISTANT_PORT = 8123
_TEXT = "turn on the kitchen light"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for on the command line."""

    once: bool
    """End after the turn."""
    wav: Path | None
    """Recording to speak with."""
    text: str
    """What the tts unit says where there is no recording."""
    port: int | None
    """Of the node."""
    ha_port: int | None
    """Of Home Assistant."""
    camera: Sequence[str]
    """Pictures, videos, folders or addresses that the camera shows; empty: what the test data has."""
    vision_models: Path | None
    """Folder of networks for the camera; None: what the test data has."""
    llm: str | None = None
    """Address of a language model's server; None: the home gets no language model."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it all; None: that part failed, or there is no camera."""

    turn: Turn | None
    sight: Sight | None

    @property
    def done(self) -> bool:
        """Return whether all that was there worked."""
        return self.turn is not None and self.turn.done and (not self.sight or self.sight.done)

    def result(self) -> dict[str, Any]:
        """Return what the RESULT line tells."""
        turn = self.turn.result() if self.turn else {}
        return {**turn, "camera": self.sight.result() if self.sight else None}


class Demo:
    """Starts the parts one after the other; they stop, last first, with `parts`."""

    def __init__(
        self, options: Options, folder: Path, report: Report, parts: AsyncExitStack
    ) -> None:
        self._options = options
        self._folder = folder
        self._report = report
        self._parts = parts
        self._children: list[Child] = []

    def choose_ports(self) -> tuple[int, int]:
        """Return the ports of the node and of Home Assistant; `DemoError` when one is taken."""
        return (
            self._port("the node", "0.0.0.0", self._options.port, _NODE_PORT),
            self._port("Home Assistant", "127.0.0.1", self._options.ha_port, _HOME_ASSISTANT_PORT),
        )

    async def start_node(self, port: int) -> tuple[str, str]:
        """Start the node; return its address and id."""
        uri = f"tcp://127.0.0.1:{port}"
        with self._report.step("Starting a node with the embedded profile") as step:
            more = [*sight.units(self._options.vision_models)]
            if self._options.llm is not None:
                more.append(f"llm=openai:{self._options.llm}")
            child = self._own(await node.start(self._folder / "node", port, more))
            info = await node.ready(child, uri)
            engines = ", ".join(program["name"] for program in node.programs(info))
            step.text = f"Node on port {port}: {engines}"
        return uri, info["node"]["id"]

    async def start_home_assistant(self, port: int) -> tuple[str, Api]:
        """Start Home Assistant with the demo home; return its address and API."""
        url = f"http://127.0.0.1:{port}"
        config = self._folder / "config"
        with self._report.step("Starting Home Assistant") as step:
            home_assistant.prepare(config, port)
            child = self._own(await home_assistant.start(config))
            await home_assistant.ready(child, url)
            token = await home_assistant.onboard(url)
            api = await self._parts.enter_async_context(Api.connect(url, token))
            await home_assistant.running(api)
            things = await home.furnish(api)
            version = (await api.call("get_config"))["version"]
            step.text = f"Home Assistant {version} at {url}, with {things} things in the home"
        return url, api

    async def assemble(self, api: Api, node_id: str, node_port: int) -> Assistant:
        """Set the discovered node up as a user does; return what that leaves."""
        with self._report.step("Waiting for zeroconf to find the node") as step:
            flow_id = await assist.discovered(api, node_id)
            step.text = "Zeroconf found the node"
            if flow_id is None:
                # No network, or a firewall that blocks UDP port 5353.
                flow_id = await assist.entered(api, node_port)
                step.text = "Zeroconf did not find the node here: typed its address in"
        with self._report.step("Setting the integration up") as step:
            assistant = await assist.assistant_of(api, await assist.set_up(api, flow_id))
            step.text = f"Integration set up, with the Assist pipeline “{assistant.pipeline_name}”"
        return assistant

    async def speak(self, api: Api, assistant: Assistant, spoken: Speech) -> Turn:
        """Say a sentence to the pipeline, in the room of the tablet."""
        device = await home.listener(api)
        said = f"in the {home.LISTENER_AREA}: {spoken.origin}"
        with self._report.step(f"Speaking {said}") as step:
            turn = await run_turn(api, assistant, device, spoken)
            step.text = f"Spoke {said}"
        self._report.timeline(turn)
        return turn

    async def start_camera(self) -> str | None:
        """Start the camera; return its address, None where it has nothing to show."""
        if not (shown := self._options.camera or sight.pictures()):
            self._report.say("  no pictures for a camera here: give some with --camera")
            return None
        return await self._parts.enter_async_context(PictureCamera(shown).serve())

    async def see(self, api: Api, assistant: Assistant, camera: str) -> Sight:
        """Let the node watch the camera until a person appears and the light goes on."""
        with self._report.step("Adding the camera") as step:
            await sight.add_camera(api, camera)
            tasks = await sight.watch(api, assistant.entry_id)
            step.text = f"Camera added; the node looks for: {', '.join(tasks)}"
        with self._report.step("Waiting for a person to appear") as step:
            seen = await sight.wait_for_person(api)
            counts = ", ".join(f"{count} {label}" for label, count in seen.counts.items() if count)
            light = f"{sight.LIGHT}: {seen.light_before} → {seen.light_after}"
            step.text = f"A person appeared ({counts}); {light}"
        return seen

    async def ended(self) -> None:
        """Wait until a part ends by itself, which is a failure."""
        await asyncio.gather(*(child.ended() for child in self._children))

    def _own(self, child: Child) -> Child:
        self._children.append(child)
        self._parts.push_async_callback(child.stop)
        return child

    def _port(self, name: str, host: str, wanted: int | None, default: int) -> int:
        port = choose_port(wanted, default, host)
        if wanted is None and port != default:
            self._report.say(f"  port {default} is in use, {name} takes {port}")
        return port


async def run(options: Options, folder: Path, report: Report) -> Outcome:
    """Start everything, speak once and see once; then stop, or stay until Ctrl-C."""
    async with AsyncExitStack() as parts:
        demo = Demo(options, folder, report, parts)
        recording = speech.read(options.wav) if options.wav else None
        node_port, home_assistant_port = demo.choose_ports()
        camera = await demo.start_camera()
        uri, node_id = await demo.start_node(node_port)
        url, api = await demo.start_home_assistant(home_assistant_port)
        assistant = await demo.assemble(api, node_id, node_port)
        spoken = recording or await speech.synthesize(uri, options.text)
        if options.once:
            return Outcome(
                turn=await demo.speak(api, assistant, spoken),
                sight=await demo.see(api, assistant, camera) if camera else None,
            )
        turn = await report.tried(demo.speak(api, assistant, spoken))
        seen = await report.tried(demo.see(api, assistant, camera)) if camera else None
        login = f"user {home_assistant.USER}, password {home_assistant.PASSWORD}"
        report.say(f"\n[bold]{url}[/]  {login}. Ctrl-C stops Home Assistant and the node.")
        with suppress(asyncio.CancelledError):
            await demo.ended()
        return Outcome(turn=turn, sight=seen)


async def _interruptible(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Await `work`; the signals that end a program cancel it, so that it cleans up."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await work


def command(
    once: Annotated[bool, typer.Option("--once", help="End after the spoken command.")] = False,
    wav: Annotated[Path | None, typer.Option(help="Recording to speak with, any format.")] = None,
    text: Annotated[str | None, typer.Option(help=f"What to say instead of “{_TEXT}”.")] = None,
    port: Annotated[int | None, typer.Option(help=f"Port of the node [{_NODE_PORT}].")] = None,
    ha_port: Annotated[
        int | None, typer.Option(help=f"Port of Home Assistant [{_HOME_ASSISTANT_PORT}].")
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Picture, video, folder or address that the camera shows; repeatable."),
    ] = None,
    vision_models: Annotated[
        Path | None, typer.Option(help="Folder of ONNX networks for the camera.")
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of a language model, http://…")
    ] = None,
) -> None:
    """Run a node and a real Home Assistant, and change the home with a sentence and with a camera.

    With --once the last line is RESULT and JSON; the exit status is 0 only if the home changed
    and the reply was heard, and if a person who appeared switched the light.
    """
    if wav and text:
        raise typer.BadParameter("give --wav or --text, not both")
    options = Options(
        once=once,
        wav=wav,
        text=text or _TEXT,
        port=port,
        ha_port=ha_port,
        camera=camera or (),
        vision_models=vision_models,
        llm=llm,
    )
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="wyoming-units-demo-"))
    try:
        outcome = asyncio.run(_interruptible(run(options, folder, report)))
    except (DemoError, UnitError) as err:
        # What the parts wrote helps to see why; where none had started there is nothing to keep.
        logs = any(folder.glob("*.log"))
        report.fail(f"{err} (logs: {folder})" if logs else str(err))
        if not logs:
            shutil.rmtree(folder)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        outcome = Outcome(turn=None, sight=None)
    shutil.rmtree(folder)
    if outcome.turn is not None and once:
        typer.echo(f"RESULT {json.dumps(outcome.result(), ensure_ascii=False)}")
    if not outcome.done:
        raise typer.Exit(1)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(command)
    app(prog_name="script/run")
