"""The probe: a model that ends a process ends that of the probe, and one that loaded is not probed again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from tests.integration.models_sherpa import streaming_ctc
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import _probe
from wyoming_units.engines._probe import probe
from wyoming_units.errors import EngineFailed

ENGINE = "sherpa-streaming"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def tones(folder: Path, *, without: str = "") -> LocalModel:
    return LocalModel(name="tones", path=streaming_ctc(folder / "tones", without=without))


def interpreter(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every probe run a shell script instead of Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", "ascii")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def test_a_model_on_which_the_library_exits_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as told:
        probe(ENGINE, tones(tmp_path, without="T"))

    assert str(told.value) == (
        "sherpa-streaming cannot load tones: 'T' does not exist in the metadata"
    )


def test_what_the_engine_itself_finds_wrong_is_told_in_its_words(tmp_path: Path) -> None:
    model = tones(tmp_path)
    (model.path / "tokens.txt").unlink()

    with pytest.raises(EngineFailed, match=r"tones: .*tokens\.txt is missing$"):
        probe(ENGINE, model)


def test_a_model_that_loaded_is_not_probed_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones(tmp_path)
    probe(ENGINE, model, threads=1)
    interpreter(tmp_path, "echo probed again >&2; exit 3", monkeypatch)

    probe(ENGINE, model, threads=1)
    monkeypatch.setattr(_probe, "_good", set())  # as after a restart
    probe(ENGINE, model, threads=1)
    with pytest.raises(EngineFailed, match="probed again"):
        probe(ENGINE, model, threads=2)
    os.utime(model.path / "model.onnx", (1, 1))
    with pytest.raises(EngineFailed, match="probed again"):
        probe(ENGINE, model, threads=1)


def test_a_model_that_is_one_file_is_probed_again_when_its_tokens_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tones(tmp_path).path
    model = LocalModel(name="tones", path=folder / "model.onnx")
    interpreter(tmp_path, "exit 0", monkeypatch)
    probe(ENGINE, model)
    interpreter(tmp_path, "echo probed again >&2; exit 3", monkeypatch)

    probe(ENGINE, model)
    os.utime(folder / "tokens.txt", (1, 1))
    with pytest.raises(EngineFailed, match="probed again"):
        probe(ENGINE, model)


def test_a_model_that_failed_is_probed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tones(tmp_path)
    with monkeypatch.context() as broken:
        interpreter(tmp_path, "exit 7", broken)
        with pytest.raises(EngineFailed, match="exit code 7"):
            probe(ENGINE, model)

    probe(ENGINE, model)


def test_a_library_that_crashes_is_told_by_its_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(tmp_path, "kill -SEGV $$", monkeypatch)

    with pytest.raises(EngineFailed, match="cannot load tones: the library crashed with SIGSEGV"):
        probe(ENGINE, tones(tmp_path))


def test_a_model_that_never_finishes_loading_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_probe, "_TIMEOUT", 0.2)
    interpreter(tmp_path, "exec sleep 30", monkeypatch)

    with pytest.raises(EngineFailed, match="took more than"):
        probe(ENGINE, tones(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"\xff"])
def test_a_broken_memory_of_probes_only_costs_another_probe(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    memory = cache / "wyoming-units" / "probed.json"
    memory.parent.mkdir(parents=True)
    memory.write_bytes(content)
    interpreter(tmp_path, "exit 0", monkeypatch)
    model = tones(tmp_path)

    probe(ENGINE, model)

    monkeypatch.setattr(_probe, "_good", set())
    interpreter(tmp_path, "exit 1", monkeypatch)
    probe(ENGINE, model)


def test_a_place_where_nothing_can_be_written_does_not_matter(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("no folder", "ascii")
    interpreter(tmp_path, "exit 0", monkeypatch)
    model = tones(tmp_path)

    probe(ENGINE, model)

    interpreter(tmp_path, "exit 1", monkeypatch)
    probe(ENGINE, model)  # remembered in this process at least
