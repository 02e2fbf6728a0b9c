"""MeloTTS on a module's NPU, as StackFlow runs it: each fragment of a text is sent as soon as it is spoken."""

from __future__ import annotations

from typing import Any

from wyoming_units.engines._stackflow_voice import StackFlowVoice
from wyoming_units.engines.base import RATE
from wyoming_units.errors import BadRequest
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt

_RATES = range(8_000, 48_001)


class StackFlowMeloTts(StackFlowVoice):
    """Speaks with one voice of MeloTTS."""

    name = "stackflow-melotts"
    per_letter = 0.1

    def __init__(
        self, *, mode: Mode, module: ModuleAt, rate: int | None = None, patience: float = 10.0
    ) -> None:
        """`rate` is in Hz, the mode's when None; `BadRequest`. A text may take `patience` seconds and more."""
        rate = rate or int(mode.parameters.get("audio_rate", RATE))
        if rate not in _RATES:
            raise BadRequest(f"{mode.name} cannot speak at {rate} Hz")
        super().__init__(mode=mode, module=module, rate=rate, patience=patience)

    def setup(self, speed: float, usual: float) -> dict[str, Any]:
        """Return the format, the rate and the speed."""
        return {
            "response_format": "pcm.stream.base64",
            "audio_rate": self._rate,
            "spacker_speed": round(usual * speed, 2),
        }
