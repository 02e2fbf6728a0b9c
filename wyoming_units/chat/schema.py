"""Answers that are JSON of a given shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wyoming_units.errors import BadRequest, EngineFailed, Unsupported

_NOTHING = object()


def check(schema: Mapping[str, Any]) -> None:
    """Refuse what is no JSON schema: `BadRequest`. One may refer to nothing but its own parts."""
    jsonschema = _library()
    try:
        if _leaves(schema):
            raise BadRequest("response_schema may refer to nothing outside itself")
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as err:
        raise BadRequest(f"response_schema is no JSON schema: {err.message}") from None
    except RecursionError:
        raise BadRequest("response_schema is nested too deeply") from None


def answer(text: str, schema: Mapping[str, Any]) -> str:
    """Return the JSON in a model's answer, which meets the schema; else `EngineFailed`.

    Models put it into code fences and write words around it: those are left out.
    """
    found, value = _first_value(text)
    if value is _NOTHING:
        raise EngineFailed("the model did not answer with JSON")
    jsonschema = _library()
    try:
        error = next(iter(jsonschema.Draft202012Validator(schema).iter_errors(value)), None)
    except Exception as err:  # a reference to nowhere, a pattern that is none, endless recursion
        raise BadRequest("response_schema cannot be applied") from err
    if error is not None:
        where = error.json_path
        raise EngineFailed(
            f"the model's JSON does not meet the schema at {where}: {error.validator}"
        )
    return found


def _first_value(text: str) -> tuple[str, Any]:
    """Return the first JSON value in a text, an object or a list where there are words around it."""
    decoder = json.JSONDecoder()
    whole = text.strip()
    try:
        return whole, decoder.decode(whole)
    except (ValueError, RecursionError):
        pass
    start = -1
    while (start := _next_bracket(whole, start + 1)) >= 0:
        try:
            value, end = decoder.raw_decode(whole, start)
        except (ValueError, RecursionError):
            continue
        return whole[start:end], value
    return "", _NOTHING


def _next_bracket(text: str, start: int) -> int:
    found = [at for at in (text.find("{", start), text.find("[", start)) if at >= 0]
    return min(found, default=-1)


def _leaves(schema: Any) -> bool:
    """Return whether a schema names others, which a library would fetch from wherever they are."""
    if isinstance(schema, list):
        return any(map(_leaves, schema))
    if not isinstance(schema, Mapping):
        return False
    names = [schema.get(key) for key in ("$ref", "$dynamicRef", "$recursiveRef")]
    if any(isinstance(name, str) and not name.startswith("#") for name in names):
        return True
    return isinstance(schema.get("$id"), str) or any(map(_leaves, schema.values()))


def _library() -> Any:
    try:
        import jsonschema
    except ImportError:
        raise Unsupported("a response_schema needs: pip install 'wyoming-units[llm]'") from None
    return jsonschema
