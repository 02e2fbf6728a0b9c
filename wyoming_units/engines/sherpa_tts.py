"""sherpa-onnx voices: VITS (Piper's too), Matcha, Kokoro and Kitten.

Since version 2 the library has no eSpeak NG: voices without a lexicon get their phonemes from us.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._ipa import Reader, reader
from wyoming_units.engines._onnx_file import read_onnx
from wyoming_units.engines._piper_voice import (
    Phonemes,
    PiperFile,
    babble,
    check_voice,
    is_piper,
    pieces,
    read_voice,
    says_anything,
    voice_model,
)
from wyoming_units.engines._probe import probe
from wyoming_units.engines._sherpa import (
    MODEL,
    Family,
    Found,
    construct,
    engine_info,
    find_model,
    read_tokens,
    runtime,
)
from wyoming_units.engines.base import Attribution, Audio, Emit, EngineInfo, Model, SynthesisRequest
from wyoming_units.errors import EngineFailed

_VOICES = {"model": MODEL, "voices": ("voices.bin", "*.bin")}
FAMILIES = {
    "kokoro": Family(factory="kokoro", files=_VOICES, types=("kokoro",)),
    "kitten": Family(factory="kitten", files=_VOICES, types=("kitten",)),
    "matcha": Family(
        factory="matcha",
        files={
            "acoustic_model": ("model-steps*.onnx", "*acoustic*.onnx", "model*.onnx"),
            "vocoder": ("*voco*.onnx", "*hifigan*.onnx"),
        },
        types=("matcha",),
    ),
    "vits": Family(factory="vits", files={"model": MODEL}, types=("vits", "melo"), alias="melo"),
}
"""Voices that sherpa-onnx 2 speaks with, besides Piper's with their JSON files."""

_PIPER = ("", "piper", "vits")
_THREADS = 4
"""More of them do not speak a clause any sooner."""
_SMALL = 30_000_000
"""Bytes of a voice that is fast enough with one thread: the library's threads spin while they wait."""
_RULES = ("phone", "date", "number")
"""Rules that rewrite a text, in the order in which they must be applied; all others come after them."""
_LANGUAGES = {"english": "en", "chinese": "zh", "german": "de", "french": "fr", "spanish": "es"}
"""How metadata name them."""
_METADATA_FIELD = 0x72
"""Tag of `metadata_props` in an ONNX file: field 14, of a length that follows."""


class SherpaSynthesizer:
    """Speaks with one voice."""

    def __init__(self, *, model: LocalModel) -> None:
        """Find and check the files; `EngineFailed` names the one that is missing or broken."""
        self._model = model
        self._found = None if _is_piper(model) else find_model(model, FAMILIES)
        self._file = _described(model, self._found) if self._found else read_voice(model.path)
        self._lexicons = _lexicons(self._found) if self._found else []
        self._reader: Reader | None = None
        self._tts: Any = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        name = self._model.author or ("Piper" if self._found is None else "k2-fsa")
        maker = Attribution(name=name, url=self._model.upstream)
        return replace(
            engine_info("sherpa-tts", self._model, parallel=max(1, (os.cpu_count() or 1) // 2)),
            models=(voice_model(self._model, self._file, maker),),
        )

    def load(self) -> None:
        """Load the voice, in a process of its own first, and speak once."""
        self._reader = None if self._lexicons else reader(self._file)
        probe("sherpa-tts", self._model)
        with self._arguments() as arguments:
            threads = 1 if self._file.path.stat().st_size < _SMALL else _THREADS
            tts = _construct(arguments, self._text_rules(), runtime(self._model, None, threads))
        if tts.num_speakers != (count := len(self._file.speakers) or 1):
            raise EngineFailed(
                f"{self._file.path.name} has {tts.num_speakers} speakers, its description {count}"
            )
        sounds = None if self._lexicons else [babble(self._file)]
        text = _first_word(self._lexicons[0]) if self._lexicons else ""
        self._generate(tts, text, sounds, SynthesisRequest(text=text), lambda _: True)
        self._tts = tts

    def close(self) -> None:
        """Drop the voice."""
        self._tts = None

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the one voice; `UnknownVoice` for any other."""
        return check_voice(self.info.models[0], name, language)

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak sentence by sentence, in pieces of 0.1 s."""
        self.voice(request.voice, request.language)
        self._file.speaker(request.speaker)
        if (tts := self._tts) is None:
            raise EngineFailed(f"the voice {self._model.name} is not loaded")
        if says_anything(request.text):
            sounds = self._reader(request.text) if self._reader else None
            self._generate(tts, request.text, sounds, request, emit)

    def _generate(
        self,
        tts: Any,
        text: str,
        sentences: Sequence[Phonemes] | None,
        request: SynthesisRequest,
        emit: Emit,
    ) -> None:
        from sherpa_onnx import GenerationConfig

        config = GenerationConfig()
        config.sid = self._file.speaker(request.speaker) or 0
        config.speed = request.speed
        config.silence_scale = 1.0  # less would cut short what the voice says between words
        if sentences is not None:
            known = [
                [ord(sound) for sound in sentence if len(sound) == 1 and sound in self._file.ids]
                for sentence in sentences
            ]
            config.phoneme_codepoints = [sentence for sentence in known if sentence]
            if not config.phoneme_codepoints:
                return
        failures: list[BaseException] = []
        received = 0

        def receive(samples: Audio, _progress: float) -> int:
            nonlocal received
            received += 1
            try:
                return int(all(map(emit, pieces(np.asarray(samples), self._file.rate))))
            except BaseException as error:  # noqa: BLE001 - the library would end the process
                failures.append(error)
                return 0

        try:
            whole = tts.generate(text, config, receive)
            if not received:  # Kitten tells nothing until all is said
                receive(np.array(whole.samples, np.float32), 1.0)
        except (IndexError, RuntimeError, ValueError) as error:
            raise EngineFailed(f"sherpa-onnx: {' '.join(str(error).split())}") from error
        if failures:
            raise failures[0]

    @contextmanager
    def _arguments(self) -> Iterator[dict[str, Any]]:
        """Lend the arguments of the library's model configuration; it reads the files once."""
        if self._found is None:
            with _piper_files(self._file) as files:
                scales = {
                    "noise_scale": self._file.noise_scale,
                    "noise_scale_w": self._file.noise_w,
                    "length_scale": self._file.length_scale,
                }
                yield {"vits": {**files, **scales}}
            return
        lexicons = {"lexicon": ",".join(map(str, self._lexicons))} if self._lexicons else {}
        yield {self._found.family.factory: {**self._found.arguments, **lexicons}}

    def _text_rules(self) -> dict[str, str]:
        if self._found is None or not self._lexicons:
            return {}
        folder = self._found.files["tokens"].parent
        rules = sorted(folder.glob("*.fst"), key=lambda file: (_rank(file.stem), file.stem))
        archives = sorted(folder.glob("*.far"))
        return {
            "rule_fsts": ",".join(map(str, rules)),
            "rule_fars": ",".join(map(str, archives)),
        }


def _construct(families: dict[str, Any], rules: dict[str, str], how: dict[str, Any]) -> Any:
    import sherpa_onnx

    parts = {
        family: construct(getattr(sherpa_onnx, _class_name(family)), **arguments)
        for family, arguments in families.items()
    }
    config = sherpa_onnx.OfflineTtsConfig(
        model=sherpa_onnx.OfflineTtsModelConfig(**parts, **how), **rules
    )
    if not config.validate():
        raise EngineFailed("sherpa-onnx does not take the files of this voice")
    return construct(sherpa_onnx.OfflineTts, config=config)


def _class_name(family: str) -> str:
    return f"OfflineTts{family.title()}ModelConfig"


def _is_piper(model: LocalModel) -> bool:
    """Tell if a voice is Piper's, also where its JSON file is missing: then that is to be said."""
    family = str(model.options.get("family", ""))
    bare = model.path.is_file() and not (model.path.parent / "tokens.txt").exists()
    return family in _PIPER and (is_piper(model.path) or family == "piper" or bare)


def _lexicons(found: Found) -> list[Path]:
    """Return what says how words sound; of two kinds of English one is enough."""
    files = sorted(found.files["tokens"].parent.glob("lexicon*.txt"))
    names = {file.name for file in files}
    british = "lexicon-gb-en.txt"
    return [f for f in files if f.name != british or "lexicon-us-en.txt" not in names]


def _first_word(lexicon: Path) -> str:
    """Return a word that a voice can surely say."""
    try:
        with lexicon.open(encoding="utf-8") as lines:
            return next(line.split()[0] for line in lines if line.strip())
    except (OSError, UnicodeDecodeError, StopIteration) as error:
        raise EngineFailed(f"{lexicon} cannot be read: {error!r}") from None


def _rank(rule: str) -> int:
    return _RULES.index(rule) if rule in _RULES else len(_RULES)


def _described(model: LocalModel, found: Found) -> PiperFile:
    """Return for any voice what Piper's have in their JSON file, from its metadata and tokens."""
    weights = next(iter(found.files.values()))
    metadata = found.metadata
    try:
        rate, count = int(metadata["sample_rate"]), int(metadata.get("n_speakers", "1"))
    except (KeyError, ValueError) as error:
        raise EngineFailed(f"{weights}: its metadata have no {error}") from error
    names = [name.strip() for name in metadata.get("speaker_names", "").split(",") if name.strip()]
    named = names if len(names) == count else [str(number) for number in range(count)]
    espeak = metadata.get("voice", "")
    words = metadata.get("language", "").lower().replace("_", "-").split()
    language = next((_LANGUAGES[word] for word in words if word in _LANGUAGES), "")
    return PiperFile(
        name=model.name,
        path=weights,
        config={
            "audio": {"sample_rate": rate},
            "espeak": {"voice": espeak or language or "en-us"},
            "num_symbols": 0,
            "num_speakers": count,
            "phoneme_id_map": {},
        },
        rate=rate,
        language=language or espeak or "en",
        speakers={name: number for number, name in enumerate(named)} if count > 1 else {},
        length_scale=1.0,
        noise_scale=0.667,
        noise_w=0.8,
        ids={token: [number] for token, number in read_tokens(found.files["tokens"]).items()},
    )


@contextmanager
def _piper_files(voice: PiperFile) -> Iterator[Mapping[str, str]]:
    """Lend what the library wants of a Piper voice: metadata inside the weights, and a list of tokens."""
    tokens = [f"{sound} {ids[0]}\n" for sound, ids in voice.ids.items() if len(sound) == 1 and ids]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tokens.txt").write_text("".join(tokens), "utf-8")
        weights = voice.path
        if "sample_rate" not in read_onnx(weights).metadata:
            weights = folder / "voice.onnx"
            shutil.copyfile(voice.path, weights)
            with weights.open("ab") as file:  # fields of a protocol buffer may come in any order
                file.write(b"".join(_property(*item) for item in _metadata(voice).items()))
        yield {"model": str(weights), "tokens": str(folder / "tokens.txt")}


def _metadata(voice: PiperFile) -> dict[str, str]:
    return {
        "model_type": "vits",
        "comment": "piper",
        "language": voice.language,
        "voice": voice.espeak_voice,
        "has_espeak": "1",
        "n_speakers": str(len(voice.speakers) or 1),
        "sample_rate": str(voice.rate),
    }


def _property(key: str, value: str) -> bytes:
    """Return a StringStringEntryProto of an ONNX file; both texts are short, so their lengths are one byte."""
    entry = b"".join(
        bytes([tag, len(text)]) + text
        for tag, text in ((0x0A, key.encode()), (0x12, value.encode()))
    )
    return bytes([_METADATA_FIELD, len(entry)]) + entry
