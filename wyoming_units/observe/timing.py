"""What a request spent its time on, told to the client in `context.timing`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Timings:
    """Milliseconds by stage; `total` runs from the construction."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._stages: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Note when `stage` was first reached, from the beginning."""
        self._stages.setdefault(stage, perf_counter() - self._began)

    @contextmanager
    def span(self, stage: str) -> Iterator[None]:
        """Add the time spent inside to `stage`."""
        began = perf_counter()
        try:
            yield
        finally:
            self._stages[stage] = self._stages.get(stage, 0.0) + perf_counter() - began

    def set(self, stage: str, seconds: float) -> None:
        """Set a stage that was measured elsewhere."""
        self._stages[stage] = seconds

    def as_context(self, audio_seconds: float | None = None) -> dict[str, object]:
        """Return `{timing: {stage: ms}, rtf?}`; rtf is the time in `decode` per second of audio."""
        total = perf_counter() - self._began
        context: dict[str, object] = {
            "timing": {
                **{stage: round(seconds * 1000, 1) for stage, seconds in self._stages.items()},
                "total": round(total * 1000, 1),
            }
        }
        if audio_seconds:
            context["rtf"] = round(self._stages.get("decode", total) / audio_seconds, 4)
        return context
