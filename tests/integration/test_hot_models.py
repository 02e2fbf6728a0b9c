"""Models that come, change, break and go while a node runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.receipts import write_receipt
from wyoming_units import roster, staff
from wyoming_units.config import NodeConfig, load_config
from wyoming_units.engines import EngineRow
from wyoming_units.errors import BadRequest, EngineFailed
from wyoming_units.node import Node

from .conftest import running
from .raw import raw
from .recordings import data

VOICE = "tts-sanotts/en_US-amy-sano.onnx"
pytest.importorskip("piper")


@pytest.fixture
async def speaking(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path, units=["tts"]) as node:
        yield node


def give(folder: Path, name: str = "amy") -> Path:
    """Put a voice into the voice folder of a node, as a user would copy it."""
    voices = folder / "voices"
    voices.mkdir(exist_ok=True)
    voice = voices / f"{name}.onnx"
    shutil.copy(data(VOICE), voice)
    shutil.copy(data(f"{VOICE}.json"), voices / f"{name}.onnx.json")
    return voice


async def programs(node: Node) -> dict[str, list[str]]:
    """Return the names of all voices, by program, as a client is told."""
    async with raw(node.port) as peer:
        await peer.event("describe")
        info: dict[str, Any] = await peer.frame() or {}
    return {
        program["name"]: [voice["name"] for voice in program["voices"]] for program in info["tts"]
    }


async def said(node: Node, voice: str) -> list[str]:
    """Return the types of the answers to a request for a voice; errors by their codes."""
    async with raw(node.port) as peer:
        await peer.event("synthesize", {"text": "Hello.", "voice": {"name": voice}})
        answers = []
        while not answers or answers[-1] not in ("audio-stop", "unknown-voice", "engine-failed"):
            frame = await peer.frame() or {}
            answers.append(frame.get("code", frame["type"]))
    return answers


async def test_a_voice_that_is_copied_into_the_folder_can_be_heard(
    speaking: Node, tmp_path: Path
) -> None:
    assert list(await programs(speaking)) == ["espeak"]
    give(tmp_path)
    await speaking.staff.follow()
    assert (await programs(speaking))["piper"] == ["amy"]
    assert next(iter(await programs(speaking))) == "piper"
    assert "audio-chunk" in await said(speaking, "amy")


async def test_a_voice_that_is_taken_away_is_not_offered_any_more(
    speaking: Node, tmp_path: Path
) -> None:
    voice = give(tmp_path)
    await speaking.staff.follow()
    voice.unlink()
    await speaking.staff.follow()
    assert list(await programs(speaking)) == ["espeak"]
    assert await said(speaking, "amy") == ["unknown-voice"]


async def test_voices_that_cannot_be_used_are_left_out_with_one_clear_line(
    speaking: Node, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    give(tmp_path)
    give(tmp_path, "mute").with_suffix(".onnx.json").unlink()
    cut = give(tmp_path, "cut")
    cut.write_bytes(cut.read_bytes()[:5000])
    await speaking.staff.follow()
    await speaking.staff.follow()
    assert (await programs(speaking))["piper"][:1] == ["amy"]
    assert "mute" not in (await programs(speaking))["piper"]
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 2
    assert "mute.onnx.json" in "".join(lines)
    assert "cut.onnx is cut off" in "".join(lines)
    assert await said(speaking, "cut") == ["unknown-voice"]
    assert "audio-chunk" in await said(speaking, "amy")
    assert (await programs(speaking))["piper"] == ["amy"]


async def test_a_broken_first_voice_does_not_replace_what_works(
    speaking: Node, tmp_path: Path
) -> None:
    give(tmp_path, "broken").write_bytes(b"\0" * 5000)
    await speaking.staff.follow()
    assert list(await programs(speaking)) == ["espeak"]
    assert "audio-chunk" in await said(speaking, "en-us")
    give(tmp_path, "broken")
    await speaking.staff.follow()
    assert (await programs(speaking))["piper"] == ["broken"]


async def test_a_node_goes_on_looking_after_whatever_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[NodeConfig] = []
    real = roster.places

    def places(config: NodeConfig) -> list[roster.Place]:
        looks.append(config)
        if len(looks) == 2:
            raise ValueError("a bug")
        return real(config)

    monkeypatch.setattr(staff, "places", places)
    monkeypatch.setattr(staff, "_LOOK", 0.01)
    async with running(tmp_path, units=["tts"]) as node:
        give(tmp_path)
        while "piper" not in await programs(node):
            pass
    assert caplog.text.count("ValueError: a bug") == 1


def test_a_library_that_is_being_imported_counts_as_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = ModuleType("half_imported")
    monkeypatch.setitem(sys.modules, "half_imported", half)
    row = EngineRow(kind="vision", module="", factory="", requires=("half_imported",), extra="")
    assert half.__spec__ is None
    assert not row.missing
    assert replace(row, requires=("not_there",)).missing == ("not_there",)


async def test_a_model_that_the_settings_name_and_that_is_not_here_keeps_a_node_from_starting(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadRequest, match="no tts engine"):
        async with running(tmp_path, units=["tts=whistle"]):
            pass


async def test_a_model_that_would_end_the_process_ends_nothing(
    tmp_path: Path,
) -> None:
    pytest.importorskip("sherpa_onnx")
    pytest.importorskip("onnx")
    from .models_sherpa import streaming_ctc

    model = streaming_ctc(tmp_path / "models" / "liar", without="T")  # the library then exits
    write_receipt(model, kind="stt", engine="sherpa-streaming")
    config = load_config(
        data_dir=tmp_path, host="127.0.0.1", port=0, advertise=[], units=["tts=espeak", "stt"]
    )
    async with Node(config) as node:
        with pytest.raises(EngineFailed, match="liar"):
            await node.loaded()
        assert "audio-chunk" in await said(node, "en-us")
        async with raw(node.port) as peer:
            await peer.event("describe")
            info = await peer.frame() or {}
            assert [program["name"] for program in info["asr"]] == ["pocketsphinx"]
            await peer.event("transcribe", {"name": "liar"})
            assert (await peer.frame() or {})["code"] == "unknown-model"
