"""Recognisers of whole recordings of sherpa-onnx, on models that hear tones as words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from tests.integration.models_sherpa import (
    WORDS,
    offline_ctc,
    offline_transducer,
    sense_voice,
    speech,
    write_tokens,
)
from tests.integration.models_sherpa_other import described, whisper
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines._sherpa import find_model
from wyoming_units.engines.base import RATE, RecognitionRequest
from wyoming_units.engines.sherpa_offline import FAMILIES, SherpaOfflineRecognizer
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.speech.cutting import cut_quietly

ANY = RecognitionRequest()


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SherpaOfflineRecognizer]:
    folder = offline_ctc(tmp_path_factory.mktemp("models") / "tones", width=256)
    model = LocalModel(name="tones", path=folder, languages=("en",))
    engine = SherpaOfflineRecognizer(model=model, threads=1)
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SherpaOfflineRecognizer]:
    folder = sense_voice(tmp_path_factory.mktemp("models") / "sense-voice")
    engine = SherpaOfflineRecognizer(model=LocalModel(name="sense", path=folder), threads=1)
    engine.load()
    yield engine
    engine.close()


@pytest.mark.parametrize("words", ["alpha", "golf golf bravo", " ".join(WORDS).lower()])
def test_a_recording_becomes_text(engine: SherpaOfflineRecognizer, words: str) -> None:
    assert engine.recognize(speech(words), ANY).text == words


def test_silence_a_click_and_nothing_at_all_have_no_text(engine: SherpaOfflineRecognizer) -> None:
    for samples in (0, 1, 100, RATE, 30 * RATE):
        assert engine.recognize(np.zeros(samples, np.float32), ANY).text == ""


def test_recordings_of_several_people_are_heard_in_one_call(
    engine: SherpaOfflineRecognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sherpa_onnx

    sizes: list[int] = []
    decode = sherpa_onnx.OfflineRecognizer.decode_streams
    combiner = engine._loaded._combiner if engine._loaded else None
    assert combiner is not None

    def held(recognizer: sherpa_onnx.OfflineRecognizer, streams: list[object]) -> None:
        """Decode; the first time when all others wait."""
        deadline = time.monotonic() + 20
        while not sizes and combiner.waiting < 7:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        sizes.append(len(streams))
        decode(recognizer, streams)

    monkeypatch.setattr(sherpa_onnx.OfflineRecognizer, "decode_streams", held)
    sentences = [" ".join((*WORDS[n:], *WORDS[: 2 * n])).lower() for n in range(len(WORDS))]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda words: engine.recognize(speech(words), ANY), sentences))

    assert [result.text for result in results] == sentences
    assert sizes == [1, engine.info.parallel, 7 - engine.info.parallel]


def test_the_language_that_was_spoken_is_told(multilingual: SherpaOfflineRecognizer) -> None:
    english = multilingual.recognize(speech("delta echo"), ANY)
    japanese = multilingual.recognize(speech("echo hotel"), ANY)

    assert (english.text, english.language) == ("delta echo", "en")
    assert (japanese.text, japanese.language) == ("echo hotel", "ja")


def test_languages_are_the_familys_where_the_manifest_names_none(
    multilingual: SherpaOfflineRecognizer,
) -> None:
    assert multilingual.info.models[0].languages == ("zh", "en", "ja", "ko", "yue")
    multilingual.recognize(speech("alpha"), RecognitionRequest(language="zh-CN"))
    with pytest.raises(UnknownModel, match="sense does not understand 'fr'"):
        multilingual.recognize(speech("alpha"), RecognitionRequest(language="fr"))


def test_a_request_for_another_model_or_language_is_refused(
    engine: SherpaOfflineRecognizer,
) -> None:
    with pytest.raises(UnknownModel, match="'de'; it understands: en"):
        engine.recognize(speech("alpha"), RecognitionRequest(language="de"))
    with pytest.raises(UnknownModel, match="'other'"):
        engine.recognize(speech("alpha"), RecognitionRequest(model="other"))


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SherpaOfflineRecognizer]:
    folder = whisper(tmp_path_factory.mktemp("models") / "whisper")
    model = LocalModel(name="whisper", path=folder, languages=("en", "de", "fr"))
    engine = SherpaOfflineRecognizer(model=model, threads=1)
    engine.load()
    yield engine
    engine.close()


def test_each_recording_is_heard_in_the_language_of_its_request(
    hello: SherpaOfflineRecognizer,
) -> None:
    texts = {"en-US": ("hello", "en"), "de": ("hallo", "de"), None: ("hallo", "de")}
    languages = list(texts) * 8

    def recognize(language: str | None) -> tuple[str, str | None]:
        result = hello.recognize(speech("alpha"), RecognitionRequest(language=language))
        return result.text, result.language

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(recognize, languages)) == [texts[language] for language in languages]


def test_a_language_that_would_end_the_process_is_refused(hello: SherpaOfflineRecognizer) -> None:
    with pytest.raises(UnknownModel, match="whisper does not understand 'fr'"):
        hello.recognize(speech("alpha"), RecognitionRequest(language="fr"))


def test_whisper_hears_recordings_longer_than_its_window(hello: SherpaOfflineRecognizer) -> None:
    request = RecognitionRequest(language="en")
    for seconds, parts in ((1, 1), (31, 2)):
        noise = np.random.default_rng(0).normal(size=seconds * RATE).astype(np.float32)
        assert hello.recognize(noise, request).text == " ".join(["hello"] * parts)


def test_a_long_recording_is_cut_where_nobody_speaks() -> None:
    loud = np.ones(45 * RATE, np.float32)
    loud[26 * RATE : 26 * RATE + 1000] = 0

    parts = list(cut_quietly(loud, 29 * RATE))

    assert [round(len(part) / RATE) for part in parts] == [26, 19]
    assert np.array_equal(np.concatenate(parts), loud)


def test_names_and_terms_are_heard_rather_than_what_sounds_the_same(tmp_path: Path) -> None:
    folder = offline_transducer(tmp_path)
    engine = SherpaOfflineRecognizer(model=LocalModel(name="tones", path=folder), threads=1)
    engine.load()
    audio = speech("charlie alpha hotel")

    for terms, text in (((), "charlie alpha hotel"), (("Bravo", "Zoë"), "charlie bravo hotel")):
        result = engine.recognize(audio, RecognitionRequest(terms=terms))
        assert result.text == text
        assert result.confidence is not None
        assert 0.3 < result.confidence <= 1


def test_a_model_can_be_dropped_and_loaded_again(tmp_path: Path) -> None:
    model = LocalModel(name="tones", path=offline_ctc(tmp_path))
    engine = create_engine("sherpa-offline", model=model)
    assert isinstance(engine, SherpaOfflineRecognizer)
    with pytest.raises(EngineFailed, match="tones is not loaded"):
        engine.recognize(speech("alpha"), ANY)
    for _ in range(2):
        engine.load()
        assert engine.recognize(speech("alpha"), ANY).text == "alpha"
        engine.close()
    with pytest.raises(EngineFailed, match="tones is not loaded"):
        engine.recognize(speech("alpha"), ANY)


def test_a_model_on_which_the_library_exits_is_an_error_and_others_go_on(
    engine: SherpaOfflineRecognizer, tmp_path: Path
) -> None:
    described(tmp_path / "model.onnx", {"lang_auto": 0, "vocab_size": 9})
    write_tokens(tmp_path)
    bad = SherpaOfflineRecognizer(model=LocalModel(name="bad", path=tmp_path))

    with pytest.raises(EngineFailed, match="cannot load bad: 'lfr_window_size' does not exist"):
        bad.load()

    assert engine.recognize(speech("echo"), ANY).text == "echo"


# -- kinds of models

TWO = ("encoder", "decoder")
THREE = (*TWO, "joiner")
KINDS: list[tuple[str, tuple[str, ...], Mapping[str, object]]] = [
    ("transducer", THREE, {"model_type": "zipformer2"}),
    ("nemo_transducer", THREE, {"model_type": "EncDecRNNTBPEModel", "pred_rnn_layers": 2}),
    ("moonshine", ("preprocess", "encode", "uncached_decode", "cached_decode"), {}),
    ("qwen3_asr", ("conv_frontend", *TWO, "tokenizer/"), {}),
    ("funasr_nano", ("encoder_adaptor", "llm", "embedding", "Qwen3-0.6B/"), {}),
    ("whisper", ("tiny-encoder", "tiny-decoder"), {"model_type": "whisper-tiny", "n_mels": 80}),
    ("nemo_canary", TWO, {"model_type": "EncDecMultiTaskModel"}),
    ("fire_red_asr", TWO, {"cmvn_mean": "0"}),
    ("cohere_transcribe", TWO, {"model_type": "cohere-transcribe-03-2026"}),
    ("sense_voice", ("model",), {"lang_auto": 0, "lfr_window_size": 7}),
    ("paraformer", ("model",), {"lfr_window_size": 7}),
    ("nemo_ctc", ("model",), {"model_type": "EncDecCTCModelBPE"}),
    ("nemo_ctc", ("model",), {"model_type": "EncDecHybridRNNTCTCBPEModel"}),
    ("zipformer_ctc", ("model",), {"model_type": "zipformer2_ctc"}),
    ("wenet_ctc", ("model",), {"model_type": "wenet_ctc"}),
    ("telespeech_ctc", ("model",), {"model_type": "telespeech_ctc"}),
    ("tdnn_ctc", ("model",), {"model_type": "tdnn"}),
    ("fire_red_asr_ctc", ("model",), {"model_type": "fire-red-asr-2-ctc"}),
    ("medasr_ctc", ("model",), {"model_type": "medasr_ctc"}),
    ("dolphin_ctc", ("model",), {"invstd": "1"}),
    ("omnilingual_asr_ctc", ("model",), {}),
]


@pytest.mark.parametrize(("family", "files", "metadata"), KINDS)
def test_the_kind_of_a_model_is_told_by_its_files(
    tmp_path: Path, family: str, files: tuple[str, ...], metadata: Mapping[str, object]
) -> None:
    folder = tmp_path / f"sherpa-onnx-{family.replace('_', '-')}-2026"
    folder.mkdir()
    for name in files:
        if name.endswith("/"):
            (folder / name).mkdir()
        else:
            described(folder / f"{name}.onnx", dict(metadata))
            described(folder / f"{name}.int8.onnx", dict(metadata))
    write_tokens(folder)

    found = find_model(LocalModel(name="m", path=folder), FAMILIES)
    engine = SherpaOfflineRecognizer(model=LocalModel(name="m", path=folder))

    assert found.name == family
    assert {path.name for path in found.files.values()} - {"tokens.txt"} == {
        name.rstrip("/") if name.endswith("/") else f"{name}.int8.onnx" for name in files
    }
    assert engine.info.models[0].name == "m"


def test_moonshine_of_the_second_kind_has_files_of_the_runtimes_own_format(tmp_path: Path) -> None:
    for name in ("encoder_model.ort", "decoder_model_merged.ort"):
        (tmp_path / name).write_bytes(b"ORTM")
    write_tokens(tmp_path)

    found = find_model(
        LocalModel(name="m", path=tmp_path, options={"family": "moonshine"}), FAMILIES
    )

    assert found.name == "moonshine_v2"


def test_a_manifest_may_say_loosely_which_kind_it_is(tmp_path: Path) -> None:
    for name in THREE:
        described(tmp_path / f"{name}.onnx", {"pred_rnn_layers": 2})
    write_tokens(tmp_path)
    model = LocalModel(name="parakeet", path=tmp_path, options={"family": "transducer"})

    found = find_model(model, FAMILIES)

    assert found.name == "nemo_transducer"
    assert found.arguments["model_type"] == "nemo_transducer"


def test_tokens_of_another_model_are_named(tmp_path: Path) -> None:
    for name in THREE:
        described(tmp_path / f"{name}.onnx", {"pred_rnn_layers": 2})
    model = LocalModel(name="parakeet", path=tmp_path)
    write_tokens(tmp_path, [f"token{number}" for number in range(4)])  # and 5 durations
    assert find_model(model, FAMILIES).name == "nemo_transducer"
    write_tokens(tmp_path, [f"token{number}" for number in range(3)])

    with pytest.raises(EngineFailed, match=r"tokens.txt has 3 tokens, but joiner.onnx writes 4"):
        SherpaOfflineRecognizer(model=model)


@pytest.mark.parametrize("key", ["decode_chunk_len", "chunk_shift", "right_context"])
def test_a_streaming_model_is_refused(tmp_path: Path, key: str) -> None:
    described(tmp_path / "model.onnx", {"model_type": "wenet_ctc", key: 32})
    write_tokens(tmp_path)

    with pytest.raises(EngineFailed, match="no known kind of model"):
        SherpaOfflineRecognizer(
            model=LocalModel(name="m", path=tmp_path, options={"family": "ctc"})
        )


def test_every_kind_is_one_that_the_library_has() -> None:
    import inspect

    import sherpa_onnx

    for name, family in FAMILIES.items():
        factory = getattr(sherpa_onnx.OfflineRecognizer, family.factory)
        takes = set(inspect.signature(factory).parameters)
        gets = {*family.files, *family.extra, "num_threads", "provider"}
        gets |= {"tokens"} if family.tokens else set()
        assert gets <= takes, name
        needs = {
            name
            for name, parameter in inspect.signature(factory).parameters.items()
            if parameter.default is inspect.Parameter.empty
        }
        assert needs <= gets, name
