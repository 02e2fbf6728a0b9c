"""sherpa-onnx, whole recordings: SenseVoice, Whisper, Moonshine, Parakeet and whatever else the library reads."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
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
    MODEL,
    Family,
    Found,
    check_request,
    construct,
    ctc,
    engine_info,
    find_model,
    primary,
    runtime,
    sentence,
)
from wyoming_units.engines._sherpa_hotwords import Hotwords
from wyoming_units.engines.base import RATE, Audio, EngineInfo, Recognition, RecognitionRequest
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.speech.cutting import cut_quietly

_STREAMING = ("decode_chunk_len", "chunk_shift", "encoder_output_size", "right_context")
"""Metadata of models for the streaming engine."""
_THREE = {"encoder": ENCODER, "decoder": DECODER, "joiner": JOINER}
_TWO = {"encoder": ENCODER, "decoder": DECODER}
FAMILIES = {
    "nemo_transducer": Family(
        factory="from_transducer",
        files=_THREE,
        marks=("pred_rnn_layers",),
        without=_STREAMING,
        sized_by="joiner",
        alias="transducer",
        extra={"model_type": "nemo_transducer"},
    ),
    "transducer": Family(
        factory="from_transducer", files=_THREE, without=_STREAMING, sized_by="joiner"
    ),
    "moonshine": Family(
        factory="from_moonshine",
        files={
            "preprocessor": ("preprocess*.onnx",),
            "encoder": ("encode*.onnx",),
            "uncached_decoder": ("uncached_decode*.onnx",),
            "cached_decoder": ("cached_decode*.onnx",),
        },
        languages=("en",),
    ),
    "moonshine_v2": Family(
        factory="from_moonshine_v2",
        files={"encoder": ("encoder*.ort",), "decoder": ("decoder*merged*.ort", "decoder*.ort")},
        alias="moonshine",
    ),
    "qwen3_asr": Family(
        factory="from_qwen3_asr",
        files={
            "conv_frontend": ("conv_frontend*.onnx",),
            **_TWO,
            "tokenizer": ("tokenizer",),
        },
        tokens=False,
    ),
    "funasr_nano": Family(
        factory="from_funasr_nano",
        files={
            "encoder_adaptor": ("encoder_adaptor*.onnx",),
            "llm": ("llm*.onnx",),
            "embedding": ("embedding*.onnx",),
            "tokenizer": ("Qwen*", "tokenizer"),
        },
        tokens=False,
    ),
    "whisper": Family(factory="from_whisper", files=_TWO, marks=("n_mels",)),
    "nemo_canary": Family(
        factory="from_nemo_canary",
        files=_TWO,
        types=("EncDecMultiTask",),
        languages=("en", "de", "es", "fr"),
    ),
    "fire_red_asr": Family(factory="from_fire_red_asr", files=_TWO, marks=("cmvn_mean",)),
    "cohere_transcribe": Family(
        factory="from_cohere_transcribe", files=_TWO, types=("cohere-transcribe",)
    ),
    "sense_voice": Family(
        factory="from_sense_voice",
        files={"model": MODEL},
        marks=("lang_auto", "with_itn"),
        sized_by="model",
        languages=("zh", "en", "ja", "ko", "yue"),
        extra={"use_itn": True},
    ),
    "paraformer": Family(
        factory="from_paraformer",
        files={"paraformer": MODEL},
        marks=("lfr_window_size",),
        without=_STREAMING,
    ),
    "nemo_ctc": ctc(factory="from_nemo_ctc", types=("EncDec",), without=_STREAMING),
    "zipformer_ctc": ctc(factory="from_zipformer_ctc", types=("zipformer2_ctc",)),
    "wenet_ctc": ctc(factory="from_wenet_ctc", types=("wenet_ctc",), without=_STREAMING),
    "telespeech_ctc": ctc(factory="from_telespeech_ctc", types=("telespeech_ctc",)),
    "tdnn_ctc": ctc(factory="from_tdnn_ctc", types=("tdnn",)),
    "fire_red_asr_ctc": ctc(
        factory="from_fire_red_asr_ctc", sized_by=None, types=("fire-red-asr",)
    ),
    "medasr_ctc": ctc(factory="from_medasr_ctc", sized_by=None, types=("medasr_ctc",)),
    "dolphin_ctc": ctc(factory="from_dolphin_ctc", sized_by=None, marks=("invstd",)),
    "omnilingual_asr_ctc": ctc(
        factory="from_omnilingual_asr_ctc", sized_by=None, named="omnilingual"
    ),
}
"""Recognisers of whole recordings of sherpa-onnx 2; those of more files, and with surer marks, come first."""

_PARALLEL = 4
_THREADS = 4
_SHORTEST = RATE // 2
"""Samples; networks fail on less, so silence is added."""
_LONGEST = {"whisper": 29 * RATE}
"""Samples of which a network hears only the first."""
_SETTINGS = {
    "whisper": ("whisper", ("language",)),
    "nemo_canary": ("canary", ("src_lang", "tgt_lang")),
}
"""Where the language is a setting that the library lets change while it runs: its place and keys."""
_BY_STREAM = ("cohere_transcribe", "qwen3_asr")
"""Families that take the language with each recording."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    stream: Any
    language: str


class SherpaOfflineRecognizer:
    """Recognises recordings with one model; those of several callers in one call of the network."""

    def __init__(self, *, model: LocalModel, threads: int | None = None) -> None:
        """Find and check the files; `EngineFailed` names the one that is missing or broken."""
        self._model = model
        self._threads = threads
        self._found = find_model(model, FAMILIES)
        zipformer = self._found.name == "transducer" and model.options.get("hotwords", True)
        self._hotwords = Hotwords.of(self._found, model) if zipformer else None
        self._loaded: _Loaded | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model, with the languages of its manifest or else of its family."""
        return engine_info(
            "sherpa-offline",
            self._model,
            languages=self._found.family.languages or self._whisper_languages(),
            open_vocabulary=True,
            parallel=_PARALLEL,
        )

    def _whisper_languages(self) -> tuple[str, ...]:
        codes = self._found.metadata.get("all_language_codes", "")
        english = ("en",) if self._found.name == "whisper" else ()
        return tuple(code for code in codes.split(",") if code) or english

    def load(self) -> None:
        """Load the network, in a process of its own first, and let it hear a second of silence."""
        probe("sherpa-offline", self._model, threads=self._threads)
        options = runtime(self._model, self._threads, _THREADS)
        if self._found.name == "sense_voice" and len(self._model.languages) == 1:
            options["language"] = primary(self._model.languages[0])
        loaded = _Loaded(self._found, self._hotwords, options)
        loaded.hear(np.zeros(RATE, np.float32), "", "")
        self._loaded = loaded

    def close(self) -> None:
        """Drop the network; calls that run go on to their end."""
        self._loaded = None

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text of a recording; `UnknownModel` for a model or language that it does not have."""
        check_request(self.info.models[0], request)
        loaded = self._loaded
        if loaded is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        if not len(samples):
            return Recognition(text="")
        hotwords = self._hotwords.phrases(request) if self._hotwords else ""
        language = self._language(request)
        parts = cut_quietly(samples, _LONGEST.get(self._found.name, len(samples)))
        results = [loaded.hear(part, hotwords, language) for part in parts]
        return Recognition(
            text=sentence(" ".join(result.text for result in results)),
            confidence=_confidence(results),
            language=results[0].lang.strip("<|>") or None,
        )

    def _language(self, request: RecognitionRequest) -> str:
        """Return what the network is told to hear; empty where it shall find it out."""
        only = {primary(code) for code in self.info.models[0].languages}
        language = only.pop() if len(only) == 1 else primary(request.language or "")
        known = self._whisper_languages()
        if known and language not in ("", *map(primary, known)):  # the library would exit
            raise UnknownModel(f"{self._model.name} does not understand {request.language!r}")
        return language


class _Loaded:
    """A network, and who works for all who call it."""

    def __init__(self, found: Found, hotwords: Hotwords | None, options: dict[str, Any]) -> None:
        from sherpa_onnx import OfflineRecognizer

        factory = getattr(OfflineRecognizer, found.family.factory)
        with ExitStack() as stack:
            if hotwords is not None:
                options = options | stack.enter_context(hotwords.arguments())
            self._recognizer = construct(factory, **{**options, **found.arguments})
        self._found = found
        self._combiner: Combiner[_Job] = Combiner(self._decode, _PARALLEL)

    def hear(self, samples: Audio, hotwords: str, language: str) -> Any:
        """Return the library's result for a recording."""
        missing = max(0, _SHORTEST - len(samples))
        stream = self._recognizer.create_stream(*([hotwords] if hotwords else []))
        if language and self._found.name in _BY_STREAM:
            stream.set_option("language", language)
        stream.accept_waveform(RATE, np.pad(samples, (0, missing)))
        self._combiner.run(_Job(stream=stream, language=language))
        return stream.result

    def _decode(self, jobs: list[_Job]) -> None:
        """Decode all in one call, or where the language is a setting of the network, one call for each."""
        if self._found.name not in _SETTINGS:
            self._recognizer.decode_streams([job.stream for job in jobs])
            return
        for language in dict.fromkeys(job.language for job in jobs):
            self._set_language(language)
            streams = [job.stream for job in jobs if job.language == language]
            self._recognizer.decode_streams(streams)

    def _set_language(self, language: str) -> None:
        config = self._recognizer.config
        place, keys = _SETTINGS[self._found.name]
        for key in keys:
            # Whisper finds the language out where it is given none; Canary cannot.
            value = language or ("" if self._found.name == "whisper" else "en")
            setattr(getattr(config.model_config, place), key, value)
        self._recognizer.recognizer.set_config(config)


def _confidence(results: list[Any]) -> float | None:
    """Return how sure the network is of the average token, where it tells."""
    sure = [float(p) for result in results for p in result.ys_log_probs if p <= 0]
    return exp(sum(sure) / len(sure)) if sure else None
