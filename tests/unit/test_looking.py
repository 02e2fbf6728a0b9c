"""What a request wants where it says little, and that docs/protocol.md says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wyoming_units.engines.base import TASKS
from wyoming_units.errors import BadRequest
from wyoming_units.units.looking import WANTS, wanted_of, watching_of
from wyoming_units.vision.happenings import Rules

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
PROTOCOL = PROTOCOL[PROTOCOL.index("## Vision") :]


def test_a_request_that_says_nothing_detects() -> None:
    wanted = wanted_of({})
    assert wanted.tasks == ("detect",)
    assert (wanted.request.min_confidence, wanted.request.max_objects) == (0.25, 100)
    assert "`min_confidence?` (0.25), `max_objects?` (100)" in PROTOCOL


def test_a_watch_that_says_nothing_has_the_documented_rules() -> None:
    watching = watching_of({"source": "push"})
    assert watching.fps == 2
    assert "`fps?` (2)" in PROTOCOL
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PROTOCOL, re.MULTILINE)
    documented = {key: float(value) for key, value in rows}
    rules = watching.rules
    assert documented == {
        key: rules.confidence[""] if key == "confidence" else getattr(rules, key)
        for key in Rules.__dataclass_fields__
    }


def test_all_tasks_and_pictures_are_documented() -> None:
    for word in (*TASKS, *WANTS):
        assert f"`{word}`" in PROTOCOL


def test_confidence_may_be_one_number_or_one_for_each_label() -> None:
    def threshold(value: object, label: str) -> float:
        rules = watching_of({"source": "push", "rules": {"confidence": value}}).rules
        return rules.threshold(label)

    assert threshold(0.8, "person") == 0.8
    assert threshold({"person": 0.7}, "person") == 0.7
    assert threshold({"person": 0.7}, "car") == 0.5
    assert threshold({"person": 0.7, "": 0.4}, "car") == 0.4


def test_the_model_is_asked_for_what_may_continue_a_track() -> None:
    watching = watching_of({"source": "push", "rules": {"confidence": 0.6}})
    assert watching.wanted.request.min_confidence < 0.6


@pytest.mark.parametrize("value", ["high", True, -1, 2, {"person": None, "": "x"}])
def test_a_confidence_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(BadRequest):
        watching_of({"source": "push", "rules": {"confidence": value}})
