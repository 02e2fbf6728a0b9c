"""Measures PocketSphinx on recorded commands: `.venv/bin/python bench/stt_commands.py [FOLDER]`.

A clip's name is what was said. It is covered when the home's automaton accepts it, and right when the
intent and the slots of the text that was heard are those of its name. FOLDER is `media/home` of the
test data: `home.yaml`, `en/*.wav` spoken by people, `en/generated/*.wav` by a synthesiser.
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


def main(folder: Path) -> None:
    """Print one line per clip, then the sums."""
    home = Home.from_dict(yaml.safe_load((folder / "home.yaml").read_text("utf-8")))
    engine, parser = PocketSphinxRecognizer(), HassilIntentParser()
    memory = resident()
    print(f"load         {ms(engine.load)} ms")
    print(f"first start  {ms(lambda: engine.start(RecognitionRequest(home=home)).close())} ms")
    automaton = build_grammar(Templates.load(), home).automaton
    print(f"automaton    {len(automaton.arcs)} states, {sum(map(len, automaton.arcs))} arcs")

    def intent(text: str) -> IntentMatch | None:
        return parser.parse(IntentRequest(text=text, home=home)) if text else None

    count: Counter[str] = Counter()
    audio_seconds, cpu_seconds, ends = 0.0, 0.0, []
    for path in (*sorted(folder.glob("en/*.wav")), *sorted(folder.glob("en/generated/*.wav"))):
        audio = read(path)
        began = process_time()
        text, end = hear(engine, audio, home)
        cpu_seconds += process_time() - began
        audio_seconds += len(audio) / RATE
        ends.append(end)
        said, kind = path.stem, "synthetic" if path.parent.name == "generated" else "spoken"
        meant = intent(said)
        right = meant is not None and intent(text) == meant
        mark = judge(automaton.accepts(spoken_words(said)), right, text)
        count.update(
            [f"{kind} clips", f"{kind} {mark}", f"{kind} verbatim"][: 3 if text == said else 2]
        )
        print(f"{mark:13}{kind:11}{said!r:46}{'' if text == said else repr(text)}")
    for kind in ("spoken", "synthetic"):
        covered = count[f"{kind} right"] + count[f"{kind} wrong"]
        print(
            f"{kind:11}{count[f'{kind} right']} of {covered} covered clips right"
            f" ({count[f'{kind} verbatim']} to the letter), {covered} of {count[f'{kind} clips']} covered,"
            f" of the others {count[f'{kind} rejected']} rejected"
        )
    print(f"CPU          {cpu_seconds / audio_seconds:.3f} s per second of audio")
    print(f"finish       p50 {np.median(ends):.0f} ms, max {max(ends):.0f} ms")
    print(f"memory       {resident() - memory:.0f} MB more than before the engine was loaded")


def judge(covered: bool, right: bool, text: str) -> str:
    """Return the verdict on a clip."""
    if covered:
        return "right" if right else "wrong"
    return "taken" if text else "rejected"


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
