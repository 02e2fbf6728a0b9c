"""Networks as they are on the NPU: the pixels as they are go in, maps with the channels last come out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.integration.models_vision import network
from tests.integration.onnx_graphs import save
from tests.npu import axmodel
from tests.unit.yolo_outputs import raw

Three = tuple[float, float, float]
Array = NDArray[np.float32]
SIDE = 320


def _convolutions(head: str) -> tuple[tuple[str, ...], ...]:
    ends = [
        [f"/{head}/cv{branch}.{level}/cv{branch}.{level}.2/Conv_output_0" for level in range(3)]
        for branch in (2, 3, 4)
    ]
    return (*zip(ends[0], ends[1], strict=True), *((end,) for end in ends[2]))


CUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "yolo11n_dynquant.onnx": (
        ("/model.23/Concat_output_0",),
        ("/model.23/Concat_1_output_0",),
        ("/model.23/Concat_2_output_0",),
    ),
    "yolo11n-pose_int8_fixed.onnx": _convolutions("model.23"),
    "yolov8n-seg_int8.onnx": (*_convolutions("model.22"), ("output1",)),
}
"""Where the networks of the test data are cut, before boxes are decoded: what is put together for each output."""


def npu_onnx(
    source: Path,
    target: Path,
    outputs: Sequence[tuple[str, ...]] = (),
    *,
    mean: Three = (0, 0, 0),
    scale: Three = (255, 255, 255),
) -> Path:
    """Write a network (1, 3, height, width) as one that takes uint8 (1, height, width, 3).

    With `outputs` it ends there, each turned to have its channels last but for `output1`.
    """
    model = onnx.load(str(source))
    graph = model.graph
    old = graph.input[0].name
    _, _, height, width = (one.dim_value for one in graph.input[0].type.tensor_type.shape.dim)
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = "normal"
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(old, TensorProto.UINT8, [1, height, width, 3]))
    graph.initializer.append(_three("mean", mean))
    graph.initializer.append(_three("inverse", tuple((1 / np.array(scale, np.float32)).tolist())))
    before = [
        helper.make_node("Cast", [old], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "inverse"], ["normal"]),
    ]
    for place, node in enumerate(before):
        graph.node.insert(place, node)
    if outputs:
        _cut(model, outputs)
    onnx.save(model, str(target))
    return target


def _three(name: str, values: Three) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.float32).reshape(1, 3, 1, 1), name)


def _cut(model: onnx.ModelProto, outputs: Sequence[tuple[str, ...]]) -> None:
    graph = model.graph
    del graph.output[:]
    for number, names in enumerate(outputs):
        end = names[0]
        if names != ("output1",):
            end = f"map{number}"
            graph.node.append(helper.make_node("Concat", [*names], [f"{end}_planes"], axis=1))
            graph.node.append(
                helper.make_node("Transpose", [f"{end}_planes"], [end], perm=[0, 2, 3, 1])
            )
        graph.output.append(helper.make_tensor_value_info(end, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    takes = session.get_inputs()[0]
    values = session.run(None, {takes.name: np.zeros(takes.shape, np.uint8)})
    for output, value in zip(graph.output, values, strict=True):
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, value.shape))


def run_onnx(path: Path, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return what a network gives for a picture of its size, without any engine."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.float32]] = session.run(
        None, {session.get_inputs()[0].name: picture[None]}
    )
    return outputs


def package(
    folder: Path, mode: str, network: Path, *, key: str, half: bool = False, **more: Any
) -> Path:
    """Write a network as a package of StackFlow has it: its folder, and what says of it what it is."""
    file = f"{network.stem}.axmodel"
    axmodel(folder / mode / file, network, half=half)
    (folder / "models").mkdir(exist_ok=True)
    told = {"mode": mode, "type": "cv", "mode_param": {key: file, **more}}
    (folder / "models" / f"mode_{mode}.json").write_text(json.dumps(told))
    return folder


def maps(kind: str) -> list[Array]:
    """Return what the networks of StackFlow give for `THINGS`, at 320 pixels."""
    if kind in ("pose", "hand"):
        return raw(SIDE, 1, {"pose": 17, "hand": 21}[kind])
    outputs = raw(SIDE, 80)
    if kind == "segment":
        random = np.random.default_rng(3)
        cells = [output.shape[1] for output in outputs]
        outputs += [random.normal(size=(1, n, n, 32)).astype(np.float32) for n in cells]
        outputs += [random.normal(size=(1, 32, 80, 80)).astype(np.float32)]
    return outputs


def fixed(folder: Path, kind: str, name: str = "net") -> Path:
    """Write a network that gives `maps` for every picture."""
    return network(
        folder / f"{name}.onnx", maps(kind), shape=(1, SIDE, SIDE, 3), kind=TensorProto.UINT8
    )


def blue(path: Path, outputs: int = 1) -> Path:
    """Write a network of StackFlow's shapes whose map is how blue every pixel is."""
    names = [f"output{number or ''}" for number in range(outputs)]
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Split", ["planes"], ["red", "green", "blue"], axis=1),
            *(helper.make_node("Identity", ["blue"], [name]) for name in names),
        ],
        "blue",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 256, 384, 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 256, 384]) for n in names],
    )
    save(path, graph, {})
    return path
