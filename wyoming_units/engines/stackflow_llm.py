"""Language models of StackFlow's `llm`."""

from __future__ import annotations

import re
from typing import ClassVar

from wyoming_units.engines._stackflow_chat import StackFlowModel

_THINKS = re.compile(r"qwen3-[\d.]+b", re.IGNORECASE)
"""Models that think before they answer, unless they are told not to."""


class StackFlowChat(StackFlowModel):
    """Answers sentences with one model."""

    name: ClassVar[str] = "stackflow-llm"

    def _words(self, text: str, *, think: bool) -> str:
        if _THINKS.search(self._mode.name) and not think:
            text += " /no_think"
        # What is sent as base64 is looked through for escapes nevertheless.
        return text.replace("\\", "\\\\")
