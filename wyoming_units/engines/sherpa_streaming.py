"""sherpa-onnx, streaming: text while somebody speaks, many speakers in one call of the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from math import exp
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._combine import Combiner
from wyoming_units.engines._probe import probe
from wyoming_units.engines._sherpa import (
    DECODER,
    ENCODER,
    JOINER,
    Family,
    Found,
    check_request,
    construct,
    ctc,
    engine_info,
    find_model,
    runtime,
    sentence,
)
from wyoming_units.engines._sherpa_hotwords import Hotwords
from wyoming_units.engines.base import (
    RATE,
    Audio,
    EngineInfo,
    Partial,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed

FAMILIES = {
    "transducer": Family(
        factory="from_transducer",
        files={"encoder": ENCODER, "decoder": DECODER, "joiner": JOINER},
        marks=("decode_chunk_len", "chunk_shift", "streaming_model_type"),
        sized_by="joiner",
    ),
    "paraformer": Family(
        factory="from_paraformer",
        files={"encoder": ENCODER, "decoder": DECODER},
        marks=("encoder_output_size",),
    ),
    "zipformer2_ctc": ctc(factory="from_zipformer2_ctc", marks=("decode_chunk_len",)),
    "nemo_ctc": ctc(factory="from_nemo_ctc", marks=("chunk_shift",)),
    "wenet_ctc": ctc(factory="from_wenet_ctc", marks=("right_context",)),
    "t_one_ctc": ctc(factory="from_t_one_ctc", marks=("frame_length_ms",)),
}
"""Streaming recognisers of sherpa-onnx 2; the kinds of several files come first."""

_PARALLEL = 8
_THREADS = 2
"""More do not make chunks of 0.3 s faster."""
_HOP = RATE // 100
"""Samples between two feature frames."""
_CHUNK = 90
"""Frames, for Paraformer (60, and 30 to come) and T-one (30), which do not tell."""
_LATE = round(0.3 * RATE)
"""How much later than its end a word may be written, in samples."""


class SherpaStreamingRecognizer:
    """Recognises while people speak, with one streaming model."""

    def __init__(self, *, model: LocalModel, threads: int | None = None) -> None:
        """Find and check the files; `EngineFailed` names the one that is missing or broken."""
        self._model = model
        self._threads = threads
        self._found = find_model(model, FAMILIES)
        self._hotwords = _hotwords(self._found, model)
        self._loaded: _Loaded | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return engine_info(
            "sherpa-streaming", self._model, open_vocabulary=True, parallel=_PARALLEL
        )

    def load(self) -> None:
        """Load the network, in a process of its own first, and let it hear a second of silence."""
        probe("sherpa-streaming", self._model, threads=self._threads)
        options = runtime(self._model, self._threads, _THREADS)
        loaded = _Loaded(self._found, self._hotwords, options)
        stream = _Stream(loaded, "")
        stream.feed(np.zeros(RATE, np.float32))
        stream.finish()
        self._loaded = loaded

    def close(self) -> None:
        """Drop the network; it lives on until the last stream is closed."""
        self._loaded = None

    def start(self, request: RecognitionRequest) -> _Stream:
        """Begin an utterance; `UnknownModel` for a model or language that it does not have."""
        check_request(self.info.models[0], request)
        if self._loaded is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        return _Stream(self._loaded, self._hotwords.phrases(request) if self._hotwords else "")


def _hotwords(found: Found, model: LocalModel) -> Hotwords | None:
    """Return how to give the model hotwords; only the search of Zipformer transducers takes them."""
    zipformer = found.name == "transducer" and "decode_chunk_len" in found.metadata
    return Hotwords.of(found, model) if zipformer and model.options.get("hotwords", True) else None


def _window(metadata: Mapping[str, str]) -> int:
    """Return how many feature frames the network must have before it hears the first of them."""
    sizes = [
        sum(int(metadata.get(key, 0)) for key in keys)
        for keys in (("T",), ("window_size",), ("chunk_feature_frames", "right_feature_frames"))
    ]
    return max(sizes) or _CHUNK


class _Loaded:
    """A network, and who works for all of its streams."""

    def __init__(self, found: Found, hotwords: Hotwords | None, options: dict[str, Any]) -> None:
        from sherpa_onnx import OnlineRecognizer

        factory = getattr(OnlineRecognizer, found.family.factory)
        with ExitStack() as stack:
            if hotwords is not None:
                options = options | stack.enter_context(hotwords.arguments())
            self.recognizer = construct(factory, **{**options, **found.arguments})
        self.combiner: Combiner[Any] = Combiner(
            self._decode, _PARALLEL, max(1, (os.cpu_count() or 1) // options["num_threads"])
        )
        self.tail: Audio = np.zeros(_window(found.metadata) * _HOP + _LATE, np.float32)
        """Silence that brings out the last word."""

    def _decode(self, streams: list[Any]) -> None:
        self.recognizer.decode_streams(streams)


class _Stream:
    """One utterance."""

    def __init__(self, loaded: _Loaded, hotwords: str) -> None:
        self._loaded = loaded
        self._stream: Any = loaded.recognizer.create_stream(*([hotwords] if hotwords else []))
        self._text = ""

    def feed(self, samples: Audio) -> Partial | None:
        """Take the next samples; return the text so far where it has changed."""
        self._hear(samples)
        text = self._result().text
        if text == self._text:
            return None
        self._text = text
        return Partial(text=text)

    def finish(self) -> Recognition:
        """Return the text of the whole utterance."""
        stream = self._stream
        if stream is None:
            return Recognition(text="")
        stream.accept_waveform(RATE, self._loaded.tail)
        stream.input_finished()
        self._hear(np.empty(0, np.float32))
        return self._result()

    def close(self) -> None:
        """Let go of the network; a `feed` that goes on in another thread ends after this chunk."""
        self._stream = None

    def _hear(self, samples: Audio) -> None:
        stream, recognizer = self._stream, self._loaded.recognizer
        if stream is not None and len(samples):
            stream.accept_waveform(RATE, samples)
        while stream is not None and recognizer.is_ready(stream):
            self._loaded.combiner.run(stream)
            stream = self._stream

    def _result(self) -> Recognition:
        stream = self._stream
        if stream is None:
            return Recognition(text="")
        result = self._loaded.recognizer.get_result_all(stream)
        sure = [p for p in result.ys_probs if p <= 0]
        return Recognition(
            text=sentence(result.text), confidence=exp(sum(sure) / len(sure)) if sure else None
        )
