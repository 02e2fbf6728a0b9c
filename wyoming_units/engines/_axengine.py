"""axengine: networks on the NPU of an AX630C (https://github.com/AXERA-TECH/pyaxengine), which is not on PyPI.

The library looks for the NPU's own libraries when it is imported, and asserts shapes and types exactly.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines.base import Attribution, EngineInfo, Model
from wyoming_units.errors import EngineFailed

_LOG = logging.getLogger(__name__)

ADVICE = "pip install the axengine wheel of https://github.com/AXERA-TECH/pyaxengine/releases"
"""What to do where the library is missing."""
MAKER = Attribution(name="AXERA", url="https://github.com/AXERA-TECH/pyaxengine")
CMM = Path("/proc/ax_proc/mem_cmm_info")
"""Where the module tells of the NPU's memory."""

_LIBRARIES = "on the module, start with LD_LIBRARY_PATH=/soc/lib"
_KINDS = ("float32", "float16", "uint8")
"""Types that a `Tensor` tells."""
_REFUSALS = (
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the library raises; its errors have no class of their own."""
_LEFT = re.compile(r"total size\s*=.*?remain\s*=\s*(\d+)\s*([KM])B", re.IGNORECASE | re.DOTALL)


class _Shared:
    """A network that is loaded, once in the process, and how many use it."""

    def __init__(self, path: Path, network: Any) -> None:
        self.path = path
        self.network = network
        self.turn = threading.Lock()
        self.users = 0
        self._sides: dict[int, tuple[list[Any], list[Any]]] = {}

    def sides(self, shape_group: int) -> tuple[list[Any], list[Any]]:
        """Return the inputs and outputs (name, dtype, shape) of a group of shapes."""
        if shape_group not in self._sides:
            network = self.network
            self._sides[shape_group] = (
                network.get_inputs(shape_group),
                network.get_outputs(shape_group),
            )
        return self._sides[shape_group]


_Key = tuple[Path, int]
_LOADED: dict[_Key, _Shared] = {}
_TABLE = threading.Lock()
"""For `_LOADED` and the numbers of users in it."""
_LOADING = threading.Lock()
"""One network is loaded at a time: the memory that is free is only told before it is taken."""


class Session:
    """A network on the NPU; calls of several threads run one after the other, as its buffers are its own."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def __init__(self, key: _Key, shared: _Shared) -> None:
        """Become one of the users of a network; `open_session` makes them."""
        self.inputs, self.outputs = (tuple(map(_tensor, side)) for side in shared.sides(0))
        self.path = shared.path
        self._key = key
        self._shared: _Shared | None = shared

    def run(
        self, feeds: Mapping[str, NDArray[Any]], *, shape_group: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, in the network's order; `EngineFailed` where shapes, types or the NPU object.

        Feeds are made contiguous, never cast.
        """
        shared = self._shared
        if shared is None:
            raise EngineFailed(f"{self.path.name} is closed")
        try:
            takes, gives = shared.sides(shape_group)
            arrays = _checked(feeds, takes)
            with shared.turn:
                values = shared.network.run(None, arrays, None, shape_group)
            return {one.name: value for one, value in zip(gives, values, strict=True)}
        except _REFUSALS as err:
            raise EngineFailed(f"{self.path.name} failed: {_line(err)}") from err

    def close(self) -> None:
        """Let go of it; the network is freed when the last of its users has."""
        with _TABLE:
            shared, self._shared = self._shared, None
            if shared is not None:
                shared.users -= 1
                if not shared.users and _LOADED.get(self._key) is shared:
                    del _LOADED[self._key]


def open_session(path: Path) -> Session:
    """Load a network, or share it where it is loaded: one session for a file in a process.

    `EngineFailed` where the library, the NPU's libraries, its memory or the file are missing or wrong. A network
    for the whole NPU that cannot be loaded while the camera has half of it gives way to its sibling for the other
    half (`NAME-npu1`), where that is installed beside it.
    """
    with _LOADING, _quiet():
        library = _library()
        try:
            return _share(library, path)
        except _REFUSALS as err:
            half, why = half_of(path), f"{path} cannot be loaded: {_line(err)}"
            if half is None:
                raise EngineFailed(why) from err
        try:
            session = _share(library, half)
        except _REFUSALS as err:
            raise EngineFailed(f"{why}, nor can {half}: {_line(err)}") from err
        _LOG.warning("%s; %s, which needs half of the NPU, is used instead", why, half)
        return session


def half_of(path: Path) -> Path | None:
    """Return the file for half of the NPU beside one for all of it, None where there is none.

    It is in a folder `NAME-npu1` beside the file's, or beside the package that this is in.
    """
    for folder in (path.parent, path.parent.parent):
        for name in _halves(folder.name):
            files = sorted((folder.parent / name).rglob(f"*{path.suffix}"))
            same = [file for file in files if file.name == path.name] or files
            if len(same) == 1:
                return same[0]
    beside = (path.with_name(f"{name}{path.suffix}") for name in _halves(path.stem))
    return next((file for file in beside if file.is_file()), None)


def read_mode(folder: Path, name: str) -> Mapping[str, Any]:
    """Return the `mode_param` of a StackFlow package's JSON file in a model's folder, {} where there is none.

    `EngineFailed` where the file is broken.
    """
    places = [
        folder / "models" / f"mode_{name}.json",
        folder / f"mode_{name}.json",
        folder / name / f"{name}.json",
        folder / f"{name}.json",
        folder.parent / "models" / f"mode_{name}.json",  # as it lies on the module
    ]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        mode = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise EngineFailed(f"{path} cannot be read: {_line(err)}") from None
    parameters = mode.get("mode_param", {}) if isinstance(mode, dict) else {}
    return parameters if isinstance(parameters, dict) else {}


def files_of(folder: Path, name: str) -> Path:
    """Return the folder within a pulled package that holds the files of a mode (`<folder>/<name>`, or `folder`)."""
    own = folder / name
    return own if own.is_dir() else folder


def memory_left() -> int | None:
    """Return how much of the NPU's memory (CMM) is free, in KB; None where this is no AX630C."""
    try:
        told = _LEFT.search(CMM.read_text("utf-8", "replace"))
    except OSError:
        return None
    return int(told[1]) * (1024 if told[2] in "mM" else 1) if told else None


def library_version() -> str:
    """Return the version of the library; nothing is imported."""
    try:
        return version("axengine")
    except PackageNotFoundError:
        return "unknown"


def engine_info(
    name: str,
    description: str,
    model: LocalModel,
    maker: Attribution,
    /,
    *,
    parallel: int = 1,
    open_vocabulary: bool = False,
    **told: Any,
) -> EngineInfo:
    """Return what an engine with one model is; `told` are fields of `Model` besides what a pull has told of it.

    `maker` made the model where nobody else is known.
    """
    made = Attribution(name=model.author or maker.name, url=model.upstream or maker.url)
    offered = {"name": model.name, "description": model.description or model.name, **told}
    return EngineInfo(
        name=name,
        description=description,
        version=library_version(),
        attribution=MAKER,
        models=(Model(attribution=made, **offered),),
        parallel=parallel,
        open_vocabulary=open_vocabulary,
    )


def _library() -> Any:
    """Import the library; `EngineFailed` says what it lacks."""
    try:
        import axengine
    except (ImportError, AssertionError, OSError) as err:
        if isinstance(err, ModuleNotFoundError) and err.name == "axengine":
            raise EngineFailed(f"axengine is not installed: {ADVICE}") from None
        raise EngineFailed(
            f"the NPU's libraries cannot be used: {_line(err)}; {_LIBRARIES}"
        ) from err
    return axengine


def _share(library: Any, path: Path) -> Session:
    """Return a session of a network, which is loaded where it is not yet."""
    if not path.is_file():
        raise EngineFailed(f"{path} does not exist")
    own = path.resolve()
    key = own, own.stat().st_mtime_ns
    with _TABLE:
        shared = _LOADED.get(key)
        if shared is not None:
            shared.users += 1
            return Session(key, shared)
    _check_memory(own)
    shared = _Shared(path, library.InferenceSession(str(own)))
    session = Session(key, shared)
    with _TABLE:
        shared.users = 1
        _LOADED[key] = shared
    return session


def _check_memory(path: Path) -> None:
    """Refuse a file that is larger than what is free: `EngineFailed` before the NPU fails in some stranger way."""
    left, needed = memory_left(), path.stat().st_size // 1024
    if left is not None and needed > left:
        raise EngineFailed(
            f"{path.name} needs at least {needed / 1024:.0f} MB of the NPU's memory, and {left / 1024:.0f} MB are "
            "free: run fewer models on it"
        )


def _checked(feeds: Mapping[str, NDArray[Any]], takes: list[Any]) -> dict[str, NDArray[Any]]:
    """Return feeds as the library copies them: it does so byte by byte, whatever their order is."""
    wanted = {one.name: (tuple(one.shape), np.dtype(one.dtype)) for one in takes}
    arrays = {name: np.asarray(value, order="C") for name, value in feeds.items()}
    given = {name: (value.shape, value.dtype) for name, value in arrays.items()}
    if given != wanted:
        raise ValueError(f"it takes {_told(wanted)}, not {_told(given)}")
    return arrays


def _told(tensors: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    return (
        ", ".join(f"{name} {dtype} {shape}" for name, (shape, dtype) in tensors.items()) or "none"
    )


def _tensor(arg: Any) -> Tensor:
    kind = np.dtype(arg.dtype).name
    return Tensor(
        name=arg.name,
        shape=tuple(int(size) for size in arg.shape),
        kind=kind if kind in _KINDS else "",
    )


def _halves(name: str) -> Iterator[str]:
    """Yield what a network for half of the NPU is called."""
    yield f"{name}-npu1"
    yield f"{name}_npu1"
    if name.endswith("-ax630c"):
        yield f"{name.removesuffix('-ax630c')}-npu1-ax630c"


def _line(err: BaseException) -> str:
    return " ".join(str(err).split()) or type(err).__name__


class _Muted:
    """Standard output but for what one thread prints, which goes to the log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        """Write text, or log it."""
        if threading.get_ident() != self._thread:
            return self._stream.write(text)
        if text.strip():
            _LOG.debug("%s", text.strip())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the library prints out of standard output, which is data of the command line."""
    with redirect_stdout(cast("TextIO", _Muted(sys.stdout))):
        yield
