"""Silero VAD on ONNX Runtime with its real weights on real recordings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("faster_whisper")

from tests.integration.recordings import data, read_wav
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.engines.silero_onnx import SileroOnnxVoiceDetector
from wyoming_units.errors import EngineFailed

CLIP = "media/home/en/generated/turn on the Kitchen lights.wav"


@pytest.fixture(scope="module")
def silero() -> Iterator[SileroOnnxVoiceDetector]:
    engine = SileroOnnxVoiceDetector()
    engine.load()
    yield engine
    engine.close()


def local(path: Path) -> LocalModel:
    return LocalModel(name="silero", path=path)


def judge(engine: SileroOnnxVoiceDetector, audio: Audio, step: int = 1024) -> list[float]:
    stream = engine.start()
    found = [
        probability
        for start in range(0, len(audio), step)
        for probability in stream.feed(audio[start : start + step])
    ]
    stream.close()
    return found


def test_speech_is_told_from_silence(silero: SileroOnnxVoiceDetector) -> None:
    silence = np.zeros(RATE, np.float32)
    probabilities = judge(silero, np.concatenate([read_wav(data(CLIP)), silence]))
    assert sum(probability > 0.9 for probability in probabilities) > 20
    assert max(probabilities[-25:]) < 0.2


def test_background_noise_is_no_speech(silero: SileroOnnxVoiceDetector) -> None:
    assert max(judge(silero, read_wav(data("media/noise/background_noise.wav")))) < 0.35


def test_it_agrees_with_the_code_that_the_weights_came_with(
    silero: SileroOnnxVoiceDetector,
) -> None:
    from faster_whisper.vad import get_vad_model

    audio = read_wav(data(CLIP))
    audio = audio[: len(audio) // silero.frame * silero.frame]
    expected = np.ravel(get_vad_model()(audio.copy()))
    # That code overwrites the end of the last frame.
    assert np.allclose(judge(silero, audio)[:-1], expected[:-1], atol=1e-4)


@pytest.mark.parametrize("step", [100, 512, 777, 10**9])
def test_the_size_of_the_pieces_makes_no_difference(
    silero: SileroOnnxVoiceDetector, step: int
) -> None:
    audio = read_wav(data(CLIP))
    expected = judge(silero, audio, 512)
    assert len(expected) == len(audio) // silero.frame
    assert np.allclose(judge(silero, audio, step), expected, atol=1e-4)


def test_a_stream_knows_nothing_of_another(silero: SileroOnnxVoiceDetector) -> None:
    audio = read_wav(data(CLIP))
    alone = judge(silero, audio)
    loud, other = silero.start(), silero.start()
    found: list[float] = []
    for start in range(0, len(audio), 1024):
        loud.feed(np.ones(700, np.float32))
        found += other.feed(audio[start : start + 1024])
    assert found == alone


def test_streams_in_many_threads_do_not_disturb_each_other(
    silero: SileroOnnxVoiceDetector,
) -> None:
    audio = read_wav(data(CLIP))
    clips = [audio[start:] for start in range(0, 8000, 1000)]
    alone = [judge(silero, clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda clip: judge(silero, clip), clips)) == alone


def test_a_stream_outlives_its_engine() -> None:
    engine = SileroOnnxVoiceDetector()
    engine.load()
    stream = engine.start()
    engine.close()
    assert len(stream.feed(np.zeros(1024, np.float32))) == 2
    stream.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.start()
    engine.load()
    assert len(engine.start().feed(np.zeros(512, np.float32))) == 1


def test_silero_own_file_is_taken(silero: SileroOnnxVoiceDetector) -> None:
    engine = SileroOnnxVoiceDetector(model=local(data("vad-silero/silero_vad.onnx")))
    engine.load()
    audio = np.concatenate([read_wav(data(CLIP)), np.zeros(RATE, np.float32)])
    mine, theirs = np.array(judge(silero, audio)), np.array(judge(engine, audio))
    assert len(mine) == len(theirs)
    assert np.mean((mine > 0.5) == (theirs > 0.5)) > 0.85
    assert judge(engine, audio, 512) == judge(engine, audio, 5000)


def test_missing_broken_and_other_files_are_errors(tmp_path: Path) -> None:
    missing, broken = tmp_path / "missing.onnx", tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07nonsense")
    for path in (missing, broken):
        with pytest.raises(EngineFailed, match=path.name):
            SileroOnnxVoiceDetector(model=local(path)).load()


def test_a_network_of_another_shape_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Identity", ["sound"], ["same"])],
        "other",
        [helper.make_tensor_value_info("sound", kind, [1])],
        [helper.make_tensor_value_info("same", kind, [1])],
    )
    other = tmp_path / "other.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(other))
    with pytest.raises(EngineFailed, match="it takes sound"):
        SileroOnnxVoiceDetector(model=local(other)).load()


def test_neither_whisper_is_imported_nor_telemetry_on() -> None:
    code = (
        "import os, sys, numpy\n"
        "from wyoming_units.engines.silero_onnx import SileroOnnxVoiceDetector\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "engine = SileroOnnxVoiceDetector(); engine.info; engine.load()\n"
        "assert 'faster_whisper' not in sys.modules\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "1\n", done.stderr
