"""When turns of real recordings end, against an end of speech that is labelled without any voice detector.

The label: the last hundredth of a second that is 10 dB above the recording's own noise (its softest tenth). The
clock is that of the audio (`Talk`), so the time of computing is not in it; `bench/rivals.py turn` has both.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import numpy as np
import pytest

from wyoming_units.config import read_home
from wyoming_units.engines import create_engine, default_engine
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.units.lane import Lane
from wyoming_units.units.stt import Helpers, SttUnit

from .recordings import data, read_wav
from .tones import Talk

_FRAME = RATE // 100
_BEFORE, _AFTER = 0.5, 2.0
"""Seconds of faint noise around a recording."""


def end_of_speech(samples: Audio) -> float:
    """Return the label of a recording, in seconds."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-9)
    loud = np.nonzero(levels > np.quantile(levels, 0.1) + 10)[0]
    return float(loud[-1] + 1) / 100


def padded(samples: Audio) -> Audio:
    noise = np.random.default_rng(1).normal(0, 10 / 32_768, round((_BEFORE + _AFTER) * RATE))
    before = round(_BEFORE * RATE)
    return np.concatenate([noise[:before], samples, noise[before:]]).astype(np.float32)


@pytest.fixture
async def unit() -> AsyncIterator[SttUnit]:
    home = read_home(data("media/home/home.yaml"))
    vad = create_engine(default_engine("vad") or "")
    stt = SttUnit([PocketSphinxRecognizer()], Helpers(vad=Lane("vad", vad)), default_home=home)
    for lane in stt.lanes:
        await lane.load()
    yield stt
    for lane in stt.lanes:
        await lane.close()


async def delays(unit: SttUnit, names: list[str]) -> list[float]:
    """Return how long after the end of speech each turn ended; none may lose a word by that."""
    found = []
    for name in names:
        samples = read_wav(data(f"media/home/en/{name}"))
        audio = padded(samples)
        talk = Talk(unit)
        await talk.say(audio, chunk=0.032)
        assert talk.ended, name
        whole = Talk(unit)
        await whole.say(audio, pace=50, chunk=0.5)
        cut, complete = await talk.transcript(), await whole.stop()
        assert cut.data["text"] == complete.data["text"], name
        found.append(talk.heard - _BEFORE - end_of_speech(samples))
    return found


def recordings() -> list[str]:
    folder = data("media/home/en")
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.wav"))
    return [str(path) for path in paths if not path.stem.startswith("oov")]


async def test_turns_end_half_a_second_after_speech_and_no_word_is_lost(unit: SttUnit) -> None:
    names = random.Random(4).sample(recordings(), 11)
    assert np.median(await delays(unit, names)) <= 0.45


@pytest.mark.extra
@pytest.mark.timeout(600)
async def test_turns_of_all_recordings_end_soon_and_no_word_is_lost(unit: SttUnit) -> None:
    found = await delays(unit, recordings())
    assert np.median(found) <= 0.45
    assert np.quantile(found, 0.95) <= 0.85
