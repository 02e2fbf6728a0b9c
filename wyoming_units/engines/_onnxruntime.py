"""ONNX Runtime as small networks on a processor want it: one thread each, no telemetry, plain errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wyoming_units.errors import EngineFailed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions


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


class Runs:
    """The runs of sessions, by their threads: each can be ended from another thread."""

    def __init__(self) -> None:
        self._running: dict[int, RunOptions] = {}

    def of(self, session: InferenceSession) -> _Interruptible:
        """Return what runs a session as it does itself, and can be ended."""
        return _Interruptible(session, self._running)

    def end(self, thread: int) -> None:
        """Make the run of a thread raise, if there is one."""
        if (options := self._running.get(thread)) is not None:
            options.terminate = True


class _Interruptible:
    def __init__(self, session: InferenceSession, running: dict[int, RunOptions]) -> None:
        self._session = session
        self._running = running

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> list[Any]:
        """Run the session."""
        import onnxruntime

        thread = threading.get_ident()
        self._running[thread] = options = onnxruntime.RunOptions()
        try:
            results: list[Any] = self._session.run(outputs, inputs, options)
        finally:
            del self._running[thread]
        return results
