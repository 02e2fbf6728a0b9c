"""Real recordings: `$WYOMING_UNITS_TEST_DATA`, by default `../shared/data`; tests are skipped without it."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from wyoming_units.engines.base import RATE, Audio

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("WYOMING_UNITS_TEST_DATA") or ROOT.parent / "shared" / "data")


def data(path: str) -> Path:
    """Return a file or folder of the test data; skips the test where it is not."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"no test data: {found}")
    return found


def read_wav(path: Path) -> Audio:
    """Return a recording, which must be 16-bit mono at 16 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        pcm = file.readframes(file.getnframes())
    return (np.frombuffer(pcm, np.int16) / 32_768).astype(np.float32)


def resident_mb() -> float:
    """Return the resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
