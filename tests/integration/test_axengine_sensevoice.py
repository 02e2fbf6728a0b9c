"""SenseVoice through the NPU's library: networks that read tones off its features, in both layouts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.tones import spoken
from tests.npu import axfunction
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.axengine_sensevoice import LANGUAGES, AxSenseVoice
from wyoming_units.engines.base import RATE, Recognition, RecognitionRequest
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.wire.client import Client

from .conftest import running
from .tones import WORDS

pytest.importorskip("kaldi_native_fbank")
pytest_plugins = ("tests.npu",)

FRAMES = 60
"""Stacks that the networks take: 3.6 s."""
CODES = {number: code for code, number in LANGUAGES.items()}
TOKENS = ("<unk>", "<|zh|>", *(f"<|{code}|>" for code in ("en", "yue", "ja", "ko")), "<|Speech|>")
TOKENS += tuple(f"▁{word}" for word in WORDS.values())
SHIFT, SCALE = (
    np.linspace(-12, -8, 80, dtype=np.float32),
    np.linspace(0.2, 0.4, 80, dtype=np.float32),
)
Feeds = Mapping[str, NDArray[Any]]


def band(hertz: float) -> int:
    """Return the filter in whose middle a tone is: 80 of them, as far apart for the ear from 20 to 8,000 Hz."""
    low, high, tone = (np.log1p(one / 700) for one in (20, 8_000, hertz))
    return round(float((tone - low) / (high - low) * 81)) - 1


def listen(stacks: NDArray[np.float32], language: int) -> NDArray[np.float32]:
    """Return the answer of a network: four tags, then for each stack the tone in its middle frame, or nothing."""
    best = np.zeros(len(stacks) + 4, np.int64)
    best[:4] = TOKENS.index(f"<|{CODES.get(language, 'zh')}|>"), 6, 6, 6
    middle = stacks.reshape(-1, 7, 80)[:, 3]
    for at, frame in enumerate(middle):
        loud = int(frame.argmax())
        near = min(range(len(WORDS)), key=lambda word: abs(band([*WORDS][word]) - loud))
        best[at + 4] = 7 + near if frame.max() > 15 else 0
    logits = np.zeros((len(best), len(TOKENS)), np.float32)
    logits[np.arange(len(best)), best] = 5
    return logits


def normalised(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
    """A network of AXERA-TECH's: what is not real speech is masked, features come normalised."""
    real = int(feeds["masks"].sum()) - 4
    assert feeds["masks"][: real + 4].all()
    assert not feeds["speech"][0, real:].any()
    plain = feeds["speech"][0] / np.tile(SCALE, 7) - np.tile(SHIFT, 7)
    plain[real:] = 0
    logits = listen(plain, int(feeds["language"][0]))
    return [logits[None], np.array([real + 4], np.int32)]


def prompted(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
    """A network of M5Stack's: it is told the language, and whether to write digits, which it does as a tag."""
    language, event, style, writing = feeds["prompt"].tolist()
    assert (event, style) == (1, 2)
    assert writing in (14, 15)
    return [listen(feeds["x"][0], language)[None]]


def axera(folder: Path) -> LocalModel:
    tokens = (FRAMES + 4, len(TOKENS))
    axfunction(
        folder / "sensevoice.axmodel",
        normalised,
        (
            [
                ("speech", np.float32, (1, FRAMES, 560)),
                ("masks", np.int32, (FRAMES + 4,)),
                ("language", np.int32, (1,)),
            ],
            [("ctc_logits", np.float32, (1, *tokens)), ("encoder_out_lens", np.int32, (1,))],
        ),
    )
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in TOKENS), "utf-8")
    (folder / "am.mvn").write_text(
        f"<AddShift> 80 80\n<LearnRateCoef> 0 [ {' '.join(map(str, SHIFT))} ]\n"
        f"<Rescale> 80 80\n<LearnRateCoef> 0 [ {' '.join(map(str, SCALE))} ]\n"
    )
    return LocalModel(name="sense-voice", path=folder)


def m5stack(folder: Path) -> LocalModel:
    """A package of StackFlow: files in a folder of the mode's name, the mode's settings beside."""
    mode = "sense-voice-small-10s"
    axfunction(
        folder / mode / "model.axmodel",
        prompted,
        (
            [("x", np.float32, (1, FRAMES, 560)), ("prompt", np.int32, (4,))],
            [("logits", np.float32, (1, FRAMES + 4, len(TOKENS)))],
        ),
    )
    lines = (f"{token} {number}\n" for number, token in enumerate(TOKENS))
    (folder / mode / "tokens.txt").write_text("".join(lines), "utf-8")
    (folder / "models").mkdir()
    parameters = {"model_config.sense_voice.model": "model.axmodel"}
    told = {"mode": mode, "mode_param": parameters}
    (folder / "models" / f"mode_{mode}.json").write_text(json.dumps(told))
    return LocalModel(name="sense-voice", path=folder, options={"mode": mode})


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
