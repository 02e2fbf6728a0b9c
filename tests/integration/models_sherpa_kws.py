"""A small keyword spotting model for sherpa-onnx that hears tones, and the files that tell how it spells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tests.integration.models_sherpa import WORDS, streaming_transducer, write_tokens

_LOUD = 4.0
"""Log energy that a tone has in its own band, and in no other: between tones there is nothing but silence."""

PHONES = {"hey": "HH EY1", "jarvis": "JH AA1 R V IH0 S"}
SYLLABLES = ("x", "iǎo", "ài", "t", "óng", "ué", "zh", "ōng")


def keyword_spotter(folder: Path, tokens: Sequence[str] = ()) -> Path:
    """Write a model that hears the tones of `WORDS` as `tokens`, or else as pieces of a SentencePiece model."""
    streaming_transducer(folder)
    with _weight(folder / "encoder.onnx", "project") as project:
        project[:, 2] = 0  # BRAVO, which it would take for ALPHA
        project[30, 2] = 1
    with _weight(folder / "decoder.onnx", "said") as said:
        said[:, 0] = _LOUD
        said[1, 2] = said[2, 1] = 0
    if tokens:
        write_tokens(folder, ("<blk>", *tokens))
    else:
        _write_pieces(folder / "bpe.model")
    return folder


@contextmanager
def _weight(path: Path, name: str) -> Iterator[NDArray[np.float32]]:
    """Lend a weight of a model to be changed."""
    model = onnx.load(str(path))
    (weight,) = (weight for weight in model.graph.initializer if weight.name == name)
    values = numpy_helper.to_array(weight).copy()
    yield values
    weight.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, str(path))


def _write_pieces(path: Path) -> None:
    """Train a SentencePiece model whose pieces are `WORDS`."""
    from sentencepiece import SentencePieceTrainer

    with path.open("wb") as file:
        SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(WORDS)]),
            model_writer=file,
            model_type="word",
            vocab_size=len(WORDS) + 3,  # and <unk>, <s>, </s>
            minloglevel=2,
        )
