"""A model on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model as an engine gets it, from the catalogue or from a path that a user gave."""

    name: str
    """Stable name that clients ask for."""
    path: Path
    """Its folder, or its only file."""
    languages: tuple[str, ...] = ()
    """BCP 47 codes; empty where only the engine can tell, from the model's own files."""
    description: str = ""
    author: str = ""
    upstream: str = ""
    """Address of who made it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the manifest sets for the engine, such as the family of the network."""
