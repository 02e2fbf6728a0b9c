"""Known objects, written as each kind of network gives them, come back from each kind of output."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit.yolo_outputs import (
    SIDES,
    THINGS,
    Array,
    Thing,
    check,
    count,
    decoded,
    home,
    network,
    raw,
    see,
    sides,
)
from wyoming_units.engines._vision_network import (
    tasks,
)
from wyoming_units.vision.rle import decode as cells
from wyoming_units.vision.scene import Found


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
