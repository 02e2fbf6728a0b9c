"""What `pocketsphinx_en.yaml` says: sentences, what is risky, and the rule that rejects."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml


def read_settings() -> Mapping[str, Any]:
    """Return the file as it is."""
    text = (files(__package__) / "pocketsphinx_en.yaml").read_bytes()
    settings: Mapping[str, Any] = yaml.safe_load(text)
    return settings
