"""Tasks make room for each other, and never end another's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stackflow_script import ScriptedModule, scripted, setup_of
from wyoming_units.errors import Busy, EngineFailed
from wyoming_units.stackflow.module import Module, ModuleAt
from wyoming_units.stackflow.task import Talk, Task

Both = tuple[ScriptedModule, Module]


@pytest.fixture(name="both")
def _both() -> Iterator[Both]:
    with scripted(cmm={"total": 3000 << 10}) as both:
        yield both


def task_of(module: Module, unit: str, model: str, **options: Any) -> Task:
    return module.task(unit, setup_of(model, unit), **{"settle": 0.05, **options})


def model_of(talk: Talk) -> str:
    talk.send("x", "hello")
    return str(talk.receive(5).work_id)


def models(server: ScriptedModule) -> list[str]:
    return sorted(task["model"] for task in server.tasks.values())


def test_two_voices_share_the_one_task_of_a_unit_in_turn(both: Both) -> None:
    server, module = both
    one, two = task_of(module, "tts", "one"), task_of(module, "tts", "two")
    for task, model in ((one, "one"), (two, "two"), (one, "one")):
        assert task.run(model_of).startswith("tts.")
        assert models(server) == [model]


def test_of_two_tasks_that_rest_the_one_that_rests_longer_gives_way(both: Both) -> None:
    server, module = both
    tasks = {name: task_of(module, "llm", name) for name in "abc"}
    for name in "aba":
        tasks[name].run(model_of)
    tasks["c"].open()
    assert models(server) == ["a", "c"]


def test_tasks_of_another_program_are_never_ended(both: Both) -> None:
    server, module = both
    server.tasks["tts.900"] = setup_of("theirs", "tts")
    with pytest.raises(Busy, match="another program holds the tts task of the module"):
        task_of(module, "tts", "ours").open()
    assert models(server) == ["theirs"]
    assert not server.asked("exit")
    # To ask about it would turn its answers to us.
    assert not server.asked("taskinfo", "tts.900")


def noted(server: ScriptedModule, state: Path) -> Module:
    """Return the module as a process sees it that begins now."""
    return Module(ModuleAt(address=server.address, state=state))


def test_what_a_killed_process_left_behind_is_ended(both: Both, tmp_path: Path) -> None:
    server, _ = both
    task_of(noted(server, tmp_path), "tts", "ours").open()
    assert task_of(noted(server, tmp_path), "tts", "new").run(model_of) == "tts.1001"
    assert models(server) == ["new"]
    assert [request.work_id for request in server.asked("exit")] == ["tts.1000"]


@pytest.mark.parametrize(
    "change",
    [{"model": "x"}, {"response_format": "x"}, {"input": "x"}],
    ids=lambda c: next(iter(c)),
)
def test_a_task_of_another_with_the_number_of_ours_is_not_ended(
    both: Both, tmp_path: Path, change: dict[str, str]
) -> None:
    server, _ = both
    task_of(noted(server, tmp_path), "tts", "ours").open()
    server.tasks["tts.1000"] = {**setup_of("ours", "tts"), **change}
    with pytest.raises(Busy):
        task_of(noted(server, tmp_path), "tts", "new").open()
    assert not server.asked("exit")


def test_a_task_that_is_no_longer_there_is_not_asked_about(both: Both, tmp_path: Path) -> None:
    server, _ = both
    task_of(noted(server, tmp_path), "tts", "ours").open()
    server.tasks.clear()
    server.tasks["tts.900"] = setup_of("theirs", "tts")
    with pytest.raises(Busy):
        task_of(noted(server, tmp_path), "tts", "new").open()
    assert [request.work_id for request in server.asked("taskinfo")] == ["tts"]


def test_a_unit_that_spells_its_inputs_otherwise_is_understood(both: Both, tmp_path: Path) -> None:
    server, _ = both
    task_of(noted(server, tmp_path), "tts", "ours").open()

    def taskinfo(request: Any) -> None:
        if "." not in request.work_id:
            server.taskinfo(request)
            return
        told = setup_of("ours", "tts")
        request.answer({**told, "inputs_": [told["input"]]})

    server.handlers["taskinfo"] = taskinfo
    task_of(noted(server, tmp_path), "tts", "new").open()
    assert models(server) == ["new"]


def test_a_task_that_was_closed_is_not_noted(both: Both, tmp_path: Path) -> None:
    server, _ = both
    module = noted(server, tmp_path)
    task = task_of(module, "tts", "ours")
    task.open()
    assert noted(server, tmp_path).notes.of("tts")
    task.close()
    assert not noted(server, tmp_path).notes.of("tts")


def test_a_task_that_could_not_be_ended_stays_noted(both: Both, tmp_path: Path) -> None:
    server, _ = both
    task = task_of(noted(server, tmp_path), "tts", "ours")
    task.open()
    server.down()
    task.close()
    assert list(noted(server, tmp_path).notes.of("tts")) == ["tts.1000"]


# -- memory of the NPU


def test_tasks_that_rest_give_their_memory(both: Both) -> None:
    server, module = both
    server.costs = {"a": 1000 << 10, "b": 1000 << 10, "big": 2000 << 10}
    for name in "ab":
        task_of(module, {"a": "asr", "b": "yolo"}[name], name).open()
    task_of(module, "llm", "big", memory=2000 << 10).open()
    assert models(server) == ["b", "big"]


def test_a_task_in_use_keeps_its_memory(both: Both) -> None:
    server, module = both
    server.costs = {"a": 1000 << 10, "b": 1000 << 10, "big": 2000 << 10}
    busy = task_of(module, "asr", "a").begin()
    task_of(module, "yolo", "b").open()
    task_of(module, "llm", "big", memory=2000 << 10).open()
    assert models(server) == ["a", "big"]
    busy.end()


def test_what_a_killed_process_left_behind_gives_its_memory(both: Both, tmp_path: Path) -> None:
    server, _ = both
    server.costs = {"a": 2000 << 10, "big": 2000 << 10}
    task_of(noted(server, tmp_path), "asr", "a").open()
    task_of(noted(server, tmp_path), "llm", "big", memory=2000 << 10).open()
    assert models(server) == ["big"]


def test_too_little_memory_is_told_before_the_module_tries(both: Both) -> None:
    server, module = both
    server.tasks["vlm.900"], server.costs["theirs"] = setup_of("theirs", "vlm"), 2500 << 10
    with pytest.raises(
        EngineFailed, match=r"big needs 2000 MB of the NPU's memory, 500 MB are free"
    ):
        task_of(module, "llm", "big", memory=2000 << 10).open()
    assert not server.asked("setup")
    assert models(server) == ["theirs"]


def test_an_old_firmware_decides_itself_whether_its_memory_suffices() -> None:
    with scripted() as (server, module):
        task_of(module, "llm", "big", memory=9000 << 10).open()
        assert models(server) == ["big"]
