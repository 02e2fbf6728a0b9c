"""Models to be pulled, and what is in the folder afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_host import ModelHost
from wyoming_units.catalog import archive, fetch, pull as pull_module
from wyoming_units.catalog.manifest import Manifest, Target
from wyoming_units.catalog.plan import Plan, plan
from wyoming_units.catalog.store import (
    PARTIAL,
    RECEIPT,
    installed,
)

WEIGHTS = hashlib.shake_256(b"weights").digest(300_000)
"""Bytes that no compression makes smaller."""
MODE = "opt/m5stack/data"


@pytest.fixture(name="host")
def host_of_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHost]:
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 50)
    monkeypatch.setattr(pull_module, "_SLACK", 1_000_000)
    with ModelHost() as host:
        monkeypatch.setenv("HF_ENDPOINT", host.url)
        yield host


@pytest.fixture(name="folder")
def folder_of_models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def planned(
    name: str = "model", *, target: Target = "cpu", about: int = 300_000, **source: Any
) -> Plan:
    variant = {"targets": [target], "engine": "sherpa-offline", "source": source}
    told = {"kind": "stt", "description": "Hears", "author": "A", "license": "MIT", "size": about}
    manifest = Manifest.model_validate(
        {
            **told,
            "name": name,
            "languages": ["en"],
            "upstream": "https://example.org",
            "variants": [variant],
        }
    )
    return plan(manifest, target)


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in a model's folder, the receipt aside."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != RECEIPT)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def nothing(folder: Path) -> bool:
    """Return whether no model is where engines look."""
    return [path.name for path in folder.iterdir()] == [PARTIAL] and installed(folder) == []


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
