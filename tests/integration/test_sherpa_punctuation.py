"""Punctuation by sherpa-onnx, on a small model that knows where marks belong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from tests.integration.models_sherpa_other import ct_transformer, described
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._sherpa import find_model
from wyoming_units.engines.sherpa_punctuation import FAMILIES, SherpaPunctuator
from wyoming_units.errors import EngineFailed


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SherpaPunctuator]:
    folder = ct_transformer(tmp_path_factory.mktemp("models") / "punctuation")
    engine = SherpaPunctuator(model=LocalModel(name="marks", path=folder))
    engine.load()
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("in the kitchen is a light on", "In the kitchen, is a light on?"),
        ("turn off the light", "Turn off the light."),
        ("is it on it is off", "Is it on? It is off."),
        ("厨房灯开了吗", "厨房，灯开了吗？"),
        ("打开TV", "打开TV。"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_marks_and_capitals_are_those_of_the_script(
    engine: SherpaPunctuator, spoken: str, written: str
) -> None:
    assert engine.punctuate(spoken) == written


@pytest.mark.parametrize("text", ["In the kitchen, please.", "开灯。", "Is it on?", "done."])
def test_text_that_has_punctuation_stays_as_it_is(engine: SherpaPunctuator, text: str) -> None:
    assert engine.punctuate(text) == text


@pytest.mark.parametrize(
    "text",
    ["Set it to 21.5 degrees", "Don't  wait", "A/B, C-D_e #1 @x", "Zoë's ☕ 50%", "调到21.5度"],
)
def test_nothing_but_marks_is_added(engine: SherpaPunctuator, text: str) -> None:
    assert engine.punctuate(text).rstrip(".。") == text


def test_a_model_must_be_loaded(tmp_path: Path) -> None:
    engine = SherpaPunctuator(model=LocalModel(name="marks", path=ct_transformer(tmp_path)))

    with pytest.raises(EngineFailed, match="marks is not loaded"):
        engine.punctuate("hello")


def test_a_model_on_which_the_library_exits_is_an_error(tmp_path: Path) -> None:
    described(tmp_path / "model.onnx", {"punctuations": "a|b", "tokens": "x|y", "vocab_size": 3})
    bad = SherpaPunctuator(model=LocalModel(name="bad", path=tmp_path))

    with pytest.raises(EngineFailed, match=r"cannot load bad: tokens.size\(\) 2 != vocab_size 3"):
        bad.load()


def test_the_kind_of_a_model_is_told_by_its_files(tmp_path: Path) -> None:
    described(tmp_path / "model.onnx", {"COMMA": 1, "MIX_CASE": 3})
    model = LocalModel(name="english", path=tmp_path)
    with pytest.raises(EngineFailed, match=r"cnn_bilstm needs bpe\.vocab"):
        SherpaPunctuator(model=model)
    (tmp_path / "bpe.vocab").write_text("a\t0\n", "utf-8")

    assert find_model(model, FAMILIES).name == "cnn_bilstm"
    assert SherpaPunctuator(model=model).info.models[0].languages == ("en",)
