"""The queue is bounded, loses nothing that it accepted, and lets clients take turns."""

from __future__ import annotations

from hypothesis import given, strategies as st

from wyoming_units.units.queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    items = []
    while (item := queue.pop()) is not None:
        items.append(item)
    return items


def test_clients_take_turns_and_each_is_served_in_its_order() -> None:
    queue = FairQueue[str](10)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert queue.push(item[0], item) is None
    assert drained(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_back_after_being_served_waits_behind_the_others() -> None:
    queue = FairQueue[str](10)
    for item in ("a1", "b1"):
        queue.push(item[0], item)
    assert queue.pop() == "a1"
    queue.push("a", "a2")
    assert drained(queue) == ["b1", "a2"]


def test_a_full_queue_refuses_the_newest_of_the_greediest_client() -> None:
    queue = FairQueue[str](3)
    for item in ("a1", "a2", "a3"):
        queue.push("a", item)
    assert queue.push("a", "a4") == "a4"
    assert queue.push("b", "b1") == "a3"
    assert queue.push("b", "b2") == "b2"
    assert drained(queue) == ["a1", "b1", "a2"]


def test_clients_with_equal_shares_do_not_displace_each_other() -> None:
    queue = FairQueue[str](2)
    for item in ("a1", "b1"):
        queue.push(item[0], item)
    assert queue.push("c", "c1") == "c1"
    assert queue.push("a", "a2") == "a2"


def test_what_was_removed_is_not_served() -> None:
    queue = FairQueue[str](3)
    for item in ("a1", "a2"):
        queue.push("a", item)
    assert queue.remove("a", "a1")
    assert not queue.remove("a", "a1")
    assert not queue.remove("b", "b1")
    assert queue.remove("a", "a2")
    assert (len(queue), queue.pop()) == (0, None)


@given(st.lists(st.tuples(st.sampled_from(["push", "push", "pop"]), st.sampled_from("abc"))))
def test_every_item_is_served_or_refused_and_never_more_wait_than_may(
    steps: list[tuple[str, str]],
) -> None:
    queue = FairQueue[tuple[str, int]](4)
    waiting: set[tuple[str, int]] = set()
    for number, (step, client) in enumerate(steps):
        if step == "push":
            waiting.add((client, number))
            refused = queue.push(client, (client, number))
            waiting -= {refused} if refused else set()
        else:
            served = queue.pop()
            assert (served is None) == (not waiting)
            if served is not None:
                # Nothing of the same client that came earlier waits on.
                assert not [w for w in waiting if w[0] == served[0] and w[1] < served[1]]
                waiting.remove(served)
        assert len(queue) == len(waiting) <= 4
