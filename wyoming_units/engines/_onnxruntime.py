"""ONNX Runtime as small networks on a processor want it: one thread each, no telemetry, plain errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    """Calls that run sessions, by their threads: each can be ended from another thread."""

    def __init__(self) -> None:
        self._calls: dict[int, RunOptions] = {}

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make all that this thread runs inside one call."""
        import onnxruntime

        thread = threading.get_ident()
        self._calls[thread] = onnxruntime.RunOptions()
        try:
            yield
        finally:
            del self._calls[thread]

    def of(self, session: InferenceSession) -> _Interruptible:
        """Return what runs a session as it does itself, until its call is ended."""
        return _Interruptible(session, self._calls)

    def end(self, thread: int) -> None:
        """Make the present run of a thread's call raise, or its next one."""
        if (options := self._calls.get(thread)) is not None:
            options.terminate = True


class _Interruptible:
    def __init__(self, session: InferenceSession, calls: Mapping[int, RunOptions]) -> None:
        self._session = session
        self._calls = calls

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> list[Any]:
        """Run the session."""
        options = self._calls.get(threading.get_ident())
        results: list[Any] = self._session.run(outputs, inputs, options)
        return results
