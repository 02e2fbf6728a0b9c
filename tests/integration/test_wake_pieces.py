"""Audio in small pieces, as Home Assistant sends it, reaches the wake word engine several at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import running
from tests.integration.raw import Raw, raw
from tests.integration.recordings import data, read_wav
from wyoming_units.engines.base import Audio
from wyoming_units.node import Node

FORMAT = {"rate": 16_000, "width": 2, "channels": 1}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path, units=["wake=microwakeword"]) as node:
        yield node


async def listen(peer: Raw, audio: Audio, step: int, word: str = "hey_jarvis") -> dict[str, object]:
    """Send a recording in pieces of `step` samples; return the first answer."""
    pcm = (audio * 32_768).astype("<i2").tobytes()
    await peer.event("detect", {"names": [word]})
    await peer.event("audio-start", {**FORMAT, "timestamp": 0})
    for start in range(0, len(pcm), 2 * step):
        await peer.event("audio-chunk", FORMAT, pcm[start : start + 2 * step])
    await peer.event("audio-stop")
    answer = await peer.frame()
    assert answer is not None
    return answer


@pytest.mark.parametrize("step", [16, 160, 1_279, 1_280, 5_000])
async def test_pieces_of_any_size_give_the_same_detection(node: Node, step: int) -> None:
    audio = read_wav(data("media/wake/oww_hey_jarvis.wav"))
    async with raw(node.port) as peer:
        whole = await listen(peer, audio, len(audio))
    assert (whole["type"], whole["name"]) == ("detection", "hey_jarvis")
    async with raw(node.port) as peer:
        assert await listen(peer, audio, step) == whole


async def test_a_word_in_the_last_moment_of_a_stream_is_heard(node: Node) -> None:
    """The rest that makes no whole piece is listened to as well."""
    audio = read_wav(data("media/wake/oww_hey_jarvis.wav"))
    async with raw(node.port) as peer:
        found = await listen(peer, audio, 160)
        assert await peer.silent()
        for end in range(len(audio) // 160):
            answer = await listen(peer, audio[: 160 * end], 160)
            if answer["type"] == "detection":
                break
        assert answer == found
        before = await listen(peer, audio[: 160 * (end - 1)], 160)
        assert before["type"] == "not-detected"


async def test_less_than_a_piece_is_answered_at_once(node: Node) -> None:
    async with raw(node.port) as peer:
        answer = await listen(peer, np.zeros(100, np.float32), 10)
        assert answer["type"] == "not-detected"


async def test_a_piece_of_another_format_is_refused(node: Node) -> None:
    async with raw(node.port) as peer:
        await peer.event("detect", {"names": ["hey_jarvis"]})
        await peer.event("audio-start", FORMAT)
        await peer.event("audio-chunk", FORMAT, bytes(320))
        for width in (4, 4, 4):
            await peer.event("audio-chunk", {**FORMAT, "width": width}, bytes(10_240))
        assert (await peer.frame() or {}).get("code") == "bad-audio"
        await peer.event("audio-stop")
        assert (await listen(peer, np.zeros(1600, np.float32), 160))["type"] == "not-detected"


@pytest.mark.parametrize("rate", [0, -1, "16000", None])
async def test_audio_without_a_sensible_rate_is_refused_at_once(node: Node, rate: object) -> None:
    async with raw(node.port) as peer:
        await peer.event("detect", {"names": ["hey_jarvis"]})
        await peer.event("audio-start", FORMAT | {"rate": rate})
        assert (await peer.frame() or {}).get("code") == "bad-audio"
