"""What is taken for which kind of object network, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.yolo_outputs import check, decoded, network
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._vision_network import (
    read_told,
    recognise_feed,
)
from wyoming_units.errors import EngineFailed


def test_metadata_names_the_classes_and_the_manifest_has_the_last_word() -> None:
    outputs = [np.ascontiguousarray(decoded(640, 3).T)[None]]
    metadata = {"names": "{0: 'cat', 1: 'dog', 2: 'fox'}", "task": "detect"}
    assert network(outputs, 640, metadata).head.labels == ("cat", "dog", "fox")
    other = network(outputs, 640, metadata, labels=["a", "b", "c"], bgr=True, scale=[1, 1, 1])
    assert other.head.labels == ("a", "b", "c")
    assert (other.feed.bgr, other.feed.scale) == (True, (1, 1, 1))
    broken = network(outputs, 640, {"names": "{0: 'cat'", "kpt_shape": "17"})
    assert broken.head.labels == ("class 0", "class 1", "class 2")


def test_85_columns_are_81_classes_where_the_file_names_them() -> None:
    rows = decoded(640, 81)
    names = str({number: f"thing {number}" for number in range(81)})
    known = network([rows[None]], 640, {"names": names})
    assert known.head.parts[0].objectness is None
    check([rows[None]], 640, known)


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 1000)],
        [(1, 3, 8400)],
        [(2, 84, 8400)],
        [(1, 100, 4), (1, 100)],
        [(1, 518, 518)],
        [(1, 80, 80, 63), (1, 40, 40, 63), (1, 20, 20, 63)],
        [(1, 80, 80, 144), (1, 40, 40, 144)],
        [(1, 80, 80, 144), (1, 40, 40, 144), (1, 20, 20, 100)],
        [(1, 80, 80, 144), (1, 40, 40, 144), (1, 20, 20, 144), (1, 7, 7, 7)],
        [(1, 84, 8400), (1, 32, 7, 7)],
        [(1, 300, 6), (1, 32, 160, 160)],
        [(1, 300, 9)],
        [],
    ],
)
def test_other_outputs_are_refused_by_what_they_are(shapes: list[tuple[int, ...]]) -> None:
    outputs = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(EngineFailed, match="no known kind") as told:
        network(outputs, 640)
    for shape in shapes:
        assert f"({', '.join(map(str, shape))})" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 16_000), "float32"),
        ((1, 1, 640, 640), "float32"),
        ((8, 3, 640, 640), "float32"),
        ((1, 3, 640, 640), ""),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(EngineFailed, match="it takes x"):
        recognise_feed([Tensor(name="x", shape=shape, kind=kind)], read_told({}, {}))


def test_tasks_and_families_that_there_are_not_are_refused() -> None:
    with pytest.raises(EngineFailed, match="no task is called 'walk'"):
        read_told({}, {"task": "walk"})
    with pytest.raises(EngineFailed, match="no family is called 'ssd'"):
        read_told({}, {"family": "ssd"})
