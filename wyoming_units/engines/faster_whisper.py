"""Whisper on CTranslate2, by way of faster-whisper: its features, tokens and long recordings.

Commands are short, so they take a shorter path than the library's: one window, no timestamps, no sampling.
"""

from __future__ import annotations

import logging
import math
import os
from functools import cache
from importlib.metadata import version

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._whisper_folder import read_folder
from wyoming_units.engines._whisper_languages import (
    chosen,
    is_traditional,
    most_tokens,
    offered,
    soundless,
    whispers,
)
from wyoming_units.engines._whisper_network import (
    DEVICES,
    FULL_WINDOW,
    Attempt,
    Network,
    places,
)
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed, UnitError, UnknownModel, Unsupported
from wyoming_units.speech.hallucination import Heard, doubtful, invented, loudest
from wyoming_units.speech.vocabulary import likely_names

_LOGGER = logging.getLogger(__name__)
_MARGIN = 2.0
"""Seconds of emptiness that a shorter window leaves behind the audio."""
_WINDOW = 15.0
"""Seconds; half of what Whisper was trained with, for a quarter of the time. whisper.cpp recommends it for commands."""
_NAME_TOKENS = 120
"""For names in the prompt."""
_BEFORE_TOKENS = 60
"""For what was said before; both together stay below the 223 that the network takes."""
_BEAM = 5


class FasterWhisperRecognizer:
    """Writes down what is said, in one language or in whichever is spoken."""

    def __init__(
        self,
        *,
        model: LocalModel,
        device: str = "auto",
        compute_type: str = "auto",
        beam_size: int = _BEAM,
        threads: int | None = None,
        window: float = _WINDOW,
    ) -> None:
        """Read the folder of the model; `EngineFailed` names what is wrong with it.

        `device` is "cpu", "cuda" or "auto", `compute_type` one of CTranslate2's or "auto". `window` is the
        least number of seconds that is encoded: below 30 a short recording takes a fraction of the time, at
        some risk for the text; doubtful texts are then decoded again with the full window.
        """
        if device not in ("auto", *DEVICES):
            raise Unsupported(f"no device is called {device!r}; there are: auto, cpu, cuda")
        self._folder = read_folder(model.path)
        self._languages = tuple(
            code
            for code in self._folder.languages
            if not model.languages or code in {whispers(name) for name in model.languages}
        )
        if not self._languages:
            raise EngineFailed(f"{model.path} knows none of {', '.join(model.languages)}")
        self._model = model
        self._wanted = (device, compute_type)
        self._beam = beam_size
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._window = min(max(window, 1.0), FULL_WINDOW)
        self._network: Network | None = None

    @property
    def info(self) -> EngineInfo:
        """Return the model and its languages; once loaded, also what it runs on."""
        described = self._model.description or self._model.name
        model = Model(
            name=self._model.name,
            languages=offered(self._languages),
            description=f"{described}, {self._network.runs_on}" if self._network else described,
            attribution=Attribution(
                name=self._model.author or "OpenAI",
                url=self._model.upstream or "https://github.com/openai/whisper",
            ),
        )
        return EngineInfo(
            name="faster-whisper",
            description="faster-whisper",
            version=_version(),
            attribution=Attribution(
                name="SYSTRAN", url="https://github.com/SYSTRAN/faster-whisper"
            ),
            models=(model,),
            open_vocabulary=True,
        )

    def load(self) -> None:
        """Load the weights, on the graphics card where there is one that works, and run them once."""
        device, compute_type = self._wanted
        for place in places(device):
            try:
                self._network = self._loaded(place, compute_type)
            except UnitError:
                raise
            except Exception as err:  # whatever CTranslate2 or the tokenizer make of broken files
                if place == "cpu" or device != "auto":
                    raise EngineFailed(f"{self._model.path} cannot be loaded: {err}") from err
                _LOGGER.warning("the graphics card cannot be used, the processor is: %s", err)
            else:
                return

    def _loaded(self, device: str, compute_type: str) -> Network:
        network = Network(self._folder.path, device, compute_type, self._threads)
        noise = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
        network.decode(network.encode(network.features(noise), self._window), "en", [], 1, 8)
        return network

    def close(self) -> None:
        """Free the weights."""
        self._network = None

    def context(self, request: RecognitionRequest) -> list[int]:
        """Return the tokens that the network gets as what came before: likely names, and what was said."""
        network = self._ready()
        names: list[list[int]] = []
        left = _NAME_TOKENS
        for name in likely_names(request.home, request.terms):
            tokens = network.encode_text(f" {name}{',' if names else '.'}")
            if len(tokens) > left:
                break
            left -= len(tokens)
            names.append(tokens)
        before = network.encode_text(f" {request.before.strip()}") if request.before.strip() else []
        script = network.encode_text(_script(request.language))
        # The likeliest name comes last: what is nearest to the speech has the most weight.
        return [
            *script,
            *(token for name in reversed(names) for token in name),
            *before[-_BEFORE_TOKENS:],
        ]

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text; `UnknownModel` for a model or language that it does not have."""
        network = self._ready()
        language = self._language(request)
        seconds, peak = len(samples) / RATE, loudest(samples)
        if soundless(seconds, peak):
            return Recognition(text="", language=request.language)
        if seconds > FULL_WINDOW:
            return self._recognize_long(network, samples, language, request)
        heard, spoken = self._decode(network, samples, peak, language, self.context(request))
        language = request.language or spoken
        if not heard.text or invented(heard, spoken):
            return Recognition(text="", language=language)
        return Recognition(
            text=heard.text,
            confidence=math.exp(min(heard.log_probability, 0.0)),
            language=language,
        )

    def _decode(
        self,
        network: Network,
        samples: Audio,
        peak: float,
        language: str | None,
        context: list[int],
    ) -> tuple[Heard, str]:
        """Decode; where the text is doubtful, once more with nothing that could have misled."""
        seconds = len(samples) / RATE
        features = network.features(samples)
        window = min(max(seconds + _MARGIN, self._window), FULL_WINDOW)
        encoded = network.encode(features, window)
        spoken = language or network.spoken(encoded, self._languages)
        most = most_tokens(seconds)
        attempt = network.decode(encoded, spoken, context, self._beam, most)
        heard = _heard(attempt, seconds, peak, network.text(context))
        if not (attempt.endless or doubtful(heard)) or (not context and window == FULL_WINDOW):
            return heard, spoken
        if window < FULL_WINDOW:
            encoded = network.encode(features, FULL_WINDOW)
            spoken = language or network.spoken(encoded, self._languages)
        again = _heard(network.decode(encoded, spoken, [], self._beam, most), seconds, peak, "")
        better = again.log_probability >= heard.log_probability or attempt.endless
        return (again if better or not doubtful(again) else heard), spoken

    def _recognize_long(
        self, network: Network, samples: Audio, language: str | None, request: RecognitionRequest
    ) -> Recognition:
        """Leave what needs several windows to the library."""
        spoken = language or network.spoken(
            network.encode(network.features(samples[: int(FULL_WINDOW * RATE)]), FULL_WINDOW),
            self._languages,
        )
        pieces = [
            heard
            for heard in network.decode_long(samples, spoken, self.context(request), self._beam)
            if not invented(heard, spoken)
        ]
        length = sum(piece.seconds for piece in pieces)
        mean = (
            sum(piece.log_probability * piece.seconds for piece in pieces) / length if length else 0
        )
        return Recognition(
            text=" ".join(piece.text for piece in pieces),
            confidence=math.exp(min(mean, 0.0)) if pieces else None,
            language=request.language or spoken,
        )

    def _language(self, request: RecognitionRequest) -> str | None:
        """Return Whisper's code of the language, None to find it out."""
        if request.model not in (None, self._model.name):
            raise UnknownModel(f"faster-whisper has {self._model.name}, not {request.model}")
        if request.language is None:
            return self._languages[0] if len(self._languages) == 1 else None
        code = chosen(request.language, self._languages)
        if code is None:
            raise UnknownModel(f"{self._model.name} does not know the language {request.language}")
        return code

    def _ready(self) -> Network:
        if self._network is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        return self._network


@cache
def _version() -> str:
    return version("faster-whisper")


def _heard(attempt: Attempt, seconds: float, peak: float, prompt: str) -> Heard:
    return Heard(
        text=attempt.text,
        log_probability=attempt.log_probability,
        no_speech=attempt.no_speech,
        seconds=seconds,
        level=peak,
        prompt=prompt,
    )


def _script(language: str | None) -> str:
    """Return a sentence in the script that a speaker of Chinese reads, which the network then keeps to."""
    if language is None or whispers(language) != "zh":
        return ""
    return "以下是國語的句子。" if is_traditional(language) else "以下是普通话的句子。"
