"""A wake word that is typed in Home Assistant and heard by a real node."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from homeassistant.components import wake_word
from homeassistant.core import HomeAssistant

pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed")
pytest.importorskip("onnx", reason="the model is made with onnx")
pytest.importorskip("sentencepiece", reason="the model is made with sentencepiece")

import numpy as np

from custom_components.wyoming_units.const import DOMAIN
from tests.integration.models_sherpa import speech
from tests.integration.models_sherpa_kws import keyword_spotter
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .flows import add_with_all_it_offers

PIECE = 160
"""Samples in 10 ms, as Home Assistant sends them."""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncGenerator[Node]:
    """A node with a model that hears tones as words."""
    (tmp_path / "tones").mkdir()
    folder = keyword_spotter(tmp_path / "tones")
    config = NodeConfig(
        name="Cellar",
        data_dir=tmp_path / "node",
        host="127.0.0.1",
        port=0,
        advertise=[],
        units=[f"wake=sherpa-kws:{folder}"],
    )
    async with Node(config) as node:
        await node.loaded()
        yield node


async def listen_to(words: str) -> AsyncGenerator[tuple[bytes, int]]:
    silence = np.zeros(16_000, np.float32)
    sound = np.concatenate([silence, speech(words), silence])
    pcm = (np.clip(sound, -1, 1) * 32767).astype("<i2")
    for start in range(0, len(pcm), PIECE):
        yield pcm[start : start + PIECE].tobytes(), start // 16


async def test_a_typed_phrase_is_checked_by_the_node_and_then_heard_by_it(
    hass: HomeAssistant, node: Node
) -> None:
    entry = await add_with_all_it_offers(hass, DOMAIN, node.port)
    manager = hass.config_entries.options
    flow = await manager.async_init(entry.entry_id)
    assert flow["step_id"] == "wake"
    flow = await manager.async_configure(flow["flow_id"], {"wake_words": ["delta echo", "zzz"]})
    assert flow["errors"] == {"wake_words": "unknown_wake_word"}
    assert flow["description_placeholders"]["word"] == "zzz"
    await manager.async_configure(flow["flow_id"], {"wake_words": ["delta echo", "golf hotel"]})
    await hass.async_block_till_done()

    entity = wake_word.async_get_wake_word_detection_entity(hass, "wake_word.cellar_wake_word")
    assert entity is not None
    words = [word.id for word in await entity.get_supported_wake_words()]
    assert words == ["delta echo", "golf hotel"]
    heard = await entity.async_process_audio_stream(listen_to("alpha delta echo"), "delta echo")
    assert heard is not None
    assert heard.wake_word_phrase == "delta echo"
    assert await entity.async_process_audio_stream(listen_to("alpha delta"), "delta echo") is None
    heard = await entity.async_process_audio_stream(listen_to("golf hotel"), None)
    assert heard is not None
    assert heard.wake_word_phrase == "golf hotel"
