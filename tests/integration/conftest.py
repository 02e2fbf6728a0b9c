"""A node with every embedded unit, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from wyoming_units.config import load_config
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.node import Node


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Node]:
    """Run a node on a free port of loopback, unannounced, until its engines are loaded."""
    config = load_config(data_dir=folder, host="127.0.0.1", port=0, advertise=[], **settings)
    async with Node(config) as node:
        await node.loaded()
        yield node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path) as node:
        yield node


@pytest.fixture(scope="module")
def espeak() -> EspeakSynthesizer:
    return EspeakSynthesizer()
