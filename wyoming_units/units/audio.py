"""Audio between the wire and the engines."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from wyoming.event import Event

from wyoming_units.engines.base import RATE, Audio
from wyoming_units.errors import BadAudio

AUDIO_BODY = frozenset({"audio-start", "audio-chunk"})
_WIDTHS: dict[int, str] = {2: "<i2", 4: "<i4"}
"""Bytes per sample that are understood, and their numpy type."""


class AudioInput:
    """Turns the audio events of one stream into mono float32 at 16 kHz."""

    def __init__(self) -> None:
        self._format: tuple[int, int, int] | None = None
        self._resampler: soxr.ResampleStream | None = None

    def read(self, event: Event) -> Audio:
        """Return the samples, shape (n,), of an `audio-start` or `audio-chunk`; `BadAudio`."""
        audio_format = _format(event)
        if self._format is None:
            self._format = audio_format
            if audio_format[0] != RATE:
                self._resampler = soxr.ResampleStream(audio_format[0], RATE, 1, dtype="float32")
        elif audio_format != self._format:
            raise BadAudio("the audio changes its format on the way")
        samples = _samples(event.payload or b"", audio_format)
        return samples if self._resampler is None else self._resampler.resample_chunk(samples)

    def flush(self) -> Audio:
        """Return what the resampler still holds at the end of the stream."""
        nothing = np.zeros(0, np.float32)
        return (
            nothing
            if self._resampler is None
            else self._resampler.resample_chunk(nothing, last=True)
        )


def to_pcm(samples: Audio) -> bytes:
    """Return 16-bit little-endian PCM; what is outside [-1, 1] is clipped."""
    scaled: NDArray[np.float32] = np.clip(samples, -1.0, 1.0) * 32767.0
    return scaled.astype("<i2").tobytes()


def _format(event: Event) -> tuple[int, int, int]:
    values = tuple(event.data.get(key) for key in ("rate", "width", "channels"))
    match values:
        case (int(rate), int(width), int(channels)) if (
            4_000 <= rate <= 192_000 and width in _WIDTHS and 1 <= channels <= 8
        ):
            return rate, width, channels
    raise BadAudio(
        f"audio of {values[0]} Hz, {values[1]} bytes and {values[2]} channels is not supported; "
        "send 16- or 32-bit PCM with 1 to 8 channels"
    )


def _samples(payload: bytes, audio_format: tuple[int, int, int]) -> Audio:
    _, width, channels = audio_format
    if len(payload) % (width * channels):
        raise BadAudio("an audio chunk ends within a sample")
    whole = np.frombuffer(payload, _WIDTHS[width])
    samples: Audio = whole.astype(np.float32) / np.float32(2.0 ** (8 * width - 1))
    if channels > 1:
        samples = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return samples
