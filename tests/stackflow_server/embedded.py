"""Real speech and sight behind the module, with engines that need no download, to try it by ear and eye."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.config import read_home
from wyoming_units.engines.base import Audio, RecognitionRequest, SynthesisRequest, VisionRequest
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.engines.microwakeword import MicroWakeWordDetector
from wyoming_units.engines.onnx_depth import OnnxDepth
from wyoming_units.engines.onnx_vision import OnnxVision
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.engines.silero import SileroVoiceDetector
from wyoming_units.speech.home import Home

from .minds import RATE, Judge, Listener, Minds, Pixels, Samples, Seen, depth_of_light, see_bright

_DATA = Path(os.environ.get("WYOMING_UNITS_TEST_DATA", "../shared/data"))
_YOLO = _DATA / "vision-yolo" / "yolo11n_dynquant.onnx"
_DEPTH = _DATA / "vision-depth" / "fastdepth_dav2_signature_518.onnx"
_HOME = _DATA / "media" / "home" / "home.yaml"


def embedded_minds() -> Minds:
    """Return minds that hear English commands, speak, wake and see; without test data they see colours only."""
    return Minds(
        hear=_Ear(),
        speak=_Mouth(),
        see=_Eyes() if _YOLO.exists() else see_bright,
        depth=_Depth() if _DEPTH.exists() else depth_of_light,
        wake=_Wake(),
        voice=_Voice(),
    )


def _floats(samples: Samples) -> Audio:
    return samples.astype(np.float32) / np.float32(32_768)


class _Ear:
    """Hears commands of the home of the test data, else of an empty home."""

    def __init__(self) -> None:
        self._engine = PocketSphinxRecognizer()
        self._engine.load()
        self._home = read_home(_HOME) if _HOME.exists() else Home()

    def __call__(self, samples: Samples, language: str) -> str:
        stream = self._engine.start(RecognitionRequest(language="en", home=self._home))
        try:
            stream.feed(_floats(samples))
            return stream.finish().text
        finally:
            stream.close()


class _Mouth:
    """Speaks at 16 kHz."""

    def __init__(self) -> None:
        self._engine = EspeakSynthesizer()
        self._engine.load()
        self._rate = self._engine.voice(None, "en").rate

    def __call__(self, text: str) -> Samples:
        import soxr

        pieces: list[Audio] = []

        def emit(piece: Audio) -> bool:
            pieces.append(piece)
            return True

        self._engine.synthesize(SynthesisRequest(text=text, language="en"), emit)
        if not pieces:
            return np.zeros(0, np.int16)
        spoken = soxr.resample(np.concatenate(pieces), self._rate, RATE)
        return np.asarray(np.clip(spoken * 32_767, -32_768, 32_767), np.int16)


class _Wake:
    """Listens for those of its words whose phrase is asked for, for "okay nabu" where there is none."""

    def __init__(self) -> None:
        self._engine = MicroWakeWordDetector()
        self._engine.load()
        models = self._engine.info.models
        self._names = {(model.phrase or model.name).casefold(): model.name for model in models}

    def __call__(self, phrases: Sequence[str]) -> Listener:
        wanted = {self._names[p.casefold()]: p for p in phrases if p.casefold() in self._names}
        if not wanted:
            wanted = {"okay_nabu": phrases[0]}
        stream = self._engine.start(tuple(wanted))

        def listen(samples: Samples) -> Sequence[str]:
            return [wanted[wake.name] for wake in stream.feed(_floats(samples))]

        return listen


class _Voice:
    """Tells speech from noise."""

    def __init__(self) -> None:
        self._engine = SileroVoiceDetector()
        self._engine.load()

    def __call__(self) -> Judge:
        stream = self._engine.start()

        def judge(samples: Samples) -> bool:
            return any(chance > 0.5 for chance in stream.feed(_floats(samples)))

        return judge


class _Eyes:
    """Finds the 80 things of COCO."""

    def __init__(self) -> None:
        self._engine = OnnxVision(
            model=LocalModel(name="yolo11n", path=_YOLO, options={"family": "yolo"})
        )
        self._engine.load()

    def __call__(self, rgb: Pixels) -> list[Seen]:
        scene = self._engine.analyze(rgb, VisionRequest(min_confidence=0.25))
        return [
            Seen(label=each.label, confidence=each.confidence, box=each.box)
            for each in scene.objects
        ]


class _Depth:
    """Estimates distances."""

    def __init__(self) -> None:
        self._engine = OnnxDepth(model=LocalModel(name="depth", path=_DEPTH))
        self._engine.load()

    def __call__(self, rgb: Pixels) -> NDArray[np.float32]:
        import cv2

        depth = self._engine.analyze(rgb, VisionRequest()).depth
        assert depth is not None
        height, width = rgb.shape[:2]
        return np.asarray(cv2.resize(depth.values, (width, height)), np.float32)
