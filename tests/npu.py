"""An NPU for tests: `pytest_plugins = ("tests.npu",)` in a test module gives it the fixture `npu`.

It makes the stand-in library importable as `axengine`; the functions here write what it takes for `.axmodel` files.

PYTEST_DONT_REWRITE: modules import the functions before pytest looks at their plugins.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

STAND_INS = Path(__file__).parent / "stand_ins"
"""Folder to put on the path of processes that are to have an NPU."""

Sizes = tuple[str, Any, Sequence[int]]
"""Name, type and shape of an input or output."""


@pytest.fixture
def npu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Return the NPU (`Npu` of the stand-in): switches, and what was loaded and run."""
    from wyoming_units.engines import _axengine

    monkeypatch.syspath_prepend(str(STAND_INS))
    monkeypatch.setattr(_axengine, "CMM", tmp_path / "no-ax_proc")
    forget()
    import axengine

    yield axengine.NPU
    forget()


def forget() -> None:
    """Take the library out of the process, so that the next import is its first."""
    sys.modules.pop("axengine", None)


def axmodel(path: Path, *networks: Path | bytes, half: bool = False) -> Path:
    """Write ONNX files, one for each group of shapes, as one for the NPU; `half` leaves the other half to the camera.

    Their inputs and outputs must be of fixed sizes and of types that the NPU has: no 64 bits, no float16.
    """
    files = [one.read_bytes() if isinstance(one, Path) else one for one in networks]
    header = {"core": "half" if half else "full", "sizes": [len(one) for one in files]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(files))
    return path


def axfunction(
    path: Path,
    run: Callable[[Mapping[str, NDArray[Any]], int], Sequence[NDArray[Any]]],
    *groups: tuple[Sequence[Sizes], Sequence[Sizes]],
    half: bool = False,
) -> Path:
    """Write a file whose network is a function of the feeds and the group of shapes; for networks too big to build.

    `groups` are the inputs and the outputs of each group. The fixture `npu` must be in use.
    """
    import axengine

    def args(tensors: Sequence[Sizes]) -> list[Any]:
        return [
            axengine.NodeArg(name, np.dtype(kind), list(shape)) for name, kind, shape in tensors
        ]

    axengine.FUNCTIONS[str(path)] = axengine.Function(
        [(args(takes), args(gives)) for takes, gives in groups], run
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"core": "half" if half else "full", "function": str(path)}) + "\n")
    return path


def memory_file(path: Path, remain_kb: int) -> Path:
    """Write what a module tells of the NPU's memory."""
    total = 3_145_728
    path.write_text(
        "--------------------SDK VERSION-------------------\n"
        '+---PARTITION: Phys(0x80000000, 0x13FFFFFFF), Size=3145728KB(3072MB),    NAME="anonymous"\n'
        '   |-Block: phys(0x80000000, 0x80000FFF), cache =non-cacheable, length=4KB(0MB),    name="dma"\n'
        "\n---CMM_USE_INFO:\n"
        f" total size={total}KB(3072MB),used={total - remain_kb}KB({(total - remain_kb) // 1024}MB + 0KB),"
        f"remain={remain_kb}KB({remain_kb // 1024}MB + 0KB),partition_number=1,block_number=13\n"
    )
    return path
