"""WAV files as they go over the wire."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wyoming_units.errors import BadAudio

CHUNK_SECONDS = 0.064


@dataclass(frozen=True, kw_only=True)
class Wav:
    """PCM audio with its format."""

    rate: int
    width: int
    """Bytes per sample."""
    channels: int
    audio: bytes

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return len(self.audio) / (self.rate * self.width * self.channels)

    def chunks(self) -> Iterator[bytes]:
        """Yield pieces of 64 ms."""
        size = int(self.rate * CHUNK_SECONDS) * self.width * self.channels
        for start in range(0, len(self.audio), size):
            yield self.audio[start : start + size]


def read_wav(path: Path) -> Wav:
    """Return the audio of a PCM WAV file; `BadAudio` for anything else."""
    try:
        with wave.open(str(path), "rb") as file:
            return Wav(
                rate=file.getframerate(),
                width=file.getsampwidth(),
                channels=file.getnchannels(),
                audio=file.readframes(file.getnframes()),
            )
    except OSError as err:
        raise BadAudio(f"cannot read {path}: {err.strerror}") from err
    except (wave.Error, EOFError) as err:
        raise BadAudio(f"{path} is no PCM WAV file") from err


def wavs_in(path: Path) -> list[Path]:
    """Return a file as it is, and of a folder all WAV files, sorted; `BadAudio` where it has none."""
    if not path.is_dir():
        return [path]
    if found := sorted(path.rglob("*.wav")):
        return found
    raise BadAudio(f"{path} has no WAV files")


def write_wav(path: Path, wav: Wav) -> None:
    """Write a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setframerate(wav.rate)
        file.setsampwidth(wav.width)
        file.setnchannels(wav.channels)
        file.writeframes(wav.audio)
