"""Small ONNX voices for sherpa-onnx that hum: the sound's length tells how many tokens were spoken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 24_000
TOKEN = 2_400
"""Samples for each token."""
HERTZ = (200.0, 400.0)
"""What each of two speakers hums."""
_STYLE = 4

_Inputs = Sequence[tuple[str, int, Sequence[int | str]]]


def _voice(path: Path, inputs: _Inputs, hertz: str, metadata: Mapping[str, object]) -> None:
    """Write a graph whose first input is tokens (1, T), and which hums at what `hertz` (1,) holds."""
    tokens = inputs[0][0]
    nodes = [
        helper.make_node("Shape", [tokens], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Mul", ["count", "token"], ["samples"]),
        helper.make_node("Range", ["zero", "samples", "one"], ["at"]),
        helper.make_node("Cast", ["at"], ["time"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["time", "turn"], ["turns"]),
        helper.make_node("Mul", ["turns", hertz], ["phase"]),
        helper.make_node("Sin", ["phase"], ["sine"]),
        helper.make_node("Mul", ["sine", "soft"], ["audio"]),
    ]
    if hertz == "from_style":
        nodes.insert(0, helper.make_node("Gather", ["style", "zero"], ["first"], axis=1))
        nodes.insert(1, helper.make_node("Squeeze", ["first"], ["from_style"]))
    elif hertz == "from_sid":
        nodes.insert(0, helper.make_node("Gather", ["speakers", "sid"], ["from_sid"]))
    values = {
        "zero": np.array(0),
        "one": np.array(1),
        "token": np.array(TOKEN),
        "turn": np.array(2 * np.pi / RATE, np.float32),
        "soft": np.array(0.3, np.float32),
        "speakers": np.array(HERTZ, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "hum",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, kind, shape in inputs],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.save(model, str(path))


def _write_tokens(folder: Path, tokens: Sequence[str]) -> None:
    lines = [f"{token} {number}\n" for number, token in enumerate(tokens)]
    (folder / "tokens.txt").write_text("".join(lines), "utf-8")


def styled(folder: Path, family: str) -> Path:
    """Write a Kokoro or Kitten voice with two speakers; their styles are the tones that they hum."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = 64 if family == "kokoro" else 1
    shape = f"{rows},1,{_STYLE}" if family == "kokoro" else f"1,{_STYLE}"
    _voice(
        folder / "model.onnx",
        [
            ("tokens" if family == "kokoro" else "input_ids", TensorProto.INT64, [1, "T"]),
            ("style", TensorProto.FLOAT, [1, _STYLE]),
            ("speed", TensorProto.FLOAT, [1]),
        ],
        "from_style",
        {
            "model_type": {"kitten": "kitten-tts"}.get(family, family),
            "language": "English",
            "has_espeak": 1,
            "sample_rate": RATE,
            "version": 1,
            "voice": "en-us",
            "style_dim": shape,
            "n_speakers": 2,
            "speaker_names": "low,high",
        },
    )
    styles = np.zeros((2, rows, _STYLE), np.float32)
    styles[:, :, 0] = np.array(HERTZ)[:, None]
    (folder / "voices.bin").write_bytes(styles.tobytes())
    _write_tokens(folder, ("$", *" ,.abcdefghijklmnopqrstuvwxyzˈˌːəɛɪʊɹðŋ"))
    return folder


def lexicon_vits(folder: Path) -> Path:
    """Write a VITS voice with two speakers that knows three words."""
    folder.mkdir(parents=True, exist_ok=True)
    _voice(
        folder / "model.onnx",
        [
            ("x", TensorProto.INT64, [1, "T"]),
            ("x_length", TensorProto.INT64, [1]),
            ("noise_scale", TensorProto.FLOAT, [1]),
            ("length_scale", TensorProto.FLOAT, [1]),
            ("noise_scale_w", TensorProto.FLOAT, [1]),
            ("sid", TensorProto.INT64, [1]),
        ],
        "from_sid",
        {
            "model_type": "vits",
            "comment": "hum",
            "language": "English",
            "add_blank": 0,
            "sample_rate": RATE,
            "n_speakers": 2,
            "punctuation": "",
        },
    )
    _write_tokens(folder, ("_", "a", "b", "c", ",", ".", " "))
    (folder / "lexicon.txt").write_text("one a b\ntwo b c a\nthree c\n", "utf-8")
    return folder


def piper_pair(folder: Path) -> Path:
    """Write a Piper voice with two speakers, and no metadata in its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "en_GB-pair-low.onnx"
    _voice(
        path,
        [
            ("input", TensorProto.INT64, [1, "T"]),
            ("input_lengths", TensorProto.INT64, [1]),
            ("scales", TensorProto.FLOAT, [3]),
            ("sid", TensorProto.INT64, [1]),
        ],
        "from_sid",
        {},
    )
    sounds = "_^$ ,.abcdefghijklmnopqrstuvwxyzˈˌːəɛɪʊɹðŋ"
    config = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-gb-x-rp"},
        "language": {"code": "en_GB"},
        "num_symbols": len(sounds),
        "num_speakers": 2,
        "speaker_id_map": {"high": 1, "low": 0},
        "phoneme_id_map": {sound: [number] for number, sound in enumerate(sounds)},
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(config), "utf-8")
    return path
