"""A task of a module: set up, shared by callers in turn, interrupted and closed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.integration.stackflow_script import (
    Both,
    Request,
    echo,
    llm,
    picture,
    setup_of,
    started,
)
from wyoming_units.errors import Busy, Cancelled, EngineFailed, TimedOut
from wyoming_units.stackflow import task as task_file
from wyoming_units.stackflow.module import Module, ModuleAt
from wyoming_units.stackflow.task import Talk, Task

pytest_plugins = ("tests.integration.stackflow_script",)


# -- set up, used, closed


def test_a_task_is_set_up_when_first_used_and_once(both: Both) -> None:
    server, module = both
    task = llm(module)
    assert not server.requests
    assert [task.run(echo) for _ in range(2)] == ["hello", "hello"]
    (setup,) = server.asked("setup")
    assert (setup.work_id, setup.object, setup.data) == ("llm", "llm.setup", setup_of())
    assert len({r.id for r in server.requests}) == len(server.requests)


def test_closing_ends_the_task_and_it_can_be_opened_again(both: Both) -> None:
    server, module = both
    task = llm(module)
    task.open()
    assert list(server.tasks) == ["llm.1000"]
    task.close()
    assert not server.tasks
    task.close()
    assert len(server.asked("exit")) == 1
    assert task.run(echo) == "hello"
    assert list(server.tasks) == ["llm.1001"]


def test_text_and_bytes_travel_as_base64_whatever_is_in_them(both: Both) -> None:
    _, module = both
    nasty = 'a } b { "c" \\'

    def call(talk: Talk) -> tuple[Any, Any]:
        talk.send_text("llm.utf-8", nasty)
        text = talk.receive(5).data["delta"]
        talk.send_bytes("vlm.jpeg.base64", b"}{\xff\n")
        return text, talk.receive(5).data["delta"]

    assert llm(module).run(call) == ("YSB9IGIgeyAiYyIgXA==", "fXv/Cg==")


def test_a_setup_that_fails_is_told_and_tried_anew(both: Both) -> None:
    server, module = both
    server.handlers["setup"] = lambda request: request.answer(code=-5, work_id="asr")
    task = llm(module)
    for _ in range(2):
        with pytest.raises(EngineFailed, match=r"cannot load echo-small.*-5"):
            task.open()
    server.handlers.clear()
    assert task.run(echo) == "hello"


def test_a_service_that_does_not_run_is_told_at_once(both: Both) -> None:
    server, module = both
    server.handlers["setup"] = lambda request: request.answer(code=-9)
    began = time.monotonic()
    with pytest.raises(EngineFailed, match="install llm-depth-anything"):
        module.task("depth_anything", setup_of("d", "depth_anything")).open()
    assert time.monotonic() - began < 5


def test_a_setup_that_takes_too_long_is_taken_up_again_rather_than_repeated(both: Both) -> None:
    server, module = both
    server.handlers["setup"] = lambda request: None
    task = llm(module, setup_seconds=0.05)
    with pytest.raises(TimedOut, match=r"did not load echo-small in 0.05 s"):
        task.open()
    server.setup(server.await_request("setup"))
    assert task.run(echo) == "hello"
    assert len(server.asked("setup")) == 1


def test_a_setup_that_is_never_answered_is_sent_anew_in_the_end(both: Both) -> None:
    server, module = both
    server.handlers["setup"] = lambda request: None
    task = llm(module, setup_seconds=0.05)
    for _ in range(2):
        with pytest.raises(TimedOut):
            task.open()
    server.handlers.clear()
    assert task.run(echo) == "hello"
    assert len(server.asked("setup")) == 2


def test_tasks_share_a_serial_line(both: Both, pool: ThreadPoolExecutor) -> None:
    server, _ = both
    module = Module(ModuleAt(address=server.plug()))
    units = ("llm", "asr", "vlm")
    tasks = [module.task(unit, setup_of(unit, unit), settle=0.05) for unit in units]

    def call(task: Task, text: str) -> list[str]:
        return [task.run(partial(echo, text=f"{text} {number}")) for number in range(5)]

    calls = [pool.submit(call, task, unit) for task, unit in zip(tasks, units, strict=True)]
    for unit, future in zip(units, calls, strict=True):
        assert future.result(10) == [f"{unit} {number}" for number in range(5)]
    assert tasks[0].run(picture) == "e3t7"
    assert not any(request.raw for request in server.requests)
    for task in tasks:
        task.close()
    assert not server.tasks


# -- callers take turns


def test_calls_of_one_unit_take_turns_also_those_of_other_tasks(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    _, module = both
    one, two = llm(module), llm(module, "echo-large")
    inside, release, order = threading.Event(), threading.Event(), []

    def slow(talk: Talk) -> str:
        inside.set()
        assert release.wait(5)
        order.append("slow")
        return echo(talk)

    def quick(talk: Talk) -> str:
        order.append("quick")
        return echo(talk)

    first = pool.submit(one.run, slow)
    assert inside.wait(5)
    second = pool.submit(two.run, quick)
    third = pool.submit(module.task("vlm", setup_of("v", "vlm")).run, echo)
    assert third.result(5) == "hello"
    assert not second.done()
    release.set()
    assert (first.result(5), second.result(5)) == ("hello", "hello")
    assert order == ["slow", "quick"]


def test_who_waits_longer_than_its_patience_is_told(both: Both) -> None:
    _, module = both
    task = llm(module, patience=0.05)
    talk = task.begin()
    with pytest.raises(Busy, match="llm is at work"):
        task.run(echo)
    with pytest.raises(Busy):
        llm(module, "echo-large", patience=0).begin()
    talk.end()
    assert task.run(echo) == "hello"


def test_a_stream_has_the_task_until_its_end(both: Both) -> None:
    _, module = both
    task = llm(module, patience=0)
    talk = task.begin()
    assert [echo(talk, text) for text in "ab"] == ["a", "b"]
    assert talk.heard() is None
    talk.end()
    talk.end()
    with pytest.raises(EngineFailed, match="over"):
        talk.send("llm.utf-8", "c")
    assert task.run(echo) == "hello"


def test_events_of_sound_bear_the_number_of_the_setup(both: Both) -> None:
    server, module = both
    task = module.task("kws", setup_of("k", "kws"), settle=0.05)
    server.handlers["inference"] = lambda r: r.answer(True, request_id=server.asked("setup")[-1].id)
    talk = task.begin()
    talk.send_bytes("kws.pcm.base64", b"\0\0")
    assert talk.receive(5).data is True
    talk.end()


# -- interrupted


def test_an_interrupted_call_ends_at_once_and_its_answer_reaches_nobody(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    task = llm(module, settle=5)
    server.handlers["inference"] = lambda request: None
    future, thread = started(task, pool, lambda talk: echo(talk, "old", 60))
    old = server.await_request("inference")
    task.interrupt(thread + 1)
    assert not future.done()
    task.interrupt(thread)
    with pytest.raises(Cancelled):
        future.result(1)
    server.handlers.clear()
    old.answer({"index": 0, "delta": "ol", "finish": False})
    waiting = pool.submit(task.run, echo)
    old.answer({"index": 1, "delta": "d", "finish": True})
    assert waiting.result(3) == "hello"
    assert len(server.asked("setup")) == 1


def test_an_old_answer_of_one_message_is_over_with_it(both: Both, pool: ThreadPoolExecutor) -> None:
    server, module = both
    task = module.task("whisper", setup_of("w", "whisper"), settle=5)
    server.handlers["inference"] = lambda request: None
    with pytest.raises(TimedOut):
        task.run(partial(echo, seconds=0.01))
    server.handlers.clear()
    waiting = pool.submit(task.run, echo)
    for old in server.asked("inference")[:2]:
        old.answer("an old text.", object="asr.utf-8")
    assert waiting.result(3) == "hello"


def test_an_old_answer_that_comes_when_all_seemed_quiet_is_told_from_the_new(both: Both) -> None:
    server, module = both
    task = llm(module, settle=0.01)
    server.handlers["inference"] = lambda request: None
    with pytest.raises(TimedOut):
        task.run(partial(echo, seconds=0.01))
    old = server.asked("inference")

    def late(request: Request) -> None:
        for each in old:
            each.answer({"index": 0, "delta": {"delta": "old"}, "finish": True})
        server.inference(request)

    server.handlers["inference"] = late
    assert task.run(echo) == "hello"


def test_without_an_end_the_old_answer_is_over_when_it_is_quiet(both: Both) -> None:
    server, module = both
    task = llm(module, settle=0.3)
    server.handlers["inference"] = lambda request: None
    with pytest.raises(TimedOut):
        task.run(lambda talk: echo(talk, seconds=0.01))
    server.handlers.clear()
    began = time.monotonic()
    assert task.run(echo) == "hello"
    assert time.monotonic() - began >= 0.2


def test_an_old_answer_that_never_ends_costs_the_task(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, module = both
    monkeypatch.setattr(task_file, "_NOISE", 2)
    task = llm(module, settle=0.4)
    stop = threading.Event()

    def talkative(request: Request) -> None:
        def tell() -> None:
            while not stop.wait(0.01):
                request.answer({"index": 0, "delta": "x", "finish": False})

        threading.Thread(target=tell, daemon=True).start()

    server.handlers["inference"] = talkative
    talk = task.begin()
    talk.send("llm.utf-8", "go")
    assert talk.receive(5).data["delta"] == "x"
    talk.end()
    server.handlers.pop("inference")
    assert task.run(echo) == "hello"
    stop.set()
    assert [r.work_id for r in server.asked("exit")] == ["llm.1000"]
    assert list(server.tasks) == ["llm.1001"]


def test_an_interrupted_call_may_still_say_pause_whose_acknowledgement_nobody_hears(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    task = llm(module)
    heard = threading.Event()
    server.handlers["inference"] = lambda r: r.answer({"index": 0, "delta": "a", "finish": False})

    def call(talk: Talk) -> None:
        talk.send("llm.utf-8", "go")
        talk.receive(5)
        heard.set()
        try:
            talk.receive(60)
        finally:
            talk.act("pause")

    future, thread = started(task, pool, call)
    assert heard.wait(5)
    task.interrupt(thread)
    with pytest.raises(Cancelled):
        future.result(5)
    assert server.await_request("pause").work_id == "llm.1000"
    server.handlers.clear()

    def paused(talk: Talk) -> str:
        talk.act("pause")
        return echo(talk)

    assert task.run(paused) == "hello"


def test_a_caller_that_waits_for_its_turn_can_be_interrupted(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    _, module = both
    task = llm(module, patience=60)
    talk = task.begin()
    future, thread = started(task, pool, echo)
    while len(task._talks) < 2:
        time.sleep(0.001)
    task.interrupt(thread)
    with pytest.raises(Cancelled):
        future.result(5)
    assert echo(talk) == "hello"
    talk.end()


def test_a_call_interrupted_while_it_sets_up_leaves_no_task_behind(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    server.handlers["setup"] = lambda request: None
    task = llm(module)
    future, thread = started(task, pool, echo)
    setup = server.await_request("setup")
    task.interrupt(thread)
    with pytest.raises(Cancelled):
        future.result(5)
    server.setup(setup)
    task.close()
    assert not server.tasks


def test_closing_ends_a_call_that_runs_and_one_that_waits(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    server.handlers["inference"] = lambda request: None
    task = llm(module, patience=60)
    running = pool.submit(task.run, lambda talk: echo(talk, seconds=60))
    server.await_request("inference")
    waiting = pool.submit(task.run, echo)
    while len(task._talks) < 2:
        time.sleep(0.001)
    task.close()
    for future in (running, waiting):
        with pytest.raises(EngineFailed, match="was closed"):
            future.result(5)
    assert not server.tasks
    server.handlers.clear()
    assert task.run(echo) == "hello"


def test_a_stream_that_rests_ends_with_the_task(both: Both) -> None:
    _, module = both
    task = llm(module, patience=0)
    talk = task.begin()
    task.close()
    with pytest.raises(EngineFailed, match="was closed"):
        talk.send("llm.utf-8", "x")
    assert task.run(echo) == "hello"
    talk.end()
