"""What leaves the past leaves in whole turns, in blocks, so that prompts begin alike in between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.history import (
    after,
    bounded,
    estimate,
    fit,
    summarised,
    text_of,
    to_summarise,
    wishes,
)
from wyoming_units.chat.options import History

Message = dict[str, Any]
SYSTEM: Message = {"role": "system", "content": "You are a house."}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str, *calls: str) -> Message:
    told = [
        {"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for call in calls
    ]
    return {"role": "assistant", "content": text, **({"tool_calls": told} if told else {})}


def result(call: str) -> Message:
    return {"role": "tool", "tool_call_id": call, "content": "done"}


def turns(count: int) -> list[Message]:
    return [each for n in range(count) for each in (user(f"q{n}"), assistant(f"a{n}"))]


def window(count: int) -> History:
    return History(policy="window", turns=count)


def test_all_is_all() -> None:
    messages = [SYSTEM, *turns(50)]
    assert bounded(messages, History(policy="all", turns=2)) == (messages, [])


@pytest.mark.parametrize(
    ("asked", "most", "first"),
    [(4, 4, 0), (5, 4, 2), (6, 4, 2), (7, 4, 4), (9, 4, 6), (2, 1, 1), (5, 1, 4), (4, 3, 1)],
)
def test_the_oldest_turns_leave_half_of_the_bound_at_a_time(
    asked: int, most: int, first: int
) -> None:
    messages = [SYSTEM, SYSTEM, *turns(asked)]
    kept, left_out = bounded(messages, window(most))
    assert kept == [SYSTEM, SYSTEM, *turns(asked)[2 * first :]]
    assert left_out == turns(asked)[: 2 * first]


@given(most=st.integers(1, 9), asked=st.integers(1, 60))
def test_between_two_cuts_the_messages_begin_alike(most: int, asked: int) -> None:
    last, cuts = 0, 0
    for n in range(1, asked + 1):
        messages = [SYSTEM, *turns(n)[:-1]]
        kept, left_out = bounded(messages, window(most))
        assert min(n, most // 2) <= len(wishes(kept)) <= most
        assert kept[-1] == user(f"q{n - 1}")
        cuts += len(left_out) != last
        last = len(left_out)
    assert cuts <= max(0, asked - most) / max(1, most // 2) + 1


def test_calls_of_tools_and_their_results_stay_together() -> None:
    turn = [user("q"), assistant("", "1", "2"), user("wait"), result("1"), result("2")]
    messages = [*turn, assistant("a"), user("next"), assistant("b")]
    kept, left_out = bounded(messages, window(1))
    assert kept == messages[6:]
    assert left_out == messages[:6]


KINDS = st.sampled_from(["user", "assistant", "system", "call", "result"])


@given(kinds=st.lists(KINDS, max_size=30), most=st.integers(1, 5), tokens=st.integers(0, 400))
def test_nothing_is_lost_or_parted_whatever_the_order(
    kinds: list[str], most: int, tokens: int
) -> None:
    messages: list[Message] = []
    open_calls: list[str] = []
    for n, kind in enumerate(kinds):
        if kind == "call":
            messages.append(assistant("", f"c{n}"))
            open_calls.append(f"c{n}")
        elif kind == "result":
            messages.append(result(open_calls.pop(0) if open_calls else "of nobody"))
        else:
            messages.append({"role": kind, "content": f"{kind}{n}"})
    for kept, left_out in (bounded(messages, window(most)), fit(messages, tokens, window(most))):
        head = next(
            (n for n, each in enumerate(messages) if each["role"] != "system"), len(messages)
        )
        assert kept[:head] == messages[:head]
        assert [*messages[:head], *left_out, *kept[head:]] == messages
        calls = {call["id"] for each in left_out for call in each.get("tool_calls", ())}
        assert not calls & {each.get("tool_call_id") for each in kept}


def test_a_greeting_belongs_to_the_first_turn() -> None:
    messages = [SYSTEM, assistant("Good morning."), *turns(2)]
    assert bounded(messages, window(2)) == (messages, [])
    assert bounded(messages, window(1))[0] == [SYSTEM, *turns(2)[2:]]


def test_what_does_not_fit_leaves_in_blocks_but_never_the_last_turn() -> None:
    messages = [SYSTEM, *turns(8)]
    whole = sum(map(estimate, messages))
    assert fit(messages, whole, window(4)) == (messages, [])
    kept, left_out = fit(messages, whole - 1, window(4))
    assert (kept, left_out) == ([SYSTEM, *turns(8)[4:]], turns(8)[:4])
    assert fit(messages, 0, window(4))[0] == [SYSTEM, *turns(8)[-2:]]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Turn on the kitchen light and close the blinds in the bedroom, please.", 15),
        ("打开厨房的灯,然后把卧室的百叶窗关上。", 15),
        ("Bitte schalte das Küchenlicht ein und schließe die Rollläden.", 16),
    ],
)
def test_tokens_are_rather_overestimated(text: str, tokens: int) -> None:
    """The numbers are about what the tokenizers of today's models make of these sentences."""
    assert tokens <= estimate(user(text)) <= 4 * tokens


def test_a_picture_has_a_fixed_number_of_tokens() -> None:
    shown: Message = {"role": "user", "content": [{"type": "image", "name": "it"}]}
    assert 1024 < estimate(shown) < 1100


def test_a_prompt_grows_by_its_end_while_a_summary_stays_the_same() -> None:
    prompts = []
    for n in (5, 6):
        kept, _ = bounded([SYSTEM, *turns(n)[:-1]], window(4))
        prompts.append(summarised(kept, "They talked."))
    for before, later in pairwise(prompts):
        assert later[: len(before)] == before
    assert prompts[0][0] == SYSTEM
    assert prompts[0][1]["role"] == "system"
    assert prompts[0][1]["content"].endswith("They talked.")


def test_what_is_summarised_is_what_was_said_the_last_of_it_where_it_is_too_long() -> None:
    messages = [user("q"), assistant("", "1"), result("1"), assistant("a")]
    _, asked = to_summarise(messages, "Old.", 100)
    assert asked["content"] == "Before: Old.\nUser: q\nResult: done\nAssistant: a"
    _, asked = to_summarise([user("ü" * 1000)], None, 100)
    assert asked["content"] == "ü" * 150


def test_turns_are_known_by_what_users_said() -> None:
    messages = [assistant("Good morning."), *turns(3)]
    assert wishes(messages) == ["q0", "q1", "q2"]
    assert list(after(messages, 2)) == turns(3)[4:]
    assert not after(messages, 3)
    shown = [{"type": "text", "text": "Who"}, {"type": "image", "name": "it"}]
    assert text_of({"role": "user", "content": shown}) == "Who"
