"""The classifiers of openWakeWord's words: a TensorFlow Lite or an ONNX file that scores the last embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wyoming_units.engines._tflite import Interpreter, TfLite, Weights
from wyoming_units.engines.base import Audio
from wyoming_units.errors import EngineFailed

FEATURES = 96
"""Numbers of an embedding."""
_LONGEST = 250
"""Embeddings, 20 s: no word is longer, and each stream keeps so many."""


class Head(Protocol):
    """Scores one word; serves one thread at a time."""

    window: int
    """How many embeddings it looks at."""

    def score(self, embeddings: Audio) -> float:
        """Return the probability that the word ends with the last of embeddings, shape (at least window, 96)."""


def check_file(path: Path) -> None:
    """Raise `EngineFailed` where a file can be no classifier, without loading anything."""
    if path.suffix not in (".tflite", ".onnx"):
        raise EngineFailed(f"{path} is neither a .tflite nor an .onnx file")
    if not path.is_file():
        raise EngineFailed(f"{path} is no file")
    if path.suffix == ".onnx" and find_spec("onnxruntime") is None:
        raise EngineFailed(f"{path} needs onnxruntime: pip install 'wyoming-units[onnx]'")


def read_head(tflite: TfLite, path: Path) -> Callable[[], Head]:
    """Load a classifier and try it; the result makes one for each thread. `EngineFailed` names the file."""
    make: Callable[[], Head]
    if path.suffix == ".onnx":
        session = _OnnxHead(path)
        make = lambda: session  # noqa: E731  sessions serve any number of threads
    else:
        make = partial(_TfLiteHead, Weights(tflite, path))
    head = make()
    score = head.score(np.zeros((head.window, FEATURES), np.float32))
    if not 0 <= score <= 1:
        raise EngineFailed(f"{path} gives {score}, which is no probability")
    return make


class _TfLiteHead:
    def __init__(self, weights: Weights) -> None:
        self._graph = graph = Interpreter(weights, accelerate=True)
        self.window = _window(weights.path, graph.input.shape, graph.input.dtype == np.float32)
        if graph.output.size != 1 or graph.output.dtype != np.float32:
            raise _unfit(weights.path, f"its output has {graph.output.size} numbers")

    def score(self, embeddings: Audio) -> float:
        self._graph.input[0] = embeddings[-self.window :]
        self._graph.invoke()
        return float(self._graph.output.flat[0])


class _OnnxHead:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = session = _session(path)
        inputs = session.get_inputs()
        if len(inputs) != 1 or not session.get_outputs():
            raise _unfit(path, f"it has {len(inputs)} inputs")
        self._input = inputs[0].name
        self._output = [session.get_outputs()[0].name]
        self.window = _window(path, inputs[0].shape, inputs[0].type == "tensor(float)")

    def score(self, embeddings: Audio) -> float:
        try:
            (output,) = self._session.run(
                self._output, {self._input: embeddings[None, -self.window :]}
            )
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise EngineFailed(f"{self._path} failed: {_one_line(error)}") from error
        if getattr(output, "size", 0) != 1 or output.dtype != np.float32:
            raise _unfit(self._path, "its output is not one number")
        return float(output.flat[0])


def _window(path: Path, shape: Sequence[Any], is_float: bool) -> int:
    """Return n of an input [1, n, 96] of real numbers; the first size may be open."""
    match list(shape):
        case [first, int(window), int(features)] if (
            is_float
            and (first == 1 or not isinstance(first, int))
            and features == FEATURES
            and 1 <= window <= _LONGEST
        ):
            return window
    raise _unfit(path, f"its input is {list(shape)}, not [1, n, {FEATURES}]")


def _unfit(path: Path, why: str) -> EngineFailed:
    return EngineFailed(f"{path} is no openWakeWord model: {why}")


def _session(path: Path) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before onnxruntime is imported
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineFailed(f"{path} needs onnxruntime, which does not import: {error}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # else it warns of what its own exporter wrote
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise EngineFailed(f"{path} cannot be loaded: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
