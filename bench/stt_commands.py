"""Measures PocketSphinx on recorded commands: `.venv/bin/python bench/stt_commands.py [FOLDER]`.

A clip's name is what was said. It is covered when the home's automaton accepts it, and right when the
intent and the slots of the text that was heard are those of its name. FOLDER is `media/home` of the
test data: `home.yaml`, `en/*.wav` spoken by people, `en/generated/*.wav` by a synthesiser. At the end
comes the speech of `stt_rejection.py` that the rule was not fitted on, most of it no command.
"""

from __future__ import annotations

import os
import sys
import wave
from collections import Counter
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import yaml

from wyoming_units.engines._pocketsphinx_grammar import Templates, build_grammar
from wyoming_units.engines.base import RATE, Audio, IntentMatch, IntentRequest, RecognitionRequest
from wyoming_units.engines.hassil import HassilIntentParser
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.speech.grammar import spoken_words
from wyoming_units.speech.home import Home

DATA = os.environ.get("WYOMING_UNITS_TEST_DATA", "../shared/data")
CHUNK = 1024


class Judge:
    """Knows what can be said to a home, and what it means."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.grammar = build_grammar(Templates.load(), home)
        self._parser = HassilIntentParser()

    def is_covered(self, said: str) -> bool:
        """Tell if a sentence can be recognised."""
        return self.grammar.automaton.accepts(spoken_words(said))

    def is_right(self, said: str, heard: str) -> bool:
        """Tell if intent and slots are the same."""
        meant = self._intent(said)
        return meant is not None and self._intent(heard) == meant

    def _intent(self, text: str) -> IntentMatch | None:
        return self._parser.parse(IntentRequest(text=text, home=self.home)) if text else None


def main(folder: Path) -> None:
    """Print one line per clip that was not heard to the letter, then the sums."""
    home = Home.from_dict(yaml.safe_load((folder / "home.yaml").read_text("utf-8")))
    engine = PocketSphinxRecognizer()
    memory = resident()
    print(f"load         {ms(engine.load)} ms")
    print(f"first start  {ms(lambda: engine.start(RecognitionRequest(home=home)).close())} ms")
    print(f"memory       {resident() - memory:.0f} MB more than before the engine was loaded")
    judge = Judge(home)
    arcs = judge.grammar.automaton.arcs
    print(f"automaton    {len(arcs)} states, {sum(map(len, arcs))} arcs")

    count: Counter[str] = Counter()
    seconds, cpu, wall, ends = 0.0, 0.0, 0.0, []
    for path in (*sorted(folder.glob("en/*.wav")), *sorted(folder.glob("en/generated/*.wav"))):
        audio = read(path)
        cpu_began, began = process_time(), perf_counter()
        text, end = hear(engine, audio, home)
        cpu += process_time() - cpu_began
        wall += perf_counter() - began
        seconds += len(audio) / RATE
        ends.append(end)
        said, kind = path.stem, "synthetic" if path.parent.name == "generated" else "spoken"
        mark = verdict(judge, said, text)
        count.update((f"{kind} {mark}", f"{kind} clips"))
        if text != said:
            print(f"{mark:13}{kind:11}{said!r:46}{text!r}")
    print("\n           clips  covered  right  wrong  lost   not covered: taken  rejected")
    for kind in ("spoken", "synthetic"):
        right, wrong, lost, taken, rejected = (
            count[f"{kind} {mark}"] for mark in ("right", "wrong", "lost", "taken", "rejected")
        )
        covered = right + wrong + lost
        print(
            f"{kind:9}{count[f'{kind} clips']:7}{covered:9}{right:7}{wrong:7}{lost:6}"
            f"{taken:21}{rejected:10}"
        )
    covered = sum(count[f"{k} {m}"] for k in ("spoken", "synthetic") for m in MARKS[:3])
    right = count["spoken right"] + count["synthetic right"]
    print(f"coverage {covered / len(ends):.1%}, right in intent and slots {right / covered:.1%}")
    print(f"real-time factor {cpu / seconds:.3f} CPU, {wall / seconds:.3f} by the clock")
    print(f"text after the last audio: p50 {np.median(ends):.0f} ms, max {max(ends):.0f} ms")

    from stt_rejection import clips, hear as hear_clip, report  # which imports this module

    speech = (clip for clip in clips(folder.parent) if clip.set == "test")
    report("test", [hear_clip(engine, clip, judge) for clip in speech])


MARKS = ("right", "wrong", "lost", "taken", "rejected")


def verdict(judge: Judge, said: str, text: str) -> str:
    """Return one of `MARKS` for a clip."""
    if not judge.is_covered(said):
        return "taken" if text else "rejected"
    if not text:
        return "lost"
    return "right" if judge.is_right(said, text) else "wrong"


def hear(engine: PocketSphinxRecognizer, audio: Audio, home: Home) -> tuple[str, float]:
    """Return the text, and the milliseconds after the last audio."""
    stream = engine.start(RecognitionRequest(home=home))
    for start in range(0, len(audio), CHUNK):
        stream.feed(audio[start : start + CHUNK])
    began = perf_counter()
    text = stream.finish().text
    end = (perf_counter() - began) * 1000
    stream.close()
    return text, end


def read(path: Path) -> Audio:
    """Return a 16-bit mono recording at 16 kHz."""
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
    return (np.frombuffer(pcm, np.int16) / 32_768).astype(np.float32)


def ms(function: object) -> str:
    """Return how long a call takes."""
    assert callable(function)
    began = perf_counter()
    function()
    return f"{(perf_counter() - began) * 1000:.0f}"


def resident() -> float:
    """Return the resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(DATA) / "media" / "home")
