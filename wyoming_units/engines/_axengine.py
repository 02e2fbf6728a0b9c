"""axengine: networks on the NPU of an AX630C (https://github.com/AXERA-TECH/pyaxengine), which is not on PyPI.

The library looks for the NPU's own libraries when it is imported, and asserts shapes and types exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wyoming_units.engines._onnx_file import Tensor

ADVICE = "pip install the axengine wheel of https://github.com/AXERA-TECH/pyaxengine/releases"
"""What to do where the library is missing."""


class Session:
    """A network on the NPU; calls of several threads run one after the other, as its buffers are its own."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def run(
        self, feeds: Mapping[str, NDArray[Any]], *, shape_group: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, in the network's order; `EngineFailed` where shapes, types or the NPU object.

        Feeds are made contiguous, never cast.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it; the network is freed when the last of its users has."""
        raise NotImplementedError


def open_session(path: Path) -> Session:
    """Load a network, or share it where it is loaded: one session for a file in a process.

    `EngineFailed` where the library, the NPU's libraries, its memory or the file are missing or wrong. A network
    for the whole NPU that cannot be loaded while the camera has half of it gives way to its sibling for the other
    half (`NAME-npu1`), where that is installed beside it.
    """
    raise NotImplementedError


def read_mode(folder: Path, name: str) -> Mapping[str, Any]:
    """Return the `mode_param` of a StackFlow package's JSON file in a model's folder, {} where there is none."""
    raise NotImplementedError


def files_of(folder: Path, name: str) -> Path:
    """Return the folder within a pulled package that holds the files of a mode (`<folder>/<name>`, or `folder`)."""
    raise NotImplementedError


def memory_left() -> int | None:
    """Return how much of the NPU's memory (CMM) is free, in KB; None where this is no AX630C."""
    raise NotImplementedError
