"""Every model that StackFlow's users know by name, from Wyoming events to a result: on a stock module."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integration.conftest import running
from tests.integration.raw import raw
from tests.integration.stackflow_speech import SENSE_VOICE, Lab, lab, spoken, understood
from tests.stackflow_server import running as on_serial_line
from tests.unit.test_catalog import modes
from wyoming_units.catalog.library import Catalogue
from wyoming_units.dialog.chatting import Answered, chat
from wyoming_units.dialog.seeing import Looking, analyze
from wyoming_units.dialog.stages import Saying, synthesize, transcribe
from wyoming_units.dialog.wav import Wav
from wyoming_units.engines import ENGINES
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.node import Node
from wyoming_units.wire.client import Client
from wyoming_units.wire.parts import Part

CATALOGUE = Catalogue()
FORMAT = {"rate": RATE, "width": 2, "channels": 1}
STILL = np.zeros(RATE // 2, np.float32)


@pytest.fixture(scope="module")
def module() -> Iterator[Lab]:
    with lab("main") as module:
        yield module


@asynccontextmanager
async def client_of(node: Node) -> AsyncIterator[Client]:
    async with Client(f"tcp://127.0.0.1:{node.port}") as client:
        yield client


def pcm(audio: Audio) -> bytes:
    return (audio * 32_767).astype("<i2").tobytes()


async def wakes(node: Node, mode: str) -> None:
    async with raw(node.port) as peer:
        await peer.event("describe")
        info = await peer.frame() or {}
        [program] = info["wake"]
        [word, *_] = program["models"]
        await peer.event("detect", {"names": [word["name"]]})
        await peer.event("audio-start", FORMAT)
        said = np.concatenate((STILL, spoken(word["phrase"]), STILL))
        for at in range(0, len(said), 1_024):
            await peer.event("audio-chunk", FORMAT, pcm(said[at : at + 1_024]))
        [*_, found] = await peer.frames_until("detection")
    assert found["name"] == word["name"]


async def hears(node: Node, mode: str) -> None:
    said = np.concatenate((STILL, spoken("turn on the light"), STILL))
    wav = Wav(rate=RATE, width=2, channels=1, audio=pcm(said))
    async with client_of(node) as client:
        heard = await transcribe(client, wav, model=mode)
    assert heard.text.lower().strip(".") == "turn on the light"


async def speaks(node: Node, mode: str) -> None:
    async with client_of(node) as client:
        chunks = [chunk async for chunk in synthesize(client, Saying("Good day all.", voice=mode))]
    assert chunks[0].rate == RATE
    audio = np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2").astype(np.float32)
    assert understood(audio / 32_768).strip() == "good day all"


async def answers(node: Node, mode: str) -> None:
    async with client_of(node) as client:
        asked = [{"role": "user", "content": 'Say "hi" {now} 🙂'}]
        pieces = [piece async for piece in chat(client, messages=asked, model=mode)]
    assert isinstance(pieces[-1], Answered)
    text = "".join(getattr(piece, "text", "") for piece in pieces)
    assert 'You said: Say "hi" {now} 🙂' in text


async def describes(node: Node, mode: str) -> None:
    content = [{"type": "text", "text": "What?"}, {"type": "image", "name": "door"}]
    picture = Part(name="door", mime="image/png", data=png(_red((0, 0, 320, 240))))
    async with client_of(node) as client:
        asked = [{"role": "user", "content": content}]
        pieces = [
            piece async for piece in chat(client, messages=asked, images=[picture], model=mode)
        ]
    assert "A red picture" in "".join(getattr(piece, "text", "") for piece in pieces)


def _red(box: tuple[int, int, int, int], size: tuple[int, int] = (320, 240)) -> Image.Image:
    picture = Image.new("RGB", size, (30, 30, 30))
    picture.paste((250, 10, 10) if size[0] else 0, box)
    return picture


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def sees(node: Node, mode: str) -> None:
    box = (160, 100, 320, 400)
    picture = _red(box, (640, 480))
    if "hand" in mode:
        picture.paste((250, 250, 10), box)  # the module's hands are yellow
    task = "hand" if "hand" in mode else "pose" if "pose" in mode else "detect"
    async with client_of(node) as client:
        seen = await analyze(client, png(picture), Looking(model=mode, tasks=(task,)))
    [found] = seen.objects
    assert found["label"] == ("hand" if "hand" in mode else "person")
    assert found["box"] == pytest.approx(box, abs=5)
    assert ("keypoints" in found) == ("pose" in mode)


async def measures(node: Node, mode: str) -> None:
    picture = Image.new("RGB", (600, 400), (10, 10, 10))
    picture.paste((240, 240, 240), (300, 0, 600, 400))
    async with client_of(node) as client:
        seen = await analyze(
            client, png(picture), Looking(model=mode, tasks=("depth",), want=("depth-map",))
        )
    assert seen.depth is not None
    height, width = seen.depth.values.shape
    assert width / height == pytest.approx(1.5, abs=0.05)
    left, right = seen.depth.values[:, : width // 3], seen.depth.values[:, -width // 3 :]
    assert right.mean() > left.mean() + 0.5


async def judges(node: Node, mode: str) -> None:
    """Let the module's voice detector end a turn, without an end of the audio."""
    async with raw(node.port) as peer:
        await peer.event("transcribe", {"name": "sense-voice-small-10s"})
        await peer.event("audio-start", FORMAT)
        await peer.event("audio-chunk", FORMAT, pcm(spoken("turn on the light")))
        await peer.event("audio-stop")
        [*_, heard] = await peer.frames_until("transcript")
    assert heard["text"].lower() == "turn on the light"


TRIALS: dict[str, Callable[[Node, str], Awaitable[None]]] = {
    "kws": wakes,
    "vad": judges,
    "asr": hears,
    "whisper": hears,
    "tts": speaks,
    "melotts": speaks,
    "llm": answers,
    "vlm": describes,
    "yolo": sees,
    "depth_anything": measures,
}


@pytest.mark.parametrize(("mode", "unit"), [(name, unit) for name, unit, _ in modes()])
async def test_a_model_of_a_stock_module_answers_a_wyoming_client(
    module: Lab, tmp_path: Path, mode: str, unit: str
) -> None:
    engine = CATALOGUE.find(mode).variant("stackflow").engine
    units = [f"{ENGINES[engine].kind}={engine}:{mode}"]
    if unit == "vad":
        units.append("stt=stackflow-asr:sense-voice-small-10s")
    address = f"127.0.0.1:{module.server.port}"
    async with running(tmp_path, units=units, stackflow=address) as node:
        await TRIALS[unit](node, mode)
    assert any(f'"{mode}"' in str(setup.data) for setup in module.server.asked("setup", unit))


@pytest.mark.parametrize(
    ("mode", "unit"),
    [("qwen2.5-0.5B-prefill-20e", "llm"), ("melotts-en-us", "melotts"), (SENSE_VOICE, "asr")],
)
async def test_a_module_at_a_serial_line_answers_too(tmp_path: Path, mode: str, unit: str) -> None:
    engine = CATALOGUE.find(mode).variant("stackflow").engine
    with on_serial_line(version="main", serial=True) as server:
        where = f"serial:{server.device}"
        units = [f"{ENGINES[engine].kind}={engine}:{mode}"]
        async with running(tmp_path, units=units, stackflow=where) as node:
            await TRIALS[unit](node, mode)
        assert server.connections == 0
        assert not server.forbidden
