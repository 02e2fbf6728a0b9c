"""Whisper's networks on the NPU: two or three of them, which remember in different ways what was written.

What the encoder makes of the audio goes to the decoder as it is. A decoder's own memory, keys and values of every
token, comes out of one run and goes into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._axengine import Session, open_session
from wyoming_units.engines._axengine_whisper_files import WhisperFiles, read_positions
from wyoming_units.errors import EngineFailed

Logits = NDArray[np.float32]
"""Of every token to come next, shape (vocabulary,)."""


class Window(Protocol):
    """One window of audio while it is written down; it belongs to one call."""

    def after_start(self, prompt: Sequence[int]) -> Logits:
        """Return what may follow the first token of a prompt; the others may still be chosen by it."""

    def begin(self, prompt: Sequence[int]) -> Logits:
        """Take the prompt and return what may follow; once, before any step."""

    def step(self, token: int) -> Logits:
        """Take the next token and return what may follow."""


class Layout:
    """The encoder of a loaded model, and how its decoder is run."""

    def __init__(
        self, encoder: Session, decoder: Callable[[NDArray[Any], NDArray[Any]], Window]
    ) -> None:
        """Take the networks; `EngineFailed` where the encoder takes no spectrogram."""
        _expect(encoder, 1, 2)
        shape = encoder.inputs[0].shape
        if len(shape) != 3 or None in shape or shape[0] != 1:
            raise EngineFailed(f"{encoder.path} takes {shape}, not (1, bands, frames)")
        self.bands, self.frames = int(shape[1] or 0), int(shape[2] or 0)
        self._encoder = encoder
        self._decoder = decoder

    def hear(self, mel: NDArray[np.float32]) -> Window:
        """Encode a spectrogram, shape (bands, frames)."""
        cross_k, cross_v = _run(self._encoder, mel[None])
        return self._decoder(cross_k, cross_v)


def open_layout(files: WhisperFiles, sessions: ExitStack) -> Layout:
    """Load the networks of a model, which `sessions` closes; `EngineFailed` where one is missing or another."""
    encoder, *decoders = (_opened(path, sessions) for path in (files.encoder, *files.decoders))
    for decoder in decoders:
        size = decoder.outputs[0].shape[-1] or 0
        if size <= files.special.highest:
            raise EngineFailed(
                f"{decoder.path} does not go with its vocabulary: it has {size} tokens"
            )
    if len(decoders) == 1:
        _expect(decoders[0], 7, 3)
        return Layout(encoder, lambda k, v: _Own(decoders[0], k, v))
    main, loop = decoders
    _expect(main, 3, 3)
    _expect(loop, 7, 3)
    assert files.positions is not None  # both layouts are read whole
    width = loop.inputs[5].shape[-1] or 0
    positions = read_positions(files.positions, files.context, width)
    return Layout(encoder, lambda k, v: _Pair(main, loop, positions, k, v))


class _Pair:
    """StackFlow's decoders: one for a prompt of four tokens, one for those that follow; memory fills from its end."""

    def __init__(
        self,
        main: Session,
        loop: Session,
        positions: NDArray[np.float32],
        cross_k: NDArray[Any],
        cross_v: NDArray[Any],
    ) -> None:
        self._main = main
        self._loop = loop
        self._positions = positions
        self._cross = (cross_k, cross_v)
        self._own: list[NDArray[Any]] = []
        self._prompt: tuple[int, ...] = ()
        self._logits: NDArray[Any] = np.empty(0)
        self._offset = 0
        self._mask = np.empty(0, np.float32)

    def after_start(self, prompt: Sequence[int]) -> Logits:
        if not self._prompt:
            self.begin(prompt)
        return np.asarray(self._logits[0, 0])

    def begin(self, prompt: Sequence[int]) -> Logits:
        if tuple(prompt) != self._prompt:
            tokens = np.array([prompt], np.int32)
            self._logits, *self._own = _run(self._main, tokens, *self._cross)
            self._prompt = tuple(prompt)
            self._offset = len(prompt)
            self._mask = np.full(len(self._positions), -np.inf, np.float32)
            self._mask[-self._offset - 1 :] = 0
        return np.asarray(self._logits[0, -1])

    def step(self, token: int) -> Logits:
        logits, *self._own = _run(
            self._loop,
            np.array([[token]], np.int32),
            *self._own,
            *self._cross,
            self._positions[self._offset][None],
            self._mask,
        )
        self._offset += 1
        self._mask[-self._offset - 1 :] = 0
        return np.asarray(logits[0, 0])


class _Own:
    """AXERA's decoder: one token after the other; its memory is filled from its start, here, in place."""

    def __init__(self, decoder: Session, cross_k: NDArray[Any], cross_v: NDArray[Any]) -> None:
        shape = [size or 0 for size in decoder.inputs[1].shape]
        self._decoder = decoder
        self._cross = (cross_k, cross_v)
        self._own = (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        self._mask = np.ones(shape[2], np.int32)
        self._offset = 0
        self._first: Logits | None = None

    def after_start(self, prompt: Sequence[int]) -> Logits:
        if self._first is None:
            self._first = self.step(prompt[0])
        return self._first

    def begin(self, prompt: Sequence[int]) -> Logits:
        logits = self.after_start(prompt)
        for token in prompt[1:]:
            logits = self.step(token)
        return logits

    def step(self, token: int) -> Logits:
        logits, *new = _run(
            self._decoder,
            np.array([[token]], np.int32),
            *self._own,
            *self._cross,
            np.array([self._offset], np.int32),
            self._mask,
        )
        for memory, one in zip(self._own, new, strict=True):
            memory[:, :, self._offset] = one[:, :, 0]
        self._mask[self._offset] = 0
        self._offset += 1
        return np.asarray(logits[0, 0])


def _opened(path: Path, sessions: ExitStack) -> Session:
    session = open_session(path)
    sessions.callback(session.close)
    return session


def _expect(session: Session, inputs: int, outputs: int) -> None:
    found = (len(session.inputs), len(session.outputs))
    if found != (inputs, outputs):
        raise EngineFailed(
            f"{session.path} is no such network of Whisper: it has {found[0]} inputs and {found[1]} outputs, "
            f"not {inputs} and {outputs}"
        )


def _run(session: Session, *feeds: NDArray[Any]) -> list[NDArray[Any]]:
    """Run a network on feeds in the order of its inputs; the names differ among models."""
    names = (tensor.name for tensor in session.inputs)
    return list(session.run(dict(zip(names, feeds, strict=True))).values())
