"""The networks of a tiny Whisper for the NPU, in both layouts, around the same weights."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.integration.onnx_graphs import floats, integers, save
from tests.integration.whisper_weights import (
    AUDIO,
    BANDS,
    BLANK,
    CONTEXT,
    EOT,
    FRAMES,
    LANGUAGES,
    LAYERS,
    NO_SPEECH,
    NO_TIMESTAMPS,
    SIZE,
    SOT,
    TEXT,
    TRANSCRIBE,
    TRANSLATE,
    Floats,
    Layer,
    Weights,
    language_token,
)
from tests.npu import axmodel


class _Net:
    """A graph that grows; names of inputs and outputs tell nothing."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def times(self, x: str, matrix: Floats) -> str:
        return self.op("MatMul", x, self.constant(matrix))

    def layer_of(self, stack: str, index: int) -> str:
        return self.op("Gather", stack, self.constant(np.int64(index)), axis=0)

    def stacked(self, layers: Sequence[str], name: str) -> None:
        axis = self.constant(np.array([0], np.int64))
        self.op("Concat", *(self.op("Unsqueeze", one, axis) for one in layers), name=name, axis=0)

    def attend(self, q: str, k: str, v: str, mask: str | None = None) -> str:
        scores = self.op("MatMul", q, self.op("Transpose", k, perm=[0, 2, 1]))
        scores = self.op("Add", scores, mask) if mask else scores
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), v)

    def attend_audio(self, x: str, layer: Layer, index: int) -> str:
        k, v = self.layer_of("cross_k", index), self.layer_of("cross_v", index)
        return self.op("Add", x, self.attend(self.times(x, layer.audio_q), k, v))

    def save(self, path: Path, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Write the network under names that only its order explains."""
        names = {one.name: f"in{i}" for i, one in enumerate(inputs)}
        names |= {one.name: f"out{i}" for i, one in enumerate(outputs)}
        for node in self.nodes:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
        for one in (*inputs, *outputs):
            one.name = names[one.name]
        graph = helper.make_graph(self.nodes, "whisper", inputs, outputs, self.constants)
        plain = path.with_suffix(".onnx")
        save(plain, graph, {})
        axmodel(path, plain)
        plain.unlink()


def _encoder(path: Path, weights: Weights) -> None:
    net = _Net()
    pooled = net.op("AveragePool", "mel", kernel_shape=[2], strides=[2])
    audio = net.times(net.op("Transpose", pooled, perm=[0, 2, 1]), weights.audio)
    audio = net.op("Relu", audio)
    net.stacked([net.times(audio, layer.audio_k) for layer in weights.layers], "cross_k")
    net.stacked([net.times(audio, layer.audio_v) for layer in weights.layers], "cross_v")
    shape = (LAYERS, 1, AUDIO, weights.width)
    net.save(
        path,
        [floats("mel", (1, BANDS, FRAMES))],
        [floats("cross_k", shape), floats("cross_v", shape)],
    )


def _decoder(path: Path, weights: Weights) -> None:
    """Write AXERA's decoder: of its memory it sees what the mask does not hide, and the new token."""
    net = _Net()
    x = net.op("Gather", net.constant(weights.tokens), "token")
    x = net.op("Add", x, net.op("Gather", net.constant(weights.positions), "offset"))
    hidden = net.op("Cast", "mask", to=TensorProto.FLOAT)
    hidden = net.op("Mul", hidden, net.constant(np.float32(-1e9)))
    hidden = net.op("Concat", hidden, net.constant(np.zeros(1, np.float32)), axis=0)
    new: tuple[list[str], list[str]] = ([], [])
    for index, layer in enumerate(weights.layers):
        k, v = net.times(x, layer.k), net.times(x, layer.v)
        keys = net.op("Concat", net.layer_of("self_k", index), k, axis=1)
        values = net.op("Concat", net.layer_of("self_v", index), v, axis=1)
        seen = net.attend(net.times(x, layer.q), keys, values, hidden)
        x = net.op("Add", x, net.times(seen, layer.o))
        x = net.attend_audio(x, layer, index)
        new[0].append(k)
        new[1].append(v)
    net.op("MatMul", x, net.constant(weights.out), name="logits")
    net.stacked(new[0], "new_k")
    net.stacked(new[1], "new_v")
    own = (LAYERS, 1, CONTEXT, weights.width)
    audio = (LAYERS, 1, AUDIO, weights.width)
    net.save(
        path,
        [
            integers("token", (1, 1), TensorProto.INT32),
            *(floats("self_k", own), floats("self_v", own)),
            *(floats("cross_k", audio), floats("cross_v", audio)),
            integers("offset", (1,), TensorProto.INT32),
            integers("mask", (CONTEXT,), TensorProto.INT32),
        ],
        [
            floats("logits", (1, 1, SIZE)),
            floats("new_k", (LAYERS, 1, 1, weights.width)),
            floats("new_v", (LAYERS, 1, 1, weights.width)),
        ],
    )


def _main(path: Path, weights: Weights) -> None:
    """Write StackFlow's decoder of the prompt, which leaves its memory at the end of the context."""
    net = _Net()
    x = net.op("Gather", net.constant(weights.tokens), "tokens")
    x = net.op("Add", x, net.constant(weights.positions[:4]))
    future = net.constant(np.float32(np.where(np.tri(4), 0, -1e9)))
    empty = net.constant(np.zeros((1, CONTEXT - 4, weights.width), np.float32))
    memory: tuple[list[str], list[str]] = ([], [])
    for index, layer in enumerate(weights.layers):
        k, v = net.times(x, layer.k), net.times(x, layer.v)
        seen = net.attend(net.times(x, layer.q), k, v, future)
        x = net.op("Add", x, net.times(seen, layer.o))
        x = net.attend_audio(x, layer, index)
        memory[0].append(net.op("Concat", empty, k, axis=1))
        memory[1].append(net.op("Concat", empty, v, axis=1))
    net.op("MatMul", x, net.constant(weights.out), name="logits")
    net.stacked(memory[0], "own_k")
    net.stacked(memory[1], "own_v")
    own = (LAYERS, 1, CONTEXT, weights.width)
    audio = (LAYERS, 1, AUDIO, weights.width)
    net.save(
        path,
        [
            integers("tokens", (1, 4), TensorProto.INT32),
            *(floats("cross_k", audio), floats("cross_v", audio)),
        ],
        [floats("logits", (1, 4, SIZE)), floats("own_k", own), floats("own_v", own)],
    )


def _loop(path: Path, weights: Weights) -> None:
    """Write StackFlow's decoder of one token, which moves its memory on by one."""
    net = _Net()
    x = net.op("Add", net.op("Gather", net.constant(weights.tokens), "tokens"), "position")
    start, stop, axis = (net.constant(np.array([n], np.int64)) for n in (1, CONTEXT, 1))
    memory: tuple[list[str], list[str]] = ([], [])
    for index, layer in enumerate(weights.layers):
        for kind, matrix, into in (("in_k", layer.k, memory[0]), ("in_v", layer.v, memory[1])):
            kept = net.op("Slice", net.layer_of(kind, index), start, stop, axis)
            into.append(net.op("Concat", kept, net.times(x, matrix), axis=1))
        seen = net.attend(net.times(x, layer.q), memory[0][-1], memory[1][-1], "mask")
        x = net.op("Add", x, net.times(seen, layer.o))
        x = net.attend_audio(x, layer, index)
    net.op("MatMul", x, net.constant(weights.out), name="logits")
    net.stacked(memory[0], "out_k")
    net.stacked(memory[1], "out_v")
    own = (LAYERS, 1, CONTEXT, weights.width)
    audio = (LAYERS, 1, AUDIO, weights.width)
    net.save(
        path,
        [
            integers("tokens", (1, 1), TensorProto.INT32),
            *(floats("in_k", own), floats("in_v", own)),
            *(floats("cross_k", audio), floats("cross_v", audio)),
            floats("position", (1, weights.width)),
            floats("mask", (CONTEXT,)),
        ],
        [floats("logits", (1, 1, SIZE)), floats("out_k", own), floats("out_v", own)],
    )


# -- folders


def build_axera(
    folder: Path, weights: Weights, *, multilingual: bool = True, size: str = "tiny"
) -> Path:
    """Write AXERA's layout, two networks and a JSON file."""
    folder.mkdir(parents=True)
    _encoder(folder / f"{size}-encoder.axmodel", weights)
    _decoder(folder / f"{size}-decoder.axmodel", weights)
    config = {
        "n_mels": BANDS,
        "sot": SOT,
        "eot": EOT,
        "blank_id": BLANK,
        "no_timestamps": NO_TIMESTAMPS,
        "no_speech": NO_SPEECH,
        "translate": TRANSLATE,
        "transcribe": TRANSCRIBE,
        "n_vocab": SIZE,
        "n_text_ctx": CONTEXT,
        "n_text_state": weights.width,
        "n_text_layer": LAYERS,
        "is_multilingual": multilingual,
        "all_language_tokens": ",".join(str(language_token(code)) for code in LANGUAGES),
        "all_language_codes": ",".join(LANGUAGES),
    }
    (folder / f"{size}_config.json").write_text(json.dumps(config))
    _vocabulary(folder / f"{size}-tokens.txt")
    return folder


def build_stackflow(folder: Path, weights: Weights) -> Path:
    """Write a package of StackFlow: three networks, a table, and the JSON file of the mode `whisper-tiny`."""
    own, modes = folder / "whisper-tiny", folder / "models"
    own.mkdir(parents=True)
    modes.mkdir()
    _encoder(own / "tiny-encoder.axmodel", weights)
    _main(own / "tiny-decoder-main.axmodel", weights)
    _loop(own / "tiny-decoder-loop.axmodel", weights)
    weights.positions.tofile(own / "tiny-positional_embedding.bin")
    _vocabulary(own / "tiny-tokens.txt")
    parameters = {
        "model_type": "tiny",
        "encoder": "tiny-encoder.axmodel",
        "tokens": "tiny-tokens.txt",
        "decoder_main": "tiny-decoder-main.axmodel",
        "decoder_loop": "tiny-decoder-loop.axmodel",
        "positional_embedding": "tiny-positional_embedding.bin",
        "t2s": "t2s.json",
        "whisper_sot": SOT,
        "whisper_eot": EOT,
        "whisper_blank": BLANK,
        "whisper_no_timestamps": NO_TIMESTAMPS,
        "whisper_no_speech": NO_SPEECH,
        "whisper_translate": TRANSLATE,
        "whisper_transcribe": TRANSCRIBE,
        "whisper_vocab_size": SIZE,
        "whisper_n_text_ctx": CONTEXT,
        "whisper_n_mels": BANDS,
    }
    mode = {"mode": "whisper-tiny", "type": "asr", "mode_param": parameters}
    (modes / "mode_whisper-tiny.json").write_text(json.dumps(mode))
    return folder


def _vocabulary(path: Path) -> None:
    lines = (f"{base64.b64encode(piece).decode()} {i}\n" for i, piece in enumerate(TEXT))
    path.write_text("".join(lines))
