"""Piper: neural voices (VITS), with the library piper-tts and the eSpeak NG that it ships. Both are GPL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnxruntime import Runs
from wyoming_units.engines._piper_voice import (
    Phonemes,
    PiperFile,
    babble,
    check_voice,
    pieces,
    read_voice,
    says_anything,
    voice_model,
    without_links,
)
from wyoming_units.engines.base import (
    Attribution,
    Audio,
    Emit,
    EngineInfo,
    Model,
    SynthesisRequest,
)
from wyoming_units.errors import EngineFailed

if TYPE_CHECKING:
    from piper import PiperVoice

_MAKER = Attribution(name="Open Home Foundation", url="https://github.com/OHF-Voice/piper1-gpl")
_THREADS = 4
"""More of them do not speak a clause any sooner."""
_PINYIN = "g2pW"
"""Folder beside a voice that reads pinyin; the library would download it on first use."""


class PiperSynthesizer:
    """Speaks with one voice."""

    def __init__(self, *, model: LocalModel) -> None:
        """Read the voice's JSON file; `EngineFailed` names what is missing or broken."""
        self._model = model
        self._file = read_voice(model.path)
        self._voice: PiperVoice | None = None
        self._runs = Runs()

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        maker = Attribution(
            name=self._model.author or _MAKER.name, url=self._model.upstream or _MAKER.url
        )
        return EngineInfo(
            name="piper",
            description="Piper",
            version=version("piper-tts"),
            attribution=_MAKER,
            models=(voice_model(self._model, self._file, maker),),
            parallel=max(1, (os.cpu_count() or 1) // 2),
        )

    def load(self) -> None:
        """Load the weights, and speak once; `EngineFailed` where they and the JSON do not belong together."""
        voice = phonemizer(self._file)
        voice.session = self._runs.of(_session(self._file))
        try:
            self._run(voice, babble(self._file), None, 1.0)
        except Exception as error:  # the library lets through what onnxruntime raises
            raise EngineFailed(
                f"{self._file.path.name} does not go with its JSON file: {one_line(error)}"
            ) from error
        self._voice = voice

    def close(self) -> None:
        """Drop the weights."""
        self._voice = None

    def interrupt(self, thread: int) -> None:
        """End the synthesis in a thread, also before its network runs."""
        self._runs.end(thread)

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the one voice; `UnknownVoice` for any other."""
        return check_voice(self.info.models[0], name, language)

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak sentence by sentence, in pieces of 0.1 s."""
        self.voice(request.voice, request.language)
        speaker = self._file.speaker(request.speaker)
        if (voice := self._voice) is None:
            raise EngineFailed(f"the voice {self._model.name} is not loaded")
        with self._runs.call():
            for sentence in phonemes(voice, self._file, request.text):
                audio = self._run(voice, sentence, speaker, request.speed)
                for piece in pieces(audio, self._file.rate):
                    if not emit(piece):
                        return

    def _run(
        self, voice: PiperVoice, sentence: Phonemes, speaker: int | None, speed: float
    ) -> Audio:
        from piper.config import SynthesisConfig

        config = SynthesisConfig(speaker_id=speaker, length_scale=self._file.length_scale / speed)
        known = [sound for sound in sentence if sound in self._file.ids]  # it would log the others
        audio = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(known), config)
        return np.asarray(audio, np.float32).reshape(-1)


def phonemizer(file: PiperFile) -> PiperVoice:
    """Return the library's voice without weights: what it needs to read a text."""
    from piper import PiperVoice
    from piper.config import PiperConfig

    if file.phoneme_type == "pinyin" and not (file.path.parent / _PINYIN).is_dir():
        raise EngineFailed(f"the voice {file.path.name} needs the folder {_PINYIN} beside it")
    try:
        config = PiperConfig.from_dict(dict(file.config))
    except (KeyError, TypeError, ValueError) as error:
        raise EngineFailed(f"{file.path.name}.json is no Piper voice: {error!r}") from error
    voice = PiperVoice(session=None, config=config, download_dir=file.path.parent)
    list(phonemes(voice, file, "1"))  # so that eSpeak NG reads its dictionary now
    return voice


def phonemes(voice: PiperVoice, file: PiperFile, text: str) -> Iterator[Phonemes]:
    """Yield the phonemes of each sentence of a text, those left out that have none but punctuation."""
    try:
        sentences = voice.phonemize(text) if says_anything(text) else []
    except (ImportError, RuntimeError) as error:  # some languages need more libraries
        raise EngineFailed(f"the voice {file.path.name} cannot read: {one_line(error)}") from error
    for sentence in sentences:
        if any(phoneme.isalnum() for phoneme in sentence):
            yield without_links(sentence)


def _session(file: PiperFile) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = min(_THREADS, os.cpu_count() or 1)
    # Threads that spin between two runs take a third more CPU, from those who hear and from other voices.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(
            str(file.path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise EngineFailed(f"{file.path} cannot be loaded: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())
