"""Smart Turn on small networks of its shape, whose answers are known functions of what they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.engines.smart_turn import SmartTurnDetector, features
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.mel import log_mel

onnx = pytest.importorskip("onnx")
LAST = 50
"""Frames at the end that the network judges."""


def save(
    path: Path, shape: list[Any], nodes: list[Any], constants: list[Any] | None = None
) -> Path:
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "turn",
        [onnx.helper.make_tensor_value_info("input_features", kind, shape)],
        [onnx.helper.make_tensor_value_info("logits", kind, None)],
        constants or [],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def turn_network(path: Path, *, bands: int = 80, frames: int = 800, squash: bool = True) -> Path:
    """Write a network that takes silence in the last half second for the end of the turn."""
    node = onnx.helper.make_node
    constants = [
        onnx.numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in {"from": [frames - LAST], "to": [frames], "axis": [2]}.items()
    ]
    nodes = [
        node("Slice", ["input_features", "from", "to", "axis"], ["last"]),
        node("ReduceMean", ["last"], ["mean"], axes=[1, 2], keepdims=0),
        node("Neg", ["mean"], ["quiet"]),
        node("Sigmoid" if squash else "Exp", ["quiet"], ["logits"]),
    ]
    return save(path, ["batch", bands, frames], nodes, constants)


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> SmartTurnDetector:
    path = turn_network(tmp_path_factory.mktemp("turn") / "smart-turn.onnx")
    engine = SmartTurnDetector(model=LocalModel(name="turn", path=path.parent, languages=("en",)))
    engine.load()
    return engine


def noise(seconds: float) -> Audio:
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE), np.float32)


def test_the_end_of_the_turn_decides(turn: SmartTurnDetector) -> None:
    paused = turn.finished(np.concatenate([noise(2), silence(0.6)]))
    speaking = turn.finished(np.concatenate([silence(0.6), noise(2)]))
    assert speaking < 0.4
    assert paused > 0.5


@pytest.mark.parametrize("seconds", [0, 0.01, 1.3, 8, 20])
def test_the_answer_is_what_the_network_says_of_the_last_8_seconds(
    turn: SmartTurnDetector, seconds: float
) -> None:
    audio = noise(seconds)
    window = np.concatenate([silence(8), audio])[-8 * RATE :]
    window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    mirrored = np.concatenate([window, window[-2:-42:-1]])
    expected = 1 / (1 + np.exp(log_mel(mirrored.astype(np.float32))[:, -LAST:].mean()))
    assert turn.finished(audio) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seconds", [0, 0.4, 3, 9])
def test_the_input_is_whispers_of_a_normalised_window(seconds: float) -> None:
    extractor = pytest.importorskip("faster_whisper.feature_extractor").FeatureExtractor()
    window = np.concatenate([silence(8), noise(seconds)])[-8 * RATE :]
    window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    expected = extractor(window, padding=0)
    found = features(noise(seconds))
    assert found.shape == expected.shape == (80, 800)
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("samples", [160, 2_000, RATE, 32_123, 30 * RATE])
def test_spectrograms_are_those_of_whisper(bands: int, samples: int) -> None:
    module = pytest.importorskip("faster_whisper.feature_extractor")
    audio = noise(samples / RATE)
    found = log_mel(audio, bands)
    assert found.shape == (bands, samples // 160)
    expected = module.FeatureExtractor(feature_size=bands)(audio)[:, : found.shape[1]]
    assert np.abs(found - expected).max() < 1e-4


def test_less_than_a_frame_has_no_spectrogram() -> None:
    assert log_mel(np.zeros(159, np.float32)).shape == (80, 0)


def test_it_offers_its_model_before_it_is_loaded(tmp_path: Path) -> None:
    path = turn_network(tmp_path / "any-name.onnx")
    engine = SmartTurnDetector(model=LocalModel(name="turn", path=path, languages=("en", "de")))
    assert engine.info.name == "smart-turn"
    assert [model.languages for model in engine.info.models] == [("en", "de")]
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.finished(noise(1))
    for _ in range(2):
        engine.load()
        assert 0 <= engine.finished(noise(1)) <= 1
        engine.close()


def failure(path: Path) -> str:
    with pytest.raises(EngineFailed) as caught:
        SmartTurnDetector(model=LocalModel(name="turn", path=path)).load()
    return str(caught.value)


def test_a_network_of_another_shape_is_told(tmp_path: Path) -> None:
    wrong = turn_network(tmp_path / "wrong.onnx", bands=128)
    assert "it takes [['batch', 128, 800]]" in failure(wrong)
    scalar = save(
        tmp_path / "scalar.onnx",
        [1],
        [onnx.helper.make_node("Neg", ["input_features"], ["logits"])],
    )
    assert "it takes [[1]]" in failure(scalar)


def test_a_network_that_gives_no_probability_is_told(tmp_path: Path) -> None:
    assert "not one probability" in failure(turn_network(tmp_path / "logit.onnx", squash=False))
    whole = onnx.helper.make_node("Sigmoid", ["input_features"], ["logits"])
    assert "not one probability" in failure(save(tmp_path / "whole.onnx", [1, 80, 800], [whole]))


def test_missing_broken_and_doubled_files_are_named(tmp_path: Path) -> None:
    assert "exactly one ONNX file; there are: none" in failure(tmp_path)
    broken = turn_network(tmp_path / "broken.onnx")
    broken.write_bytes(broken.read_bytes()[:-40])
    assert "broken.onnx" in failure(tmp_path)
    turn_network(tmp_path / "second.onnx")
    assert "broken.onnx, second.onnx" in failure(tmp_path)
