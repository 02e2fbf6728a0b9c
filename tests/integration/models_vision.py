"""Small ONNX files that take a picture and give tensors that a test chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.integration.onnx_graphs import save


def network(
    path: Path,
    outputs: Sequence[NDArray[np.float32]],
    *,
    shape: Sequence[int | str] = (1, 3, 640, 640),
    kind: int = TensorProto.FLOAT,
    metadata: Mapping[str, object] | None = None,
    open_outputs: bool = False,
) -> Path:
    """Write a network that gives these outputs for every picture; with `open_outputs`, its file does not tell sizes."""
    names = [f"output{number}" for number in range(len(outputs))]
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}_value"], [name]) for name in names],
        "fixed",
        [helper.make_tensor_value_info("images", kind, list(shape))],
        [
            helper.make_tensor_value_info(
                name,
                TensorProto.FLOAT,
                [f"{name}_{axis}" for axis in range(value.ndim)] if open_outputs else value.shape,
            )
            for name, value in zip(names, outputs, strict=True)
        ],
        [
            numpy_helper.from_array(value, f"{name}_value")
            for name, value in zip(names, outputs, strict=True)
        ],
    )
    save(path, graph, metadata or {})
    return path
