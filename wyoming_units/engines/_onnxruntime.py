"""ONNX Runtime as small networks on a processor want it: one thread each, no telemetry, plain errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wyoming_units.errors import EngineFailed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(path: Path, *, threads: int = 1) -> InferenceSession:
    """Load an ONNX file for the processor; `EngineFailed` names it where that fails."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is imported
    import onnxruntime

    if not path.is_file():
        raise EngineFailed(f"{path} does not exist")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as err:  # the library has a dozen classes of its own, with no common one
        raise EngineFailed(f"{path} cannot be loaded: {err}") from err
