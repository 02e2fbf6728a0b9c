"""Small ONNX models for sherpa-onnx that recognise tones: eight frequencies are eight words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.integration.onnx_graphs import BANDS, floats, indices, integers, save
from wyoming_units.engines.base import RATE, Audio

WORDS = ("ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL")
_TOKENS = ("<blk>", *(f"▁{word}" for word in WORDS))
_LISTENS = tuple(range(24, 24 + 6 * len(WORDS), 6))
"""The mel band of each word."""
_LOUD = -4.0
"""Log energy that tells a tone from silence."""
_CHUNK = 32
_SUBSAMPLING = 4


def _mel(hertz: float) -> float:
    return 1127 * float(np.log(1 + hertz / 700))


def frequency(word: str) -> float:
    """Return the tone of a word, in Hz: the centre of its mel band between 20 and 7 600 Hz."""
    low, high = _mel(20), _mel(RATE / 2 - 400)
    mel = low + (high - low) * (_LISTENS[WORDS.index(word)] + 1) / (BANDS + 1)
    return 700 * float(np.exp(mel / 1127) - 1)


def speech(words: str, *, tone: float = 0.16, pause: float = 0.16) -> Audio:
    """Return tones for words of `WORDS`, each followed by a pause."""
    time = np.arange(int(tone * RATE)) / RATE
    gap = np.zeros(int(pause * RATE))
    parts = [gap]
    for word in words.upper().split():
        parts += [0.3 * np.sin(2 * np.pi * frequency(word) * time), gap]
    return np.concatenate(parts).astype(np.float32)


def write_tokens(folder: Path, tokens: Sequence[str] = _TOKENS) -> None:
    """Write tokens.txt."""
    lines = [f"{token} {number}\n" for number, token in enumerate(tokens)]
    (folder / "tokens.txt").write_text("".join(lines), "utf-8")


def _listener(width: int = 0) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return nodes that turn "frames" (N, T, 80) into "energies" and "log_probs" (N, T, words + 1).

    `width` adds that many numbers of useless work per frame, to make the model as heavy as a real one.
    """
    rng = np.random.default_rng(1)
    project = np.zeros((BANDS, len(_TOKENS)), np.float32)
    project[_LISTENS, range(1, len(_TOKENS))] = 1
    bias = np.zeros(len(_TOKENS), np.float32)
    bias[0] = _LOUD
    nodes = [
        helper.make_node("MatMul", ["frames", "project"], ["energies"]),
        helper.make_node("Add", ["energies", "bias"], ["scores"]),
    ]
    weights = {"project": project, "bias": bias}
    scores = "scores"
    if width:
        weights |= {
            "into": rng.normal(size=(BANDS, width)).astype(np.float32) * np.float32(0.01),
            "turn": rng.normal(size=(width, width)).astype(np.float32) * np.float32(0.01),
            "out": np.full((width, len(_TOKENS)), 1e-12, np.float32),
        }
        nodes += [
            helper.make_node("MatMul", ["frames", "into"], ["h0"]),
            *(
                node
                for layer in range(8)
                for node in (
                    helper.make_node("MatMul", [f"h{layer}", "turn"], [f"m{layer}"]),
                    helper.make_node("Tanh", [f"m{layer}"], [f"h{layer + 1}"]),
                )
            ),
            helper.make_node("MatMul", ["h8", "out"], ["nothing"]),
            helper.make_node("Add", ["scores", "nothing"], ["sum"]),
        ]
        scores = "sum"
    nodes.append(helper.make_node("LogSoftmax", [scores], ["log_probs"], axis=-1))
    return nodes, [numpy_helper.from_array(value, name) for name, value in weights.items()]


_LENGTH = _CHUNK + 13
_LAYER = {
    "encoder_dims": 4,
    "query_head_dims": 1,
    "value_head_dims": 1,
    "num_heads": 1,
    "num_encoder_layers": 1,
    "cnn_module_kernels": 3,
    "left_context_len": 1,
    "model_type": "zipformer2",
    "T": _LENGTH,
    "decode_chunk_len": _CHUNK,
}
"""A Zipformer of one empty layer, whose states go through it."""


def _streaming(output: str, width: int = 0) -> onnx.GraphProto:
    """Return a graph that takes chunks of features and states, and writes `output` and new states."""
    states = [
        floats("cached_key", [1, "N", 1]),
        floats("cached_nonlin_attn", [1, "N", 1, 3]),
        floats("cached_val1", [1, "N", 1]),
        floats("cached_val2", [1, "N", 1]),
        floats("cached_conv1", ["N", 4, 1]),
        floats("cached_conv2", ["N", 4, 1]),
        floats("embed_states", ["N", 128, 3, 19]),
        integers("processed_lens", ["N"]),
    ]
    nodes, weights = _listener(width)
    pass_on = [helper.make_node("Identity", [s.name], [f"new_{s.name}"]) for s in states]
    new_states = [onnx.ValueInfoProto.FromString(s.SerializeToString()) for s in states]
    for state in new_states:
        state.name = f"new_{state.name}"
    return helper.make_graph(
        [
            helper.make_node("Slice", ["x", "begin", "end", "axis", "step"], ["frames"]),
            *nodes,
            *pass_on,
        ],
        "tones",
        [floats("x", ["N", _LENGTH, BANDS]), *states],
        [floats(output, ["N", _CHUNK // _SUBSAMPLING, len(_TOKENS)]), *new_states],
        [
            *weights,
            indices("begin", [6]),
            indices("end", [6 + _CHUNK]),
            indices("axis", [1]),
            indices("step", [_SUBSAMPLING]),
        ],
    )


def streaming_ctc(folder: Path, *, width: int = 0, without: str = "") -> Path:
    """Write a streaming Zipformer2 CTC model, if wanted `without` one key of its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokens(folder)
    metadata = {key: value for key, value in _LAYER.items() if key != without}
    save(folder / "model.onnx", _streaming("log_probs", width), metadata)
    return folder


def streaming_transducer(folder: Path) -> Path:
    """Write a streaming Zipformer2 transducer, see `_transducer`."""
    return _transducer(folder, _streaming("energies"), _LAYER)


def offline_transducer(folder: Path) -> Path:
    """Write a Zipformer transducer for whole recordings, see `_transducer`."""
    encoder = _whole_recording("energies", "encoder_out_lens")
    return _transducer(folder, encoder, {"model_type": "zipformer2"})


def _transducer(folder: Path, encoder: onnx.GraphProto, metadata: Mapping[str, object]) -> Path:
    """Write a transducer whose words are also spelled by letters.

    It takes ALPHA and BRAVO for the same sound, ALPHA being a little likelier.
    """
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(letter) for letter in range(ord("A"), ord("Z") + 1)]
    write_tokens(folder, (*_TOKENS, *letters))
    pieces = [*((token, -1) for token in _TOKENS[1:]), *((letter, -9) for letter in letters)]
    vocabulary = "".join(f"{piece}\t{score}\n" for piece, score in pieces)
    (folder / "bpe.vocab").write_text(vocabulary, "utf-8")
    for weight in encoder.initializer:
        if weight.name == "project":
            project = numpy_helper.to_array(weight).copy()
            project[:, 2] = 0.95 * project[:, 1]
            weight.CopyFrom(numpy_helper.from_array(project, "project"))
    save(folder / "encoder.onnx", encoder, metadata)
    count = len(_TOKENS)
    # A word that was just written is not written again for the next frame of the same tone.
    said = np.zeros((count, count), np.float32)
    np.fill_diagonal(said[1:, 1:], -1e3)
    said[1:3, 1:3] = -1e3
    decoder = helper.make_graph(
        [
            helper.make_node("Slice", ["y", "begin", "end", "axis"], ["last"]),
            helper.make_node("Squeeze", ["last", "axis"], ["word"]),
            helper.make_node("Gather", ["said", "word"], ["decoder_out"]),
        ],
        "decoder",
        [integers("y", ["N", 2])],
        [floats("decoder_out", ["N", count])],
        [
            numpy_helper.from_array(said, "said"),
            indices("begin", [1]),
            indices("end", [2]),
            indices("axis", [1]),
        ],
    )
    save(folder / "decoder.onnx", decoder, {"vocab_size": count, "context_size": 2})
    joiner = helper.make_graph(
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        "joiner",
        [floats("encoder_out", ["N", count]), floats("decoder_out", ["N", count])],
        [floats("logit", ["N", count])],
    )
    save(folder / "joiner.onnx", joiner, {"joiner_dim": count})
    return folder


def _whole_recording(output: str, lengths: str, width: int = 0) -> onnx.GraphProto:
    """Return a graph that takes all features of recordings and writes `output` and its `lengths`."""
    nodes, weights = _listener(width)
    return helper.make_graph(
        [
            helper.make_node("Slice", ["x", "begin", "end", "axis", "step"], ["frames"]),
            *nodes,
            helper.make_node("Add", ["x_lens", "three"], ["more"]),
            helper.make_node("Div", ["more", "step"], [lengths]),
        ],
        "tones",
        [floats("x", ["N", "T", BANDS]), integers("x_lens", ["N"])],
        [floats(output, ["N", "U", len(_TOKENS)]), integers(lengths, ["N"])],
        [
            *weights,
            indices("begin", [0]),
            indices("end", [10_000_000]),
            indices("axis", [1]),
            indices("step", [_SUBSAMPLING]),
            indices("three", [3]),
        ],
    )


def offline_ctc(folder: Path, *, width: int = 0) -> Path:
    """Write a Zipformer CTC model for whole recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokens(folder)
    graph = _whole_recording("log_probs", "log_probs_lens", width)
    save(folder / "model.onnx", graph, {"model_type": "zipformer2_ctc"})
    return folder


_SENSE = ("<unk>", "<|en|>", "<|ja|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>")


def sense_voice(folder: Path) -> Path:
    """Write a SenseVoice model: it takes what has HOTEL in it for Japanese, all else for English."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ("<blk>", *(f"▁{word}" for word in WORDS), *_SENSE)
    write_tokens(folder, tokens)
    nodes, weights = _listener()
    blank, told = len(_TOKENS), len(tokens)
    tags = np.full((4, told), -30, np.float32)
    tags[range(1, 4), range(blank + 3, blank + 6)] = 0
    languages = np.full((1, told), -30, np.float32)
    languages[0, blank + 1 : blank + 3] = -2, 0
    hears_japanese = np.zeros((blank, told), np.float32)
    hears_japanese[blank - 1, blank + 2] = 1
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["x", "begin", "end", "axis"], ["frames"]),
            *nodes,
            helper.make_node("Pad", ["log_probs", "room", "low"], ["words"]),
            # The first of four tags is the language; it depends on the loudest moment of a word.
            helper.make_node("ReduceMax", ["log_probs"], ["heard"], axes=[1], keepdims=1),
            helper.make_node("MatMul", ["heard", "hears_japanese"], ["japanese"]),
            helper.make_node("Add", ["japanese", "languages"], ["language_tag"]),
            helper.make_node("Slice", ["tags", "one", "four", "zero"], ["constant_tags"]),
            helper.make_node("Unsqueeze", ["constant_tags", "zero"], ["more_tags"]),
            helper.make_node("Shape", ["language_tag"], ["shape"]),
            helper.make_node("Slice", ["shape", "zero", "one", "zero"], ["batch"]),
            helper.make_node("Concat", ["batch", "three", "told"], ["tag_shape"], axis=0),
            helper.make_node("Expand", ["more_tags", "tag_shape"], ["other_tags"]),
            helper.make_node("Concat", ["language_tag", "other_tags", "words"], ["logits"], axis=1),
        ],
        "tones",
        [
            floats("x", ["N", "T", 7 * BANDS]),
            *(integers(n, ["N"], TensorProto.INT32) for n in ("x_length", "language", "text_norm")),
        ],
        [floats("logits", ["N", "U", told])],
        [
            *weights,
            indices("begin", [3 * BANDS]),
            indices("end", [4 * BANDS]),
            indices("axis", [2]),
            indices("room", [0, 0, 0, 0, 0, told - blank]),
            numpy_helper.from_array(np.array(-30, np.float32), "low"),
            numpy_helper.from_array(hears_japanese, "hears_japanese"),
            numpy_helper.from_array(languages[None], "languages"),
            numpy_helper.from_array(tags, "tags"),
            indices("zero", [0]),
            indices("one", [1]),
            indices("three", [3]),
            indices("four", [4]),
            indices("told", [told]),
        ],
    )
    metadata = {
        "vocab_size": told,
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
        "normalize_samples": 1,
        "with_itn": 14,
        "without_itn": 15,
        "lang_auto": 0,
        "lang_zh": 3,
        "lang_en": 4,
        "lang_yue": 7,
        "lang_ja": 11,
        "lang_ko": 12,
        "neg_mean": ",".join(["0"] * 7 * BANDS),
        "inv_stddev": ",".join(["1"] * 7 * BANDS),
    }
    save(folder / "model.onnx", graph, metadata)
    return folder
