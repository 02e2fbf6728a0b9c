"""What small ONNX models for tests are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BANDS = 80
"""Numbers of a feature frame."""


def save(path: Path, graph: onnx.GraphProto, metadata: Mapping[str, object]) -> None:
    """Write a graph as a model with metadata."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def floats(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Return an input or output of numbers."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def integers(
    name: str, shape: Sequence[int | str], kind: int = TensorProto.INT64
) -> onnx.ValueInfoProto:
    """Return an input or output of whole numbers."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def indices(name: str, values: Sequence[int]) -> onnx.TensorProto:
    """Return a constant list of whole numbers."""
    return numpy_helper.from_array(np.array(values, np.int64), name)
