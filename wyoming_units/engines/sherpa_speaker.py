"""Who speaks: voices of people in an enrol folder, told apart by speaker embeddings of sherpa-onnx."""

from __future__ import annotations

import logging
import threading
import wave
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._probe import probe
from wyoming_units.engines._sherpa import MODEL, Family, construct, engine_info, find_model, runtime
from wyoming_units.engines.base import RATE, Audio, EngineInfo
from wyoming_units.errors import EngineFailed

_LOGGER = logging.getLogger(__name__)
FAMILIES = {
    "speaker": Family(
        factory="SpeakerEmbeddingExtractor",
        files={"model": MODEL},
        tokens=False,
        marks=("output_dim",),
    )
}
_SHORTEST = 0.5
"""Seconds; less tells too little of a voice."""
_THREADS = 1


class _Recording(NamedTuple):
    path: Path
    changed: int
    size: int


class SherpaSpeakerIdentifier:
    """Knows the people in a folder: `<person>.wav`, or `<person>/*.wav` for several recordings of one."""

    def __init__(
        self,
        *,
        model: LocalModel,
        enrol: Path | str,
        threshold: float = 0.5,
        threads: int | None = None,
    ) -> None:
        """Find the model; `threshold` is the cosine similarity in (0, 1) that makes two voices one."""
        self._model = model
        self._found = find_model(model, FAMILIES)
        self._folder = Path(enrol)
        self._threshold = threshold
        self._threads = threads
        self._lock = threading.Lock()
        self._extractor: Any = None
        self._people: Any = None
        self._heard: dict[_Recording, list[float] | None] = {}

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return engine_info("sherpa-speaker", self._model)

    def load(self) -> None:
        """Load the network, in a process of its own first, and learn the voices in the folder."""
        options = {"enrol": "", "threshold": self._threshold, "threads": self._threads}
        probe("sherpa-speaker", self._model, **options)
        import sherpa_onnx

        config = construct(
            sherpa_onnx.SpeakerEmbeddingExtractorConfig,
            **runtime(self._model, self._threads, _THREADS),
            **self._found.arguments,
        )
        extractor = construct(sherpa_onnx.SpeakerEmbeddingExtractor, config=config)
        _embed(extractor, np.zeros(RATE, np.float32), RATE)
        self._extractor = extractor
        self._learn(extractor)

    def close(self) -> None:
        """Drop the network and the voices."""
        self._extractor = self._people = None
        self._heard = {}

    def identify(self, samples: Audio) -> str | None:
        """Return who speaks, None where it is nobody in the folder or less than half a second."""
        extractor = self._extractor
        if extractor is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        if len(samples) < _SHORTEST * RATE:
            return None
        people = self._learn(extractor)
        return people.search(_embed(extractor, samples, RATE), self._threshold) or None

    def _learn(self, extractor: Any) -> Any:
        """Return the known voices; recordings are heard when they are new or have changed."""
        from sherpa_onnx import SpeakerEmbeddingManager

        with self._lock:
            recordings = dict(self._recordings())
            if self._people is not None and recordings.keys() == self._heard.keys():
                return self._people
            self._heard = {
                recording: self._heard.get(recording) or _voice(extractor, recording.path)
                for recording in recordings
            }
            voices: dict[str, list[list[float]]] = {}
            for recording, embedding in self._heard.items():
                if embedding:
                    voices.setdefault(recordings[recording], []).append(embedding)
            self._people = SpeakerEmbeddingManager(extractor.dim)
            for person, embeddings in voices.items():
                self._people.add(person, embeddings)
            return self._people

    def _recordings(self) -> Iterator[tuple[_Recording, str]]:
        """Yield each recording in the folder and whose it is."""
        if self._folder == Path():
            return
        for path in sorted((*self._folder.glob("*.wav"), *self._folder.glob("*/*.wav"))):
            person = path.stem if path.parent == self._folder else path.parent.name
            try:
                stat = path.stat()
            except OSError:  # taken away this moment
                continue
            yield _Recording(path, stat.st_mtime_ns, stat.st_size), person


def _embed(extractor: Any, samples: Audio, rate: int) -> list[float]:
    stream = extractor.create_stream()
    stream.accept_waveform(rate, samples)
    stream.input_finished()
    embedding: list[float] = extractor.compute(stream)
    return embedding


def _voice(extractor: Any, path: Path) -> list[float] | None:
    """Return the embedding of a recording, None where it is of no use."""
    audio = _read(path)
    return _embed(extractor, *audio) if audio else None


def _read(path: Path) -> tuple[Audio, int] | None:
    """Return a recording as mono samples with its rate; None, with a warning, where it is of no use."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as err:
        _LOGGER.warning("%s is not used to know a voice: %s", path, err)
        return None
    if width != 2 or len(data) < _SHORTEST * rate * channels * width:
        _LOGGER.warning(
            "%s is not used to know a voice: half a second of 16-bit PCM is needed", path
        )
        return None
    pcm = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
    samples = pcm[: len(pcm) // channels * channels].reshape(-1, channels).mean(axis=1) / 32_768
    return samples.astype(np.float32), rate
