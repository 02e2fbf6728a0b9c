"""What a module is asked about itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stackflow_script import Request, ScriptedModule, scripted
from wyoming_units.errors import EngineFailed, TimedOut
from wyoming_units.stackflow import module as module_file
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.module import Memory, Module, ModuleAt, module_at
from wyoming_units.stackflow.notes import Notes

ROOM = Path(module_file.__file__).parent


@pytest.fixture(name="both")
def _both() -> Iterator[tuple[ScriptedModule, Module]]:
    with scripted(cmm={"total": 3 << 20}) as both:
        yield both


def test_models_are_asked_anew_each_time(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    modes = [{"mode": "kws", "type": "kws", "mode_param": {"padding": "x" * 200_000}}]
    server.handlers["lsmode"] = lambda request: request.answer(modes, object="sys.lsmode")
    assert [mode.name for mode in module.modes()] == ["kws"]
    modes.append({"mode": "yolo11n", "type": "cv", "mode_param": {"yolo_model": "y"}})
    assert [mode.unit for mode in module.modes()] == ["kws", "yolo"]


def test_the_version_is_told(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    server.handlers["version"] = lambda request: request.answer("v1.6")
    assert module.version() == "v1.6"


def test_the_version_is_read_from_the_packages_where_it_is_not_told(
    both: tuple[ScriptedModule, Module],
) -> None:
    server, module = both
    server.handlers["version2"] = lambda request: request.answer(["llm_llm-1.12", "llm_sys-1.7"])
    assert module.version() == "v1.7"
    server.handlers["version2"] = lambda request: request.answer([])
    with pytest.raises(EngineFailed, match="does not tell its version"):
        module.version()


def test_the_memory_of_the_npu_is_told_in_kb(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    server.tasks["llm.1000"], server.costs["m"] = {"model": "m"}, 1 << 19
    assert module.memory() == Memory(total=3 << 20, used=1 << 19, remain=(3 << 20) - (1 << 19))
    assert module.takes_raw()


def test_an_old_firmware_is_asked_for_its_memory_once() -> None:
    with scripted() as (server, module):
        assert module.memory() is None
        assert module.memory() is None
        assert not module.takes_raw()
        assert len(server.asked("cmminfo")) == 1


@pytest.mark.parametrize(
    "nonsense", ["None", {"total": 1}, {"total": 1, "used": None, "remain": 2}]
)
def test_memory_that_makes_no_sense_is_refused(
    both: tuple[ScriptedModule, Module], nonsense: Any
) -> None:
    server, module = both
    server.handlers["cmminfo"] = lambda request: request.answer(nonsense)
    with pytest.raises(EngineFailed, match="no sense"):
        module.memory()


def test_the_load_is_told_in_common_units(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    told = {"temperature": 46850, "cpu_loadavg": 3, "mem": 22, "eth_info": [{"name": "eth0"}]}
    server.handlers["hwinfo"] = lambda request: request.answer(told, object="sys.hwinfo")
    assert module.hardware() == {"temperature": 46.85, "cpu": 3, "memory": 22}
    server.handlers["hwinfo"] = lambda request: request.answer({"mem": 5, "temperature": "hot"})
    assert module.hardware() == {"memory": 5}


def test_each_question_leaves_no_connection_behind(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    server.handlers["ping"] = Request.answer
    module.ping()
    module.ping()
    assert len({id(request.line) for request in server.asked("ping")}) == 2


def test_a_silent_module_is_waited_for_no_longer_than_it_should(
    both: tuple[ScriptedModule, Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, module = both
    server.handlers["ping"] = lambda request: None
    monkeypatch.setattr(module_file, "_SOON", 0.05)
    with pytest.raises(TimedOut, match="ping"):
        module.ping()


def test_a_module_that_is_away_is_told_with_its_address(
    both: tuple[ScriptedModule, Module],
) -> None:
    server, module = both
    server.down()
    with pytest.raises(EngineFailed, match=f"127.0.0.1:{server.port}"):
        module.modes()


def test_an_error_is_explained(both: tuple[ScriptedModule, Module]) -> None:
    server, module = both
    server.handlers["lsmode"] = lambda request: request.answer(code=-17, message="no folder")
    with pytest.raises(EngineFailed, match=r"cannot open a file.*-17.*no folder"):
        module.modes()


def test_a_place_has_one_module() -> None:
    place = ModuleAt(address=Address(host="one.example"))
    assert module_at(place) is module_at(ModuleAt(address=Address(host="one.example")))
    assert module_at(place) is not module_at(ModuleAt(address=Address(host="two.example")))


def test_notes_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    place = (Address(host="fe80::1%eth0", port=7), tmp_path / "state")
    notes = Notes(*place)
    notes.add("llm.1000", {"unit": "llm", "model": "m"})
    notes.add("asr.1001", {"unit": "asr"})
    notes.remove("asr.1001")
    notes.remove("asr.1001")
    assert Notes(*place).of("llm") == {"llm.1000": {"unit": "llm", "model": "m"}}
    assert Notes(*place).units() == ["llm"]
    (file,) = (tmp_path / "state").iterdir()
    assert re.fullmatch(r"stackflow-[\w.-]+\.json", file.name)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"llm.1": 3}'])
def test_notes_that_are_broken_are_as_none(tmp_path: Path, content: str) -> None:
    address = Address(host="h", port=1)
    (tmp_path / "stackflow-h-1.json").write_text(content)
    notes = Notes(address, tmp_path)
    assert notes.units() == []
    notes.add("llm.1000", {"unit": "llm"})
    assert json.loads((tmp_path / "stackflow-h-1.json").read_text()) == {
        "llm.1000": {"unit": "llm"}
    }


def test_notes_that_cannot_be_written_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    notes = Notes(Address(host="h"), tmp_path / "file" / "state")
    notes.add("llm.1000", {"unit": "llm"})
    assert notes.units() == ["llm"]


def test_nothing_that_needs_an_administrator_is_ever_asked() -> None:
    dangerous = ("bashexec", "push", "pull", "update", "upgrade", "reset", "reboot", "rmmode")
    for path in ROOM.glob("*.py"):
        words = re.findall(r'"(\w+)"', path.read_text("utf-8"))
        assert not set(words) & set(dangerous), path
