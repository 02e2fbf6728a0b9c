"""`wyoming-units models` as a user calls it: a host on loopback, exit codes, one line for an error.

Commands run in this process, as it takes a second to start one, but for those that are to be ended.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_host import COMMIT, ModelHost, tar
from wyoming_units.cli import main

CLI = (sys.executable, "-m", "wyoming_units", "models")
WEIGHTS = hashlib.shake_256(b"weights").digest(3_000_000)
KEYS = ["name", "aliases", "kind", "languages", "license", "size", "targets", "installed"]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHost]:
    with ModelHost() as host:
        monkeypatch.setenv("HF_ENDPOINT", host.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("WYOMING_UNITS_DATA_DIR", str(tmp_path))
        yield host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of models that the commands use by default."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(
    host: ModelHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def run(*args: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["wyoming-units", "models", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Done(code, *capsys.readouterr())

    return run


def lines(done: Done) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def write(folder: Path, name: str, source: str, **more: str) -> None:
    """Put a manifest of the user's own into the folder of models."""
    told = {
        "kind": "stt",
        "description": "Hears",
        "author": "A",
        "upstream": "https://a.org",
        "license": "MIT",
    }
    text = "\n".join(f'{key} = "{value}"' for key, value in {"name": name, **told, **more}.items())
    variant = f'[[variants]]\ntargets = ["cpu", "cuda"]\nengine = "sherpa-offline"\n[variants.source]\n{source}\n'
    (folder / f"{name}.toml").write_text(f"{text}\nsize = 3_000_000\n{variant}", "utf-8")


def test_the_list_has_one_object_per_model_and_a_summary(
    folder: Path, host: ModelHost, run: Run
) -> None:
    *models, summary = lines(run("list", "--json"))
    assert all(list(model) == KEYS for model in models)
    assert len(models) > 100
    assert not any(model["installed"] for model in models)
    assert (summary["type"], summary["models"], summary["installed"]) == ("summary", len(models), 0)
    assert summary["timings_ms"]["total"] > 0
    assert host.asked == []


@pytest.mark.parametrize(
    ("options", "name", "other"),
    [
        (["--kind", "tts", "--language", "de"], "de_DE-thorsten-medium", "whisper-tiny"),
        (["--kind", "stt", "--language", "de-AT"], "whisper-tiny", "whisper-tiny.en"),
        (["--kind", "tts", "--language", "en-GB"], "en_GB-alan-medium", "en_US-amy-medium"),
        (["--target", "stackflow", "--kind", "vision"], "yolo11n-npu1", "yolox-s"),
    ],
)
def test_the_list_can_be_narrowed(run: Run, options: list[str], name: str, other: str) -> None:
    names = {model.get("name") for model in lines(run("list", "--json", *options))}
    assert name in names
    assert other not in names


def test_a_model_is_pulled_listed_verified_and_removed(
    folder: Path, host: ModelHost, run: Run
) -> None:
    host.hub["some/model"] = {"model.onnx": WEIGHTS, "tokens.txt": b"a 0\n"}
    write(folder, "mine", 'hub = "some/model"')
    command = [
        *CLI,
        "pull",
        "MINE",
        "--json",
    ]  # a new process, as the library reads its settings once
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    pulled, summary = lines(Done(child.returncode, child.stdout, child.stderr))
    assert pulled["type"] == "pulled"
    assert pulled["path"] == str(folder / "mine")
    assert summary["models"] == 1
    asked = {asked.path.partition("?")[0] for asked in host.asked if "/cdn/" not in asked.path}
    assert asked == {
        "/api/models/some/model/revision/main",
        f"/api/models/some/model/tree/{COMMIT}",
        f"/some/model/resolve/{COMMIT}/model.onnx",
        f"/some/model/resolve/{COMMIT}/tokens.txt",
    }
    host.asked.clear()
    present, _ = lines(run("pull", "mine", "--json", "--offline"))
    assert present == {**pulled, "type": "present"}
    listed, _ = lines(run("list", "--installed", "--json"))
    assert (listed["name"], listed["size"], listed["installed"]) == ("mine", 3_000_004, True)
    assert host.asked == []

    assert "ok" in run("verify").stdout
    (folder / "mine" / "model.onnx").write_bytes(WEIGHTS[:-1] + b"!")
    broken = run("verify", "mine")
    assert broken.returncode == 1
    assert "mine: model.onnx has other content than when it came" in broken.stdout

    assert run("remove", "mine").returncode == 0
    assert not (folder / "mine").exists()
    gone = run("verify", "mine")
    assert (gone.returncode, gone.stderr) == (1, "error: model mine is not installed\n")


def test_a_licence_that_binds_is_shown_and_asks_for_consent(
    folder: Path, host: ModelHost, run: Run
) -> None:
    host.put("/model.onnx", WEIGHTS)
    source = f'url = "{host.url}/model.onnx"'
    write(folder, "bound", source, license="AGPL-3.0", notice="It binds you.")
    refused = run("pull", "bound")
    assert refused.returncode == 2
    assert "AGPL-3.0" in refused.stderr
    assert "It binds you." in refused.stderr
    assert host.asked == []
    assert lines(run("pull", "bound", "--accept-license", "--json"))[0]["type"] == "pulled"


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["pull", "whisper-tinny"], 1, "the catalogue has no model 'whisper-tinny'; did you mean"),
        (["pull", "whisper-tiny", "--offline"], 1, "--offline forbids to get it: whisper-tiny"),
        (["pull", "whisper-tiny", "--target", "gpu"], 2, "--target gpu is none of: cpu, cuda,"),
        (["pull", "yolox-s", "--target", "stackflow"], 1, "yolox-s is not there for stackflow"),
        (
            ["pull", "yolo11n", "whisper-tiny", "--target", "stackflow"],
            1,
            "on the module itself: apt install llm-model-yolo11n llm-model-whisper-tiny",
        ),
        (["list", "--kind", "hearing"], 2, "--kind hearing is none of: wake, stt"),
        (["remove", "whisper-tiny"], 1, "model whisper-tiny is not installed"),
    ],
)
def test_errors_are_one_clear_line(
    folder: Path, host: ModelHost, run: Run, args: list[str], code: int, told: str
) -> None:
    done = run(*args)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
    assert host.asked == []


def test_a_manifest_that_is_wrong_is_named(folder: Path, host: ModelHost, run: Run) -> None:
    write(folder, "mine", 'hub = "some/model"', colour="red")
    done = run("list")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder / 'mine.toml'}: colour: Extra inputs")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_is_ended_leaves_nothing_broken_and_is_taken_up(
    folder: Path, host: ModelHost, run: Run, how: signal.Signals
) -> None:
    body = tar({"top/model.onnx": WEIGHTS, "top/tokens.txt": b"a 0\n"})
    served = host.put("/model.tar.gz", body, holds_at=2_000_000)
    write(folder, "mine", f'url = "{host.url}/model.tar.gz"\nfolder = "top"')
    with subprocess.Popen(
        [*CLI, "pull", "mine"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as child:
        assert served.reached.wait(30)
        _until_grown(folder / ".partial", "model.tar.gz.part", 1_500_000)
        child.send_signal(how)
        stderr = child.communicate(timeout=10)[1]
    assert "Traceback" not in stderr
    assert child.returncode == (130 if how == signal.SIGINT else -how)
    assert not (folder / "mine").exists()
    assert lines(run("list", "--installed", "--json"))[0]["type"] == "summary"
    served.go.set()
    served.holds_at = None
    done = lines(run("pull", "mine", "--json"))
    assert done[0]["type"] == "pulled"
    first, second = host.ranges("/model.tar.gz")
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) >= 1_500_000
    assert (folder / "mine" / "model.onnx").read_bytes() == WEIGHTS
    kept = {path.name for path in (folder / "mine").iterdir()}
    assert kept == {"model.onnx", "receipt.json", "tokens.txt"}


def _until_grown(folder: Path, name: str, size: int) -> None:
    """Wait until the other process has written so much; no event tells it."""
    end = time.monotonic() + 20
    while max((path.stat().st_size for path in folder.rglob(name)), default=0) < size:
        assert time.monotonic() < end, "nothing is written"
        time.sleep(0.01)
