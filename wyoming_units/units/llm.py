"""The llm unit: `chat` -> `chat-start`, `chat-chunk`, `chat-stop`; `transcript` -> `handled-…`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from wyoming_units.chat.options import ChatOptions
from wyoming_units.engines.base import ChatModel
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.wire.requests import Route


class LlmUnit:
    """Lets language models answer."""

    kind: ClassVar[str] = "llm"

    def __init__(
        self, models: Sequence[ChatModel] = (), *, options: ChatOptions | None = None
    ) -> None:
        self.programs = Programs(self.kind, models)
        self._options = options or ChatOptions()
        self.routes: tuple[Route, ...] = ()

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the models and what they can do as programs."""
        return {
            "llm": self.programs.info(
                lambda info: program(
                    info,
                    "models",
                    "supports_tools",
                    "supports_images",
                    "supports_choices",
                    "context_length",
                )
            )
        }
