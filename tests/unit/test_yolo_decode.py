"""Known objects, written as each kind of network gives them, come back from each kind of output."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._vision_network import (
    Network,
    read_told,
    recognise,
    recognise_feed,
    tasks,
)
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.rle import decode as cells
from wyoming_units.vision.scene import Found
from wyoming_units.vision.yolo import decode

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Thing:
    """An object in a square input, in parts of its side."""

    kind: int
    score: float
    x: float
    y: float
    width: float
    height: float

    def box(self, size: int) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom in pixels."""
        return (
            (self.x - self.width / 2) * size,
            (self.y - self.height / 2) * size,
            (self.x + self.width / 2) * size,
            (self.y + self.height / 2) * size,
        )

    def joints(self, count: int, size: int) -> list[tuple[float, float, float]]:
        """Return points on a line through the box."""
        left, top, right, bottom = self.box(size)
        parts = [number / (count - 1) for number in range(count)]
        return [
            (left + part * (right - left), top + part * (bottom - top), 0.1 + 0.8 * part)
            for part in parts
        ]


THINGS = (
    Thing(2, 0.9, 0.30, 0.40, 0.30, 0.20),
    Thing(0, 0.7, 0.70, 0.60, 0.12, 0.25),
    Thing(1, 0.4, 0.52, 0.28, 0.05, 0.06),
)
SIDES = (320, 640)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def count(size: int, strides: tuple[int, ...] = (8, 16, 32)) -> int:
    return sum((size // stride) ** 2 for stride in strides)


def decoded(
    size: int,
    classes: int,
    extras: Callable[[Thing], list[float]] = lambda thing: [],
    things: tuple[Thing, ...] = THINGS,
) -> Array:
    """Return rows as YOLOv8 and 11 give them, (rows, 4 + classes + extras); each object has two."""
    rows = np.zeros((count(size), 4 + classes + len(extras(things[0]))), np.float32)
    for place, thing in enumerate(things):
        for twin in (0, 1):  # the second one a little beside the first, and less certain
            row = rows[100 * place + 7 * twin + 3]
            row[:4] = [value * size for value in (thing.x, thing.y, thing.width, thing.height)]
            row[0] += twin * 0.01 * size * thing.width
            row[4 + thing.kind] = thing.score - 0.1 * twin
            row[4 + classes :] = extras(thing)
    return rows


def steps(distance: float, bins: int) -> list[float]:
    """Return logits of a distribution over whole cells whose mean is a distance."""
    low = int(distance)
    part = distance - low
    weights = [1e-9] * bins
    weights[low] += 1 - part
    if part:
        weights[low + 1] += part
    return [math.log(weight) for weight in weights]


def home(thing: Thing, size: int, strides: tuple[int, ...], bins: int) -> tuple[int, int, int]:
    """Return the stride, column and row of the cell that tells of an object."""
    stride = next(s for s in strides if max(thing.width, thing.height) * size / 2 / s < bins - 2)
    return stride, int(thing.x * size / stride), int(thing.y * size / stride)


def sides(thing: Thing, size: int, stride: int, x: float, y: float, bins: int) -> list[float]:
    left, top, right, bottom = thing.box(size)
    away = (x - left, y - top, right - x, bottom - y)
    return [value for distance in away for value in steps(distance / stride, bins)]


def raw(size: int, classes: int, joints: int = 0) -> list[Array]:
    """Return maps (1, rows, columns, 64 + classes), and of joints, as they are before a network decodes them."""
    tables = [np.full((1, size // s, size // s, 64 + classes), -9, np.float32) for s in (8, 16, 32)]
    points = [np.zeros((1, size // s, size // s, joints * 3), np.float32) for s in (8, 16, 32)]
    for thing in THINGS:
        stride, column, row = home(thing, size, (8, 16, 32), 16)
        level = (8, 16, 32).index(stride)
        middle = ((column + 0.5) * stride, (row + 0.5) * stride)
        cell = tables[level][0, row, column]
        cell[:64] = sides(thing, size, stride, *middle, 16)
        cell[64 + (thing.kind if classes > 1 else 0)] = logit(thing.score)
        points[level][0, row, column] = [
            value
            for x, y, seen in (thing.joints(joints, size) if joints else ())
            for value in ((x / stride - column) / 2, (y / stride - row) / 2, logit(seen))
        ]
    return tables + (points if joints else [])


def network(
    outputs: list[Array],
    size: int,
    metadata: Mapping[str, str] | None = None,
    **options: Any,
) -> Network:
    told = read_told(metadata or {}, options)
    feed = recognise_feed([Tensor(name="images", shape=(1, 3, size, size), kind="float32")], told)
    shapes = [Tensor(name=f"out{n}", shape=output.shape) for n, output in enumerate(outputs)]
    return recognise(feed, shapes, told)


def see(outputs: list[Array], size: int, known: Network, **wanted: Any) -> tuple[Found, ...]:
    """Return what is found in a picture of twice the input's width: as high as it, or, top left, a square."""
    height = size if known.feed.centred else 2 * size
    letterbox = fit(2 * size, height, (size, size), centred=known.feed.centred)
    return decode(outputs, known.head, letterbox, **wanted)


def check(
    outputs: list[Array], size: int, known: Network, *, kinds: bool = True, tolerance: float = 0.05
) -> tuple[Found, ...]:
    """Check that the objects come back, at twice the input's scale, and without the grey above."""
    found = see(outputs, size, known)
    top = size // 4 if known.feed.centred else 0
    assert len(found) == len(THINGS)
    for one, thing in zip(found, THINGS, strict=True):
        assert one.label == known.head.label(thing.kind if kinds else 0)
        assert one.confidence == pytest.approx(thing.score, abs=0.001)
        left, above, right, below = thing.box(size)
        wanted = (2 * left, 2 * (above - top), 2 * right, 2 * (below - top))
        assert one.box == pytest.approx(wanted, abs=tolerance)
    return found


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("classes", [3, 80])
@pytest.mark.parametrize("transposed", [False, True])
def test_decoded_boxes(size: int, classes: int, transposed: bool) -> None:
    rows = decoded(size, classes)
    outputs = [rows[None] if transposed else np.ascontiguousarray(rows.T)[None]]
    known = network(outputs, size)
    assert tasks(known.head) == ("detect",)
    assert known.head.label(2) == ("car" if classes == 80 else "class 2")
    check(outputs, size, known)


@pytest.mark.parametrize("size", SIDES)
def test_boxes_with_anchors_and_objectness(size: int) -> None:
    rows = decoded(size, 80)
    rows = np.insert(rows, 4, 0.0, axis=1)
    rows[:, 4] = np.where(rows[:, 5:].any(axis=1), 0.95, 0)
    rows[:, 5:] /= 0.95
    rows[2000] = 0.9  # sure of something, of no class in particular
    rows[2000, 5:] = 0.05
    outputs = [np.concatenate([rows, np.zeros((2 * len(rows), 85), np.float32)])[None]]
    known = network(outputs, size)
    assert known.head.parts[0].objectness is not None
    check(outputs, size, known)


@pytest.mark.parametrize("size", [416, 640])
def test_yolox_in_cells_of_a_picture_at_the_top_left(size: int) -> None:
    rows = np.zeros((count(size), 85), np.float32)
    starts = dict(
        zip((8, 16, 32), np.cumsum([0, (size // 8) ** 2, (size // 16) ** 2]), strict=True)
    )
    for thing, stride in zip(THINGS, (32, 16, 8), strict=True):
        column, row = int(thing.x * size / stride), int(thing.y * size / stride)
        cell = rows[starts[stride] + row * (size // stride) + column]
        cell[0] = thing.x * size / stride - column
        cell[1] = thing.y * size / stride - row
        cell[2] = math.log(thing.width * size / stride)
        cell[3] = math.log(thing.height * size / stride)
        cell[4], cell[5 + thing.kind] = 0.96, thing.score / 0.96
    known = network([rows[None]], size)
    assert (known.feed.bgr, known.feed.scale, known.feed.centred) == (True, (1, 1, 1), False)
    check([rows[None]], size, known)


@pytest.mark.parametrize("size", [320, 416])
@pytest.mark.parametrize("apart", [False, True])
def test_nanodet_whole_and_with_an_output_for_each_stride(size: int, apart: bool) -> None:
    strides = (8, 16, 32, 64)
    sizes = [-(-size // stride) for stride in strides]
    tables = [np.zeros((side**2, 112), np.float32) for side in sizes]
    for thing in THINGS:
        stride, column, row = home(thing, size, strides, 8)
        level = strides.index(stride)
        less = (stride - 1) / 2 if apart else 0  # the older one counts from the middle of a cell
        cell = tables[level][row * sizes[level] + column]
        cell[thing.kind] = thing.score
        cell[80:] = sides(thing, size, stride, column * stride + less, row * stride + less, 8)
    outputs = [np.concatenate(tables)[None]]
    if apart:
        outputs = [part for table in tables for part in (table[None, :, :80], table[None, :, 80:])]
    known = network(outputs, size)
    assert known.feed.bgr
    assert known.feed.mean == (103.53, 116.28, 123.675)
    check(outputs, size, known)


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("joints", [17, 21])
@pytest.mark.parametrize("transposed", [False, True])
def test_decoded_keypoints(size: int, joints: int, transposed: bool) -> None:
    def points(thing: Thing) -> list[float]:
        return [value for joint in thing.joints(joints, size) for value in joint]

    things = tuple(Thing(0, t.score, t.x, t.y, t.width, t.height) for t in THINGS)
    rows = decoded(size, 1, points, things)
    outputs = [rows[None] if transposed else np.ascontiguousarray(rows.T)[None]]
    known = network(outputs, size)
    assert tasks(known.head) == (("pose",) if joints == 17 else ("hand",))
    found = check(outputs, size, known, kinds=False)
    check_joints(found, joints, size)


def check_joints(found: tuple[Found, ...], joints: int, size: int) -> None:
    for one, thing in zip(found, THINGS, strict=True):
        assert one.label == ("person" if joints == 17 else "hand")
        assert one.keypoints is not None
        wanted = [(2 * x, 2 * (y - size // 4), seen) for x, y, seen in thing.joints(joints, size)]
        assert one.keypoints == pytest.approx(np.array(wanted), abs=0.05)


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_raw_maps(size: int, channels_last: bool) -> None:
    outputs = raw(size, 80)
    if not channels_last:
        outputs = [np.ascontiguousarray(output.transpose(0, 3, 1, 2)) for output in outputs]
    known = network(outputs, size)
    check(outputs, size, known)
    mixed = [outputs[2], outputs[0], outputs[1]]
    check(mixed, size, network(mixed, size))


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("joints", [17, 21])
@pytest.mark.parametrize("channels_last", [False, True])
def test_raw_maps_with_keypoints(size: int, joints: int, channels_last: bool) -> None:
    outputs = raw(size, 1, joints)
    if not channels_last:
        outputs = [np.ascontiguousarray(output.transpose(0, 3, 1, 2)) for output in outputs]
    known = network(outputs, size)
    check_joints(check(outputs, size, known, kinds=False), joints, size)


def squares(size: int) -> Array:
    """Return prototypes (32, rows, columns): of the k-th object, the upper half of its box."""
    planes = np.full((32, size // 4, size // 4), -4, np.float32)
    for number, thing in enumerate(THINGS):
        left, top, right, _ = (round(value / 4) for value in thing.box(size))
        planes[number, top : round(thing.y * size / 4), left:right] = 4
    return planes


def weights(thing: Thing) -> list[float]:
    return [float(number == THINGS.index(thing)) for number in range(32)]


def check_masks(found: tuple[Found, ...], size: int) -> None:
    for one, thing in zip(found, THINGS, strict=True):
        assert one.mask is not None
        grid = cells(one.mask)
        assert grid.shape == (size // 8, size // 4)
        left, top, right, _ = (round(value / 4) for value in thing.box(size))
        wanted = np.zeros((size // 4, size // 4), bool)
        wanted[top : round(thing.y * size / 4), left:right] = True
        assert (grid == wanted[size // 16 : size // 16 + size // 8]).mean() > 0.995
        assert grid.any()


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_masks_of_decoded_boxes(size: int, channels_last: bool) -> None:
    rows = decoded(size, 80, weights)
    planes = squares(size)
    outputs = [np.ascontiguousarray(rows.T)[None], planes[None]]
    if channels_last:
        outputs = [rows[None], np.ascontiguousarray(planes.transpose(1, 2, 0))[None]]
    known = network(outputs, size)
    assert tasks(known.head) == ("detect", "segment")
    check_masks(check(outputs, size, known), size)


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_masks_of_raw_maps(size: int, channels_last: bool) -> None:
    tables = raw(size, 80)
    mixes = [np.zeros((*table.shape[:3], 32), np.float32) for table in tables]
    for thing in THINGS:
        stride, column, row = home(thing, size, (8, 16, 32), 16)
        mixes[(8, 16, 32).index(stride)][0, row, column] = weights(thing)
    outputs = tables + mixes
    if not channels_last:
        outputs = [np.ascontiguousarray(output.transpose(0, 3, 1, 2)) for output in outputs]
    outputs.append(squares(size)[None])  # NPU models keep the channels of these first
    known = network(outputs, size)
    check_masks(check(outputs, size, known), size)


@pytest.mark.parametrize("size", SIDES)
def test_turned_boxes(size: int) -> None:
    rows = decoded(size, 15, lambda thing: [0.3])
    outputs = [np.ascontiguousarray(rows.T)[None]]
    known = network(outputs, size, {"task": "obb"}, labels=["plane", "ship", "tank"])
    assert tasks(known.head) == ("oriented",)
    found = see(outputs, size, known)
    assert [one.label for one in found] == ["tank", "plane", "ship"]
    check_turned(found[2], THINGS[2], size)


def check_turned(one: Found, thing: Thing, size: int) -> None:
    across, down = thing.width * size, thing.height * size
    assert one.angle == pytest.approx(0.3)
    assert one.box[2] - one.box[0] == pytest.approx(
        2 * (across * math.cos(0.3) + down * math.sin(0.3)), abs=0.01
    )
    assert (one.box[0] + one.box[2]) / 2 == pytest.approx(2 * thing.x * size, abs=0.01)


@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("kind", ["boxes", "masks", "pose", "hand", "turned"])
def test_end_to_end_heads(size: int, kind: str) -> None:
    joints = {"pose": 17, "hand": 21}.get(kind, 0)
    extra = {"masks": 32, "turned": 1}.get(kind, joints * 3)
    rows = np.zeros((300, 6 + extra), np.float32)
    for row, thing in zip(rows, THINGS, strict=False):
        row[:4] = thing.box(size)
        row[4:6] = thing.score, 0 if joints else thing.kind
        if kind == "masks":
            row[6:] = weights(thing)
        elif joints:
            row[6:] = [value for joint in thing.joints(joints, size) for value in joint]
        elif kind == "turned":
            row[:4] = [value * size for value in (thing.x, thing.y, thing.width, thing.height)]
            row[6] = 0.3
    outputs = [rows[None]] + ([squares(size)[None]] if kind == "masks" else [])
    known = network(outputs, size, {"end2end": "True"} if kind == "boxes" else {})
    if kind == "turned":
        assert tasks(known.head) == ("oriented",)
        check_turned(see(outputs, size, known)[2], THINGS[2], size)
        return
    found = check(outputs, size, known, kinds=not joints)
    if joints:
        check_joints(found, joints, size)
    if kind == "masks":
        check_masks(found, size)


def test_what_the_request_leaves_out() -> None:
    outputs = [np.ascontiguousarray(decoded(640, 80).T)[None]]
    known = network(outputs, 640)
    assert [one.label for one in see(outputs, 640, known, labels=("person",))] == ["person"]
    assert not see(outputs, 640, known, labels=("unicorn",))
    assert [one.label for one in see(outputs, 640, known, most=1)] == ["car"]
    assert [one.label for one in see(outputs, 640, known, least=0.6)] == ["car", "person"]
    assert not see(outputs, 640, known, least=1.0)


def test_all_rows_at_a_confidence_of_nothing_are_still_few_objects() -> None:
    random = np.random.default_rng(1)
    rows = random.random((8400, 84), np.float32)
    rows[:, :4] *= 640
    outputs = [np.ascontiguousarray(rows.T)[None]]
    assert len(see(outputs, 640, network(outputs, 640), least=0.0)) == 100


def test_boxes_of_different_labels_suppress_each_other_only_where_that_is_asked_for() -> None:
    rows = decoded(640, 80)
    rows[500] = rows[3]
    rows[500, 4:] = 0
    rows[500, 4 + 7] = 0.8
    outputs = [np.ascontiguousarray(rows.T)[None]]
    known = network(outputs, 640)
    assert [one.label for one in see(outputs, 640, known)][:2] == ["car", "truck"]
    assert "truck" not in [one.label for one in see(outputs, 640, known, agnostic=True)]


def test_rows_that_are_no_numbers_are_left_out() -> None:
    rows = decoded(640, 80)
    rows[900], rows[901] = rows[3], np.nan
    rows[900, 0] = np.nan
    rows[900, 4 + 9] = 0.99
    outputs = [np.ascontiguousarray(rows.T)[None]]
    check(outputs, 640, network(outputs, 640))


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
