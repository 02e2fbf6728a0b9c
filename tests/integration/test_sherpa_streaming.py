"""Streaming recognisers of sherpa-onnx, on models that hear tones as words."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from tests.integration.models_sherpa import (
    WORDS,
    speech,
    streaming_ctc,
    streaming_transducer,
    write_tokens,
)
from tests.integration.models_sherpa_other import described
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines._sherpa import find_model
from wyoming_units.engines._sherpa_hotwords import Hotwords
from wyoming_units.engines.base import RATE, Audio, Partial, RecognitionRequest
from wyoming_units.engines.sherpa_streaming import FAMILIES, SherpaStreamingRecognizer
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.speech.home import Home, HomeArea, HomeEntity

THREE = ("encoder", "decoder", "joiner")
ANY = RecognitionRequest()


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streaming_ctc(tmp_path_factory.mktemp("models") / "tones")


@pytest.fixture(scope="module")
def engine(files: Path) -> Iterator[SherpaStreamingRecognizer]:
    engine = SherpaStreamingRecognizer(
        model=LocalModel(name="tones", path=files, languages=("en-GB",)), threads=1
    )
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def transducer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SherpaStreamingRecognizer]:
    folder = streaming_transducer(tmp_path_factory.mktemp("models") / "transducer")
    engine = SherpaStreamingRecognizer(model=LocalModel(name="tones", path=folder), threads=1)
    engine.load()
    yield engine
    engine.close()


def pieces(audio: Audio, seconds: float = 0.1) -> list[Audio]:
    return [
        audio[at : at + int(seconds * RATE)] for at in range(0, len(audio), int(seconds * RATE))
    ]


def heard(
    engine: SherpaStreamingRecognizer, audio: Audio, request: RecognitionRequest = ANY
) -> str:
    stream = engine.start(request)
    for piece in pieces(audio):
        stream.feed(piece)
    text = stream.finish().text
    stream.close()
    return text


def test_words_appear_while_they_are_spoken_and_each_text_once(
    engine: SherpaStreamingRecognizer,
) -> None:
    stream = engine.start(ANY)
    told = [stream.feed(piece) for piece in pieces(speech("delta echo echo hotel"))]

    partials = [partial for partial in told if partial is not None]
    assert (
        partials
        == [
            Partial(text="delta"),
            Partial(text="delta echo"),
            Partial(text="delta echo echo"),
            Partial(text="delta echo echo hotel"),
        ][: len(partials)]
    )
    assert len(partials) >= 3
    assert stream.finish().text == "delta echo echo hotel"


@pytest.mark.parametrize("seconds", [0.01, 0.064, 0.5, 100])
def test_the_text_does_not_depend_on_the_size_of_the_pieces(
    engine: SherpaStreamingRecognizer, seconds: float
) -> None:
    stream = engine.start(ANY)
    for piece in pieces(speech(" ".join(WORDS)), seconds):
        stream.feed(piece)

    assert stream.finish().text == " ".join(WORDS).lower()


@pytest.mark.parametrize("length", range(4))
def test_the_last_word_is_not_cut_off_where_the_audio_ends_with_it(
    engine: SherpaStreamingRecognizer, length: int
) -> None:
    audio = speech("alpha " * length + "golf", pause=0.1)[: -int(0.1 * RATE)]

    assert heard(engine, audio) == "alpha " * length + "golf"


def test_silence_and_nothing_at_all_have_no_text(engine: SherpaStreamingRecognizer) -> None:
    stream = engine.start(ANY)
    assert {stream.feed(np.zeros(RATE // 2, np.float32)) for _ in range(60)} == {None}
    assert stream.finish().text == ""

    assert engine.start(ANY).finish().text == ""


def test_eight_people_speak_at_once_and_each_gets_their_own_text(
    engine: SherpaStreamingRecognizer,
) -> None:
    sentences = [" ".join((*WORDS[n:], *WORDS[:n])).lower() for n in range(len(WORDS))] * 2

    with ThreadPoolExecutor(engine.info.parallel) as pool:
        texts = list(pool.map(lambda words: heard(engine, speech(words)), sentences))

    assert texts == sentences


def test_the_network_hears_those_who_wait_together(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With all processors at work for one call there is no second call beside it.
    model = LocalModel(name="tones", path=files)
    engine = SherpaStreamingRecognizer(model=model, threads=os.cpu_count())
    engine.load()
    import sherpa_onnx

    sizes: list[int] = []
    decode = sherpa_onnx.OnlineRecognizer.decode_streams
    combiner = engine._loaded.combiner if engine._loaded else None
    assert combiner is not None

    def held(recognizer: sherpa_onnx.OnlineRecognizer, streams: list[object]) -> None:
        """Decode; the first time when all others wait."""
        deadline = time.monotonic() + 20
        while not sizes and combiner.waiting < 7:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        sizes.append(len(streams))
        decode(recognizer, streams)

    monkeypatch.setattr(sherpa_onnx.OnlineRecognizer, "decode_streams", held)
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda words: heard(engine, speech(words)), ["echo golf"] * 8))

    assert texts == ["echo golf"] * 8
    assert sizes[0] == 1
    assert sizes[1] >= 7


def test_a_model_in_use_is_dropped_only_for_those_who_come_later(files: Path) -> None:
    engine = SherpaStreamingRecognizer(model=LocalModel(name="tones", path=files), threads=1)
    with pytest.raises(EngineFailed, match="tones is not loaded"):
        engine.start(ANY)
    engine.load()
    stream = engine.start(ANY)
    audio = speech("bravo charlie")
    stream.feed(audio[: len(audio) // 2])

    engine.close()

    with pytest.raises(EngineFailed, match="tones is not loaded"):
        engine.start(ANY)
    stream.feed(audio[len(audio) // 2 :])
    assert stream.finish().text == "bravo charlie"
    engine.load()
    assert heard(engine, audio) == "bravo charlie"


def test_a_closed_stream_hears_nothing(engine: SherpaStreamingRecognizer) -> None:
    stream = engine.start(ANY)
    stream.feed(speech("alpha"))
    stream.close()
    stream.close()

    assert stream.feed(speech("bravo")) in (None, Partial(text=""))
    assert stream.finish().text == ""


def test_names_of_the_home_and_terms_are_heard_rather_than_what_sounds_the_same(
    transducer: SherpaStreamingRecognizer,
) -> None:
    audio = speech("charlie alpha hotel")
    home = Home(areas=(HomeArea(name="Attic", aliases=("bravo",)),))

    assert heard(transducer, audio) == "charlie alpha hotel"
    assert heard(transducer, audio, RecognitionRequest(terms=("Bravo",))) == "charlie bravo hotel"
    assert heard(transducer, audio, RecognitionRequest(home=home)) == "charlie bravo hotel"


def test_a_name_that_cannot_be_written_is_left_out_without_a_word(
    transducer: SherpaStreamingRecognizer, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("Zoë", "厨房", "TV 2", "a/b", ":1.5", "#2", "@x", "", "🛋", "!!!", "bravo's", "Bravo")
    home = Home(entities=tuple(HomeEntity(name=name, domain="light") for name in names))

    assert heard(transducer, speech("alpha"), RecognitionRequest(home=home)) == "bravo"
    assert capfd.readouterr().err == ""


LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.mark.parametrize(
    ("tokens", "pieces", "unit", "phrases"),
    [
        (("▁", *LETTERS), True, "bpe", "KITCHEN LIGHT/TV"),
        (("▁", *LETTERS, "'"), True, "bpe", "KITCHEN LIGHT/BOB'S LAMP/TV"),
        (("▁L", "▁T", "V", "a", "▁lamp"), True, "bpe", "TV"),
        (tuple("厨房灯"), False, "cjkchar", "厨房/厨房灯"),
        (("▁", *LETTERS, *"厨房灯"), True, "cjkchar+bpe", "KITCHEN LIGHT/厨房/TV/厨房灯/厨房TV"),
        (("▁", *LETTERS), False, None, ""),
        (("▁", *"주방등"), True, "bpe", "주방등"),
    ],
)
def test_names_are_spelled_as_the_model_writes(
    tmp_path: Path, tokens: tuple[str, ...], pieces: bool, unit: str | None, phrases: str
) -> None:
    for role in THREE:
        described(tmp_path / f"{role}.onnx", {"decode_chunk_len": 32})
    write_tokens(tmp_path, ("<blk>", *tokens, *(f"#{number}" for number in range(8))))
    if pieces:
        (tmp_path / "bpe.vocab").write_text("", "utf-8")
    model = LocalModel(name="m", path=tmp_path)
    names = (
        "Kitchen light",
        "Bob's lamp",
        "厨房",
        "TV",
        "厨房灯",
        "TV 2",
        "厨房TV",
        "주방등",
        "TV",
    )

    hotwords = Hotwords.of(find_model(model, FAMILIES), model)

    assert (hotwords.unit if hotwords else None) == unit
    if hotwords:
        assert hotwords.phrases(RecognitionRequest(terms=names)) == phrases


def test_hotwords_need_no_more_than_the_sentencepiece_model(
    tmp_path: Path,
) -> None:
    folder = streaming_transducer(tmp_path / "transducer")
    model = b""
    for line in (folder / "bpe.vocab").read_text("utf-8").splitlines():
        piece, score = line.split("\t")
        text = piece.encode()
        body = bytes([0x0A, len(text)]) + text + b"\x15" + struct.pack("<f", float(score))
        model += bytes([0x0A, len(body)]) + body
    (folder / "bpe.vocab").unlink()
    (folder / "bpe.model").write_bytes(model)
    engine = SherpaStreamingRecognizer(model=LocalModel(name="tones", path=folder), threads=1)
    engine.load()

    assert heard(engine, speech("alpha"), RecognitionRequest(terms=("bravo",))) == "bravo"


def test_how_sure_the_network_is_is_told(transducer: SherpaStreamingRecognizer) -> None:
    stream = transducer.start(ANY)
    stream.feed(speech("golf hotel"))

    confidence = stream.finish().confidence

    assert confidence is not None
    assert 0.5 < confidence <= 1


def test_a_request_for_another_model_or_language_is_refused(
    engine: SherpaStreamingRecognizer,
) -> None:
    for language in ("en", "en-US", "EN_us", None):
        engine.start(RecognitionRequest(language=language, model="tones")).close()
    with pytest.raises(UnknownModel, match="'de-CH'; it understands: en"):
        engine.start(RecognitionRequest(language="de-CH"))
    with pytest.raises(UnknownModel, match="'other'"):
        engine.start(RecognitionRequest(model="other"))


def test_the_engine_is_known_before_it_is_loaded(files: Path) -> None:
    model = LocalModel(name="tones", path=files, languages=("en", "zh"), description="Tones")
    info = create_engine("sherpa-streaming", model=model).info

    assert info.name == "sherpa-streaming"
    assert info.open_vocabulary
    assert info.parallel > 1
    assert [(model.name, model.languages) for model in info.models] == [("tones", ("en", "zh"))]


def test_a_model_on_which_the_library_exits_is_an_error_and_others_go_on(
    engine: SherpaStreamingRecognizer, tmp_path: Path
) -> None:
    folder = streaming_ctc(tmp_path / "bad", without="encoder_dims")
    bad = SherpaStreamingRecognizer(model=LocalModel(name="bad", path=folder))

    with pytest.raises(EngineFailed, match="cannot load bad: 'encoder_dims' does not exist"):
        bad.load()

    assert heard(engine, speech("foxtrot")) == "foxtrot"
