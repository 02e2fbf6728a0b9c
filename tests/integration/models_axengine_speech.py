"""Networks for the NPU that hear tones: SenseVoice in both layouts, and a keyword spotter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.integration.tones import WORDS, spoken
from tests.npu import axfunction
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.axengine_sensevoice import LANGUAGES

FRAMES = 60
"""Stacks that the networks take: 3.6 s."""
CODES = {number: code for code, number in LANGUAGES.items()}
TOKENS = ("<unk>", "<|zh|>", *(f"<|{code}|>" for code in ("en", "yue", "ja", "ko")), "<|Speech|>")
TOKENS += tuple(f"▁{word}" for word in WORDS.values())
SHIFT, SCALE = (
    np.linspace(-12, -8, 80, dtype=np.float32),
    np.linspace(0.2, 0.4, 80, dtype=np.float32),
)
Feeds = Mapping[str, NDArray[Any]]


def band(hertz: float) -> int:
    """Return the filter in whose middle a tone is: 80 of them, as far apart for the ear from 20 to 8,000 Hz."""
    low, high, tone = (np.log1p(one / 700) for one in (20, 8_000, hertz))
    return round(float((tone - low) / (high - low) * 81)) - 1


def listen(stacks: NDArray[np.float32], language: int) -> NDArray[np.float32]:
    """Return the answer of a network: four tags, then for each stack the tone in its middle frame, or nothing."""
    best = np.zeros(len(stacks) + 4, np.int64)
    best[:4] = TOKENS.index(f"<|{CODES.get(language, 'zh')}|>"), 6, 6, 6
    middle = stacks.reshape(-1, 7, 80)[:, 3]
    for at, frame in enumerate(middle):
        loud = int(frame.argmax())
        near = min(range(len(WORDS)), key=lambda word: abs(band([*WORDS][word]) - loud))
        best[at + 4] = 7 + near if frame.max() > 15 else 0
    logits = np.zeros((len(best), len(TOKENS)), np.float32)
    logits[np.arange(len(best)), best] = 5
    return logits


def normalised(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
    """A network of AXERA-TECH's: what is not real speech is masked, features come normalised."""
    real = int(feeds["masks"].sum()) - 4
    assert feeds["masks"][: real + 4].all()
    assert not feeds["speech"][0, real:].any()
    plain = feeds["speech"][0] / np.tile(SCALE, 7) - np.tile(SHIFT, 7)
    plain[real:] = 0
    logits = listen(plain, int(feeds["language"][0]))
    return [logits[None], np.array([real + 4], np.int32)]


def prompted(feeds: Feeds, _group: int) -> list[NDArray[Any]]:
    """A network of M5Stack's: it is told the language, and whether to write digits, which it does as a tag."""
    language, event, style, writing = feeds["prompt"].tolist()
    assert (event, style) == (1, 2)
    assert writing in (14, 15)
    return [listen(feeds["x"][0], language)[None]]


def axera(folder: Path) -> LocalModel:
    tokens = (FRAMES + 4, len(TOKENS))
    axfunction(
        folder / "sensevoice.axmodel",
        normalised,
        (
            [
                ("speech", np.float32, (1, FRAMES, 560)),
                ("masks", np.int32, (FRAMES + 4,)),
                ("language", np.int32, (1,)),
            ],
            [("ctc_logits", np.float32, (1, *tokens)), ("encoder_out_lens", np.int32, (1,))],
        ),
    )
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in TOKENS), "utf-8")
    (folder / "am.mvn").write_text(
        f"<AddShift> 80 80\n<LearnRateCoef> 0 [ {' '.join(map(str, SHIFT))} ]\n"
        f"<Rescale> 80 80\n<LearnRateCoef> 0 [ {' '.join(map(str, SCALE))} ]\n"
    )
    return LocalModel(name="sense-voice", path=folder)


def m5stack(folder: Path) -> LocalModel:
    """A package of StackFlow: files in a folder of the mode's name, the mode's settings beside."""
    mode = "sense-voice-small-10s"
    axfunction(
        folder / mode / "model.axmodel",
        prompted,
        (
            [("x", np.float32, (1, FRAMES, 560)), ("prompt", np.int32, (4,))],
            [("logits", np.float32, (1, FRAMES + 4, len(TOKENS)))],
        ),
    )
    lines = (f"{token} {number}\n" for number, token in enumerate(TOKENS))
    (folder / mode / "tokens.txt").write_text("".join(lines), "utf-8")
    (folder / "models").mkdir()
    parameters = {"model_config.sense_voice.model": "model.axmodel"}
    told = {"mode": mode, "mode_param": parameters}
    (folder / "models" / f"mode_{mode}.json").write_text(json.dumps(told))
    return LocalModel(name="sense-voice", path=folder, options={"mode": mode})


# -- a keyword spotter

WORD = spoken("turn please", 0.4)
"""A low tone, then a high one."""
LOW, HIGH = slice(8, 14), slice(32, 42)
"""Filters in which 400 and 1,400 Hz are."""


def spot(feeds: Mapping[str, NDArray[Any]], _group: int) -> list[NDArray[Any]]:
    """Score a frame by a high tone in it, if at least twenty frames with a low one came not long before.

    What is remembered, in the first column of 32 rows: how many low ones there were, fading.
    """
    low = float(feeds["cache"][0, 0, 0])
    scores = np.zeros((1, 32, 1), np.float32)
    for at, frame in enumerate(feeds["feats"][0]):
        loud = int(frame.argmax()) if frame.max() > 15 else -1
        low = low * 0.99 + (LOW.start <= loud < LOW.stop)
        scores[0, at] = 0.95 if low > 15 and HIGH.start <= loud < HIGH.stop else 0.05
    cache = np.zeros((1, 32, 88), np.float32)
    cache[0, 0, 0] = low
    return [scores, cache]


def keyword_package(folder: Path, **parameters: Any) -> LocalModel:
    """Write a package of StackFlow."""
    axfunction(
        folder / "kws" / "kws.axmodel",
        spot,
        (
            [("feats", np.float32, (1, 32, 80)), ("cache", np.float32, (1, 32, 88))],
            [("scores", np.float32, (1, 32, 1)), ("new_cache", np.float32, (1, 32, 88))],
        ),
    )
    told = {
        "model": "kws.axmodel",
        "model_type": "axera",
        "threshold": 0.9,
        "min_continuous_frames": 5,
        "REFRACTORY_TIME_MS": 2000,
        "frame_opts.snip_edges": False,
        "frame_opts.dither": 0.0,
        "frame_opts.preemph_coeff": 0.97,
        "frame_opts.window_type": "povey",
        "mel_opts.low_freq": 20,
        "mel_opts.high_freq": 0,
        "energy_floor": 0.0,
    }
    (folder / "models").mkdir(parents=True)
    text = json.dumps({"mode": "kws", "mode_param": told | parameters})
    (folder / "models" / "mode_kws.json").write_text(text)
    return LocalModel(name="m5stack-kws", path=folder, options={"mode": "kws"})
