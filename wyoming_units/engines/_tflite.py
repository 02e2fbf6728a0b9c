"""Interpreters of TensorFlow Lite's C library, as pymicro-wakeword and pyopen-wakeword ship it.

Goes below those packages' classes for what they have no parameter for: weights shared by interpreters,
tensors without copies, and the XNNPACK delegate.
"""

from __future__ import annotations

import ctypes
import logging
import weakref
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.errors import EngineFailed

_LOGGER = logging.getLogger(__name__)

_TYPES: dict[int, type[np.generic]] = {1: np.float32, 3: np.uint8, 9: np.int8}
"""TfLiteType of TensorFlow Lite's `c_api_types.h`."""


class _DelegateOptions(ctypes.Structure):
    """`TfLiteXNNPackDelegateOptions`: it begins with the threads; the rest depends on the version."""

    _fields_ = (("num_threads", ctypes.c_int32), ("rest", ctypes.c_uint8 * 508))


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EngineFailed(f"{name.replace('_', '-')} is not installed")
    return Path(spec.origin).parent


class TfLite:
    """The C library of a package."""

    def __init__(self, package: str) -> None:
        """Load the library of `pymicro_wakeword` or `pyopen_wakeword`."""
        path = next((package_folder(package) / "lib").glob("*tensorflowlite_c.*"), None)
        if path is None:
            raise EngineFailed(f"{package} has no TensorFlow Lite library for this machine")
        # Declares the functions that the package itself uses.
        lib = import_module(f"{package}.wakeword").TfLiteWakeWord(path).lib
        lib.TfLiteModelCreate.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        lib.TfLiteModelCreate.restype = ctypes.c_void_p
        lib.TfLiteTensorData.argtypes = [ctypes.c_void_p]
        lib.TfLiteTensorData.restype = ctypes.c_void_p
        lib.TfLiteInterpreterOptionsCreate.restype = ctypes.c_void_p
        lib.TfLiteInterpreterOptionsDelete.argtypes = [ctypes.c_void_p]
        lib.TfLiteInterpreterOptionsSetNumThreads.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        lib.TfLiteInterpreterOptionsAddDelegate.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.lib: Any = lib
        self._accelerates = self._declare_delegate()

    def _declare_delegate(self) -> bool:
        try:
            self.lib.TfLiteXNNPackDelegateOptionsDefault.restype = _DelegateOptions
            self.lib.TfLiteXNNPackDelegateCreate.argtypes = [ctypes.c_void_p]
            self.lib.TfLiteXNNPackDelegateCreate.restype = ctypes.c_void_p
            self.lib.TfLiteXNNPackDelegateDelete.argtypes = [ctypes.c_void_p]
            self.lib.TfLiteXNNPackDelegateDelete.restype = None
        except AttributeError:
            return False
        return True

    def delegate(self) -> int | None:
        """Return a new XNNPACK delegate of one thread, None (logged once) where there is none."""
        made: int | None = None
        if self._accelerates:
            options = self.lib.TfLiteXNNPackDelegateOptionsDefault()
            options.num_threads = 1
            made = self.lib.TfLiteXNNPackDelegateCreate(ctypes.byref(options))
            if made is None:
                self.no_delegate()
        return made

    def no_delegate(self) -> None:
        """Use the plain kernels from now on."""
        if self._accelerates:
            self._accelerates = False
            _LOGGER.warning("no XNNPACK on this machine, so wake words take more computing")


class Weights:
    """A model file; its interpreters share it, and it lives as long as one of them."""

    def __init__(self, tflite: TfLite, path: Path) -> None:
        """Read the file; `EngineFailed` where it is missing, cut off or something else."""
        self.tflite = tflite
        self.path = path
        try:
            # A file that is mapped instead ends the process when a user writes over it.
            content = np.fromfile(path, np.uint8)
        except OSError as error:
            raise EngineFailed(f"{path} cannot be read: {error.strerror}") from None
        self.pointer = tflite.lib.TfLiteModelCreate(content.ctypes.data, content.size)
        if not self.pointer:
            raise EngineFailed(f"{path} is no TensorFlow Lite model, or it is cut off")
        weakref.finalize(self, _forget, tflite, self.pointer, content)


class Interpreter:
    """Runs a model with one input and one output; serves one thread at a time."""

    input: NDArray[Any]
    """The tensor itself, to be written before `invoke`; gone after `free`."""
    output: NDArray[Any]
    """The tensor itself, to be read after `invoke`; gone after `free`."""
    input_scale: tuple[float, int]
    """Scale and zero point of a quantised input: real = (stored - zero) * scale."""
    output_scale: tuple[float, int]

    def __init__(
        self, weights: Weights, *, shape: Sequence[int] = (), accelerate: bool = False
    ) -> None:
        """Take the model's own input shape unless one is given; `EngineFailed` if it does not run."""
        self._weights = weights
        self._lib = lib = weights.tflite.lib
        self.pointer = self._create(accelerate)
        if shape:
            lib.TfLiteInterpreterResizeInputTensor(
                self.pointer, 0, (ctypes.c_int32 * len(shape))(*shape), len(shape)
            )
        if lib.TfLiteInterpreterAllocateTensors(self.pointer):
            raise EngineFailed(f"{weights.path} does not run on this machine")
        self.input, self.input_scale = self._view(
            lib.TfLiteInterpreterGetInputTensor(self.pointer, 0)
        )
        self.output, self.output_scale = self._view(
            lib.TfLiteInterpreterGetOutputTensor(self.pointer, 0)
        )

    def _create(self, accelerate: bool) -> int:
        tflite = self._weights.tflite
        delegate = tflite.delegate() if accelerate else None
        options = self._lib.TfLiteInterpreterOptionsCreate()
        self._lib.TfLiteInterpreterOptionsSetNumThreads(options, 1)
        if delegate:
            self._lib.TfLiteInterpreterOptionsAddDelegate(options, delegate)
        pointer: int | None = self._lib.TfLiteInterpreterCreate(self._weights.pointer, options)
        self._lib.TfLiteInterpreterOptionsDelete(options)
        if pointer is None and delegate:
            self._lib.TfLiteXNNPackDelegateDelete(delegate)
            plain = self._create(accelerate=False)
            tflite.no_delegate()  # only now: a broken model says nothing about the delegate
            return plain
        if pointer is None:
            raise EngineFailed(f"{self._weights.path} does not run on this machine")
        self.free = weakref.finalize(self, _free, self._weights, pointer, delegate)
        return pointer

    def _view(self, tensor: int) -> tuple[NDArray[Any], tuple[float, int]]:
        lib = self._lib
        kind = _TYPES.get(lib.TfLiteTensorType(tensor))
        if kind is None:
            raise EngineFailed(f"{self._weights.path} has tensors of a type that is not supported")
        shape = [
            lib.TfLiteTensorDim(tensor, axis) for axis in range(lib.TfLiteTensorNumDims(tensor))
        ]
        size = lib.TfLiteTensorByteSize(tensor)
        memory = (ctypes.c_uint8 * size).from_address(lib.TfLiteTensorData(tensor))
        scale = lib.TfLiteTensorQuantizationParams(tensor)
        return np.frombuffer(memory, kind).reshape(shape), (scale.scale, scale.zero_point)

    def invoke(self) -> None:
        """Compute `output` from `input`; `EngineFailed`."""
        if self._lib.TfLiteInterpreterInvoke(self.pointer):
            raise EngineFailed(f"{self._weights.path} failed")


def _forget(tflite: TfLite, model: int, _content: NDArray[np.uint8]) -> None:
    """Delete a model; its content is kept up to here."""
    tflite.lib.TfLiteModelDelete(model)


def _free(weights: Weights, interpreter: int, delegate: int | None) -> None:
    """Delete an interpreter, then the delegate that it uses; the weights are kept up to here."""
    weights.tflite.lib.TfLiteInterpreterDelete(interpreter)
    if delegate:
        weights.tflite.lib.TfLiteXNNPackDelegateDelete(delegate)
