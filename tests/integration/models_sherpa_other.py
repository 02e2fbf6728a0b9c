"""Small ONNX models for sherpa-onnx: Whisper, speakers, punctuation, and ones that do nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.integration.onnx_graphs import BANDS, floats, indices, integers, save
from wyoming_units.engines.base import RATE


def whisper(folder: Path) -> Path:
    """Write a Whisper model that says "hello" or "hallo" for each recording, and takes all for German."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        "hello",
        "hallo",
        "eot",
        "sot",
        "en",
        "de",
        "transcribe",
        "translate",
        "no_timestamps",
        "no_speech",
        "blank",
    ]
    number = {name: at for at, name in enumerate(names)}
    lines = [
        f"{base64.b64encode(f' {name}'.encode()).decode()} {at}\n" for name, at in number.items()
    ]
    (folder / "tiny-tokens.txt").write_text("".join(lines), "ascii")
    encoder = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["mel"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "axes"], ["n_layer_cross_k"]),
            helper.make_node("Identity", ["n_layer_cross_k"], ["n_layer_cross_v"]),
        ],
        "encoder",
        [floats("mel", ["N", BANDS, "T"])],
        [floats(name, [1, "N", "T", 1]) for name in ("n_layer_cross_k", "n_layer_cross_v")],
        [indices("axes", [0, 3])],
    )
    metadata = {
        "model_type": "whisper-tiny",
        "n_mels": BANDS,
        "n_text_layer": 1,
        "n_text_ctx": 20,
        "n_text_state": 1,
        "n_vocab": len(names),
        "is_multilingual": 1,
        "sot_sequence": f"{number['sot']},{number['en']},{number['transcribe']}",
        "all_language_tokens": f"{number['en']},{number['de']}",
        "all_language_codes": "en,de",
        "blank_id": number["blank"],
        **{name: number[name] for name in names[2:] if name not in ("en", "de", "blank")},
    }
    save(folder / "tiny-encoder.onnx", encoder, metadata)
    next_is = np.zeros((len(names), len(names)), np.float32)
    follows = {"en": "hello", "de": "hallo", "hello": "eot", "hallo": "eot"}
    for name, after in follows.items():
        next_is[number[name], number[after]] = 1
    next_is[number["sot"], number["de"]] = 0.5
    caches = ("self_k_cache", "self_v_cache")
    decoder = helper.make_graph(
        [
            helper.make_node("Gather", ["next_is", "tokens"], ["each"]),
            helper.make_node("ReduceSum", ["each", "axis"], ["logits"], keepdims=1),
            *(
                helper.make_node("Identity", [f"in_n_layer_{name}"], [f"out_n_layer_{name}"])
                for name in caches
            ),
        ],
        "decoder",
        [
            integers("tokens", ["N", "n"]),
            *(floats(f"in_n_layer_{name}", [1, "N", 20, 1]) for name in caches),
            *(floats(f"n_layer_cross_{name}", [1, "N", "T", 1]) for name in "kv"),
            integers("offset", [1]),
        ],
        [
            floats("logits", ["N", "m", len(names)]),
            *(floats(f"out_n_layer_{name}", [1, "N", 20, 1]) for name in caches),
        ],
        [numpy_helper.from_array(next_is, "next_is"), indices("axis", [1])],
    )
    save(folder / "tiny-decoder.onnx", decoder, {})
    return folder


def speaker(folder: Path) -> Path:
    """Write a speaker embedding model that knows a voice by its tones."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["x", "quiet"], ["above"]),
            helper.make_node("Relu", ["above"], ["heard"]),
            helper.make_node("ReduceMean", ["heard"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Add", ["mean", "little"], ["embedding"]),
        ],
        "speaker",
        [floats("x", ["N", "T", BANDS])],
        [floats("embedding", ["N", BANDS])],
        [
            numpy_helper.from_array(np.array(-4, np.float32), "quiet"),
            numpy_helper.from_array(np.array(1e-3, np.float32), "little"),
        ],
    )
    metadata = {
        "framework": "wespeaker",
        "language": "English",
        "output_dim": BANDS,
        "sample_rate": RATE,
        "normalize_samples": 1,
    }
    save(folder / "model.onnx", graph, metadata)
    return folder


def ct_transformer(folder: Path) -> Path:
    """Write a punctuation model: a comma after "kitchen" and 厨房, a question mark after "on" and 吗."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ("<unk>", "kitchen", "房", "on", "吗")
    marks = ("<unk>", "_", "，", "。", "？", "、")
    table = np.zeros((len(tokens), len(marks)), np.float32)
    table[range(len(tokens)), [1, 2, 2, 4, 4]] = 1
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "inputs"], ["logits"])],
        "punctuation",
        [
            integers("inputs", ["N", "T"], TensorProto.INT32),
            integers("text_lengths", ["N"], TensorProto.INT32),
        ],
        [floats("logits", ["N", "T", len(marks)])],
        [numpy_helper.from_array(table, "table")],
    )
    metadata = {
        "tokens": "|".join(tokens),
        "vocab_size": len(tokens),
        "punctuations": "|".join(marks),
        "unk_symbol": "<unk>",
    }
    save(folder / "model.onnx", graph, metadata)
    return folder


def described(path: Path, metadata: Mapping[str, object]) -> None:
    """Write a network that does nothing but tell what it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "nothing",
        [floats("x", ["N", 9])],
        [floats("y", ["N", 9])],
    )
    save(path, graph, metadata)
