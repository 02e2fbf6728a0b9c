"""A node with several programs of a kind, its settings of wake words, and what it tells of its work."""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wyoming_units.config import load_config
from wyoming_units.engines.base import WakeSettings
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.errors import BadRequest, EngineFailed
from wyoming_units.node import Node

from .conftest import running
from .raw import Raw, raw
from .recordings import data

SOUND = {"rate": 16000, "width": 2, "channels": 1}
NABU = "media/wake/oww_okay_nabu.wav"
BOTH = ["wake=microwakeword", "wake=openwakeword"]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Raw]:
    async with running(tmp_path, units=BOTH) as node, raw(node.port) as peer:
        yield peer


def pcm(path: Path) -> bytes:
    """Return the samples of a recording."""
    with wave.open(str(path)) as file:
        audio: bytes = file.readframes(file.getnframes())
    return audio


async def heard(peer: Raw, names: list[str] | None, audio: bytes) -> list[str]:
    """Return the words that are heard in a recording."""
    await peer.event("detect", {"names": names})
    await peer.event("audio-start", SOUND)
    await peer.event("audio-chunk", SOUND, audio)
    await peer.event("audio-stop")
    await peer.event("detect", {"names": ["nobody's"], "request": {"id": "end"}})
    words = []
    while "request" not in (frame := await peer.frame() or {}):
        if frame["type"] != "not-detected":
            words.append(frame.get("name") or frame["code"])
    return words


async def test_every_program_is_in_info_and_can_be_selected(both: Raw) -> None:
    await both.event("describe")
    info = await both.frame() or {}
    assert [program["name"] for program in info["wake"]] == ["microwakeword", "openwakeword"]
    assert info["asr"] == []
    audio = pcm(data(NABU))
    assert await heard(both, ["hey_rhasspy"], audio) == []
    await both.event("select-program", {"name": "microwakeword"})
    assert await heard(both, ["hey_rhasspy"], audio) == ["unknown-wake-word"]
    assert await heard(both, ["okay_nabu"], audio) == ["okay_nabu"]


async def test_words_of_two_programs_are_heard_in_one_stream(both: Raw) -> None:
    audio = pcm(data(NABU))
    assert await heard(both, ["hey_rhasspy", "okay_nabu"], audio) == ["okay_nabu"]


async def test_audio_for_a_unit_that_is_not_there_never_reaches_another(tmp_path: Path) -> None:
    async with running(tmp_path, units=["stt"]) as node, raw(node.port) as peer:
        assert await heard(peer, ["okay_nabu"], pcm(data(NABU))) == ["unsupported"]
        for kind in ("synthesize", "recognize", "transcript"):
            await peer.event(kind, {"text": "x"})
            assert (await peer.frame() or {})["code"] == "unsupported"


async def test_bare_audio_goes_to_the_wake_unit_where_there_is_nothing_else(both: Raw) -> None:
    await both.event("audio-start", SOUND)
    await both.event("audio-chunk", SOUND, pcm(data(NABU)))
    frames = await both.frames_until("detection")
    assert frames[-1]["name"] == "okay_nabu"


async def test_the_threshold_of_a_word_is_a_setting(tmp_path: Path) -> None:
    for engine in ("microwakeword", "openwakeword"):
        for threshold, expected in ((0.999999, []), (0.1, ["okay_nabu"])):
            settings = {
                "units": [f"wake={engine}"],
                "wake_words": {"okay_nabu": WakeSettings(threshold=threshold)},
            }
            async with running(tmp_path, **settings) as node, raw(node.port) as peer:
                assert await heard(peer, ["okay_nabu"], pcm(data(NABU))) == expected, engine


@pytest.mark.parametrize(
    "words", [{"hal": {}}, {"okay_nabu": {"threshold": 1.5}}, {"okay_nabu": {"loudness": 1}}]
)
async def test_a_wrong_setting_of_a_word_is_refused(
    tmp_path: Path, words: dict[str, dict[str, float]]
) -> None:
    with pytest.raises(BadRequest):
        async with running(tmp_path, units=BOTH, wake_words=words):
            pass


async def test_a_second_look_at_a_wake_word_needs_somebody_who_looks(tmp_path: Path) -> None:
    config = load_config(
        data_dir=tmp_path, port=0, advertise=[], wake_words={"alexa": WakeSettings(check=True)}
    )
    with pytest.raises(BadRequest, match="alexa cannot be checked"):
        async with Node(config):
            pass


async def test_the_client_may_end_the_turn_itself(tmp_path: Path) -> None:
    async with running(tmp_path, units=["stt"]) as node, raw(node.port) as peer:
        await peer.event("transcribe", {"context": {"end_of_turn": "client"}})
        await peer.event("audio-start", SOUND)
        for _ in range(28):  # with the unit's own rules, five seconds without speech end a turn
            await peer.event("audio-chunk", SOUND, bytes(6400))
            await asyncio.sleep(0.2)
        assert await peer.silent(0.2)


async def test_stats_tell_the_state_and_the_work_of_every_engine(tmp_path: Path) -> None:
    async with running(tmp_path, units=["tts", "intent"]) as node, raw(node.port) as peer:
        await peer.event("synthesize", {"text": "One. Two."})
        await peer.frames_until("audio-stop")
        await peer.event("synthesize", {"text": "x", "voice": {"name": "nobody"}})
        await peer.frames_until("error")
        await peer.event("stats")
        stats = await peer.frame() or {}
    assert stats["connections"] == 1
    assert 10_000_000 < stats["memory"] < 2_000_000_000
    assert stats["uptime"] >= 0
    tts, intent = stats["engines"]
    assert (tts["unit"], tts["name"], tts["state"]) == ("tts", "espeak", "ready")
    assert tts["load_ms"] > 0
    assert (tts["served"], tts["failed"], tts["refused"], tts["waiting"]) == (4, 0, 0, 0)
    assert (intent["name"], intent["served"]) == ("hassil", 0)


async def test_requests_wait_while_a_model_loads_and_others_are_told_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_slowly(self: EspeakSynthesizer) -> None:
        time.sleep(0.3)
        raise EngineFailed("no data")

    monkeypatch.setattr(EspeakSynthesizer, "load", load_slowly)
    config = load_config(data_dir=tmp_path, host="127.0.0.1", port=0, advertise=[], units=["tts"])
    async with Node(config) as node, raw(node.port) as peer:
        await peer.event("synthesize", {"text": "x"})
        await peer.event("stats")
        assert (await peer.frame() or {})["engines"][0]["state"] == "loading"
        assert (await peer.frame() or {})["code"] == "engine-failed"
        await peer.event("describe")
        assert (await peer.frame() or {})["tts"] == []
        await peer.event("select-program", {"name": "espeak"})
        assert (await peer.frame() or {})["code"] == "unknown-model"
        await peer.event("synthesize", {"text": "x"})
        assert (await peer.frame() or {})["code"] == "engine-failed"
        await peer.event("stats")
        assert (await peer.frame() or {})["engines"][0]["state"] == "failed"
