"""Schemas that are none are refused; the JSON in an answer is found and meets its schema."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from wyoming_units.chat.schema import answer, check
from wyoming_units.errors import BadRequest, EngineFailed

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"$ref": "#/$defs/age"}},
    "required": ["name"],
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema", [{}, PERSON, {"enum": [1, "a"]}, {"properties": {"$ref": {"type": "string"}}}]
)
def test_schemas_are_taken(schema: dict[str, Any]) -> None:
    check(schema)


@pytest.mark.parametrize(
    "schema",
    [{"type": "thing"}, {"properties": []}, {"required": "name"}, {"minimum": "1"}, nested(3000)],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="response_schema"):
        check(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema"},
        {"items": [{"$ref": "other.json"}]},
        {"properties": {"a": {"$dynamicRef": "file:///etc/passwd"}}},
        {"$id": "http://127.0.0.1:1/", "$ref": "#/$defs/x"},
    ],
)
def test_a_schema_that_leads_outside_is_refused_before_anything_is_fetched(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(BadRequest, match="outside"):
        check(schema)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada"}',
        ' \n{"name": "Ada"}\n',
        '```json\n{"name": "Ada"}\n```',
        'Here is [what] you want: {"name": "Ada"} I hope {it} helps.',
        'Sure {not json} {"name": "Ada"}',
    ],
)
def test_json_is_found_in_what_is_around_it(text: str) -> None:
    assert answer(text, PERSON) == '{"name": "Ada"}'


def test_a_value_alone_may_be_of_any_kind() -> None:
    assert answer(" 42\n", {"type": "integer"}) == "42"
    assert answer('"{1}"', {"type": "string"}) == '"{1}"'
    assert answer("see: [1, 2]", {"type": "array"}) == "[1, 2]"


@pytest.mark.parametrize("text", ["", "I cannot.", '{"name": "Ada"', "{'name': 'Ada'}"])
def test_no_json_is_one_clear_error(text: str) -> None:
    with pytest.raises(EngineFailed, match=r"^the model did not answer with JSON$"):
        answer(text, PERSON)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, r"\$: required"),
        ({"name": 1}, r"\$\.name: type"),
        ({"name": "", "age": -1}, r"\$\.age"),
    ],
)
def test_json_of_another_shape_says_where_and_tells_nothing_of_it(value: Any, where: str) -> None:
    with pytest.raises(EngineFailed, match=where):
        answer(json.dumps(value), PERSON)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/nowhere"}, {"$ref": "#"}, {"properties": {"a": {"$ref": "#/$defs/b"}}}]
)
def test_a_schema_that_leads_nowhere_is_an_error_of_who_asked(schema: dict[str, Any]) -> None:
    check(schema)
    with pytest.raises(BadRequest, match="cannot be applied"):
        answer('{"a": 1}', schema)


def test_the_library_is_loaded_only_when_it_is_needed() -> None:
    script = "import sys, wyoming_units.node; print('jsonschema' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
