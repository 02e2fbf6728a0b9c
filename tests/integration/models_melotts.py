"""Small MeloTTS voices: an encoder that writes down what it was given, and a decoder that hears its surroundings.

Each token lasts `FRAMES` frames at the usual speed; channels of a frame hold what `CHANNELS` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.integration.onnx_graphs import floats, integers, save
from tests.npu import axmodel

FRAMES = 4
CHANNELS = ("phone", "tone", "language", "noise_scale", "noise_scale_w", "sdp_ratio", "bert")
WIDTH, SIZE, HOP = 192, 128, 512
RATE = 44_100
CUT = 100
"""Samples that the encoder says are too many at the end."""
AROUND = 4
"""Frames that the decoder hears before and after each."""

TOKENS = {
    "en": ("_", "AA", "ah", "b", "eh", "er", "hh", "iy", "l", "n", "ow", "r", "s", "t", "v", "w", "y", "d", "k",
           "!", "?", "…", ",", ".", "'", "-", "SP", "UNK"),
    "es": ("_", "a", "e", "i", "o", "l", "n", "s", "t", "u", "θ", "k", "d", "β", "¿", "¡", "!", "?", ",", "."),
    "jp": ("_", "a", "e", "i", "k", "N", "n", "o", "r", "d", "sh", "s", "t", "w", "!", "?", ",", "."),
    "zh": ("_", "d", "k", "eng", "ai", "a", "i", "ie", "ng", "n", "h", "b", "p", "l", "ay", "t", "!", "?", ",", "."),
}  # fmt: skip
"""By what the files are called; a token's number is its place."""
LEXICONS = {
    "en": (
        "hello hh ah l ow 7 8 7 9",
        "there v eh r 7 9 7",
        "two t iy 7 9",
        "one w ah n 7 9 7",
        "light l ah t 7 9 7",
        "lights l ah t s 7 9 7 7",
        "don't d ow n t 7 9 7 7",
        "a ah 8",
        "a. eh iy 9 8",
        "b. b iy 7 9",
        "b b iy 7 8",
    ),
    "es": ("hola o l a 1 0 0", "luz l u θ 0 1 0", "está e s t a 0 0 0 1", "dos d o s 0 1 0", "uno u n o 1 0 0"),
    "jp": ("電気 d e N k i 0 1 1 1 1", "電 d e N 0 0 0", "です d e s 0 1 0", "を o 0", "二 n i 0 1", "ト t o 0 0"),
    "zh": ("开灯 k ai d eng 1 1 1 1", "开 k ai 1 1", "灯 d eng 1 1", "二 ie 4", "light l ay t 7 9 7"),
}  # fmt: skip
"""With the tones of StackFlow's own lists, but for Spanish and Japanese, whose tones begin at 0 here."""


def encoder(path: Path, *, bert: bool = False) -> Path:
    """Write an encoder for the processor."""
    lists, scales = ("phone", "tone", "language"), CHANNELS[3:6]
    inputs = [
        *(integers(name, ["T"], TensorProto.INT32) for name in lists),
        floats("g", [1, 256, 1]),
        *(floats(name, [1]) for name in (*scales, "length_scale")),
    ]
    if bert:
        inputs += [floats("bert", [1, 1024, "T"]), floats("ja_bert", [1, 768, "T"])]
    nodes = [
        helper.make_node("Shape", ["phone"], ["count"]),
        helper.make_node("Cast", ["count"], ["tokens"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["each", "length_scale"], ["long"]),
        helper.make_node("Mul", ["tokens", "long"], ["wanted"]),
        helper.make_node("Ceil", ["wanted"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["frames_1"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["frames_1"], ["frames"]),
        helper.make_node("Range", ["zero", "frames", "one"], ["at"]),
        helper.make_node("Cast", ["at"], ["place"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["place", "long"], ["token"]),
        helper.make_node("Cast", ["token"], ["which"], to=TensorProto.INT64),
    ]
    for name in lists:
        nodes += [
            helper.make_node("Gather", [name, "which"], [f"{name}_whole"]),
            helper.make_node("Cast", [f"{name}_whole"], [f"{name}_row"], to=TensorProto.FLOAT),
        ]
    for name in scales:
        nodes.append(helper.make_node("Expand", [name, "frames_1"], [f"{name}_row"]))
    if bert:
        nodes += [
            helper.make_node("Abs", ["bert"], ["bert_size"]),
            helper.make_node("Abs", ["ja_bert"], ["ja_bert_size"]),
            helper.make_node("ReduceSum", ["bert_size"], ["bert_sum"], keepdims=0),
            helper.make_node("ReduceSum", ["ja_bert_size"], ["ja_bert_sum"], keepdims=0),
            helper.make_node("Add", ["bert_sum", "ja_bert_sum"], ["heard"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["nothing"], ["heard"]))
    nodes += [
        helper.make_node("Expand", ["heard", "frames_1"], ["bert_row"]),
        helper.make_node("Concat", [f"{name}_row" for name in CHANNELS], ["flat"], axis=0),
        helper.make_node("Concat", ["rows", "frames_1"], ["table"], axis=0),
        helper.make_node("Reshape", ["flat", "table"], ["low"]),
        helper.make_node("Concat", ["other_rows", "frames_1"], ["others"], axis=0),
        helper.make_node("Expand", ["nothing_3", "others"], ["high"]),
        helper.make_node("Concat", ["low", "high"], ["z_p"], axis=1),
        helper.make_node("Mul", ["which", "zero"], ["pronoun_lens"]),
        helper.make_node("Mul", ["frames_1", "hop"], ["samples"]),
        helper.make_node("Sub", ["samples", "cut"], ["long_samples"]),
        helper.make_node("Cast", ["long_samples"], ["audio_len"], to=TensorProto.INT32),
    ]
    values = {
        "each": np.array([FRAMES], np.float32),
        "zero": np.array(0),
        "one": np.array(1),
        "nothing": np.array(0, np.float32),
        "nothing_3": np.zeros((1, 1, 1), np.float32),
        "rows": np.array([1, len(CHANNELS)]),
        "other_rows": np.array([1, WIDTH - len(CHANNELS)]),
        "hop": np.array([HOP]),
        "cut": np.array([CUT]),
    }
    outputs = [
        floats("z_p", [1, WIDTH, "N"]),
        integers("pronoun_lens", ["N"]),
        integers("audio_len", [1], TensorProto.INT32),
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in values.items()]
    save(path, helper.make_graph(nodes, "encoder", inputs, outputs, weights), {})
    return path


def as_ort(path: Path, ort: Path) -> None:
    """Write an ONNX file in the format of ONNX Runtime for small machines."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(ort)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def decoder(path: Path, frames: int = SIZE, *, loud: float = 0.05) -> Path:
    """Write a decoder, as an ONNX file, for so many frames at once."""
    random = np.random.default_rng(7)
    first = random.normal(0, 0.05, (16, WIDTH, 2 * AROUND + 1)).astype(np.float32)
    second = random.normal(0, loud, (HOP, 16, 1)).astype(np.float32)
    values = {
        "first": first,
        "second": second,
        "few": np.array(0.001, np.float32),
        "sound": np.array([1, 1, frames * HOP]),
    }
    nodes = [
        helper.make_node("ReduceSum", ["g"], ["who"], keepdims=0),
        helper.make_node("Mul", ["who", "few"], ["tint"]),
        helper.make_node("Conv", ["z_p", "first"], ["heard"], pads=[AROUND, AROUND]),
        helper.make_node("Add", ["heard", "tint"], ["tinted"]),
        helper.make_node("Tanh", ["tinted"], ["soft"]),
        helper.make_node("Conv", ["soft", "second"], ["frames"]),
        helper.make_node("Transpose", ["frames"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["turned", "sound"], ["audio"]),
    ]
    graph = helper.make_graph(
        nodes,
        "decoder",
        [floats("z_p", [1, WIDTH, frames]), floats("g", [1, 256, 1])],
        [floats("audio", [1, 1, frames * HOP])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, graph, {})
    return path


def speaker() -> NDArray[np.float32]:
    """Return the numbers of who speaks."""
    return np.linspace(-1, 2, 256, dtype=np.float32)


def lists(folder: Path, language: str, *, names: Mapping[str, str] | None = None) -> None:
    """Write the tokens and the words of a language."""
    names = names or {"tokens": "tokens.txt", "lexicon": "lexicon.txt"}
    tokens = "".join(f"{token} {number}\n" for number, token in enumerate(TOKENS[language]))
    (folder / names["tokens"]).write_text(tokens, "utf-8")
    (folder / names["lexicon"]).write_text("\n".join(LEXICONS[language]) + "\n", "utf-8")


def package(folder: Path, mode: str, language: str, **parameters: Any) -> Path:
    """Write a voice as StackFlow's Debian packages have it, and return the folder that is pulled."""
    own = folder / mode
    own.mkdir(parents=True, exist_ok=True)
    files = {
        "encoder": f"encoder-{language}.onnx",
        "decoder": f"decoder-{language}.axmodel",
        "gbin": f"g-{language}.bin",
        "tokens": f"tokens-{language}.txt",
        "lexicon": f"lexicon-{language}.txt",
    }
    encoder(own / files["encoder"])
    axmodel(own / files["decoder"], decoder(folder / "decoder.onnx"))
    speaker().tofile(own / files["gbin"])
    lists(own, language, names=files)
    told = {**files, "spacker_speed": 1.0, "mode_rate": RATE, "audio_rate": 16_000, **parameters}
    path = folder / "models" / f"mode_{mode}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"mode": mode, "type": "tts", "mode_param": told}))
    return folder


def published(folder: Path, language: str, *, bert: bool = False) -> Path:
    """Write a voice as it is published for axengine, with a decoder for another chip beside it."""
    (folder / "encoder-onnx").mkdir(parents=True)
    encoder(folder / "encoder-onnx" / f"encoder-{language}.onnx", bert=bert)
    network = decoder(folder / "decoder.onnx")
    axmodel(folder / "decoder-ax630c" / f"decoder-{language}.axmodel", network)
    axmodel(folder / "decoder-ax650" / f"decoder-{language}.axmodel", network.read_bytes()[:9])
    network.unlink()
    speaker().tofile(folder / ("g-zh_mix_en.bin" if language == "zh" else f"g-{language}.bin"))
    lists(folder, language)
    return folder


def whole(
    tokens: Sequence[Sequence[int]], scales: Mapping[str, float], folder: Path
) -> NDArray[np.float32]:
    """Return the sound of phones, tones and languages, computed in one go by ONNX Runtime."""
    import onnxruntime

    folder.mkdir(exist_ok=True)
    path = encoder(folder / "whole-encoder.onnx")
    names = ("phone", "tone", "language")
    feeds: dict[str, Any] = {
        name: np.array(values, np.int32) for name, values in zip(names, tokens, strict=True)
    }
    feeds |= {name: np.array([value], np.float32) for name, value in scales.items()}
    feeds["g"] = speaker().reshape(1, 256, 1)
    frames, _, samples = onnxruntime.InferenceSession(str(path)).run(None, feeds)
    network = decoder(folder / "whole-decoder.onnx", frames.shape[2])
    onnx.checker.check_model(str(network))
    (audio,) = onnxruntime.InferenceSession(str(network)).run(
        None, {"z_p": frames, "g": feeds["g"]}
    )
    return np.asarray(audio, np.float32).reshape(-1)[: int(samples[0])]
