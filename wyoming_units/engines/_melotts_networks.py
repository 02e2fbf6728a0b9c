"""The two networks of MeloTTS: an encoder on the processor, and a decoder on the NPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._axengine import Session, open_session as open_npu_session
from wyoming_units.engines._melotts_files import MeloFiles
from wyoming_units.engines._melotts_text import Script
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._onnxruntime import Runs, open_session
from wyoming_units.engines.base import Audio
from wyoming_units.errors import EngineFailed

_LISTS = ("phone", "tone", "language")
_BERT = ("bert", "ja_bert")
"""What newer encoders hear of a language model; zeros are what they were taught to speak without."""
_SCALES = {
    "stackflow": {"noise_scale": 0.3, "noise_scale_w": 0.6, "sdp_ratio": 0.2},
    "axera": {"noise_scale": 0.0, "noise_scale_w": 0.0, "sdp_ratio": 0.0},
}
_NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}

_Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What the encoder makes of a fragment."""

    frames: NDArray[np.float32]
    """Shape (1, channels, n)."""
    samples: int
    """How long the sound is."""


class Encoder:
    """Turns tokens into frames."""

    def __init__(self, files: MeloFiles, runs: Runs, *, threads: int) -> None:
        """Load the network; `EngineFailed` where it is broken, or takes what nobody knows."""
        session = open_session(files.encoder, threads=threads)
        self._name = files.encoder.name
        self._session = runs.of(session)
        self._inputs = {one.name: one for one in session.get_inputs()}
        self._outputs = [one.name for one in session.get_outputs()]
        self._speaker = files.read_speaker()
        scales = _SCALES[files.convention]
        self._scales = {name: files.number(name, usual) for name, usual in scales.items()}
        # Whoever made the package found its voice too slow, and says by how much.
        self._length = files.number("length_scale", 1) / (files.number("spacker_speed", 1) or 1)
        known = {*_LISTS, *_BERT, *self._scales, "g", "length_scale"}
        if odd := [one for one in self._inputs.values() if one.name not in known]:
            raise EngineFailed(f"{self._name} takes {odd[0].name}, which MeloTTS has not")
        if missing := {*_LISTS, "g"} - self._inputs.keys():
            raise EngineFailed(f"{self._name} takes no {', '.join(sorted(missing))}")

    def __call__(self, script: Script, speed: float) -> Sketch:
        """Return the frames of a fragment at so many times the usual speed; `EngineFailed` where that fails."""
        feeds = {name: self._feed(one, script, speed) for name, one in self._inputs.items()}
        try:
            values = self._session.run(None, feeds)
        except Exception as err:  # its errors have no base class of their own
            raise EngineFailed(f"{self._name} failed: {' '.join(str(err).split())}") from err
        results = dict(zip(self._outputs, values, strict=True))
        frames = np.asarray(results.get("z_p", values[0]), np.float32)
        lengths = results.get("audio_len", values[-1])
        return Sketch(frames=frames, samples=int(np.ravel(lengths)[0]))

    def _feed(self, one: Any, script: Script, speed: float) -> _Array:
        """Return what the network takes under a name, in its shape and type."""
        shape = [size if isinstance(size, int) else None for size in one.shape]
        values: Any
        if one.name in _LISTS:
            values = getattr(script, f"{one.name}s")
        elif one.name in _BERT:
            return np.zeros([size or len(script.phones) for size in shape], np.float32)
        elif one.name == "g":
            values = self._speaker
        elif one.name == "length_scale":
            values = [self._length / speed]
        else:
            values = [self._scales[one.name]]
        array = np.asarray(values, _NUMBERS.get(one.type, np.float32))
        return _shaped(array, shape, f"{self._name}: {one.name}")


class Decoder:
    """Turns blocks of frames into sound."""

    def __init__(self, files: MeloFiles) -> None:
        """Load the network onto the NPU; `EngineFailed` where it is not one of these."""
        self._name = files.decoder.name
        self._session: Session = open_npu_session(files.decoder)
        inputs = {one.name: one for one in self._session.inputs}
        try:
            self._frames = inputs.get("z_p") or _with_axes(inputs, last=True)
            self._speaker = inputs.get("g") or _with_axes(inputs, last=False)
            self.size = _size(self._frames)
            self._g = _shaped(files.read_speaker(), list(self._speaker.shape), f"{self._name}: g")
            self.hop = _hop(self._session.outputs[0], self.size)
        except EngineFailed:
            self.close()
            raise

    def __call__(self, frames: NDArray[np.float32]) -> Audio:
        """Return the sound of frames, shape (1, channels, up to `size`), and of silence up to that."""
        block = np.zeros([size or 1 for size in self._frames.shape], np.float32)
        if frames.shape[:2] != block.shape[:2]:
            raise EngineFailed(
                f"{self._name} takes {block.shape[1]} channels, not {frames.shape[1]}"
            )
        block[:, :, : frames.shape[2]] = frames
        results: Mapping[str, _Array] = self._session.run(
            {self._frames.name: block, self._speaker.name: self._g}
        )
        return np.asarray(next(iter(results.values())), np.float32).reshape(-1)

    def close(self) -> None:
        """Let go of the NPU."""
        self._session.close()


def _with_axes(inputs: Mapping[str, Tensor], *, last: bool) -> Tensor:
    """Return the input with many frames (`last`) or with one; `EngineFailed` where there is none."""
    for one in inputs.values():
        if len(one.shape) == 3 and ((one.shape[2] or 0) > 1) is last:
            return one
    told = ", ".join(f"{one.name} {one.shape}" for one in inputs.values())
    raise EngineFailed(f"a decoder of MeloTTS takes frames and a speaker, not {told}")


def _size(frames: Tensor) -> int:
    size = frames.shape[2] if len(frames.shape) == 3 else None
    if not size:
        raise EngineFailed(f"a decoder of MeloTTS takes blocks of frames, not {frames.shape}")
    return size


def _hop(sound: Tensor, size: int) -> int:
    """Return how many samples are made of each frame."""
    made = int(np.prod([size or 0 for size in sound.shape]))
    hop, rest = divmod(made, size)
    if rest or not hop:
        raise EngineFailed(f"a decoder of MeloTTS does not make {made} samples of {size} frames")
    return hop


def _shaped(array: _Array, shape: list[int | None], what: str) -> _Array:
    """Return numbers in a shape of which one size may be open; `EngineFailed` where they do not fit."""
    try:
        return array.reshape([-1 if size is None else size for size in shape])
    except ValueError:
        raise EngineFailed(f"{what} is of the shape {shape}, not of {array.size} numbers") from None
