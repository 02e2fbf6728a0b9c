"""The models of a module: StackFlow calls them modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A model that is installed on a module."""

    name: str
    """What `setup` knows it by."""
    unit: str
    """The service that runs it: `kws`, `vad`, `asr`, `whisper`, `tts`, `melotts`, `llm`, `vlm`, `yolo`, `depth_anything`."""
    languages: tuple[str, ...] = ()
    """BCP 47 codes; empty where nobody tells."""
    description: str = ""
    author: str = ""
    upstream: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Its `mode_param`."""


def read_modes(data: Any) -> tuple[Mode, ...]:
    """Return the modes that `lsmode` tells of, in its order; entries that make no sense are left out."""
    raise NotImplementedError
