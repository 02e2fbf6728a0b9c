"""Prompts for servers that know no chats: the shapes of families of models, and models' own templates."""

from __future__ import annotations

from typing import Any

import pytest

from wyoming_units.chat.templates import SHAPES, shape_of, write_jinja
from wyoming_units.errors import BadRequest, EngineFailed


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


CHAT = [
    message("system", "Be kind."),
    message("user", "Hi"),
    message("assistant", "Hello!"),
    message("user", "Bye"),
]

PROMPTS = {
    "chatml": (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    "llama-3": (
        "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "llama-2": (
        "[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] Hello! </s><s>[INST] Bye [/INST]"
    ),
    "mistral": "[INST] Be kind.\n\nHi [/INST] Hello!</s>[INST] Bye [/INST]",
    "gemma": (
        "<start_of_turn>user\nBe kind.\n\nHi<end_of_turn>\n"
        "<start_of_turn>model\nHello!<end_of_turn>\n"
        "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n"
    ),
    "phi-3": (
        "<|system|>\nBe kind.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello!<|end|>\n"
        "<|user|>\nBye<|end|>\n<|assistant|>\n"
    ),
    "plain": "Be kind.\n\nUser: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:",
}


def test_every_shape_has_its_example() -> None:
    assert PROMPTS.keys() == SHAPES.keys()


@pytest.mark.parametrize("name", PROMPTS)
def test_a_chat_is_written_in_the_shape_of_its_family(name: str) -> None:
    assert shape_of(name, "").write(CHAT).text == PROMPTS[name]


@pytest.mark.parametrize("name", SHAPES)
def test_a_prompt_of_the_next_turn_begins_with_that_of_this_one_and_its_answer(name: str) -> None:
    shape = shape_of(name, "")
    now = shape.write(CHAT[:2]).text
    later = shape.write(CHAT).text
    assert later.startswith(now)
    assert later[len(now) :].lstrip(" ").startswith("Hello!")


@pytest.mark.parametrize("name", SHAPES)
def test_a_model_is_stopped_before_it_speaks_for_others(name: str) -> None:
    prompt = shape_of(name, "").write(CHAT)
    end = prompt.text.index("Hello!") + len("Hello!")
    assert any(prompt.text[end:].lstrip(" ").startswith(stop) for stop in prompt.stop)


@pytest.mark.parametrize("name", ["llama-2", "mistral", "gemma"])
def test_a_system_message_alone_is_the_user_s(name: str) -> None:
    text = shape_of(name, "").write(CHAT[:1]).text
    assert "Be kind." in text
    assert text.startswith(("[INST]", "<start_of_turn>user"))


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-3"),
        ("llama3.2:1b", "llama-3"),
        ("llama-2-7b-chat", "llama-2"),
        ("Mixtral-8x7B", "mistral"),
        ("mistral-7b-instruct", "mistral"),
        ("gemma3:4b", "gemma"),
        ("Phi-3.5-mini", "phi-3"),
        ("qwen2.5-0.5B-prefill-20e", "chatml"),
        ("", "chatml"),
    ],
)
def test_the_family_goes_by_the_name(model: str, family: str) -> None:
    assert shape_of(None, model) is SHAPES[family]


def test_a_name_goes_before_the_model_and_must_be_known() -> None:
    assert shape_of("plain", "llama-3") is SHAPES["plain"]
    with pytest.raises(BadRequest, match="no template is called 'alpaca'; there are: chatml, "):
        shape_of("alpaca", "")


def test_texts_in_parts_are_put_together() -> None:
    parts = [{"type": "text", "text": "Hi "}, {"type": "text", "text": "there"}]
    written = shape_of("plain", "").write([message("user", parts), message("assistant", None)])
    assert written.text == "User: Hi there\nAssistant: \nAssistant:"


# -- models' own templates

QWEN = """
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""


def test_a_template_writes_the_prompt_and_tells_where_to_stop() -> None:
    prompt = write_jinja(QWEN, CHAT)
    assert prompt.text == PROMPTS["chatml"] + "<think>\n\n</think>\n\n"
    assert prompt.stop == ("<|im_end|>", "<|im_start|>")
    assert write_jinja(QWEN, CHAT, think=True).text == PROMPTS["chatml"]


def test_templates_have_what_they_expect() -> None:
    source = (
        "{{ bos_token }}{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{{ m | tojson }}{% endfor %}{% if not tools %} {{ strftime_now('%Y') | length }}{% endif %}"
    )
    text = write_jinja(source, [message("user", "<ä>"), message("user", "no")]).text
    assert text == '{"role": "user", "content": "<ä>"} 4'


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[9].content.x }}", "messages"),
        ("{% if %}", "Expected an expression"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{% set _ = messages.append(1) %}", "unsafe|not safely callable"),
    ],
    ids=["raised", "undefined", "broken", "arithmetic", "escape", "change"],
)
def test_a_template_that_fails_or_reaches_out_is_told(source: str, why: str) -> None:
    with pytest.raises(EngineFailed, match=f"the model's template does not take .*{why}"):
        write_jinja(source, CHAT)
