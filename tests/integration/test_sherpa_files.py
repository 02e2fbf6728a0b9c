"""Files of sherpa-onnx models: which family they are, and what is wrong with them, before anything is loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from tests.integration.models_sherpa import streaming_ctc, write_tokens
from tests.integration.models_sherpa_other import described
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._sherpa import find_model
from wyoming_units.engines.sherpa_streaming import FAMILIES, SherpaStreamingRecognizer
from wyoming_units.errors import EngineFailed

THREE = ("encoder", "decoder", "joiner")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streaming_ctc(tmp_path_factory.mktemp("models") / "tones")


def copy(files: Path, folder: Path) -> Path:
    shutil.copytree(files, folder / "copy")
    return folder / "copy"


def broken(path: Path, **options: object) -> str:
    """Return what is told of a model that cannot be used."""
    with pytest.raises(EngineFailed) as told:
        SherpaStreamingRecognizer(model=LocalModel(name="tones", path=path, options=options))
    assert "\n" not in str(told.value)
    return str(told.value)


def test_a_missing_file_is_named(files: Path, tmp_path: Path) -> None:
    folder = copy(files, tmp_path)
    assert "no model at" in broken(tmp_path / "nowhere")
    (folder / "tokens.txt").unlink()
    assert broken(folder) == f"{folder}/tokens.txt is missing"
    (folder / "model.onnx").unlink()
    assert broken(folder).endswith(
        f"no known kind of model in {folder}: nemo_ctc needs model.*onnx"
    )
    described(folder / "encoder.onnx", {})
    described(folder / "decoder.onnx", {})
    assert broken(folder, family="transducer").endswith("transducer needs *joiner*.onnx")
    assert "encoder.onnx is none of paraformer" in broken(folder)
    assert "tones.onnx is missing" in broken(folder, files={"model": "tones.onnx"}, family="ctc")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"<html>404</html>", "is no ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no ONNX file"),
    ],
)
def test_a_file_that_is_no_model_is_named(
    files: Path, tmp_path: Path, content: bytes, told: str
) -> None:
    folder = copy(files, tmp_path)
    (folder / "model.onnx").write_bytes(content)

    assert broken(folder) == f"{folder}/model.onnx {told}"


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_download_that_was_cut_off_is_named(files: Path, tmp_path: Path, share: float) -> None:
    folder = copy(files, tmp_path)
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: int(share * len(data))])

    assert broken(folder) == f"{folder}/model.onnx is cut off; download it again"


def test_tokens_of_another_model_are_named(files: Path, tmp_path: Path) -> None:
    folder = copy(files, tmp_path)
    write_tokens(folder, ("<blk>", "a", "b"))
    assert "tokens.txt has 3 tokens, but model.onnx writes 9" in broken(folder)
    (folder / "tokens.txt").write_text("<blk> 0\nno number\n", "utf-8")
    assert "line 2: a token and its number" in broken(folder)
    (folder / "tokens.txt").write_bytes(b"\xff\xfe")
    assert "tokens.txt cannot be read" in broken(folder)


def test_a_family_that_is_not_there_is_named(files: Path) -> None:
    assert "no family is called 'conformer'; there are: transducer" in broken(
        files, family="conformer"
    )
    assert "transducer needs" in broken(files, family="transducer")


@pytest.mark.parametrize(
    ("family", "roles", "key"),
    [
        ("transducer", THREE, "decode_chunk_len"),
        ("transducer", THREE, "chunk_shift"),
        ("paraformer", THREE[:2], "encoder_output_size"),
        ("zipformer2_ctc", ("model",), "decode_chunk_len"),
        ("nemo_ctc", ("model",), "chunk_shift"),
        ("wenet_ctc", ("model",), "right_context"),
        ("t_one_ctc", ("model",), "frame_length_ms"),
    ],
)
def test_the_kind_of_a_model_is_told_by_its_files(
    tmp_path: Path, family: str, roles: tuple[str, ...], key: str
) -> None:
    inside = tmp_path / "archive" / "model-2026"
    for role in roles:
        for kind in (".int8", "", ".fp16"):
            described(inside / f"{role}-epoch-99{kind}.onnx", {key: "32"})
    write_tokens(inside)

    found = find_model(LocalModel(name="m", path=tmp_path / "archive"), FAMILIES)
    on_gpu = LocalModel(name="m", path=inside, options={"provider": "cuda", "family": family})

    assert found.name == family
    assert found.files == {
        **{role: inside / f"{role}-epoch-99.int8.onnx" for role in roles},
        "tokens": inside / "tokens.txt",
    }
    assert find_model(on_gpu, FAMILIES).files[roles[0]].name == f"{roles[0]}-epoch-99.onnx"


def test_a_model_may_be_given_by_its_only_file(files: Path) -> None:
    found = find_model(LocalModel(name="m", path=files / "model.onnx"), FAMILIES)

    assert found.files == {"model": files / "model.onnx", "tokens": files / "tokens.txt"}


def test_a_model_for_whole_recordings_is_refused(tmp_path: Path) -> None:
    for role in THREE:
        described(tmp_path / f"{role}.onnx", {"model_type": "zipformer2"})
    write_tokens(tmp_path)

    assert "encoder.onnx is none of transducer" in broken(tmp_path)
