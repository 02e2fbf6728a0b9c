"""One answer for one key: who else asks waits, and what is kept is bounded in time, number and size."""

from __future__ import annotations

import asyncio

import pytest

from wyoming_units.units.answers import Answers, Told
from wyoming_units.units.conversations import Conversations, Recent, Summaries

ME = ("10.0.0.1", "k")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def answer(text: str) -> list[Told]:
    return [("chat-chunk", {"text": text}), ("chat-stop", {"usage": {"prompt": None}})]


async def found(answers: Answers, name: tuple[str, str] = ME) -> list[Told] | None:
    async with answers.alone(name) as kept:
        return kept


async def test_an_answer_is_kept_for_ten_minutes() -> None:
    clock = Clock()
    answers = Answers(clock)
    assert await found(answers) is None
    answers.keep(ME, answer("Yes."))
    clock.now += 599
    assert await found(answers) == answer("Yes.")
    clock.now += 1
    assert await found(answers) is None
    assert answers.size == 0


async def test_keys_of_other_hosts_are_others() -> None:
    answers = Answers()
    answers.keep(ME, answer("Yes."))
    assert await found(answers, ("10.0.0.2", "k")) is None
    assert await found(answers, ("10.0.0.1", "l")) is None


async def test_the_oldest_leave_where_there_are_too_many() -> None:
    answers = Answers()
    for n in range(257):
        answers.keep(("host", str(n)), answer(str(n)))
    assert await found(answers, ("host", "0")) is None
    assert await found(answers, ("host", "1")) == answer("1")
    assert await found(answers, ("host", "256")) == answer("256")


async def test_the_oldest_leave_where_they_are_too_large() -> None:
    answers = Answers()
    for n in range(5):
        answers.keep(("host", str(n)), answer("x" * 1_000_000))
    assert answers.size <= 4 * 1024 * 1024
    assert await found(answers, ("host", "0")) is None
    assert await found(answers, ("host", "1")) is not None
    answers.keep(ME, answer("x" * 5_000_000))
    assert await found(answers) is None
    assert await found(answers, ("host", "4")) is not None


async def test_who_asks_meanwhile_waits_until_it_is_there() -> None:
    answers = Answers()
    async with answers.alone(ME) as kept:
        assert kept is None
        waiting = [asyncio.create_task(found(answers)) for _ in range(3)]
        assert await found(answers, ("host", "other")) is None
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        answers.keep(ME, answer("Yes."))
    assert await asyncio.gather(*waiting) == [answer("Yes.")] * 3


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
async def test_where_there_is_none_those_who_wait_try_one_after_the_other(
    error: type[BaseException],
) -> None:
    answers = Answers()
    at_once = most = tries = 0

    async def make() -> None:
        nonlocal at_once, most, tries
        async with answers.alone(ME) as kept:
            if kept:
                return
            tries, at_once = tries + 1, at_once + 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            if tries < 3:
                raise error
            answers.keep(ME, answer("Yes."))

    results = await asyncio.gather(*(make() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [error, error, *[type(None)] * 3]
    assert (tries, most) == (3, 1)


async def test_who_leaves_while_it_waits_harms_nobody() -> None:
    answers = Answers()
    async with answers.alone(ME):
        waiting = [asyncio.create_task(found(answers)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        answers.keep(ME, answer("Yes."))
    assert await waiting[1] == answer("Yes.")
    assert not answers._places


# -- conversations and summaries


def test_the_things_that_were_used_last_are_kept() -> None:
    clock = Clock()
    recent: Recent[int] = Recent(60, clock)
    for n in range(64):
        recent.put(("host", str(n)), n)
    assert recent.get(("host", "0")) == 0
    recent.put(ME, 64)
    assert recent.get(("host", "1")) is None
    assert recent.get(("host", "0")) == 0
    clock.now += 59
    assert recent.get(ME) == 64
    clock.now += 1
    assert recent.get(("host", "0")) is None
    assert recent.get(ME) == 64
    assert len(recent) == 1


def test_a_conversation_that_never_ends_is_bounded() -> None:
    conversations = Conversations(60)
    for n in range(1000):
        conversations.add(ME, f"q{n}", f"a{n}")
    messages = conversations.messages(ME)
    assert 200 <= len(messages) <= 402
    assert messages[0]["role"] == "user"
    assert messages[-1]["content"] == "a999"


def test_a_summary_is_used_for_what_it_tells_of_and_nothing_else() -> None:
    clock = Clock()
    summaries = Summaries(clock)
    said = [{"role": "user", "content": f"q{n}"} for n in range(6)]
    summaries.keep(ME, said[:2], "two")
    summaries.keep(ME, said[:4], "four")
    assert summaries.of(ME, said[:1]) is None
    texts = [one.text for n in (2, 3, 4, 6) if (one := summaries.of(ME, said[:n]))]
    assert texts == ["two", "two", "four", "four"]
    changed = [said[1], said[0], *said[2:]]
    assert summaries.of(ME, changed) is None
    assert summaries.of(("10.0.0.2", "k"), said) is None
    clock.now += 3600
    assert summaries.of(ME, said) is None
