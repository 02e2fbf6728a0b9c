"""A task of a module that was lost, or whose answer was: it is found or set up again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, TimeoutError as FutureTimeout

import pytest

from tests.integration.stackflow_script import (
    Both,
    Request,
    echo,
    llm,
    picture,
    setup_of,
)
from wyoming_units.errors import EngineFailed, TimedOut
from wyoming_units.stackflow import task as task_file
from wyoming_units.stackflow.task import Talk

pytest_plugins = ("tests.integration.stackflow_script",)


# -- lost and found


def test_a_module_that_restarted_between_calls_is_set_up_again(both: Both) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.down()
    server.up()
    assert task.run(echo) == "hello"
    assert len(server.asked("setup")) == 2


def test_a_module_that_restarts_in_a_call_is_waited_for(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    task = llm(module)
    server.handlers["inference"] = lambda request: None
    future = pool.submit(task.run, echo)
    server.await_request("inference")
    server.down()
    server.handlers.clear()
    threading.Timer(0.4, server.up).start()
    assert future.result(9) == "hello"
    assert list(server.tasks) == ["llm.1001"]


def test_a_service_that_starts_after_its_module_is_waited_for(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.tasks.clear()
    refused = 0

    def setup(request: Request) -> None:
        nonlocal refused
        refused += 1
        if refused < 3:
            request.answer(code=-9)
        else:
            server.setup(request)

    server.handlers["setup"] = setup
    assert task.run(echo) == "hello"
    assert refused == 3


def test_a_module_that_stays_away_is_told_in_time(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, module = both
    monkeypatch.setattr(task_file, "_RESTART", 0.2)
    task = llm(module)
    task.open()
    server.down()
    with pytest.raises(EngineFailed, match="cannot be reached"):
        task.run(echo)


def test_an_answer_that_breaks_off_is_not_asked_for_again(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    heard = threading.Event()
    server.handlers["inference"] = lambda r: r.answer({"index": 0, "delta": "a", "finish": False})

    def call(talk: Talk) -> None:
        talk.send("llm.utf-8", "go")
        talk.receive(5)
        heard.set()
        talk.receive(60)

    task = llm(module)
    future = pool.submit(task.run, call)
    assert heard.wait(5)
    server.hang_up()
    with pytest.raises(EngineFailed, match="gone"):
        future.result(5)
    assert len(server.asked("inference")) == 1
    server.handlers.clear()
    assert task.run(echo) == "hello"


def test_after_a_broken_connection_the_task_is_taken_up_rather_than_set_up_twice(
    both: Both,
) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.hang_up()
    assert task.run(echo) == "hello"
    assert len(server.asked("setup")) == 1
    assert list(server.tasks) == ["llm.1000"]


def test_after_a_restart_the_tasks_of_others_are_not_asked_about(both: Both) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.down()
    server.tasks["llm.900"] = setup_of("theirs")
    server.up()
    assert task.run(echo) == "hello"
    assert [request.work_id for request in server.asked("taskinfo")] == ["llm"]
    assert sorted(server.tasks) == ["llm.1001", "llm.900"]


def test_a_task_of_another_that_got_our_number_is_left_alone(both: Both) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.down()
    server.tasks["llm.1000"] = setup_of("theirs")
    server.up()
    assert task.run(echo) == "hello"
    assert sorted(server.tasks) == ["llm.1000", "llm.1001"]
    assert not server.asked("exit")


@pytest.mark.parametrize("code", [-4, -6, -9])
def test_a_task_that_the_module_lost_is_set_up_again_once(both: Both, code: int) -> None:
    server, module = both
    task = llm(module)
    task.open()
    server.handlers["inference"] = lambda request: request.answer(code=code)
    with pytest.raises(EngineFailed, match=str(code)):
        task.run(echo)
    assert len(server.asked("inference")) == 2
    assert len(server.asked("setup")) == 2
    server.handlers.clear()
    assert task.run(echo) == "hello"


def test_a_task_that_the_module_says_it_lost_does_not_keep_its_place(both: Both) -> None:
    server, module = both
    task = llm(module)
    task.open()

    def lose(request: Request) -> None:
        server.handlers.clear()
        request.answer(code=-4)

    server.handlers["inference"] = lose
    assert task.run(echo) == "hello"
    assert list(server.tasks) == ["llm.1001"]


@pytest.mark.parametrize("code", [-7, -11, -23, -24, -25, -77])
def test_an_error_of_the_model_is_told_and_not_repeated(both: Both, code: int) -> None:
    server, module = both
    task = llm(module)
    server.handlers["inference"] = lambda request: request.answer(code=code, message="oh")
    with pytest.raises(EngineFailed, match=f"StackFlow error {code}, oh"):
        task.run(echo)
    server.handlers.clear()
    assert task.run(echo) == "hello"
    assert len(server.asked("setup")) == 1


def test_a_stream_of_answers_that_another_took_is_taken_back(both: Both) -> None:
    server, module = both
    task = llm(module)
    asked: list[Request] = []
    server.handlers["inference"] = asked.append

    def give_back(request: Request) -> None:
        server.taskinfo(request)
        server.handlers.pop("inference", None)

    server.handlers["taskinfo"] = give_back
    assert task.run(lambda talk: echo(talk, seconds=0.1)) == "hello"
    assert len(asked) == 1
    assert len(server.asked("inference")) == 2


def test_silence_is_told_after_a_second_attempt(both: Both) -> None:
    server, module = both
    task = llm(module)
    server.handlers["inference"] = lambda request: None
    with pytest.raises(TimedOut, match=r"llm did not answer in 0.05 s"):
        task.run(lambda talk: echo(talk, seconds=0.05))
    assert len(server.asked("inference")) == 2


def test_both_answers_to_a_call_made_twice_are_dropped_before_the_next(
    both: Both, pool: ThreadPoolExecutor
) -> None:
    server, module = both
    task = llm(module, settle=3)
    server.handlers["inference"] = lambda request: None
    with pytest.raises(TimedOut):
        task.run(lambda talk: echo(talk, seconds=0.05))
    one, two = server.asked("inference")
    server.handlers.clear()
    waiting = pool.submit(task.run, echo)
    one.answer({"index": 0, "delta": {"delta": "late"}, "finish": True})
    with pytest.raises(FutureTimeout):
        waiting.result(0.2)
    two.answer({"index": 0, "delta": {"delta": "late"}, "finish": True})
    assert waiting.result(2.5) == "hello"


# -- raw


def test_raw_is_used_where_the_module_takes_it(both: Both) -> None:
    server, module = both

    assert llm(module).run(picture) == "e3t7"
    assert server.await_request("inference").raw


def test_a_module_that_stumbles_over_raw_gets_base64_from_then_on(both: Both) -> None:
    server, module = both

    def stumble(request: Request) -> None:
        if request.raw:
            request.answer(code=-2, request_id="0", work_id="sys", message="json format error")
        else:
            server.inference(request)

    server.handlers["inference"] = stumble
    task = llm(module)
    assert [task.run(picture) for _ in range(2)] == ["e3t7", "e3t7"]
    assert [request.raw for request in server.asked("inference")] == [True, False, False]
    assert len(server.asked("setup")) == 1


def test_a_module_that_hangs_up_over_raw_gets_base64_from_then_on(both: Both) -> None:
    server, module = both

    def hang_up(request: Request) -> None:
        if request.raw:
            request.line.close()
        else:
            server.inference(request)

    server.handlers["inference"] = hang_up
    assert llm(module).run(picture) == "e3t7"
    assert not module.takes_raw()
