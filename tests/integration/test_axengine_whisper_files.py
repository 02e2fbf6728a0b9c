"""Files of Whispers for the NPU: where they lie, what is wrong with them, and what their networks must take."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.integration.models_axengine_whisper import build_axera, build_stackflow
from tests.integration.models_whisper import sound
from tests.integration.whisper_weights import EOT, LIGHT, any_weights, spoken_weights
from tests.npu import Sizes, axfunction
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine_whisper_files import Special, read_files
from wyoming_units.engines.axengine_whisper import AxWhisper
from wyoming_units.engines.base import RecognitionRequest
from wyoming_units.errors import EngineFailed

pytest_plugins = ("tests.npu",)

ENGLISH = RecognitionRequest(language="en")
MULTILINGUAL = Special(
    sot=50258,
    eot=50257,
    blank=220,
    translate=50358,
    transcribe=50359,
    no_timestamps=50363,
    no_speech=50362,
)


@pytest.fixture(scope="module")
def axera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_axera(tmp_path_factory.mktemp("axera") / "tiny", spoken_weights())


@pytest.fixture(scope="module")
def stackflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stackflow(tmp_path_factory.mktemp("stackflow") / "data", spoken_weights())


def at(path: Path, **options: Any) -> LocalModel:
    return LocalModel(name="whisper-tiny", path=path, options=options)


def text_of(model: LocalModel) -> str:
    engine = AxWhisper(model=model)
    engine.load()
    try:
        return engine.recognize(sound(LIGHT.tone), ENGLISH).text
    finally:
        engine.close()


# -- where they lie


def test_a_package_is_read_as_it_was_unpacked_and_as_it_lies_on_the_module(
    stackflow: Path, npu: Any
) -> None:
    assert text_of(at(stackflow)) == text_of(at(stackflow / "whisper-tiny")) == LIGHT.tone.text


def test_a_folder_of_several_sizes_needs_the_size(axera: Path, tmp_path: Path, npu: Any) -> None:
    for size in ("tiny", "base"):
        (tmp_path / size).mkdir()
        for path in axera.iterdir():
            shutil.copy(path, tmp_path / size / path.name.replace("tiny", size))
    assert text_of(at(tmp_path, size="base")) == LIGHT.tone.text
    assert npu.loads[0].endswith("base-encoder.axmodel")
    with pytest.raises(EngineFailed, match=r"exactly one .*base-encoder.*tiny-encoder"):
        AxWhisper(model=at(tmp_path))


def test_networks_for_half_of_the_npu_may_lie_beside(axera: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(axera, tmp_path / "own"))
    shutil.copy(own / "tiny-encoder.axmodel", own / "tiny-encoder-npu1.axmodel")
    assert read_files(at(own)).encoder.name == "tiny-encoder.axmodel"


def test_a_package_without_its_json_file_has_the_usual_numbers(
    stackflow: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(stackflow / "whisper-tiny", tmp_path / "ax630c"))
    files = read_files(at(own))
    assert files.special == MULTILINGUAL
    assert files.context == 448
    assert len(files.languages) == 99
    codes = ("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "su")
    assert [files.languages[code] for code in codes] == [*range(50259, 50267), 50357]
    assert [path.name for path in files.decoders] == [
        "tiny-decoder-main.axmodel",
        "tiny-decoder-loop.axmodel",
    ]


# -- what is wrong


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("axera", "tiny-encoder.axmodel"),
        ("axera", "tiny_config.json"),
        ("axera", "tiny-tokens.txt"),
        ("stackflow", "tiny-encoder.axmodel"),
        ("stackflow", "tiny-decoder-main.axmodel"),
        ("stackflow", "tiny-decoder-loop.axmodel"),
        ("stackflow", "tiny-positional_embedding.bin"),
        ("stackflow", "tiny-tokens.txt"),
    ],
)
def test_a_file_that_is_missing_is_named(
    layout: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    own = Path(shutil.copytree(request.getfixturevalue(layout), tmp_path / "own"))
    next(own.rglob(name)).unlink()
    wanted = name.removeprefix("tiny-").removeprefix("tiny_").split(".")[0]
    with pytest.raises(EngineFailed, match=wanted):
        AxWhisper(model=at(own))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="nowhere"):
        AxWhisper(model=at(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "change",
    [
        {"eot": None},
        {"eot": "x"},
        {"eot": 40},
        {"blank_id": EOT},
        {"n_text_ctx": []},
        {"all_language_codes": "en"},
        {"all_language_codes": "", "all_language_tokens": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    axera: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    own = Path(shutil.copytree(axera, tmp_path / "own"))
    path = own / "tiny_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(EngineFailed, match="tiny_config"):
        AxWhisper(model=at(own))


@pytest.mark.parametrize("content", ["", "[]", "{", "not a vocabulary"])
@pytest.mark.parametrize("name", ["tiny_config.json", "tiny-tokens.txt"])
def test_nonsense_is_refused(
    axera: Path, tmp_path: Path, npu: Any, name: str, content: str
) -> None:
    own = Path(shutil.copytree(axera, tmp_path / "own"))
    (own / name).write_text(content)
    with pytest.raises(EngineFailed, match=name):
        AxWhisper(model=at(own)).load()
    assert not npu.live


def test_a_table_of_positions_that_is_cut_off_is_refused(
    stackflow: Path, tmp_path: Path, npu: Any
) -> None:
    own = Path(shutil.copytree(stackflow, tmp_path / "own"))
    path = own / "whisper-tiny" / "tiny-positional_embedding.bin"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(EngineFailed, match="positional_embedding"):
        AxWhisper(model=at(own)).load()
    assert not npu.live


def test_networks_in_each_others_place_are_refused(
    stackflow: Path, tmp_path: Path, npu: Any
) -> None:
    own = Path(shutil.copytree(stackflow, tmp_path / "own"))
    folder = own / "whisper-tiny"
    shutil.copy(folder / "tiny-encoder.axmodel", folder / "tiny-decoder-loop.axmodel")
    with pytest.raises(EngineFailed, match="1 inputs and 2 outputs, not 7 and 3"):
        AxWhisper(model=at(own)).load()
    assert not npu.live


def test_networks_of_another_size_are_refused_when_they_are_loaded(
    axera: Path, tmp_path: Path, npu: Any
) -> None:
    own = Path(shutil.copytree(axera, tmp_path / "own"))
    other = build_axera(tmp_path / "other", any_weights(seed=1))
    shutil.copy(other / "tiny-decoder.axmodel", own / "tiny-decoder.axmodel")
    with pytest.raises(EngineFailed, match="tiny-decoder"):
        AxWhisper(model=at(own)).load()
    assert not npu.live


def test_a_vocabulary_larger_than_the_networks_is_refused(
    stackflow: Path, tmp_path: Path, npu: Any
) -> None:
    own = Path(shutil.copytree(stackflow / "whisper-tiny", tmp_path / "own"))  # the usual numbers
    with pytest.raises(EngineFailed, match=r"decoder-main.* has 44 tokens"):
        AxWhisper(model=at(own)).load()
    assert not npu.live
    assert not npu.runs


# -- networks of the sizes that are published

WORDS = (100, 101, 102)
Feeds = Mapping[str, NDArray[Any]]


def one_hot(token: int, size: int, rows: int = 1) -> NDArray[np.float32]:
    logits = np.zeros((1, rows, size), np.float32)
    logits[..., token] = 9
    return logits


def write_words(path: Path) -> None:
    pieces = {220: b" ", **{word: f" word{word}".encode() for word in WORDS}}
    path.write_text("".join(f"{base64.b64encode(b).decode()} {i}\n" for i, b in pieces.items()))


def script(step: int) -> int:
    return (*WORDS, MULTILINGUAL.eot)[min(step, len(WORDS))]


def test_stackflows_networks_get_what_is_documented(tmp_path: Path, npu: Any) -> None:
    layers, width, size = 4, 384, 51865
    own: Sizes = ("own", np.float32, (layers, 1, 448, width))
    cross: Sizes = ("cross", np.float32, (layers, 1, 1500, width))
    table = np.arange(448 * width, dtype=np.float32).reshape(448, width)
    seen: list[tuple[int, float, int]] = []

    def sized(name: str, like: Sizes) -> Sizes:
        return (name, like[1], like[2])

    def encode(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
        assert not feeds["mel"][0, :, 100:].any(), "what follows the sound is 0"
        return [np.full(cross[2], value, np.float32) for value in (1, 2)]

    def main(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
        assert feeds["tokens"].tolist() == [[50258, 50261, 50359, 50363]]
        return [one_hot(script(0), size, 4), *(np.full(own[2], 3 + i, np.float32) for i in (0, 1))]

    def loop(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
        offset = round(float(feeds["pe"][0, 0])) // width
        hidden = np.isneginf(feeds["mask"])
        assert np.array_equal(hidden, np.arange(448) < 448 - offset - 1)
        assert not feeds["mask"][~hidden].any()
        memory = [float(feeds[name].mean()) for name in ("in_k", "in_v", "cross_k", "cross_v")]
        assert memory == [3 + offset - 4, 4 + offset - 4, 1, 2]
        seen.append((int(feeds["tokens"][0, 0]), memory[0], offset))
        return [one_hot(script(offset - 3), size), feeds["in_k"] + 1, feeds["in_v"] + 1]

    place = tmp_path / "tiny"
    mel: Sizes = ("mel", np.float32, (1, 80, 3000))
    keys = [sized("cross_k", cross), sized("cross_v", cross)]
    axfunction(place / "tiny-encoder.axmodel", encode, ([mel], keys))
    axfunction(
        place / "tiny-decoder-main.axmodel",
        main,
        (
            [("tokens", np.int32, (1, 4)), *keys],
            [("logits", np.float32, (1, 4, size)), sized("k", own), sized("v", own)],
        ),
    )
    axfunction(
        place / "tiny-decoder-loop.axmodel",
        loop,
        (
            [
                ("tokens", np.int32, (1, 1)),
                sized("in_k", own),
                sized("in_v", own),
                *keys,
                ("pe", np.float32, (1, width)),
                ("mask", np.float32, (448,)),
            ],
            [("logits", np.float32, (1, 1, size)), sized("k", own), sized("v", own)],
        ),
    )
    table.tofile(place / "tiny-positional_embedding.bin")
    write_words(place / "tiny-tokens.txt")
    engine = AxWhisper(model=LocalModel(name="whisper-tiny", path=place, languages=("de",)))
    engine.load()
    seen.clear()
    heard = engine.recognize(sound(LIGHT.tone), RecognitionRequest())
    engine.close()
    assert heard.text == "word100 word101 word102"
    assert seen == [(100, 3, 4), (101, 4, 5), (102, 5, 6)]


def test_axeras_networks_get_what_is_documented(tmp_path: Path, npu: Any) -> None:
    """The sizes of the third version: 128 bands, and Cantonese among the languages."""
    size, own, cross = 51866, (4, 1, 448, 16), (4, 1, 1500, 16)
    prompt = [50258, 50260, 50360, 50364]
    fed: list[int] = []

    def encode(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
        fed.clear()
        assert feeds["mel"].shape == (1, 128, 3000)
        return [np.full(cross, value, np.float32) for value in (1, 2)]

    def decode(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
        offset = len(fed)
        assert feeds["offset"].tolist() == [offset]
        assert np.array_equal(feeds["mask"], np.arange(448) >= offset)
        for name, first in (("self_k", 1), ("self_v", 1001)):
            rows = feeds[name][3, 0, :, 7]
            assert rows[:offset].tolist() == [first + i for i in range(offset)]
            assert not rows[offset:].any()
        assert (feeds["cross_k"][0, 0, 0, 0], feeds["cross_v"][0, 0, 0, 0]) == (1, 2)
        fed.append(int(feeds["token"][0, 0]))
        token = 50260 if offset == 0 else script(offset - 3) if offset >= 3 else 7
        new = [np.full((4, 1, 1, 16), first + offset, np.float32) for first in (1, 1001)]
        return [one_hot(token, size), *new]

    place = tmp_path / "turbo"
    keys: list[Sizes] = [("cross_k", np.float32, cross), ("cross_v", np.float32, cross)]
    axfunction(
        place / "turbo-encoder.axmodel", encode, ([("mel", np.float32, (1, 128, 3000))], keys)
    )
    new: list[Sizes] = [("new_k", np.float32, (4, 1, 1, 16)), ("new_v", np.float32, (4, 1, 1, 16))]
    axfunction(
        place / "turbo-decoder.axmodel",
        decode,
        (
            [
                ("token", np.int32, (1, 1)),
                ("self_k", np.float32, own),
                ("self_v", np.float32, own),
                *keys,
                ("offset", np.int32, (1,)),
                ("mask", np.int32, (448,)),
            ],
            [("logits", np.float32, (1, 1, size)), *new],
        ),
    )
    config = {
        "n_mels": 128,
        "sot": 50258,
        "eot": 50257,
        "blank_id": 220,
        "no_timestamps": 50364,
        "no_speech": 50363,
        "translate": 50359,
        "transcribe": 50360,
        "n_vocab": size,
        "n_text_ctx": 448,
        "n_text_state": 16,
        "n_text_layer": 4,
        "is_multilingual": True,
        "all_language_tokens": "50259,50260,50358",
        "all_language_codes": "en,zh,yue",
    }
    (place / "turbo_config.json").write_text(json.dumps(config))
    write_words(place / "turbo-tokens.txt")
    engine = AxWhisper(model=LocalModel(name="turbo", path=place, options={"size": "turbo"}))
    assert engine.info.models[0].languages == ("en", "yue", "zh")
    engine.load()
    heard = engine.recognize(sound(LIGHT.tone, 1 / 2), RecognitionRequest())
    engine.close()
    assert (heard.text, heard.language) == ("word100 word101 word102", "zh")
    assert fed == [*prompt, *WORDS]


def test_the_table_of_positions_stays_on_disk(stackflow: Path, npu: Any) -> None:
    from wyoming_units.engines._axengine_whisper_files import read_positions

    path = stackflow / "whisper-tiny" / "tiny-positional_embedding.bin"
    table = read_positions(path, 448, path.stat().st_size // 4 // 448)
    assert isinstance(table, np.memmap)
    assert np.array_equal(table, spoken_weights().positions)
