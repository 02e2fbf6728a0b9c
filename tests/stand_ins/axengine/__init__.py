"""Stands in for the library of the NPU: the same calls and the same refusals, with ONNX Runtime or functions behind.

A file is a line of JSON and, after it, ONNX files one after another, one for each group of shapes; or just an ONNX
file. What goes in must be of exactly the shapes and types of that ONNX file, which must be types that the NPU has.

Header: `core` (`full` or `half`), `sizes` of the ONNX files in bytes, or `function` in `FUNCTIONS`.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray[Any]]
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
    "tensor(uint32)": np.uint32,
    "tensor(int32)": np.int32,
}
"""What the NPU calculates with; it has no 64 bits, and half floats only as bfloat16."""


@dataclass(frozen=True)
class NodeArg:
    name: str
    dtype: Any
    shape: list[int]


@dataclass(frozen=True)
class Function:
    """A network that is a function of its feeds and the group of shapes."""

    groups: Sequence[tuple[Sequence[NodeArg], Sequence[NodeArg]]]
    run: Callable[[Mapping[str, NDArray[Any]], int], Sequence[NDArray[Any]]]


FUNCTIONS: dict[str, Function] = {}


@dataclass
class Npu:
    """The processor, as a test wants it."""

    vnpu: bool = False
    """Whether the camera has half of it, so that it takes no network for the whole."""
    memory_kb: int = 3_145_728
    runs_fail: bool = False
    loads: list[str] = field(default_factory=list)
    """Files that were loaded, in order."""
    runs: int = 0
    live: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)
    """Sessions that hold memory."""

    @property
    def used_kb(self) -> int:
        return int(sum(session.size for session in self.live)) // 1024


NPU = Npu()

print("[INFO] Available providers:  ['AxEngineExecutionProvider']")


def get_available_providers() -> list[str]:
    return ["AxEngineExecutionProvider"]


def get_all_providers() -> list[str]:
    return ["AxEngineExecutionProvider", "AXCLRTExecutionProvider"]


class InferenceSession:
    def __init__(
        self,
        path_or_bytes: str | bytes,
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        **_more: Any,
    ) -> None:
        if isinstance(path_or_bytes, bytes):
            # What the library does, by mistake.
            raise AttributeError("no attribute '_model_name'")  # noqa: TRY004
        print("[INFO] Using provider: AxEngineExecutionProvider")
        if providers is not None and "AxEngineExecutionProvider" not in str(providers):
            raise ValueError(f"Selected provider(s): {providers} is(are) not available.")
        path = Path(path_or_bytes)
        header, body = _read(path)
        self.size = path.stat().st_size
        print(f"[INFO] Model type: {header['core']} core")
        if NPU.vnpu and header["core"] == "full":
            raise ValueError("Model type 'full' is not allowed when vnpu is inited as ENABLED.")
        if NPU.used_kb + self.size // 1024 > NPU.memory_kb:
            raise RuntimeError("Failed to load model: 0x80060118")
        name = header.get("function")
        network = _Onnx(header["sizes"], body) if name is None else FUNCTIONS[name]
        self._groups, self._run = network.groups, network.run
        # The buffers of all groups are the same ones, and stay as long as the session does.
        self._buffers: dict[tuple[int, str], NDArray[Any]] = {}
        self._turn = threading.Lock()
        NPU.loads.append(str(path))
        NPU.live.add(self)

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(self, *_exception: object) -> None: ...

    def get_providers(self) -> str:
        return "AxEngineExecutionProvider"

    def get_inputs(self, shape_group: int = 0) -> list[NodeArg]:
        return list(self._groups[shape_group][0])

    def get_outputs(self, shape_group: int = 0) -> list[NodeArg]:
        return list(self._groups[shape_group][1])

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, NDArray[Any]],
        run_options: Any = None,
        shape_group: int = 0,
    ) -> Arrays:
        assert self._turn.acquire(blocking=False), "two threads share the buffers of a session"
        try:
            return self._look(output_names, input_feed, shape_group)
        finally:
            self._turn.release()

    def _look(
        self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]], group: int
    ) -> Arrays:
        if not 0 <= group < len(self._groups):
            raise ValueError(f"Invalid shape group: {group}")
        takes, gives = self._groups[group]
        missing = [one.name for one in takes if one.name not in feeds]
        if missing:
            raise ValueError(f"Required inputs ({missing}) are missing from input feed.")
        everything = [one.name for one in gives]
        if names is not None and sorted(names) != sorted(everything):
            raise ValueError("list.index(x): x not in list")
        for one in takes:
            self._put(one, feeds[one.name], group)
        if NPU.runs_fail:
            raise RuntimeError("Failed to run model: 0x80060110")
        NPU.runs += 1
        inputs = {one.name: self._buffers[group, one.name] for one in takes}
        outputs = self._run(inputs, group)
        for one, value in zip(gives, outputs, strict=True):
            fits = (list(one.shape), np.dtype(one.dtype)) == (list(value.shape), value.dtype)
            assert fits, f"the test's network gives {value.dtype} {value.shape} as {one}"
        return [np.array(value) for value in outputs]

    def _put(self, one: NodeArg, value: NDArray[Any], group: int) -> None:
        """Copy what goes in, byte by byte as it lies in memory."""
        assert list(one.shape) == list(value.shape), (
            f"model inputs({one.name}) expect shape {one.shape} and dtype {one.dtype}, "
            f"however gets input with shape {value.shape} and dtype {value.dtype}"
        )
        assert np.dtype(one.dtype) == value.dtype, (
            f"model inputs({one.name}) expect dtype {one.dtype}, however gets {value.dtype}"
        )
        buffer = self._buffers.setdefault((group, one.name), np.empty(value.shape, value.dtype))
        buffer.reshape(-1)[:] = value.ravel(order="K")


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the header of a file and what follows it; `RuntimeError` as the NPU's own library fails."""
    data = path.read_bytes()
    half = any("npu1" in part for part in path.parts[-3:])
    header: dict[str, Any] = {"core": "half" if half else "full", "sizes": [len(data)]}
    if data[:1] == b"{":
        line, _, data = data.partition(b"\n")
        header |= json.loads(line)
    elif data[:1] != b"\x08":  # where ONNX files begin: with their version
        raise RuntimeError("Failed to get model type: 0x8006010a")
    return header, data


class _Onnx:
    """ONNX files, one for each group of shapes."""

    def __init__(self, sizes: Sequence[int], data: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._sessions, start = [], 0
        for size in sizes:
            one = data[start : start + size]
            start += size
            try:
                self._sessions.append(
                    onnxruntime.InferenceSession(one, options, ["CPUExecutionProvider"])
                )
            except Exception as err:
                raise RuntimeError("Failed to load model: 0x8006010a") from err
        self.groups = [
            (_args(session.get_inputs()), _args(session.get_outputs()))
            for session in self._sessions
        ]

    def run(self, feeds: Mapping[str, NDArray[Any]], group: int) -> Arrays:
        outputs: Arrays = self._sessions[group].run(None, dict(feeds))
        return outputs


def _args(tensors: Sequence[Any]) -> list[NodeArg]:
    for one in tensors:
        if one.type not in _TYPES:
            raise ValueError(f"Unsupported data type '{one.type}' of {one.name}.")
        if not all(isinstance(size, int) for size in one.shape):
            raise ValueError(f"{one.name} leaves open how large it is: {one.shape}.")
    return [NodeArg(one.name, np.dtype(_TYPES[one.type]), list(one.shape)) for one in tensors]
