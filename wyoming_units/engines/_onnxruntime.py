"""ONNX Runtime as engines here want it: as many threads as they say, no telemetry, plain errors."""

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


_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(path: Path, *, threads: int = 1, provider: str | None = "cpu") -> InferenceSession:
    """Load an ONNX file for `cpu`, `cuda` or (None) the better one there is; `EngineFailed` where that fails."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is imported
    import onnxruntime

    if not path.is_file():
        raise EngineFailed(f"{path} does not exist")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that spin on after a run take the processor from whoever makes the next picture ready.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers = _providers(provider)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers)
    except Exception as err:  # the library has a dozen classes of its own, with no common one
        raise EngineFailed(f"{path} cannot be loaded: {err}") from err
    if provider == "cuda" and _PROVIDERS["cuda"] not in session.get_providers():
        raise EngineFailed(
            "the GPU cannot be used: CUDA or cuDNN is missing, or of another version"
        )
    return session


def _providers(provider: str | None) -> list[str]:
    """Return what a session is to try, in this order."""
    import onnxruntime

    if provider not in (None, *_PROVIDERS):
        raise EngineFailed(
            f"no provider is called {provider!r}; there are: {', '.join(_PROVIDERS)}"
        )
    has = _PROVIDERS["cuda"] in onnxruntime.get_available_providers()
    if provider == "cuda" and not has:
        raise EngineFailed("this ONNX Runtime has no CUDA: pip install onnxruntime-gpu")
    return [*([_PROVIDERS["cuda"]] if has and provider != "cpu" else []), _PROVIDERS["cpu"]]


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

    def run(self, session: InferenceSession, what: str, inputs: Mapping[str, Any]) -> list[Any]:
        """Run a session in a call of its own; `EngineFailed` says `what` failed."""
        with self.call():
            try:
                return self.of(session).run(None, inputs)
            except Exception as err:  # its errors have no base class of their own
                raise EngineFailed(f"{what} failed: {' '.join(str(err).split())}") from err

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
