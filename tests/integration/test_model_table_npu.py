"""Every model that our engines run on the NPU of a module, from its manifest and Wyoming events to a result."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("kaldi_native_fbank")

from tests.integration.conftest import running
from tests.integration.models_axengine import blue, fixed, package as picture_package
from tests.integration.models_axengine_speech import WORD, axera, keyword_package
from tests.integration.models_axengine_whisper import build_axera
from tests.integration.models_melotts import (
    FRAMES,
    HOP,
    RATE as VOICE_RATE,
    package as voice_package,
)
from tests.integration.models_whisper import sound
from tests.integration.raw import raw
from tests.integration.squares import picture
from tests.integration.test_model_table import FORMAT, STILL, client_of, pcm
from tests.integration.tones import spoken
from tests.integration.whisper_weights import LIGHT, spoken_weights
from tests.receipts import write_receipt
from wyoming_units.catalog.library import Catalogue
from wyoming_units.catalog.manifest import Manifest
from wyoming_units.dialog.seeing import Looking, analyze
from wyoming_units.dialog.stages import Saying, synthesize, transcribe
from wyoming_units.dialog.wav import Wav
from wyoming_units.engines import ENGINES
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.node import Node

pytest_plugins = ("tests.npu",)

MODELS = [
    model
    for model in Catalogue()
    if "ax630c" in model.targets and model.variant("ax630c").engine.startswith("axengine-")
]
LANGUAGES = {"en": "en", "es": "es", "ja": "jp", "zh": "zh"}
"""What the files of voices call languages."""
TEXTS = {"en": "hello light", "es": "hola luz", "jp": "電気です", "zh": "开灯"}


# -- packages, as a pull leaves them


def eyes(folder: Path, mode: str) -> None:
    kind = {"seg": "segment", "pose": "pose", "hand-pose": "hand"}.get(
        mode.removeprefix("yolo11n").removesuffix("-npu1").strip("-"), "detect"
    )
    told: dict[str, dict[str, Any]] = {
        "detect": {"model_type": "detect"},
        "segment": {"model_type": "segment"},
        "pose": {"model_type": "pose", "point_num": 17, "cls_name": ["person"]},
        "hand": {"model_type": "pose", "point_num": 21, "cls_name": ["hand"]},
    }
    file = fixed(folder.parent, kind)
    picture_package(
        folder,
        mode,
        file,
        key="yolo_model",
        half="npu1" in mode,
        img_h=320,
        img_w=320,
        **told[kind],
    )


def distances(folder: Path, mode: str) -> None:
    file = blue(folder.parent / "depth_anything.onnx")
    picture_package(folder, mode, file, key="depth_anything_model", half="npu1" in mode)


def voice(folder: Path, mode: str) -> None:
    voice_package(folder, mode, LANGUAGES[mode.split("-")[1]])
    (folder / "decoder.onnx").unlink()


def ears(folder: Path, _mode: str) -> None:
    size = {"whisper-large-v3-turbo": "turbo"}.get(folder.name, folder.name.split("-")[-1])
    build_axera(folder, spoken_weights(), size=size)


MAKERS: dict[str, Callable[[Path, str], object]] = {
    "axengine-kws": lambda folder, mode: keyword_package(folder),
    "axengine-sensevoice": lambda folder, mode: axera(folder),
    "axengine-whisper": ears,
    "axengine-melotts": voice,
    "axengine-yolo": eyes,
    "axengine-depth": distances,
}


def pulled(models: Path, model: Manifest) -> None:
    """Put a model where a pull for the module would put it."""
    variant = model.variant("ax630c")
    folder = models / model.name
    models.mkdir()
    MAKERS[variant.engine](folder, str(variant.options.get("mode", "")))
    write_receipt(folder, kind=model.kind, engine=variant.engine)
    receipt = json.loads((folder / "receipt.json").read_text())
    receipt |= {"options": dict(variant.options), "languages": list(model.languages)}
    (folder / "receipt.json").write_text(json.dumps(receipt))


# -- what a client asks, and what must come of it


async def transcript(node: Node, model: str, audio: Audio) -> str:
    wav = Wav(rate=RATE, width=2, channels=1, audio=pcm(audio))
    async with client_of(node) as client:
        return (await transcribe(client, wav, model=model)).text


async def wakes(node: Node, model: Manifest) -> None:
    async with raw(node.port) as peer:
        await peer.event("detect", {"names": ["hi_m5"]})
        await peer.event("audio-start", FORMAT)
        await peer.event("audio-chunk", FORMAT, pcm(np.concatenate((STILL, WORD, STILL))))
        [*_, found] = await peer.frames_until("detection")
    assert found["name"] == "hi_m5"


async def hears_tones(node: Node, model: Manifest) -> None:
    said = np.concatenate((STILL, spoken("turn on the light"), STILL))
    assert await transcript(node, model.name, said) == "turn on the light"


async def hears(node: Node, model: Manifest) -> None:
    assert await transcript(node, model.name, sound(LIGHT.tone)) == LIGHT.tone.text


async def speaks(node: Node, model: Manifest) -> None:
    text = TEXTS[LANGUAGES[model.languages[0]]]
    async with client_of(node) as client:
        wanted = Saying(text, voice=model.name)
        chunks = [chunk async for chunk in synthesize(client, wanted)]
    assert chunks[0].rate == VOICE_RATE
    audio = np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2")
    assert len(audio) > 8 * FRAMES * HOP
    assert np.abs(audio).max() > 100


async def sees(node: Node, model: Manifest) -> None:
    task = next((task for task in ("hand", "pose") if task in model.name), "detect")
    task = "segment" if "seg" in model.name else task
    async with client_of(node) as client:
        seen = await analyze(
            client, picture(width=320, height=320), Looking(model=model.name, tasks=(task,))
        )
    assert seen.objects
    more = {"hand": "keypoints", "pose": "keypoints", "segment": "mask"}.get(task, "box")
    assert all(more in found for found in seen.objects)


async def measures(node: Node, model: Manifest) -> None:
    wanted = Looking(model=model.name, tasks=("depth",), want=("depth-map",))
    async with client_of(node) as client:
        seen = await analyze(client, picture(width=384, height=256), wanted)
    assert seen.depth is not None
    assert seen.depth.values.shape == (256, 384)


TRIALS: dict[str, Callable[[Node, Manifest], Awaitable[None]]] = {
    "axengine-kws": wakes,
    "axengine-sensevoice": hears_tones,
    "axengine-whisper": hears,
    "axengine-melotts": speaks,
    "axengine-yolo": sees,
    "axengine-depth": measures,
}


def test_all_of_them_are_tried() -> None:
    engines = {name for name, row in ENGINES.items() if "axengine" in row.requires}
    assert {model.variant("ax630c").engine for model in MODELS} == engines == set(TRIALS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
async def test_a_model_of_the_npu_answers_a_wyoming_client(
    model: Manifest, npu: Any, tmp_path: Path
) -> None:
    npu.vnpu = "npu1" in model.name
    pulled(tmp_path / "models", model)
    engine = model.variant("ax630c").engine
    units = [f"{ENGINES[engine].kind}={engine}:{model.name}"]
    async with running(tmp_path, units=units, profile="ax630c") as node:
        await TRIALS[engine](node, model)
    assert all(model.name in file for file in npu.loads)
