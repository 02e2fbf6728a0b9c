"""SummerTTS on a module's processor, as StackFlow's unit `tts` runs it: one language and one voice, at 16 kHz."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from wyoming_units.engines._stackflow_voice import StackFlowVoice
from wyoming_units.engines.base import RATE
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt

_FRAGMENT = re.compile(r"[^,.!?;，、。！？；]+[,.!?;，、。！？；]?")


class StackFlowTts(StackFlowVoice):
    """Speaks with one voice of SummerTTS."""

    name = "stackflow-tts"
    per_letter = 0.2

    def __init__(self, *, mode: Mode, module: ModuleAt, patience: float = 10.0) -> None:
        """A fragment of text may take `patience` seconds, and more the longer it is."""
        super().__init__(mode=mode, module=module, rate=RATE, patience=patience)

    def setup(self, speed: float, usual: float) -> dict[str, Any]:
        """Return the format, and what it calls speed, which is how long each sound is."""
        # The other formats have no sound in them, though "wav" they are not: there is no header.
        return {"response_format": "tts.base64.wav", "spacker_speed": round(usual / speed, 2)}

    def parts(self, text: str) -> Sequence[str]:
        """Return what the module speaks at a time: it stops at each sign, and tells no end of several."""
        return [found.strip() for found in _FRAGMENT.findall(text)]
