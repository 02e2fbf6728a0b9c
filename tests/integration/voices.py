"""What a synthesizer makes of a text."""

from __future__ import annotations

from typing import Any

import numpy as np

from wyoming_units.engines.base import Audio, SynthesisRequest, Synthesizer


def pieces(engine: Synthesizer, text: str, **request: Any) -> list[Audio]:
    """Return the pieces in which a text is spoken."""
    made: list[Audio] = []

    def emit(piece: Audio) -> bool:
        made.append(piece)
        return True

    engine.synthesize(SynthesisRequest(text=text, **request), emit)
    return made


def speak(engine: Synthesizer, text: str, **request: Any) -> Audio:
    """Return a text, spoken."""
    return np.concatenate([np.empty(0, np.float32), *pieces(engine, text, **request)])
