"""Measures what PocketSphinx takes for a command; `--fit` prints the coefficients of its rule.

`.venv/bin/python bench/stt_rejection.py [--fit] [FOLDER]`, FOLDER is `media` of the test data. Two sets of
speech are reported apart: the rule was fitted on the one; the other has other voices and other texts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml
from numpy.typing import NDArray
from stt_commands import CHUNK, DATA, Judge, read

from wyoming_units.engines._pocketsphinx_reject import Evidence
from wyoming_units.engines.base import RATE, Audio, RecognitionRequest
from wyoming_units.engines.espeak_library import RATE as ESPEAK_RATE, speak
from wyoming_units.engines.espeak_voices import find_voice
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.speech.grammar import spoken_words
from wyoming_units.speech.home import Home

SETS = ("fit", "test")
COMMANDS = ("command", "opposite")
FEATURES = ("ratio", "worst_word", "worst_pause", "length")
PER_TEXT = 3
"""Voices that speak a text."""
FRAME = RATE // 100
PAUSE = 0.1
"""Share of the mean amplitude below which a frame belongs to a pause."""
SHORTEST, LONGEST = 1.5, 4.0
"""Seconds of a piece of read speech."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Something that is said."""

    set: str
    kind: str
    said: str
    audio: Audio

    @property
    def text(self) -> str:
        """Return the words without the voice."""
        return self.said.partition(" (")[0]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the engine made of a clip."""

    clip: Clip
    text: str
    evidence: Evidence | None
    right: bool
    """The best sentence means what was said, be it accepted or not."""
    risky: bool
    """It was accepted and unlocks, opens or disarms something."""


def main(media: Path, *, fits: bool) -> None:
    """Print a table of both sets, or the coefficients."""
    home = Home.from_dict(yaml.safe_load((media / "home/home.yaml").read_text("utf-8")))
    engine = PocketSphinxRecognizer()
    engine.load()
    judge = Judge(home)
    results = [hear(engine, clip, judge) for clip in clips(media)]
    if fits:
        print(fit([result for result in results if result.clip.set == "fit"]))
    for name in SETS:
        report(name, [result for result in results if result.clip.set == name])


def hear(engine: PocketSphinxRecognizer, clip: Clip, judge: Judge) -> Result:
    """Let the engine hear a clip."""
    stream = engine.start(RecognitionRequest(home=judge.home))
    for start in range(0, len(clip.audio), CHUNK):
        stream.feed(clip.audio[start : start + CHUNK])
    text = stream.finish().text
    best = judge.grammar.write(stream.heard.words) if stream.heard else ""
    return Result(
        clip=clip,
        text=text,
        evidence=stream.heard.evidence if stream.heard else None,
        right=clip.kind in COMMANDS and judge.is_right(clip.text, best),
        risky=judge.grammar.risky.accepts(spoken_words(text)),
    )


def report(name: str, results: Sequence[Result]) -> None:
    """Print what of each kind was taken for a command, and everything that was wrong."""
    print(f"\n{name:12}  clips  taken  right  opens or unlocks")
    for kind in dict.fromkeys(result.clip.kind for result in results):
        of_kind = [result for result in results if result.clip.kind == kind]
        taken = [result for result in of_kind if result.text]
        right, risky = (sum(getattr(r, what) for r in taken) for what in ("right", "risky"))
        print(f"{kind:12}  {len(of_kind):5}  {len(taken):5}  {right:5}  {risky:5}")
    others = [result for result in results if result.clip.kind not in COMMANDS]
    taken = [result for result in others if result.text]
    risky = sum(result.risky and not result.right for result in results)
    print(
        f"no commands taken for one: {len(taken)} of {len(others)}, {len(taken) / len(others):.1%}"
    )
    print(f"opened or unlocked by what did not ask for it: {risky}")
    for result in results:
        if result.text and not result.right:
            print(f"  {result.clip.said!r} -> {result.text!r}{' RISKY' * result.risky}")


def fit(results: Sequence[Result]) -> str:
    """Return the weights of a logistic regression with a small ridge, found by Newton's method."""
    judged = [result for result in results if result.evidence]
    rows = np.array([[getattr(r.evidence, name) for name in FEATURES] for r in judged])
    right = np.array([result.right for result in judged], dtype=float)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scaled = np.hstack([(rows - mean) / spread, np.ones((len(rows), 1))])
    ridge = np.diag([*np.ones(len(FEATURES)), 0.0])
    weights: NDArray[np.float64] = np.zeros(len(FEATURES) + 1)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (right - chance) - ridge @ weights
        bend = (scaled.T * (chance * (1 - chance))) @ scaled + ridge
        weights += np.linalg.solve(bend, slope)
    plain = weights[:-1] / spread
    bias = weights[-1] - plain @ mean
    odds = rows @ plain + bias
    lines = [
        "weights: {"
        + ", ".join(f"{n}: {w:.3f}" for n, w in zip(FEATURES, plain, strict=True))
        + "}",
        f"bias: {bias:.3f}",
    ]
    for lost in (1, 2, 5, 10):
        least = np.percentile(odds[right == 1], lost)
        taken = (odds[right == 0] >= least).mean()
        lines.append(
            f"least {least:5.2f} loses {lost:2} % of what is right, takes {taken:.1%} of the rest"
        )
    return "\n".join(lines)


def clips(media: Path) -> Iterator[Clip]:
    """Yield everything."""
    texts = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    generated = sorted((media / "home/en/generated").glob("*.wav"))
    for number, path in enumerate(generated):
        yield Clip(set=SETS[number % 2], kind="command", said=path.stem, audio=read(path))
    for path in sorted((media / "home/en").glob("*.wav")):
        kind = "no command" if path.stem.startswith("oov_") else "command"
        yield Clip(set="test", kind=kind, said=path.stem, audio=read(path))
    for half, name in enumerate(SETS):
        voices = texts[name]["voices"]
        commands = [path.stem for path in generated[half::2]]
        for kind, said in (
            *(("command", text) for text in commands),
            *(("near miss", text) for text in texts[name]["near_misses"]),
            *(("chat", text) for text in texts[name]["chat"]),
            *(("opposite", text) for text in texts[name]["opposites"]),
        ):
            number = sum(map(ord, said))
            for voice in (voices * 2)[number % len(voices) :][:PER_TEXT]:
                yield Clip(set=name, kind=kind, said=f"{said} ({voice})", audio=say(said, voice))
    yield from recorded(media)


def recorded(media: Path) -> Iterator[Clip]:
    """Yield speech and noise that is no command; each speaker is in one set only."""
    for path in (media / "en/jfk.wav", *sorted((media / "en/librivox").glob("*.wav"))):
        name = "fit" if path.stem == "jfk" else "test"
        for number, piece in enumerate(pieces(read(path))):
            yield Clip(set=name, kind="read", said=f"{path.stem} {number}", audio=piece)
    for number, path in enumerate(sorted((media / "wake").glob("*.wav"))):
        yield Clip(set=SETS[number % 2], kind="wake word", said=path.stem, audio=read(path))
    for path in sorted((media / "zh").glob("*.wav")):
        for number, piece in enumerate(pieces(read(path))):
            yield Clip(set="test", kind="Chinese", said=f"{path.stem} {number}", audio=piece)
    noise = read(media / "noise/background_noise.wav")
    for number, start in enumerate(range(0, len(noise) - 2 * RATE, 2 * RATE)):
        audio = noise[start : start + 2 * RATE]
        yield Clip(set=SETS[number % 2], kind="noise", said=f"noise {number}", audio=audio)


def pieces(audio: Audio) -> Iterator[Audio]:
    """Yield every stretch of a command's length from one pause to another."""
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    level = np.convolve(np.abs(frames).mean(axis=1), np.ones(8) / 8, "same")
    quiet = "".join("q" if value < PAUSE * level.mean() * 2 else "s" for value in level)
    cuts = sorted({0, len(quiet), *(sum(m.span()) // 2 for m in re.finditer("qqqq+", quiet))})
    for number, start in enumerate(cuts):
        for end in cuts[number + 1 :]:
            if SHORTEST <= (end - start) / 100 <= LONGEST:
                yield audio[start * FRAME : end * FRAME]
    for seconds in (1.5, 2.5, 4.0):
        length = int(seconds * RATE)
        for start in range(0, len(audio) - length + 1, length):
            yield audio[start : start + length]


def say(text: str, voice: str) -> Audio:
    """Return what eSpeak NG says with "voice+variant words-per-minute"."""
    name, _, pace = voice.partition(" ")
    name, plus, variant = name.partition("+")
    found = find_voice(name, None)
    samples: list[Any] = []

    def keep(piece: Any) -> bool:
        samples.append(piece.copy())
        return True

    identifier = f"{found.identifier}{plus}{variant}"
    speak(text, replace(found, identifier=identifier), keep, words_per_minute=int(pace))
    audio: Audio = soxr.resample(
        np.concatenate(samples).astype(np.float32) / 32_768, ESPEAK_RATE, RATE
    )
    return audio


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if argument != "--fit"]
    main(Path(folders[0]) if folders else Path(DATA) / "media", fits="--fit" in sys.argv)
