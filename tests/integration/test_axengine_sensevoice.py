"""SenseVoice through the NPU's library: networks that read tones off its features, in both layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.models_axengine_speech import TOKENS, axera, m5stack
from tests.integration.tones import spoken
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.axengine_sensevoice import AxSenseVoice
from wyoming_units.engines.base import RATE, Recognition, RecognitionRequest
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.wire.client import Client

from .conftest import running

pytest.importorskip("kaldi_native_fbank")
pytest_plugins = ("tests.npu",)


@pytest.fixture(params=[axera, m5stack])
def model(request: pytest.FixtureRequest, npu: Any, tmp_path: Path) -> LocalModel:
    make: Callable[[Path], LocalModel] = request.param
    return make(tmp_path / "model")


@pytest.fixture
def engine(model: LocalModel) -> AxSenseVoice:
    engine = AxSenseVoice(model=model)
    engine.load()
    return engine


def hear(engine: AxSenseVoice, text: str, language: str | None = None) -> Recognition:
    return engine.recognize(spoken(text), RecognitionRequest(language=language))


def test_speech_is_written_down_in_both_layouts(engine: AxSenseVoice) -> None:
    heard = hear(engine, "_ turn on _ the light _")
    assert heard.text == "turn on the light"
    assert heard.confidence == pytest.approx(np.exp(5) / (np.exp(5) + len(TOKENS) - 1))


def test_the_language_is_told_or_found_out(engine: AxSenseVoice) -> None:
    assert hear(engine, "turn on", "ko-KR").language == "ko-KR"
    assert hear(engine, "turn on").language == "zh"
    with pytest.raises(UnknownModel, match="does not understand 'de'"):
        hear(engine, "turn on", "de")


def test_what_is_longer_than_the_network_is_cut_in_a_pause(engine: AxSenseVoice) -> None:
    words = "turn on the light please _ _ _ "
    assert hear(engine, words * 5).text == " ".join(("turn on the light please",) * 5)


def test_silence_and_less_than_a_frame_are_nothing(engine: AxSenseVoice) -> None:
    assert engine.recognize(np.zeros(RATE, np.float32), RecognitionRequest()).text == ""
    assert engine.recognize(np.zeros(100, np.float32), RecognitionRequest()).text == ""


def test_a_list_of_tokens_of_another_network_is_one_clear_error(model: LocalModel) -> None:
    tokens = next(model.path.rglob("tokens.txt"))
    tokens.write_text("<unk>\n<|zh|>\n")
    engine = AxSenseVoice(model=model)
    engine.load()
    with pytest.raises(EngineFailed, match="too few lines"):
        hear(engine, "turn on")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: (path / "am.mvn").unlink(), "am.mvn cannot be read"),
        (lambda path: (path / "am.mvn").write_text("x"), "am.mvn is broken"),
    ],
)
def test_without_its_normalisation_it_does_not_load(
    npu: Any, tmp_path: Path, spoil: Callable[[Path], Any], told: str
) -> None:
    model = axera(tmp_path / "model")
    spoil(model.path)
    with pytest.raises(EngineFailed, match=told):
        AxSenseVoice(model=model).load()
    assert not npu.live


def test_missing_files_are_named_at_once(npu: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match=r"one \*\.axmodel; there are: none"):
        AxSenseVoice(model=LocalModel(name="x", path=tmp_path))


async def test_a_node_writes_down_what_a_client_says(npu: Any, tmp_path: Path) -> None:
    own = axera(tmp_path / "own")
    units = [f"stt=axengine-sensevoice:{own.path}"]
    async with running(tmp_path / "data", units=units) as node:
        async with Client(f"tcp://127.0.0.1:{node.port}") as client:
            heard = await transcript(client, spoken("turn on the lamp."))
    assert heard == "turn on the lamp."


async def transcript(client: Client, samples: NDArray[np.float32]) -> str:
    """Return what a node makes of a recording."""
    from wyoming_units.dialog.stages import transcribe
    from wyoming_units.dialog.wav import Wav

    pcm = (samples * 32_767).astype("<i2").tobytes()
    heard = await transcribe(client, Wav(rate=RATE, width=2, channels=1, audio=pcm))
    return heard.text
