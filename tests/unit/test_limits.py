"""The bounds that docs/protocol.md promises are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from wyoming_units.units.listener import MOST_SECONDS
from wyoming_units.units.read import MOST_TEXT
from wyoming_units.wire import connection
from wyoming_units.wire.client import Client
from wyoming_units.wire.limits import IMAGE_EVENTS, Limits

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "s": 1, "min": 60, "characters": 1}


def promised(row: str) -> list[int]:
    """Return the values of a row of the table of bounds, in bytes, seconds or pieces."""
    (text,) = re.findall(rf"^\| {row} \| (.*) \|$", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    values = re.findall(r"\b(\d[\d ]*?) ?(KiB|MiB|s|min|characters|)(?![\w ]*\d)\b", text)
    return [int(number.replace(" ", "")) * UNITS[unit] for number, unit in values]


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("header line", [Limits().header]),
        ("data block", [Limits().data]),
        ("payload", [Limits().payload, Limits().image]),
        ("a frame that was begun", [Limits().frame]),
        ("a connection without any frame", [Limits().idle]),
        ("connections of a node", [Limits().connections]),
        ("requests waiting on one connection", [Limits().pending]),
        ("one utterance", [MOST_SECONDS]),
        ("one text", [MOST_TEXT]),
    ],
)
def test_the_default_is_what_the_protocol_promises(row: str, values: list[float]) -> None:
    assert promised(row) == values


def test_images_may_come_with_the_events_that_the_protocol_names() -> None:
    (row,) = re.findall(r"^\| payload \| .*; (.*) \|$", PROTOCOL.read_text("utf-8"), re.MULTILINE)
    assert set(re.findall("`(.*?)`", row)) == IMAGE_EVENTS


@pytest.mark.parametrize("kind", sorted(IMAGE_EVENTS))
def test_only_events_with_images_may_be_as_large_as_images(kind: str) -> None:
    limits = Limits(payload=1, image=2)
    assert limits.payload_of(kind) == 2
    assert limits.payload_of("audio-chunk") == 1


def test_four_mebibytes_of_a_request_may_wait() -> None:
    assert Limits().inbox == 4 * 2**20


def test_a_client_takes_sixteen_mebibytes_whatever_the_event() -> None:
    limits = Client("127.0.0.1")._limits
    assert {limits.payload_of(kind) for kind in ("audio-chunk", *IMAGE_EVENTS)} == {16 * 2**20}


def test_a_refused_client_has_one_second_to_read_why() -> None:
    assert connection._LINGER == 1


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_limit_may_be_nothing_but_not_less(name: str) -> None:
    assert getattr(Limits(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        Limits(**{name: -1})
