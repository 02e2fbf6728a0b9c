"""A module that speaks and hears in tones, and the engines that use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.stackflow_server import Minds, StackFlowServer, hear_tones, running, speak_tones
from wyoming_units.engines import ENGINES, create_engine
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.module import _MODULES, ModuleAt, module_at

ZIPFORMER = "sherpa-ncnn-streaming-zipformer-20M-2023-02-17"
SENSE_VOICE = "sense-voice-small-10s"
ENGLISH_WORDS = "sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01"
CHINESE_WORDS = "sherpa-onnx-kws-zipformer-wenetspeech-3.3M-2024-01-01"
SILENCE = np.zeros(RATE, np.float32)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A module that runs, and its place."""

    server: StackFlowServer
    place: ModuleAt

    def engine(self, name: str, mode: str, **options: Any) -> Any:
        """Construct an engine for a mode of this module."""
        found = {(each.unit, each.name): each for each in module_at(self.place).modes()}
        known = found[ENGINES[name].unit, mode]
        return create_engine(name, mode=known, module=self.place, **options)


@contextmanager
def lab(version: str = "1.6", **options: Any) -> Iterator[Lab]:
    """Run a module."""
    with running(version=version, **options) as server:
        place = ModuleAt(address=Address(host="127.0.0.1", port=server.port))
        yield Lab(server=server, place=place)
        assert not server.forbidden
        # What was learnt of it must not be believed of the next one that has its port.
        _MODULES.pop(place.address, None)


def spoken(text: str) -> Audio:
    """Return a text in tones, as float samples."""
    return speak_tones(text).astype(np.float32) / np.float32(32768)


def understood(audio: Audio) -> str:
    """Return the text of tones."""
    return hear_tones((audio * 32767).astype(np.int16), "")


def deaf() -> Minds:
    """Return what understands nothing at all."""
    return Minds(hear=lambda samples, language: "")
