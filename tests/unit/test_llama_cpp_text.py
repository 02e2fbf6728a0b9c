"""What llama.cpp's models are given to read, and the calls in what they write; no library is needed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from wyoming_units.chat.exchange import Called, ChatRequest, Said
from wyoming_units.engines._llama_cpp_calls import CallReader
from wyoming_units.engines._llama_cpp_prompt import Prompt, takes_tools
from wyoming_units.errors import BadRequest, EngineFailed, Unsupported

ON = '<tool_call>\n{"name": "turn_on", "arguments": {"name": "<light>"}}\n</tool_call>'
OFF = '<tool_call>{"name": "turn_off", "arguments": {}}</tool_call>'
ANSWERS = {
    "Hello <tool> there": ["Hello <tool> there"],
    ON: [("turn_on", {"name": "<light>"})],
    f"One moment.\n{ON}\n{OFF}\n": [
        "One moment.\n",
        ("turn_on", {"name": "<light>"}),
        ("turn_off", {}),
    ],
    f"{OFF} It is off.": [("turn_off", {}), "It is off."],
    ' {"name": "turn_on", "parameters": {"n": [1]}}\n': [("turn_on", {"n": [1]})],
    '{"on": true}': ['{"on": true}'],
    "{not": ["{not"],
    "It ends with <tool_ca": ["It ends with <tool_ca"],
    OFF.removesuffix("</tool_call>"): [("turn_off", {})],
    "": [],
}


def read(pieces: list[str]) -> list[str | tuple[str, Any]]:
    """Return texts, joined where they follow one another, and calls."""
    reader = CallReader()
    found: list[str | tuple[str, Any]] = []
    for piece in [found for text in pieces for found in reader.feed(text)] + reader.finish():
        if isinstance(piece, Called):
            found.append((piece.call.name, piece.call.arguments))
        elif found and isinstance(found[-1], str):
            found[-1] += piece.text
        else:
            found.append(piece.text)
    assert reader.called == any(isinstance(each, tuple) for each in found)
    return found


@given(text=st.sampled_from(list(ANSWERS)), cuts=st.lists(st.integers(0, 120)))
def test_calls_are_found_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert read([text[begin:end] for begin, end in pairwise(places)]) == ANSWERS[text]


def test_text_is_not_held_back_longer_than_it_must() -> None:
    reader = CallReader()
    assert reader.feed("Hello <") == [Said("Hello ")]
    assert reader.feed("b> you") == [Said("<b> you")]


def test_every_call_has_a_name_of_its_own() -> None:
    reader = CallReader()
    calls = [piece for piece in reader.feed(ON + ON) if isinstance(piece, Called)]
    assert len({call.call.id for call in calls}) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<tool_call>turn on</tool_call>", "wrote a tool call that is no JSON"),
        ('<tool_call>["turn_on"]</tool_call>', "wrote a tool call that is no JSON"),
        ('<tool_call>{"name": "x", "argu', "wrote a tool call that is no JSON"),
        (
            '<tool_call>{"name": "x", "arguments": 1}</tool_call>',
            "called x with arguments that are no",
        ),
    ],
)
def test_a_broken_call_is_one_clear_error(text: str, error: str) -> None:
    with pytest.raises(EngineFailed, match=error):
        read([text])


def rendered(template: str, *messages: dict[str, Any], **more: Any) -> str:
    return Prompt(template).render(ChatRequest(messages=messages, **more), bos="<s>", eos="</s>")


def test_content_is_always_text() -> None:
    template = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    said = [{"role": "user", "content": content} for content in ("x", None, parts)]
    assert rendered(template, *said, {"role": "assistant"}) == "[x][][ab][]"


def test_pictures_are_refused() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    with pytest.raises(Unsupported, match="text only"):
        rendered("", {"role": "user", "content": [picture]})


def test_arguments_of_calls_are_objects() -> None:
    template = "{{ messages[0].tool_calls[0].function.arguments.name }}"
    for arguments in ('{"name": "é"}', {"name": "é"}):
        call = {"id": "1", "function": {"name": "x", "arguments": arguments}}
        assert rendered(template, {"role": "assistant", "tool_calls": [call]}) == "é"
    call = {"id": "1", "function": {"name": "x", "arguments": "{"}}
    with pytest.raises(BadRequest, match="arguments of x are no JSON"):
        rendered(template, {"role": "assistant", "tool_calls": [call]})


def test_templates_get_what_they_expect() -> None:
    template = (
        "{{ bos_token }}{{ eos_token }} {{ enable_thinking }} {{ tools }} {{ strftime_now('%%') }}"
    )
    assert rendered(template) == "<s></s> False None %"
    assert rendered("{{ enable_thinking }}", think=True) == "True"
    assert rendered("{% if add_generation_prompt %}go{% endif %}") == "go"


def test_tools_are_written_as_they_are() -> None:
    tool = {"type": "function", "function": {"name": "<é>", "description": "it's"}}
    written = rendered("{{ tools[0] | tojson }}", tools=[tool])
    assert written == json.dumps(tool, ensure_ascii=False)
    assert "\n  " in rendered("{{ tools[0] | tojson(indent=2) }}", tools=[tool])


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no') }}",
        "{{ 1 / 0 }}",
        "{{ messages[0].x.y }}",
        "{{ ''.__class__.mro() }}",
    ],
)
def test_what_a_template_refuses_is_the_request_s_fault(template: str) -> None:
    with pytest.raises(BadRequest, match="does not take the messages"):
        rendered(template, {"role": "user", "content": "x"})


def test_a_broken_template_is_said_when_the_model_loads() -> None:
    with pytest.raises(EngineFailed, match="template is broken"):
        Prompt("{% if %}")


def test_tools_are_supported_where_the_template_has_them() -> None:
    assert takes_tools("{%- if tools %}")
    assert takes_tools("{% for tool in tools %}")
    assert not takes_tools("{{ messages }} {# toolsmith #}")
