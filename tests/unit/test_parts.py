"""Several binaries in one payload: what goes in comes out, and what does not add up is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from wyoming.event import Event

from wyoming_units.errors import BadRequest
from wyoming_units.wire.parts import Part, pack, unpack


def event(data: dict[str, Any], payload: bytes | None) -> Event:
    return Event(type="analyze-image", data=data, payload=payload)


@given(st.dictionaries(st.text(), st.binary(), max_size=16))
def test_what_was_packed_is_unpacked(named: dict[str, bytes]) -> None:
    parts = [Part(name=name, mime="image/png", data=data) for name, data in named.items()]
    data, payload = pack({"width": 3}, parts)
    assert data["width"] == 3
    assert list(unpack(event(data, payload or None)).values()) == parts


def test_without_parts_the_payload_is_the_image() -> None:
    assert unpack(event({}, b"abc"))["image"].data == b"abc"


def test_without_a_payload_there_are_no_parts() -> None:
    assert unpack(event({}, None)) == {}


def part(**other: object) -> dict[str, Any]:
    return {"name": "image", "mime": "image/jpeg", "length": 3, **other}


@pytest.mark.parametrize(
    "parts",
    [
        [],
        "image",
        {"name": "image"},
        ["image"],
        [part(length=2)],
        [part(length=4)],
        [part(length=-3)],
        [part(length="3")],
        [part(length=3.0)],
        [part(length=10**30)],
        [part(name=7)],
        [part(mime=None)],
        [{"name": "image", "length": 3}],
        [part(length=1), part(length=2)],
        [part(name=str(number), length=0) for number in range(16)] + [part()],
    ],
)
def test_parts_that_make_no_sense_are_refused(parts: object) -> None:
    with pytest.raises(BadRequest, match=r"part"):
        unpack(event({"parts": parts}, b"abc"))
