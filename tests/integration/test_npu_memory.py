"""What a node on the module needs of its small memory: wake word, speech-to-text, a voice and eyes at once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("kaldi_native_fbank")

from onnx import helper, numpy_helper

from tests.integration.models_axengine import fixed, package as picture_package
from tests.integration.models_axengine_whisper import build_axera
from tests.integration.models_melotts import package as voice_package
from tests.integration.models_whisper import sound
from tests.integration.onnx_graphs import floats, save
from tests.integration.raw import Raw
from tests.integration.squares import picture
from tests.integration.test_model_table import FORMAT, pcm
from tests.integration.whisper_weights import LIGHT, spoken_weights
from tests.npu import STAND_INS, axmodel

ROOT = Path(__file__).parents[2]
MOST = 300e6
"""Bytes."""


def spotter(folder: Path) -> Path:
    """Write a keyword spotter that hears its word in everything loud."""
    nodes = [
        helper.make_node("ReduceMax", ["feats"], ["loudest"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["loudest", "usual"], ["above"]),
        helper.make_node("Sigmoid", ["above"], ["scores"]),
        helper.make_node("Identity", ["cache"], ["kept"]),
    ]
    cache = (1, 32, 88)
    graph = helper.make_graph(
        nodes,
        "kws",
        [floats("feats", (1, 32, 80)), floats("cache", cache)],
        [floats("scores", (1, 32, 1)), floats("kept", cache)],
        [numpy_helper.from_array(np.array(15, np.float32), "usual")],
    )
    plain = folder / "kws.onnx"
    save(plain, graph, {})
    return axmodel(folder / "kws.axmodel", plain)


def units(folder: Path) -> list[str]:
    """Write all models and return what names them."""
    eyes = fixed(folder, "detect")
    picture_package(folder / "eyes", "yolo11n", eyes, key="yolo_model", model_type="detect")
    return [
        f"wake=axengine-kws:{spotter(folder)}",
        f"stt=axengine-whisper:{build_axera(folder / 'ears', spoken_weights())}",
        f"tts=axengine-melotts:{voice_package(folder / 'voice', 'voice', 'en')}",
        f"vision=axengine-yolo:{folder / 'eyes'}",
    ]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Raw]:
    """Run a node in a process of its own, as on the module, and talk to it."""
    (folder / "models").mkdir()
    arguments = [f"--unit={unit}" for unit in units(folder / "models")]
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).parent / "wyoming-units", "serve", "--profile=ax630c", "--port=0"),
        *("--host=127.0.0.1", "--advertise=none", f"--data-dir={folder / 'data'}", *arguments),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(STAND_INS)},
    )
    assert process.stderr is not None
    try:
        while b"listens on" not in (line := await process.stderr.readline()):
            assert line, "the node has ended"
        port = int(line.split(b"127.0.0.1:")[1].split()[0])
        drain = asyncio.create_task(process.stderr.read())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Raw(reader, writer)
        writer.close()
        drain.cancel()
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.timeout(120)
async def test_four_engines_of_the_npu_leave_linux_its_memory(tmp_path: Path) -> None:
    async with serving(tmp_path) as peer:
        for _ in range(3):
            await use(peer)
        await peer.event("stats")
        stats = await peer.frame() or {}
    loaded = {engine["name"] for engine in stats["engines"] if engine["state"] == "ready"}
    assert {f"axengine-{name}" for name in ("kws", "whisper", "melotts", "yolo")} <= loaded
    megabytes = {"megabytes": round(stats["memory"] / 1e6), "python": sys.version.split()[0]}
    print(json.dumps(megabytes))
    assert stats["memory"] < MOST


async def use(peer: Raw) -> None:
    """Let each of the engines work."""
    await peer.event("detect", {"names": ["hi_m5"]})
    await peer.event("audio-start", FORMAT)
    await peer.event("audio-chunk", FORMAT, pcm(sound(LIGHT.tone)))
    await peer.frames_until("detection")
    await peer.event("audio-stop")
    await peer.event("transcribe", {"language": "en"})
    await peer.event("audio-start", FORMAT)
    await peer.event("audio-chunk", FORMAT, pcm(sound(LIGHT.tone)))
    await peer.event("audio-stop")
    [*_, heard] = await peer.frames_until("transcript")
    assert heard["text"] == LIGHT.tone.text
    await peer.event("synthesize", {"text": "hello light. " * 20})
    await peer.frames_until("audio-stop")
    await peer.event("analyze-image", {"tasks": ["detect"]}, picture(width=1920, height=1080))
    [*_, seen] = await peer.frames_until("image-analysis")
    assert seen["objects"]
