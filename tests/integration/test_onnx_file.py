"""What an ONNX file says of itself is read without a runtime, and nothing that is in it can do harm."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("onnx")

import onnx

from tests.integration.models_sherpa import sense_voice, streaming_ctc
from tests.integration.models_sherpa_other import ct_transformer, described, speaker, whisper
from wyoming_units.engines._onnx_file import read_onnx, read_pieces
from wyoming_units.errors import EngineFailed


@pytest.mark.parametrize(
    ("write", "width"),
    [
        (streaming_ctc, 9),
        (sense_voice, 15),
        (speaker, 80),
        (ct_transformer, 6),
    ],
)
def test_a_file_tells_the_same_as_to_the_library_that_wrote_it(
    tmp_path: Path, write: Callable[[Path], Path], width: int
) -> None:
    path = write(tmp_path) / "model.onnx"
    model = onnx.load(str(path))

    summary = read_onnx(path)

    assert summary.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert summary.width == width


def test_an_axis_without_a_size_has_none(tmp_path: Path) -> None:
    whisper(tmp_path)
    encoder = read_onnx(tmp_path / "tiny-encoder.onnx")
    model = onnx.load(str(tmp_path / "tiny-encoder.onnx"))
    model.graph.output[0].type.tensor_type.shape.dim[3].dim_param = "S"
    onnx.save(model, str(tmp_path / "open.onnx"))

    assert encoder.width == 1
    assert read_onnx(tmp_path / "open.onnx").width is None


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    described(path, {"kind": "old"})
    assert read_onnx(path).metadata == {"kind": "old"}
    described(path, {"kind": "newer"})
    assert read_onnx(path).metadata == {"kind": "newer"}


def test_wherever_a_download_ends_it_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    described(path, {})  # no metadata: all of the graph is needed
    data = path.read_bytes()
    for length in range(len(data) - 8):  # the version of its operators comes last
        path.write_bytes(data[:length])
        with pytest.raises(EngineFailed) as told:
            read_onnx(path)
        assert "\n" not in str(told.value)


def test_what_is_damaged_is_an_error_or_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    ct_transformer(tmp_path)
    data = path.read_bytes()
    dice = random.Random(7)
    refused = 0
    for _ in range(500):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            read_onnx(path)
        except EngineFailed:
            refused += 1
    assert refused > 50


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match=r"none\.onnx cannot be read"):
        read_onnx(tmp_path / "none.onnx")
    with pytest.raises(EngineFailed, match="cannot be read"):
        read_onnx(tmp_path)


def test_pieces_of_sentencepiece_are_read(tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece")
    with (tmp_path / "bpe.model").open("wb") as file:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(["turn on the kitchen light", "打开厨房的灯"] * 20),
            model_writer=file,
            vocab_size=40,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    library = spm.SentencePieceProcessor(model_file=str(tmp_path / "bpe.model"))

    pieces = read_pieces(tmp_path / "bpe.model")

    assert [piece for piece, _ in pieces] == [
        library.id_to_piece(number) for number in range(len(library))
    ]
    assert [score for _, score in pieces] == [
        library.get_score(number) for number in range(len(library))
    ]
    (tmp_path / "bpe.model").write_bytes(b"<html>")
    with pytest.raises(EngineFailed, match="no SentencePiece model"):
        read_pieces(tmp_path / "bpe.model")
