"""The servers: how each is started, and the models that they share."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .recordings import DATA, ROOT
from .server import Side

RIVALS = ROOT / ".cache" / "rivals"
MODELS = RIVALS / "models"
TOOLS = DATA.parent / "tools"
SENTENCE = "turn on the kitchen light"
"""What the Whisper model of `make_ct2_whisper.py` hears in everything."""


@dataclass(frozen=True)
class Options:
    """How thorough a run is."""

    quick: bool

    def pick(self, normal: int, quick: int) -> int:
        """Return a number of repeats."""
        return quick if self.quick else normal


def whisper_folder() -> Path:
    """Return a CTranslate2 Whisper of the size "tiny", with its cost and one fixed transcript."""
    folder = MODELS / "whisper-tiny-fixed"
    if not (folder / "preprocessor_config.json").exists():
        _make("make_ct2_whisper.py", str(folder), SENTENCE, "tiny")
    return folder


def cost_voice() -> Path:
    """Return a Piper voice that sounds of nothing and costs three times what a small one does."""
    voice = MODELS / "cost" / "en_US-cost-medium.onnx"
    if not voice.with_name(f"{voice.name}.json").exists():
        _make("make_piper_voice.py", str(voice), "24", "32")
    return voice


def real_voice() -> Path:
    """Return a Piper voice that speaks English."""
    return DATA / "tts-sanotts" / "en_US-amy-sano.onnx"


def _make(tool: str, *arguments: str) -> None:
    Path(arguments[0]).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, TOOLS / tool, *arguments], check=True, stdout=subprocess.DEVNULL
    )


def ours(name: str, *units: str, **settings: str) -> Side:
    """Return our node with some units; settings are `WYOMING_UNITS_…` of the environment."""
    serve = (str(Path(sys.executable).with_name("wyoming-units")), "serve", "--host", "127.0.0.1")
    where = ("--port", "{port}", "--data-dir", "{folder}", "--advertise", "none")
    picked = [part for unit in units for part in ("--unit", unit)]
    environment = {f"WYOMING_UNITS_{key}": value for key, value in settings.items()}
    return Side(name, (*serve, *where, *picked, "--log-level", "warning"), environment)


def faster_whisper(*arguments: str) -> Side:
    """Return wyoming-faster-whisper with as many threads as there are cores, and 8 bit weights as ours."""
    speed = ("--cpu-threads", str(os.cpu_count()), "--compute-type", "int8", "--beam-size", "5")
    model = ("--model", str(whisper_folder()), "--language", "en", "--local-files-only")
    return _rival("faster-whisper", *model, "--data-dir", "{folder}", *speed, *arguments)


def piper(voice: Path) -> Side:
    """Return wyoming-piper with one voice."""
    folder = ("--data-dir", str(voice.parent), "--download-dir", "{folder}")
    return _rival("piper", "--voice", voice.stem, *folder, "--local-files-only")


def openwakeword() -> Side:
    """Return wyoming-openwakeword with the models of its wheel."""
    return _rival("openwakeword")


def _rival(name: str, *arguments: str) -> Side:
    python = str(RIVALS / name / "bin" / "python")
    module = f"wyoming_{name.replace('-', '_')}"
    uri = ("--uri", "tcp://127.0.0.1:{port}")
    return Side(f"wyoming-{name}", (python, "-m", module, *uri, *arguments))


def versions() -> dict[str, str]:
    """Return the version of each installed rival."""
    found = {}
    for name in ("faster-whisper", "piper", "openwakeword"):
        distribution = f"wyoming_{name.replace('-', '_')}"
        for folder in RIVALS.glob(f"{name}/lib/python*/site-packages/{distribution}-*.dist-info"):
            found[f"wyoming-{name}"] = folder.name.split("-")[1].removesuffix(".dist")
    return found
