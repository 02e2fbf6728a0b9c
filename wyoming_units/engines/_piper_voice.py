"""Piper voices on disk: weights and, beside them, a JSON file that says how to speak with them.

Format: https://github.com/OHF-Voice/piper1-gpl/blob/main/docs/TRAINING.md. Nothing of Piper is imported.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import read_onnx
from wyoming_units.engines.base import Attribution, Audio, Model
from wyoming_units.errors import EngineFailed, UnknownVoice

_LINK = "ʲ"
_LINKED = "iɪː"
"""Sounds after which espeak-ng writes `_LINK` since 1.52.1: "create" as /kɹiːʲeɪt/.

Nearly all voices were trained before that and break such words in two. After a consonant it is a sound of its own.
"""

_SYLLABLES = "mˈamanosedibutela"
_PIECE = 0.1
"""Seconds."""
_PEAK, _MOST_GAIN = 0.95, 5.0
"""Voices were trained at all levels: a sentence is amplified to this peak, but not breath to speech."""

Phonemes = Sequence[str]
"""Of one sentence, punctuation among them."""


@dataclass(frozen=True, kw_only=True)
class PiperFile:
    """A voice that was found, and found to be whole."""

    name: str
    path: Path
    """Its weights."""
    config: Mapping[str, Any]
    """Its JSON file as it is."""
    rate: int
    """Sample rate, in Hz."""
    language: str
    """BCP 47 code, with the region where the file has it."""
    speakers: Mapping[str, int]
    """Numbers of the speakers by name, the usual one first; empty where there is only one."""
    length_scale: float
    """How long each sound is at speed 1, as the network takes it."""
    noise_scale: float
    noise_w: float
    ids: Mapping[str, Sequence[int]]
    """What the network takes for each phoneme."""

    @property
    def phoneme_type(self) -> str:
        """Return which alphabet it reads: "espeak" is IPA, "text" letters, "pinyin" that."""
        return str(self.config.get("phoneme_type", "espeak"))

    @property
    def espeak_voice(self) -> str:
        """Return what eSpeak NG shall read with."""
        return str(self.config.get("espeak", {}).get("voice", self.language))

    def speaker(self, name: str | None) -> int | None:
        """Return the number of a speaker by name or number, None where there is one only; `UnknownVoice`."""
        if name is None or (not self.speakers and name == "0"):
            return next(iter(self.speakers.values()), None)
        if name in self.speakers:
            return self.speakers[name]
        if name.isdecimal() and int(name) in self.speakers.values():
            return int(name)
        raise UnknownVoice(
            f"{self.name} has no speaker {name!r}; "
            + (f"it has: {', '.join(self.speakers)}" if self.speakers else "it has only one")
        )


def read_voice(path: Path) -> PiperFile:
    """Return the voice at a file or in a folder; `EngineFailed` names what is missing or broken."""
    weights = _weights(path)
    read_onnx(weights)
    file = _config_path(weights)
    if not file.is_file():
        raise EngineFailed(f"the voice {weights.name} needs its {file} beside it")
    try:
        config = json.loads(file.read_text("utf-8"))
        return _read(weights, config)
    except (OSError, ValueError) as error:
        raise EngineFailed(f"{file} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineFailed(f"{file} is no Piper voice: {error!r}") from error


def is_piper(path: Path) -> bool:
    """Tell if there is a voice with its JSON file."""
    try:
        return _config_path(_weights(path)).is_file()
    except EngineFailed:
        return False


def voice_model(model: LocalModel, voice: PiperFile, maker: Attribution) -> Model:
    """Return what an engine tells of its voice."""
    family = voice.language.partition("-")[0]
    return Model(
        name=model.name,
        languages=model.languages or tuple(dict.fromkeys((voice.language, family))),
        description=model.description or model.name,
        attribution=maker,
        rate=voice.rate,
        speakers=tuple(voice.speakers),
    )


def check_voice(model: Model, name: str | None, language: str | None) -> Model:
    """Return the only voice of an engine; `UnknownVoice` where another name or language is wanted."""
    if name not in (None, model.name):
        raise UnknownVoice(f"no voice is called {name!r}; there is {model.name}")
    if name is None and language:
        wanted = language.replace("_", "-").partition("-")[0].lower()
        if wanted not in {code.partition("-")[0].lower() for code in model.languages}:
            raise UnknownVoice(f"the voice {model.name} does not speak {language!r}")
    return model


def babble(voice: PiperFile) -> list[str]:
    """Return phonemes to try a voice with: some syllables, and that with the highest number."""
    known = [sound for sound in _SYLLABLES if sound in voice.ids] or list(voice.ids)[3:30]
    return [*known, max(voice.ids, key=lambda sound: max(voice.ids[sound], default=0))]


def pieces(sentence: Audio, rate: int) -> Iterator[Audio]:
    """Yield a sentence in pieces of 0.1 s, as loud as those of other voices."""
    peak = float(np.abs(sentence).max(initial=0.0))
    loud = sentence * np.float32(min(_PEAK / peak, _MOST_GAIN) if peak else 1.0)
    size = round(_PIECE * rate)
    return (loud[at : at + size] for at in range(0, len(loud), size))


def says_anything(text: str) -> bool:
    """Tell if a text is more than punctuation, which eSpeak NG would read out where it stands alone."""
    return any(not (c.isspace() or unicodedata.category(c).startswith("P")) for c in text)


def without_links(phonemes: Phonemes) -> list[str]:
    """Return phonemes without the glides that most voices were never taught."""
    return [
        phoneme
        for at, phoneme in enumerate(phonemes)
        if phoneme != _LINK or at == 0 or phonemes[at - 1] not in _LINKED
    ]


def _weights(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx"))
    whole = [file for file in found if _config_path(file).is_file()]
    if len(whole or found) != 1:
        raise EngineFailed(f"{path} should hold one voice, not {len(whole or found)}")
    return (whole or found)[0]


def _config_path(weights: Path) -> Path:
    return weights.with_name(f"{weights.name}.json")


def _read(weights: Path, config: Mapping[str, Any]) -> PiperFile:
    inference = config.get("inference", {})
    ids = {str(key): [int(i) for i in value] for key, value in config["phoneme_id_map"].items()}
    if missing := {"_", "^", "$"} - ids.keys():
        raise ValueError(f"phoneme_id_map lacks {' '.join(sorted(missing))}")
    last = max(number for numbers in ids.values() for number in numbers)
    if last >= (symbols := int(config["num_symbols"])):
        raise ValueError(f"a phoneme {last}, of {symbols}")
    if (rate := int(config["audio"]["sample_rate"])) not in range(8_000, 96_001):
        raise ValueError(f"a sample rate of {rate} Hz")
    return PiperFile(
        name=weights.stem,
        path=weights,
        config=config,
        rate=rate,
        language=_language(weights, config),
        speakers=_speakers(config),
        length_scale=float(inference.get("length_scale", 1.0)),
        noise_scale=float(inference.get("noise_scale", 0.667)),
        noise_w=float(inference.get("noise_w", 0.8)),
        ids=ids,
    )


def _language(weights: Path, config: Mapping[str, Any]) -> str:
    """Return the language that the file tells, else the one that its name begins with, as Piper's do."""
    code = config.get("language", {}).get("code") or weights.name.partition("-")[0]
    language, _, region = str(code).replace("_", "-").partition("-")
    return f"{language.lower()}-{region.upper()}" if region else language.lower()


def _speakers(config: Mapping[str, Any]) -> dict[str, int]:
    count = int(config["num_speakers"])
    if count <= 1:
        return {}
    named = {str(name): int(number) for name, number in config.get("speaker_id_map", {}).items()}
    named = named or {str(number): number for number in range(count)}
    if wrong := [name for name, number in named.items() if number not in range(count)]:
        raise ValueError(f"speaker {wrong[0]} is not one of {count}")
    usual = int(config.get("default_speaker_id", min(named.values())))
    return dict(sorted(named.items(), key=lambda speaker: speaker[1] != usual))
