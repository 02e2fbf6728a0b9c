"""MeloTTS on the NPU of an AX630C: the encoder runs on the processor, the decoder on the NPU, block by block.

What is heard first takes one fragment of the encoder and one block of the decoder, 1.49 s of sound.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import engine_info
from wyoming_units.engines._melotts_files import Convention, find_voice
from wyoming_units.engines._melotts_networks import Decoder, Encoder, Sketch
from wyoming_units.engines._melotts_text import Scribe, fragments
from wyoming_units.engines._onnxruntime import Runs
from wyoming_units.engines._piper_voice import check_voice
from wyoming_units.engines.base import (
    Attribution,
    Audio,
    Emit,
    EngineInfo,
    Model,
    SynthesisRequest,
)
from wyoming_units.errors import BadRequest, Cancelled, EngineFailed, UnknownVoice
from wyoming_units.speech.joining import Joiner, blocks

_VOICES = Attribution(name="MyShell.ai", url="https://github.com/myshell-ai/MeloTTS")
_THREADS = 2
"""Both cores of the AX630C."""
_OVERLAP = 24
"""Frames: the decoder hears about twelve before and after each. StackFlow has 2, and one hears where it cuts."""
_FADE = 512
"""Samples."""
_GAP = 0.05
"""Seconds between two fragments."""
_PEAK = 0.95


class AxMeloTts:
    """Speaks with one voice."""

    def __init__(
        self,
        *,
        model: LocalModel,
        threads: int = _THREADS,
        overlap: int = _OVERLAP,
        convention: Convention | None = None,
    ) -> None:
        """Find the files; `EngineFailed` names what is missing, `BadRequest` what cannot be set so.

        `overlap` is how many frames blocks share (at least 1); `convention` is how languages are numbered:
        `stackflow` as in its packages, `axera` as in the Python code of AXERA-TECH, None to tell by the files.
        """
        if overlap < 1 or threads < 1:
            raise BadRequest("overlap and threads are at least 1")
        self._model = model
        self._files = find_voice(model, convention)
        self._threads = threads
        self._overlap = overlap
        self._runs = Runs()
        self._ended: set[int] = set()
        """Threads whose call nobody waits for any more."""
        self._parts: tuple[Scribe, Encoder, Decoder] | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        files = self._files
        code, region = files.language.code, files.region
        spoken = (f"{code}-{region}", code) if region else (code,)
        return engine_info(
            "axengine-melotts",
            "MeloTTS on the NPU",
            self._model,
            _VOICES,
            languages=self._model.languages or spoken,
            rate=files.rate,
        )

    @property
    def report(self) -> Mapping[str, Any]:
        """Return what the voice runs on."""
        if self._parts is None:
            return {}
        convention = self._files.convention
        return {"provider": "AxEngine", "threads": self._threads, "convention": convention}

    def load(self) -> None:
        """Load both networks, and speak a word; `EngineFailed` where the files do not go together."""
        scribe = Scribe(self._files)
        encoder = Encoder(self._files, self._runs, threads=self._threads)
        decoder = Decoder(self._files)
        try:
            self._try(scribe, encoder, decoder)
        except EngineFailed:
            decoder.close()
            raise
        self._parts = scribe, encoder, decoder

    def _try(self, scribe: Scribe, encoder: Encoder, decoder: Decoder) -> None:
        """Speak a word; `EngineFailed` where the parts do not go together."""
        if self._overlap >= decoder.size:
            raise EngineFailed(f"overlap must be below {decoder.size} frames")
        with self._runs.call():
            sketch = encoder(scribe.sample(), 1.0)
        decoder(sketch.frames[:, :, : decoder.size])

    def close(self) -> None:
        """Free the networks."""
        parts, self._parts = self._parts, None
        if parts is not None:
            parts[2].close()

    def interrupt(self, thread: int) -> None:
        """End the synthesis in a thread before the next block."""
        self._ended.add(thread)
        self._runs.end(thread)

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the one voice; `UnknownVoice` for any other."""
        return check_voice(self.info.models[0], name, language)

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak fragment by fragment, each block as soon as it is decoded."""
        model = self.voice(request.voice, request.language)
        if request.speaker is not None:
            raise UnknownVoice(f"the voice {model.name} has only one speaker")
        if self._parts is None:
            raise EngineFailed(f"the voice {model.name} is not loaded")
        self._ended.discard(threading.get_ident())
        with self._runs.call():
            for piece in self._pieces(request, *self._parts):
                if not emit(piece):
                    return

    def _pieces(
        self, request: SynthesisRequest, scribe: Scribe, encoder: Encoder, decoder: Decoder
    ) -> Iterator[Audio]:
        """Yield the sound of a text, with short gaps between its fragments."""
        gap: Audio = np.zeros(round(self._files.rate * _GAP), np.float32)
        language = request.language or self.info.models[0].languages[0]
        spoken = False
        for fragment in fragments(request.text):
            script = scribe.write(fragment, language)
            if script is None:
                continue
            sketch = encoder(script, request.speed)
            if spoken:
                yield gap
            spoken = True
            yield from self._decoded(sketch, decoder)

    def _decoded(self, sketch: Sketch, decoder: Decoder) -> Iterator[Audio]:
        """Yield the sound of a fragment, what is finished of each block."""
        frames = sketch.frames
        count = frames.shape[2]
        joiner = Joiner(
            hop=decoder.hop,
            overlap=self._overlap,
            fade=min(_FADE, self._overlap * decoder.hop),
            total=min(sketch.samples, count * decoder.hop),
        )
        for block in blocks(count, decoder.size, self._overlap):
            if threading.get_ident() in self._ended:
                raise Cancelled("nobody waits for this speech any more")
            audio = joiner.push(block, decoder(frames[:, :, block.start : block.stop]))
            yield np.clip(audio, -_PEAK, _PEAK)
