"""Whisper on the NPU, in both layouts, with small networks that recognise tones."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.integration.conftest import running
from tests.integration.models_axengine_whisper import build_axera, build_stackflow
from tests.integration.models_whisper import sound
from tests.integration.whisper_weights import (
    BANDS,
    BLANK,
    CHINESE,
    CREDITS,
    EOT,
    FRAMES,
    GERMAN,
    LIGHT,
    LOOP,
    NO_TIMESTAMPS,
    SOT,
    TRANSCRIBE,
    UNSURE,
    Floats,
    Weights,
    any_weights,
    language_token,
    recompute,
    spoken_weights,
)
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine_whisper_files import read_files
from wyoming_units.engines._axengine_whisper_layouts import Layout, open_layout
from wyoming_units.engines._axengine_whisper_search import write_down
from wyoming_units.engines.axengine_whisper import AxWhisper
from wyoming_units.engines.base import RATE, Audio, Recognition, RecognitionRequest
from wyoming_units.errors import Cancelled, EngineFailed, UnknownModel
from wyoming_units.speech.mel import log_mel
from wyoming_units.wire.client import Client

pytest_plugins = ("tests.npu",)

BUILDERS = {"axera": build_axera, "stackflow": build_stackflow}
ANY = RecognitionRequest()
ENGLISH = RecognitionRequest(language="en")
PROMPT = [SOT, language_token("en"), TRANSCRIBE, NO_TIMESTAMPS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("whisper")
    return {name: build(place / name, spoken_weights()) for name, build in BUILDERS.items()}


@pytest.fixture(params=BUILDERS)
def model(folders: dict[str, Path], request: pytest.FixtureRequest) -> LocalModel:
    return LocalModel(name="whisper-tiny", path=folders[request.param])


@pytest.fixture
def whisper(model: LocalModel, npu: Any) -> Iterator[AxWhisper]:
    engine = AxWhisper(model=model)
    engine.load()
    yield engine
    engine.close()


def copy_of(folder: Path, place: Path) -> LocalModel:
    return LocalModel(name="whisper-tiny", path=Path(shutil.copytree(folder, place)))


def file_of(model: LocalModel, name: str) -> Path:
    return next(model.path.rglob(name))


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE), np.float32)


# -- the networks


@pytest.fixture(scope="module")
def chance() -> Weights:
    return any_weights(seed=2)


def spectrogram() -> Floats:
    noise = np.random.default_rng(2).normal(0, 0.1, 3 * RATE).astype(np.float32)
    mel = log_mel(noise, BANDS)
    return np.pad(mel, ((0, 0), (0, FRAMES - mel.shape[1])))


def layout_of(folder: Path, stack: ExitStack) -> tuple[Layout, Any]:
    files = read_files(LocalModel(name="whisper-tiny", path=folder))
    return open_layout(files, stack), files.special


def greedy(weights: Weights, mel: Floats, most: int) -> tuple[list[int], float]:
    """Return the likeliest tokens, each calculated from all before it anew, and their mean log probability."""
    tokens: list[int] = []
    total = 0.0
    while len(tokens) < most:
        logits = recompute(weights, mel, [*PROMPT, *tokens])[-1].astype(float)
        logits[EOT + 1 :] = -np.inf
        if not tokens:
            logits[[BLANK, EOT]] = -np.inf
        second, first = np.sort(logits)[-2:]
        assert first - second > 1e-3, "the seed makes this test depend on rounding"
        tokens.append(int(logits.argmax()))
        total += first - np.log(np.exp(logits).sum())
    return tokens, total / (most + 1)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_decoder_remembers_all_that_it_has_written(
    chance: Weights, tmp_path: Path, npu: Any, name: str
) -> None:
    mel = spectrogram()
    with ExitStack() as stack:
        layout, special = layout_of(BUILDERS[name](tmp_path / name, chance), stack)
        written = write_down(layout.hear(mel), special, language_token("en"), 60)
    expected, log_probability = greedy(chance, mel, 60)
    assert len(set(expected)) > 10
    assert list(written.tokens) == expected
    assert written.log_probability == pytest.approx(log_probability, abs=1e-4)


@pytest.mark.parametrize("name", BUILDERS)
def test_what_follows_each_token_is_what_all_tokens_at_once_give(
    chance: Weights, tmp_path: Path, npu: Any, name: str
) -> None:
    mel, tokens = spectrogram(), [7, 1, 7, 0, 4]
    with ExitStack() as stack:
        layout, _ = layout_of(BUILDERS[name](tmp_path / name, chance), stack)
        window = layout.hear(mel)
        german = [SOT, language_token("de"), TRANSCRIBE, NO_TIMESTAMPS]
        found = [window.after_start(german), window.begin(PROMPT), *map(window.step, tokens)]
    expected = recompute(chance, mel, [*PROMPT, *tokens])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-3)
    np.testing.assert_allclose(found[1:], expected[3:], atol=1e-3)


def test_the_whole_context_can_be_used(folders: dict[str, Path], npu: Any) -> None:
    for folder in folders.values():
        with ExitStack() as stack:
            layout, special = layout_of(folder, stack)
            window = layout.hear(spectrogram())
            window.begin(special.prompt(language_token("en")))
            for _ in range(448 - 4):
                assert np.isfinite(window.step(1)).all()


# -- text and language


def test_each_recording_gets_its_own_text(whisper: AxWhisper) -> None:
    for sentence in (LIGHT, GERMAN, CHINESE, LIGHT):
        text = whisper.recognize(sound(sentence.tone), ANY).text
        assert text == sentence.tone.text


def test_a_sure_text_has_a_high_confidence(whisper: AxWhisper) -> None:
    sure, unsure = (
        whisper.recognize(sound(tone), ENGLISH).confidence for tone in (LIGHT.tone, UNSURE)
    )
    assert sure is not None
    assert unsure is not None
    assert 0.98 < sure <= 1
    assert unsure == pytest.approx(0.5**0.5, abs=0.02)  # one of two words, and a sure end


def test_the_language_is_found_out_where_none_is_asked_for(whisper: AxWhisper) -> None:
    heard = [whisper.recognize(sound(one.tone), ANY).language for one in (LIGHT, GERMAN, CHINESE)]
    assert heard == ["en", "de", "zh"]


def test_the_language_that_is_asked_for_is_that_of_the_prompt(
    whisper: AxWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = whisper._loaded
    assert loaded is not None
    prompts: list[list[int]] = []
    for kind in {type(loaded.layout.hear(spectrogram()))}:
        begin = kind.begin

        def watched(window: Any, prompt: Any, begin: Any = begin) -> Any:
            prompts.append(list(prompt))
            return begin(window, prompt)

        monkeypatch.setattr(kind, "begin", watched)
    heard = whisper.recognize(sound(LIGHT.tone), RecognitionRequest(language="de-AT"))
    assert heard.language == "de-AT"
    assert prompts == [[SOT, language_token("de"), TRANSCRIBE, NO_TIMESTAMPS]]


def test_only_the_languages_of_the_manifest_are_found_out(model: LocalModel, npu: Any) -> None:
    own = LocalModel(name=model.name, path=model.path, languages=("en", "zh-CN"))
    engine = AxWhisper(model=own)
    assert engine.info.models[0].languages == ("en", "zh")
    engine.load()
    assert engine.recognize(sound(GERMAN.tone), ANY).language in ("en", "zh")
    with pytest.raises(UnknownModel, match="de"):
        engine.recognize(sound(GERMAN.tone), RecognitionRequest(language="de"))
    engine.close()


def test_an_english_model_is_only_english(tmp_path: Path, npu: Any) -> None:
    folder = build_axera(tmp_path / "tiny.en", spoken_weights(), multilingual=False)
    engine = AxWhisper(model=LocalModel(name="tiny.en", path=folder))
    assert engine.info.models[0].languages == ("en",)
    engine.load()
    for request in (ANY, RecognitionRequest(language="en-US")):
        assert engine.recognize(sound(LIGHT.tone), request).text == LIGHT.tone.text
    with pytest.raises(UnknownModel):
        engine.recognize(sound(LIGHT.tone), RecognitionRequest(language="de"))
    engine.close()


@pytest.mark.parametrize(
    "request_", [RecognitionRequest(language="tlh"), RecognitionRequest(model="other")]
)
def test_what_it_does_not_have_is_refused(whisper: AxWhisper, request_: RecognitionRequest) -> None:
    with pytest.raises(UnknownModel):
        whisper.recognize(sound(LIGHT.tone), request_)


@pytest.mark.parametrize(
    ("table", "language", "text"),
    [
        ({"請": "请", "開": "开", "燈": "灯"}, None, "请开灯"),
        ({"請": "请", "開": "开", "燈": "灯"}, "zh-CN", "请开灯"),
        ({"請": "请", "開": "开", "燈": "灯"}, "zh-TW", "請開燈"),
        ({"name": "t2s", "conversion_chain": [{"dict": "TSPhrases"}]}, "zh-CN", "請開燈"),
        (["請", "请"], "zh-CN", "請開燈"),
        (None, "zh-CN", "請開燈"),
    ],
)
def test_chinese_is_simplified_with_the_models_own_table(
    model: LocalModel, tmp_path: Path, npu: Any, table: object, language: str | None, text: str
) -> None:
    own = copy_of(model.path, tmp_path / "own")
    if table is not None:
        path = file_of(own, "*tokens.txt").with_name("t2s.json")
        path.write_text(json.dumps(table))
    engine = AxWhisper(model=own)
    engine.load()
    assert engine.recognize(sound(CHINESE.tone), RecognitionRequest(language=language)).text == text
    engine.close()


# -- what is no speech


@pytest.mark.parametrize(
    "samples",
    [
        silence(0),
        silence(3),
        silence(40),
        sound(LIGHT.tone, volume=0.0005),
        sound(LIGHT.tone, seconds=0.05),
        sound(CREDITS.tone),
    ],
    ids=["empty", "silence", "long silence", "far too quiet", "a click", "credits of a film"],
)
def test_what_is_no_speech_gives_no_text(whisper: AxWhisper, samples: Audio) -> None:
    assert whisper.recognize(samples, ENGLISH) == Recognition(text="", language="en")


def test_quiet_speech_is_heard(whisper: AxWhisper) -> None:
    assert whisper.recognize(sound(LIGHT.tone, volume=0.01), ENGLISH).text == LIGHT.tone.text


def test_a_phrase_without_end_is_dropped_after_as_many_words_as_could_be_said(
    whisper: AxWhisper, npu: Any
) -> None:
    runs = npu.runs
    assert whisper.recognize(sound(LOOP.tone), ENGLISH).text == ""
    assert 60 < npu.runs - runs < 24 + 40 + 6
    runs = npu.runs
    assert whisper.recognize(sound(LOOP.tone, 20), ENGLISH).text == ""
    assert 220 < npu.runs - runs < 224 + 6
    assert whisper.recognize(sound(LIGHT.tone), ENGLISH).text == LIGHT.tone.text


# -- long recordings


def test_what_is_longer_than_a_window_is_heard_to_its_end(whisper: AxWhisper, npu: Any) -> None:
    pause = silence(1)
    audio = np.concatenate(
        [sound(LIGHT.tone, 27), pause, sound(GERMAN.tone, 20), pause, sound(LIGHT.tone, 2)]
    )
    heard = whisper.recognize(audio, ANY)
    assert heard.text == f"{LIGHT.tone.text} {GERMAN.tone.text}"
    assert heard.language == "en"
    assert heard.confidence is not None
    assert heard.confidence > 0.95


def test_nothing_is_lost_where_a_recording_is_a_little_longer_than_a_window(
    whisper: AxWhisper,
) -> None:
    audio = np.concatenate([sound(LIGHT.tone, 20), silence(10.1), sound(GERMAN.tone, 0.5)])
    heard = whisper.recognize(audio, ENGLISH)
    assert heard.text == f"{LIGHT.tone.text} {GERMAN.tone.text}"


def test_a_whole_window_is_not_cut(whisper: AxWhisper, npu: Any) -> None:
    runs = npu.runs
    whisper.recognize(sound(LIGHT.tone, 1), ENGLISH)
    short = npu.runs - runs
    assert whisper.recognize(sound(LIGHT.tone, 30), ENGLISH).text == LIGHT.tone.text
    assert npu.runs - runs == 2 * short


# -- life


def test_a_call_that_nobody_waits_for_ends_with_the_next_token(
    whisper: AxWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = whisper._loaded
    assert loaded is not None
    kind = type(loaded.layout.hear(spectrogram()))
    step, steps = kind.step, []

    def interrupted(window: Any, token: int) -> Any:
        steps.append(token)
        if len(steps) == 8:
            whisper.interrupt(threading.get_ident())
        return step(window, token)

    monkeypatch.setattr(kind, "step", interrupted)
    with pytest.raises(Cancelled):
        whisper.recognize(sound(LOOP.tone), ENGLISH)
    assert len(steps) == 8
    monkeypatch.undo()
    whisper.interrupt(threading.get_ident())  # no call runs: nothing to end
    assert whisper.recognize(sound(LIGHT.tone), ENGLISH).text == LIGHT.tone.text


def test_a_closed_engine_frees_the_npu_and_can_be_loaded_again(model: LocalModel, npu: Any) -> None:
    engine = AxWhisper(model=model)
    assert not npu.loads
    with pytest.raises(EngineFailed, match="whisper-tiny is not loaded"):
        engine.recognize(sound(LIGHT.tone), ENGLISH)
    for _ in range(2):
        engine.load()
        assert engine.recognize(sound(LIGHT.tone), ENGLISH).text == LIGHT.tone.text
        engine.close()
        assert not npu.live
    assert engine.info.open_vocabulary


def test_a_failing_npu_is_an_error_of_the_engine(whisper: AxWhisper, npu: Any) -> None:
    npu.runs_fail = True
    with pytest.raises(EngineFailed, match="0x80060110"):
        whisper.recognize(sound(LIGHT.tone), ENGLISH)


async def test_a_node_transcribes_with_it(model: LocalModel, tmp_path: Path, npu: Any) -> None:
    own = copy_of(model.path, tmp_path / "models" / "whisper-tiny")
    pcm = (sound(GERMAN.tone) * 32767).astype("<i2").tobytes()
    async with running(tmp_path, units=[f"stt=axengine-whisper:{own.path}"]) as node:
        async with Client(f"tcp://127.0.0.1:{node.port}") as client:
            for event in (
                Transcribe(language="de"),
                AudioStart(RATE, 2, 1),
                AudioChunk(RATE, 2, 1, pcm),
                AudioStop(),
            ):
                await client.send(event)
            while (answer := await client.receive()).type != "transcript":
                assert answer.type != "error", answer.data
    assert Transcript.from_event(answer).text == GERMAN.tone.text
