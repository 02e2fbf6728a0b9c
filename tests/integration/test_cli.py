"""The command line as a user calls it: real processes, exit codes, one clear line for an error."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from wyoming.tts import Synthesize

from tests.stackflow_server import running as a_module
from wyoming_units.wire.client import Client

from .model_server import ThreadedModelServer

HOME = {
    "language": "en",
    "entities": [{"name": "Kitchen Light", "domain": "light", "area": "Kitchen"}],
    "areas": [{"name": "Kitchen"}],
}
COMMAND = "turn on the kitchen light"
CLI = (sys.executable, "-m", "wyoming_units")


def run(*args: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, with settings in its environment."""
    env = {**os.environ, **{f"WYOMING_UNITS_{key}": value for key, value in settings.items()}}
    return subprocess.run(
        [*CLI, *args], capture_output=True, text=True, timeout=60, check=False, env=env
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return what `--json` printed."""
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def serving(folder: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a node on loopback and give its address."""
    command = [*CLI, "serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(folder)]
    with subprocess.Popen(
        [*command, "--advertise", "none", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("node")) as (_, uri):
        yield uri


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home.yaml"
    path.write_text(yaml.safe_dump(HOME))
    return path


def test_what_is_said_is_heard_and_understood(node: str, home: Path, tmp_path: Path) -> None:
    wav = tmp_path / "said.wav"
    said = run("say", COMMAND, "--language", "en-US", "--uri", node, "--out", wav, "--json")
    assert said.returncode == 0, said.stderr
    summary = lines(said)[-1]
    assert summary["type"] == "summary"
    assert 0 < summary["timings_ms"]["first_chunk"] <= summary["timings_ms"]["total"]
    with wave.open(str(wav)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(
            summary["audio_seconds"], abs=0.01
        )

    heard = run("hear", wav, tmp_path, "--uri", node, "--home", home, "--json")
    first, second, summary = lines(heard)
    assert first["text"] == second["text"]
    assert first["text"].lower().removesuffix("s") == COMMAND
    assert (summary["type"], summary["files"]) == ("summary", 2)
    assert summary["rtf"] > 0

    asked = run("ask", "--wav", wav, "--uri", node, "--home", home, "--json")
    intent, summary = lines(asked)
    assert intent["name"] == "HassTurnOn"
    assert {"Kitchen Light", "Kitchen"} & set(intent["slots"].values())
    assert summary["timings_ms"]["stt"] > 0


def test_without_a_node_one_is_started_for_the_call(home: Path) -> None:
    done = run("ask", COMMAND, "--home", home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == 'HassTurnOn {"name": "Kitchen Light"}'


def test_plain_output_is_the_text_alone(node: str, home: Path, tmp_path: Path) -> None:
    wav = tmp_path / "said.wav"
    assert run("say", COMMAND, "--language", "en-US", "--uri", node, "--out", wav).stdout == ""
    assert (
        run("hear", wav, "--uri", node, "--home", home).stdout.strip().lower().removesuffix("s")
        == COMMAND
    )


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["ask"], 2, "give either TEXT or --wav FILE"),
        (["say", "hi", "--uri", "http://x"], 2, "is no address"),
        (["say", "hi", "--uri", "127.0.0.1:1"], 1, "cannot connect to 127.0.0.1:1"),
        (["hear", "missing.wav", "--uri", "NODE"], 1, "cannot read missing.wav"),
        (["hear", __file__, "--uri", "NODE"], 1, "is no PCM WAV file"),
        (["hear", str(Path(__file__).parents[2] / "docs"), "--uri", "NODE"], 1, "has no WAV files"),
        (["say", "hi", "--voice", "nobody", "--uri", "NODE", "--out", "x.wav"], 1, "nobody"),
        (["ask", "colourless green ideas", "--uri", "NODE"], 1, "not understood"),
        (["serve", "--unit", "singing"], 2, "no unit is called 'singing'"),
        (["serve", "--port", "70000"], 2, "setting port"),
        (["serve", "--config", "missing.yaml"], 2, "cannot read missing.yaml"),
    ],
)
def test_a_failure_is_one_clear_line(node: str, args: list[str], code: int, message: str) -> None:
    done = run(*(node if arg == "NODE" else arg for arg in args))
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_the_doctor_finds_the_embedded_engines_in_order() -> None:
    done = run("doctor", "--json")
    findings = {line["what"]: line for line in lines(done) if line["type"] == "finding"}
    for what in ("wake: microwakeword", "vad: silero", "stt: pocketsphinx", "tts: espeak"):
        assert findings[what]["ok"], findings[what]
    assert done.returncode == bool(lines(done)[-1]["failed"])


def the_finding(*args: str | Path, what: str = "llm: openai", **settings: str) -> dict[str, Any]:
    """Return what the doctor finds out about models behind a server, or about something else."""
    told = lines(run("doctor", "--json", *args, **settings))
    (finding,) = (line for line in told if line.get("what") == what)
    return finding


def test_the_doctor_tells_what_a_models_server_is_and_what_it_has(tmp_path: Path) -> None:
    settings = tmp_path / "node.yaml"
    with ThreadedModelServer("ollama", models=("small", "large")) as server:
        url = server.url.replace("//", "//eve:secret@")
        settings.write_text(
            yaml.safe_dump({"units": ["llm=openai"], "engines": {"openai": {"url": url}}})
        )
        finding = the_finding("--config", settings)
        assert finding["ok"], finding
        assert finding["detail"] == f"Ollama at {server.url}: small, large"


def test_the_doctor_tells_that_a_models_server_cannot_be_reached() -> None:
    with ThreadedModelServer() as server:
        url = server.url
    finding = the_finding(UNITS='["llm"]', ENGINES__OPENAI__URL=url)
    assert not finding["ok"]
    assert finding["detail"] == f"{url} cannot be reached"


def test_the_doctor_asks_a_module_how_it_is_and_sets_nothing_up(tmp_path: Path) -> None:
    with a_module(version="1.7", models=("whisper-tiny", "yolo11n")) as module:
        where = {"STACKFLOW": f"127.0.0.1:{module.port}", "DATA_DIR": str(tmp_path)}
        finding = the_finding(what="module", **where)
        assert not module.asked("setup", count=0)
    assert finding["ok"], finding
    assert finding["detail"].startswith("StackFlow v1.7, 2 models, 3072 of 3072 MB for models free")
    gone = the_finding(what="module", **where)
    assert not gone["ok"]
    assert gone["detail"].endswith("cannot be reached")


def test_the_doctor_tells_where_the_address_of_a_models_server_goes() -> None:
    finding = the_finding(UNITS='["intent"]')
    assert finding["ok"]
    assert "engines.openai.url" in finding["detail"]


def test_a_terminated_node_finishes_what_it_is_saying_and_exits_with_0(tmp_path: Path) -> None:
    async def speak_and_terminate(process: subprocess.Popen[str], uri: str) -> int:
        async with Client(uri) as client:
            await client.send(Synthesize("This sentence is spoken to its end. " * 60))
            received = 0
            while (event := await client.receive()).type != "audio-stop":
                if not received:
                    process.send_signal(signal.SIGTERM)
                received += len(event.payload or b"")
        return received

    with serving(tmp_path, "--unit", "tts") as (process, uri):
        received = asyncio.run(speak_and_terminate(process, uri))
        assert process.wait(5) == 0
    assert received > 22050 * 2 * 60  # more than a minute of speech
