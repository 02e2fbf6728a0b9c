"""Jobs of several threads are worked on together, each exactly once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from wyoming_units.engines._combine import Combiner


class Held:
    """A combiner whose first batch, of one job, is held until the others wait."""

    def __init__(self, most: int) -> None:
        self.batches: list[list[int]] = []
        self.combiner = Combiner(self._work, most)
        self._started, self._go = threading.Event(), threading.Event()

    def _work(self, jobs: list[int]) -> None:
        self.batches.append(jobs)
        if len(self.batches) == 1:
            self._started.set()
            assert self._go.wait(10)
        if -1 in jobs:
            raise ArithmeticError("bad job")

    def run(self, pool: ThreadPoolExecutor, jobs: list[int]) -> list[Future[None]]:
        """Run job 0 alone, and `jobs` when it is being worked on."""
        first = pool.submit(self.combiner.run, 0)
        assert self._started.wait(10)
        others = [pool.submit(self.combiner.run, job) for job in jobs]
        deadline = time.monotonic() + 10
        while self.combiner.waiting < len(jobs):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        self._go.set()
        return [first, *others]


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(10)


def test_jobs_that_come_while_one_is_worked_on_are_one_batch(pool: ThreadPoolExecutor) -> None:
    held = Held(most=8)

    for future in held.run(pool, [1, 2, 3, 4]):
        future.result(10)

    assert [sorted(batch) for batch in held.batches] == [[0], [1, 2, 3, 4]]


def test_no_batch_is_larger_than_allowed(pool: ThreadPoolExecutor) -> None:
    held = Held(most=3)

    for future in held.run(pool, [1, 2, 3, 4, 5]):
        future.result(10)

    assert [len(batch) for batch in held.batches] == [1, 3, 2]
    assert sorted(job for batch in held.batches for job in batch) == [0, 1, 2, 3, 4, 5]


def test_a_failure_is_told_to_all_of_its_batch_and_to_nobody_else(pool: ThreadPoolExecutor) -> None:
    held = Held(most=2)

    first, *others = held.run(pool, [-1, -1, 2])

    first.result(10)
    for future in others[:2]:
        with pytest.raises(ArithmeticError, match="bad job"):
            future.result(10)
    others[2].result(10)
    held.combiner.run(3)
    assert held.batches[-1] == [3]


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_threads_work_at_once_than_allowed_and_no_job_is_lost(at_once: int) -> None:
    places = threading.Semaphore(at_once)
    done: list[int] = []

    def work(jobs: list[int]) -> None:
        assert places.acquire(blocking=False)
        done.extend(jobs)
        places.release()

    combiner = Combiner(work, 4, at_once)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(combiner.run, range(500)))

    assert sorted(done) == list(range(500))


def test_a_second_place_is_taken_while_the_first_is_at_work(pool: ThreadPoolExecutor) -> None:
    together = threading.Barrier(2, timeout=10)

    def work(_jobs: list[int]) -> None:
        together.wait()

    combiner = Combiner(work, 1, 2)

    for future in [pool.submit(combiner.run, job) for job in range(2)]:
        future.result(10)
