"""Networks that look at pictures, on ONNX Runtime."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import read_onnx
from wyoming_units.engines._onnxruntime import Runs, open_session
from wyoming_units.engines.base import Attribution

MAKER = Attribution(name="Microsoft", url="https://onnxruntime.ai")


class OnnxNetwork:
    """A network in an ONNX file."""

    def __init__(
        self, model: LocalModel, path: Path, *, threads: int | None, provider: str | None
    ) -> None:
        """Load it, for all cores where `threads` is None; `EngineFailed`."""
        self._name = model.name
        self._threads = threads or os.cpu_count() or 1
        self._session = open_session(
            path, threads=self._threads, provider=provider or model.options.get("provider")
        )
        file = read_onnx(path)
        self.inputs, self.outputs = file.inputs, file.outputs
        self._runs = Runs()
        self._turn = threading.Lock()

    @property
    def report(self) -> Mapping[str, Any]:
        """Return the provider and the threads in use."""
        return {"provider": self._session.get_providers()[0], "threads": self._threads}

    def run(self, picture: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs for a picture."""
        with self._turn:
            return self._runs.run(self._session, self._name, {self.inputs[0].name: picture})

    def interrupt(self, thread: int) -> None:
        """End the run in a thread."""
        self._runs.end(thread)

    def close(self) -> None:
        """Do nothing: the session goes with this."""
