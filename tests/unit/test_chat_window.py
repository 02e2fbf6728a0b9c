"""Prompts for models on an NPU: their limit by name, an estimate on the safe side, and what of the past fits in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.window import fit, limit_of, picture_tokens, tokens, tools_tokens
from wyoming_units.errors import TooLarge

SYSTEM = {"role": "system", "content": "You are a house."}
SMALL, KEEPS = "qwen2.5-0.5B-prefill-20e", "qwen2.5-HA-0.5B-ctx-ax630c"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        (SMALL, 128),
        ("qwen2.5-0.5B-Int4-ax630c", 128),
        ("deepseek-r1-1.5B-p256-ax630c", 256),
        ("llama3.2-1B-p256-ax650", 256),
        (KEEPS, 1024),
        ("smolvlm-256M-ax630c", 128),
        ("AXERA-TECH/InternVL3_5-1B_GPTQ_INT4", None),
        ("qwen2.5:7b", None),
        ("llama-3-8b-prefilled", None),
        ("octx-7b", None),
    ],
)
def test_the_name_of_a_model_tells_how_long_its_prompt_may_be(name: str, limit: int | None) -> None:
    assert limit_of(name) == limit


def test_the_package_of_a_model_knows_its_prompt_better_than_a_name_that_does_not_say() -> None:
    layers = {"template_filename_axmodel": "qwen2_p256_l%d_together.axmodel"}
    assert limit_of("internvl2.5-1B-364-ax630c", layers) == 256
    assert limit_of("mine", layers) == 256
    assert limit_of("mine", {**layers, "precompute_len": 1024}) == 1024
    assert limit_of("mine-p128-ax630c", {**layers, "precompute_len": 0}) == 128


# Counted with Qwen's own vocabulary.
@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (
            "Turn on the lights in the living room and set the thermostat to 21.5 degrees, please.",
            22,
        ),
        (
            "You are a helpful voice assistant. Answer in one or two short sentences of plain text, in"
            " the language of the question.",
            25,
        ),
        (
            "Allume la lumière du salon, s'il te plaît, et règle le chauffage à vingt et un degrés"
            " jusqu'à demain matin.",
            33,
        ),
        ("Включи, пожалуйста, свет в гостиной и установи отопление на двадцать один градус.", 31),
        (
            "Άναψε σε παρακαλώ το φως στο σαλόνι και ρύθμισε τη θέρμανση στους είκοσι έναν βαθμούς.",
            73,
        ),
        ("กรุณาเปิดไฟในห้องนั่งเล่นและตั้งอุณหภูมิที่ยี่สิบเอ็ดองศา", 39),
        ("请打开客厅的灯，并把暖气设置到二十一度。明天早上北京的天气怎么样？", 21),
        ("거실 불을 켜고 난방을 이십일도로 설정해 주세요. 내일 아침 날씨는 어때요?", 34),
        ('{"name": "HassTurnOn", "arguments": {"area": "living_room", "brightness_pct": 75}}', 26),
    ],
)
def test_the_estimate_is_on_the_safe_side_but_not_far_off(text: str, counted: int) -> None:
    assert 0.88 * counted <= tokens(text) <= 1.7 * counted


@given(st.text())
def test_no_text_has_more_tokens_than_bytes_or_words_of_more_than_five_letters(text: str) -> None:
    assert len(text) / 5 <= tokens(text) <= len(text.encode("utf-8", "replace")) * 2


def test_the_oldest_turns_leave_first_and_whole() -> None:
    past = [each for n in range(9) for each in (user(f"question {n} " * 3), assistant(f"yes {n}"))]
    messages = [SYSTEM, *past, user("and now?")]
    kept = fit(messages, 128, SMALL)
    assert kept[0] == SYSTEM
    assert kept[1:] == messages[-len(kept) + 1 :]
    assert kept[1]["role"] == "user"
    assert 3 < len(kept) < len(messages)
    assert fit(messages, 1024, KEEPS) == messages


def test_the_answer_and_tool_result_of_a_turn_leave_with_it() -> None:
    called = {**assistant(""), "tool_calls": [{"id": "1", "function": {"name": "f" * 300}}]}
    messages = [
        user("on"),
        called,
        {"role": "tool", "tool_call_id": "1", "content": "done"},
        user("off"),
    ]
    assert fit(messages, 128, SMALL) == [messages[-1]]
    assert fit(messages, 1024, KEEPS) == messages


def test_a_greeting_before_the_first_user_leaves_first() -> None:
    messages = [SYSTEM, assistant("hello " * 60), user("hi")]
    assert fit(messages, 128, SMALL) == [SYSTEM, messages[-1]]


def test_a_prompt_of_which_nothing_can_leave_is_refused_in_one_sentence() -> None:
    with pytest.raises(TooLarge, match=rf"^the prompt has about \d+ tokens; {SMALL} takes 128$"):
        fit([SYSTEM, user("one"), assistant("two"), user("word " * 100)], 128, SMALL)
    with pytest.raises(TooLarge):
        fit([{"role": "system", "content": "word " * 100}, user("hi")], 128, SMALL)
    with pytest.raises(TooLarge):
        fit([{"role": "system", "content": "word " * 100}], 128, SMALL)


def test_tools_and_pictures_take_their_part_of_a_prompt() -> None:
    tool = {"type": "function", "function": {"name": "turn_on", "description": "Turns on. " * 20}}
    assert tools_tokens([tool, tool]) == 2 * tools_tokens([tool]) > 60
    with pytest.raises(TooLarge):
        fit([user("hi")], 128, SMALL, taken=tools_tokens([tool, tool]))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}
    shown = [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, picture]}]
    assert fit(shown, 128, "smolvlm-256M-ax630c") == shown
    with pytest.raises(TooLarge):
        fit(shown, 128, "internvl2.5-1B-364-ax630c")
    assert [picture_tokens(f"internvl-1B-{n}-ax630c") for n in (224, 364, 448)] == [64, 169, 256]


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=12),
    st.text(max_size=40),
)
def test_what_is_kept_is_the_end_of_the_conversation(
    past: list[tuple[str, str]], last: str
) -> None:
    messages = [SYSTEM, *({"role": role, "content": text} for role, text in past), user(last)]
    try:
        kept = fit(messages, 128, SMALL)
    except TooLarge:
        assert tokens(last) > 80
        return
    assert kept[0] is SYSTEM
    assert kept[-1] is messages[-1]
    assert kept[1:] == messages[len(messages) - len(kept) + 1 :]
    # As much as there is room for: without its first turn it would not have been cut there.
    again = fit(kept, 128, SMALL)
    assert again == kept
