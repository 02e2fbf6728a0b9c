"""SenseVoice on the NPU of an AX630C: Chinese, English, Cantonese, Japanese, Korean.

Two layouts: AXERA-TECH/SenseVoice (normalised features, a mask and a language go in) and M5Stack/SenseVoiceSmall
(plain features and a prompt of four numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import (
    Session,
    engine_info,
    files_of,
    open_session,
    read_mode,
)
from wyoming_units.engines._fbank import BANDS, SENSE_VOICE, Frames
from wyoming_units.engines._sherpa import check_request, primary
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed
from wyoming_units.speech import stacking
from wyoming_units.speech.cutting import cut_quietly

_AUTHOR = Attribution(name="FunAudioLLM", url="https://github.com/FunAudioLLM/SenseVoice")
LANGUAGES = {"zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
"""Numbers of languages; 0 lets the network find it out."""
_WRITTEN, _SPOKEN = 14, 15
"""Whether numbers are written as digits."""
_WIDTH = BANDS * stacking.WINDOW
_FRAME, _STEP = RATE // 40, RATE // 100
"""Samples of a frame of filter banks, and from one to the next."""
_LEAST = _FRAME + (stacking.WINDOW - 1) * _STEP
"""Samples of one stack."""


@dataclass(frozen=True, kw_only=True)
class _Network:
    session: Session
    frames: int
    """Stacked frames that go in."""
    normalisation: tuple[Audio, Audio] | None
    """What to add and to multiply with; None where the network normalises, and takes a prompt."""
    tokens: tuple[str, ...]

    @property
    def longest(self) -> int:
        """Return how many samples fill it."""
        return _LEAST + (self.frames - 1) * stacking.SHIFT * _STEP

    def hear(self, samples: Audio, language: int, *, digits: bool) -> stacking.Heard:
        """Return the tokens of at most `longest` samples."""
        stacks = stacking.stack(Frames(SENSE_VOICE).feed(samples, last=True))[: self.frames]
        if self.normalisation is not None:
            shift, scale = self.normalisation
            stacks = (stacks + shift) * scale
        feats = np.zeros((1, self.frames, _WIDTH), np.float32)
        feats[0, : len(stacks)] = stacks
        heard = len(stacks) + stacking.TAGS
        outputs = list(self.session.run(self._feeds(feats, heard, language, digits)).values())
        logits = next(one for one in outputs if one.ndim == 3)[0]
        lengths = [int(one.reshape(-1)[0]) for one in outputs if one.ndim < 3]
        return stacking.decode(logits, min(heard, *lengths, len(logits)))

    def _feeds(self, feats: Audio, heard: int, language: int, digits: bool) -> dict[str, Any]:
        names = [tensor.name for tensor in self.session.inputs]
        if self.normalisation is None:
            writing = _WRITTEN if digits else _SPOKEN
            return dict(
                zip(names, (feats, np.array([language, 1, 2, writing], np.int32)), strict=True)
            )
        mask = np.zeros(self.frames + stacking.TAGS, np.int32)
        mask[:heard] = 1
        shape = self.session.inputs[2].shape
        told = np.full([size or 1 for size in shape], language, np.int32)
        return dict(zip(names, (feats, mask, told), strict=True))


class AxSenseVoice:
    """Writes down what is said in five languages, and finds out which one it is."""

    def __init__(self, *, model: LocalModel, digits: bool = True) -> None:
        """Find the files; `EngineFailed` names the one that is missing.

        `digits`: whether numbers are written as such, where the network lets one choose.
        """
        self._model = model
        self._digits = digits
        mode = str(model.options.get("mode", model.name))
        told = read_mode(model.path, mode)
        folder = files_of(model.path, mode)
        self._path = _file(folder, str(told.get("model_config.sense_voice.model", "*.axmodel")))
        self._tokens = _file(folder, str(told.get("model_config.tokens", "tokens.txt")))
        self._normalisation = folder / "am.mvn"
        self._network: _Network | None = None

    @property
    def info(self) -> EngineInfo:
        """Return the one model."""
        known = tuple(code for code in self._model.languages if primary(code) in LANGUAGES)
        return engine_info(
            "axengine-sensevoice",
            "SenseVoice on the NPU",
            self._model,
            _AUTHOR,
            open_vocabulary=True,
            languages=known or tuple(LANGUAGES),
        )

    def load(self) -> None:
        """Load the network and let it hear a second of silence; `EngineFailed` where it is of another layout."""
        session = open_session(self._path)
        try:
            network = self._read(session)
            network.hear(np.zeros(RATE, np.float32), 0, digits=self._digits)
        except BaseException:
            session.close()
            raise
        self._network = network

    def _read(self, session: Session) -> _Network:
        shapes = [tensor.shape for tensor in session.inputs]
        feats = shapes[0] if shapes else ()
        if len(feats) != 3 or feats[2] != _WIDTH or not feats[1] or len(shapes) not in (2, 3):
            raise EngineFailed(f"{self._path} takes {shapes}, which is no SenseVoice")
        normalisation = None
        if len(shapes) == 3:
            text = _text(self._normalisation)
            try:
                normalisation = stacking.read_normalisation(text, _WIDTH)
            except ValueError as err:
                raise EngineFailed(f"{self._normalisation} is broken: {err}") from None
        return _Network(
            session=session,
            frames=feats[1],
            normalisation=normalisation,
            tokens=stacking.read_tokens(_text(self._tokens)),
        )

    def close(self) -> None:
        """Let go of the network."""
        network, self._network = self._network, None
        if network is not None:
            network.session.close()

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text of a recording; `UnknownModel` for a model or language that it does not have."""
        check_request(self.info.models[0], request)
        network = self._network
        if network is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        number = LANGUAGES[primary(request.language)] if request.language else 0
        parts = [part for part in cut_quietly(samples, network.longest) if len(part) >= _LEAST]
        heard = [network.hear(part, number, digits=self._digits) for part in parts]
        texts = [stacking.write(_spell(network.tokens, one.tokens)) for one in heard]
        chances = [one.confidence for one in heard if one.confidence is not None]
        spoken = stacking.tag(network.tokens[heard[0].language]) if heard else ""
        return Recognition(
            text=" ".join(text for text in texts if text),
            confidence=sum(chances) / len(chances) if chances else None,
            language=request.language or (spoken if spoken in LANGUAGES else None),
        )


def _spell(tokens: tuple[str, ...], numbers: tuple[int, ...]) -> list[str]:
    """Return tokens by their numbers; `EngineFailed` where the list is of another network."""
    try:
        return [tokens[number] for number in numbers]
    except IndexError:
        raise EngineFailed("tokens.txt is of another network: it has too few lines") from None


def _file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise EngineFailed(f"{folder} must have one {pattern}; there are: {names}")
    return found[0]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise EngineFailed(f"{path} cannot be read: {err}") from None
