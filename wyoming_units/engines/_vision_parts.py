"""Where boxes, scores and the rest are in the outputs of the object networks that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wyoming_units.vision.heads import Boxes, Grid, Head, Part, Prototypes, Slot
from wyoming_units.vision.yolo import HAND, PERSON

Shape = tuple[int, ...]
"""Sizes of an output; 0 where the file leaves one open."""

_STRIDES = (8, 16, 32)
_LONG = (8, 16, 32, 64)
_FINE = (4, 8, 16, 32)
_BINS, _GFL_BINS = 64, 32
"""Channels of a box that is told as distributions, of 16 or of 8 steps for each edge."""
_RANKED_BOX = 6
_ANCHORS = 3
_RANKED = 1_000
"""A network that chooses among its boxes itself gives no more of them, usually 300."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What is known of a network besides its shapes."""

    name: str
    exported: bool
    classes: int
    joints: int
    axes: int
    turned: bool
    plain: bool
    """Boxes and nothing else."""
    ranked: bool | None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A head without the names of its classes."""

    head: Head
    family: str
    classes: int
    """0 where the shapes do not tell."""


def layout(shapes: Sequence[Shape], size: tuple[int, int], family: Family) -> Layout | None:
    """Return how outputs are laid out for an input (width, height), None where that is not known."""
    return (
        _raw(shapes, size, family, channels_last=True)
        or _raw(shapes, size, family, channels_last=False)
        or _pairs(shapes, size)
        or _single(shapes, size, family)
    )


def _raw(
    shapes: Sequence[Shape], size: tuple[int, int], family: Family, *, channels_last: bool
) -> Layout | None:
    """Boxes as distributions, a map for each stride; keypoints or mask weights in maps of their own."""
    if len(shapes) < len(_STRIDES) or any(len(shape) != 4 for shape in shapes):
        return None
    places = [_place(shape, channels_last=channels_last) for shape in shapes]
    parts, widths, extra_widths = [], set(), set()
    for grid in _grids(size, _STRIDES, middle=0.5):
        here = [
            index
            for index, (rows, columns, _) in enumerate(places)
            if (rows, columns) == (grid.rows, grid.columns)
        ]
        tables = [index for index in here if places[index][2] > _BINS]
        extras = [index for index in here if places[index][2] <= _BINS]
        if len(tables) != 1 or len(extras) > 1:
            return None
        width = places[tables[0]][2]
        extra = places[extras[0]][2] if extras else 0
        widths.add(width)
        extra_widths.add(extra)
        parts.append(
            Part(
                boxes=Slot(output=tables[0], first=0, count=_BINS),
                scores=Slot(output=tables[0], first=_BINS, count=width - _BINS),
                extras=Slot(output=extras[0], first=0, count=extra) if extras else None,
                grid=grid,
            )
        )
    masks = _masks(shapes, size)
    more = len(shapes) - sum(1 + (part.extras is not None) for part in parts)
    if len(widths) != 1 or len(extra_widths) != 1 or more != (masks is not None):
        return None
    extra = extra_widths.pop()
    joints, axes = _joints(extra, family) if masks is None else (0, 3)
    if extra != (masks.channels if masks else joints * axes):
        return None
    head = Head(
        parts=tuple(parts),
        boxes="bins",
        channels_last=channels_last,
        labels=(),
        logits=True,
        joints=joints,
        axes=axes,
        prototypes=masks,
    )
    return Layout(head=head, family="yolo", classes=widths.pop() - _BINS)


def _pairs(shapes: Sequence[Shape], size: tuple[int, int]) -> Layout | None:
    """NanoDet with an output for the scores and one for the boxes of each stride."""
    if len(shapes) != 2 * len(_LONG) or any(len(shape) not in (2, 3) for shape in shapes):
        return None
    for up in (True, False):
        parts = []
        for grid in _grids(size, _LONG, middle=0.5, up=up, less=0.5):
            here = [i for i, s in enumerate(shapes) if s[-2] == grid.rows * grid.columns]
            boxes = [index for index in here if shapes[index][-1] == _GFL_BINS]
            scores = [index for index in here if shapes[index][-1] != _GFL_BINS]
            if len(boxes) == len(scores) == 1:
                slots = [Slot(output=i, first=0, count=shapes[i][-1]) for i in (*boxes, *scores)]
                parts.append(Part(boxes=slots[0], scores=slots[1], grid=grid))
        if len(parts) == len(_LONG) and len({part.scores.count for part in parts}) == 1:
            head = Head(parts=tuple(parts), boxes="bins", channels_last=True, labels=())
            return Layout(head=head, family="nanodet", classes=parts[0].scores.count)
    return None


def _single(shapes: Sequence[Shape], size: tuple[int, int], family: Family) -> Layout | None:
    """One table of all boxes; perhaps the prototypes of masks."""
    tables = [index for index, shape in enumerate(shapes) if len(shape) == 3 and shape[0] <= 1]
    masks = _masks(shapes, size)
    if len(tables) != 1 or (masks is None and any(len(shape) == 4 for shape in shapes)):
        return None
    table = _Table(output=tables[0], shape=shapes[tables[0]][1:], size=size)
    if _is_ranked(table, family):
        return _ranked(table, masks, family)
    for name, matches in (("nanodet", _is_nanodet), ("yolox", _is_yolox), ("yolov5", _is_yolov5)):
        if family.name == name or (not family.name and matches(table, family)):
            return (_nanodet if name == "nanodet" else _decoded)(table, masks, family, name)
    return _decoded(table, masks, family, "yolo")


@dataclass(frozen=True, kw_only=True)
class _Table:
    output: int
    shape: Shape
    """Of the last two axes."""
    size: tuple[int, int]
    """Of the input."""

    @property
    def cells(self) -> int:
        return _count(_grids(self.size, _STRIDES))

    @property
    def many(self) -> tuple[int, ...]:
        """Return how many cells there are with one stride more."""
        return tuple({_count(_grids(self.size, _LONG, up=up)): None for up in (True, False)})

    @property
    def usual(self) -> tuple[int, ...]:
        """Return the numbers of rows that networks have."""
        ones = (self.cells, *self.many, _count(_grids(self.size, _FINE)))
        return (*ones, *(_ANCHORS * count for count in ones))

    @property
    def channels_last(self) -> bool:
        first, last = self.shape
        if (first in self.usual) != (last in self.usual):
            return first in self.usual
        return not first or (bool(last) and first > last)

    @property
    def rows(self) -> int:
        return self.shape[0 if self.channels_last else 1]

    @property
    def channels(self) -> int:
        return self.shape[1 if self.channels_last else 0]

    def slot(self, first: int, count: int) -> Slot:
        return Slot(output=self.output, first=first, count=count)


def _is_ranked(table: _Table, family: Family) -> bool:
    if family.ranked is not None:
        return family.ranked
    few = 0 < table.rows <= _RANKED and table.rows not in table.usual
    return table.channels_last and few and table.channels >= _RANKED_BOX


def _is_nanodet(table: _Table, family: Family) -> bool:
    more = table.channels > _GFL_BINS and table.rows in table.many
    return more and table.channels_last and not family.exported


def _is_yolox(table: _Table, family: Family) -> bool:
    wide = table.channels == 5 + (family.classes or 80)
    return wide and table.rows == table.cells and table.channels_last and not family.exported


def _is_yolov5(table: _Table, _family: Family) -> bool:
    anchored = (_ANCHORS * count for count in (table.cells, *table.many))
    return table.channels_last and table.rows in anchored


def _ranked(table: _Table, masks: Prototypes | None, family: Family) -> Layout | None:
    """Boxes among which the network has already chosen: box, score, class, and the rest."""
    extra = table.channels - _RANKED_BOX
    if not table.channels_last or extra < 0:
        return None
    joints, axes = _joints(extra, family) if masks is None else (0, 3)
    turned = extra == 1 and masks is None
    if extra != (masks.channels if masks else int(turned) or joints * axes):
        return None
    part = Part(
        boxes=table.slot(0, 4),
        scores=table.slot(4, 2),
        extras=table.slot(_RANKED_BOX, extra) if extra else None,
    )
    head = Head(
        parts=(part,),
        boxes="centre" if turned else "corners",
        channels_last=True,
        labels=(),
        ranked=True,
        joints=joints,
        axes=axes,
        turned=turned,
        prototypes=masks,
    )
    return Layout(head=head, family="yolo", classes=0)


def _nanodet(table: _Table, masks: Prototypes | None, _family: Family, name: str) -> Layout | None:
    """Scores, then boxes as distributions; the cells of all strides one after another."""
    classes = table.channels - _GFL_BINS
    ups = [up for up in (True, False) if _count(_grids(table.size, _LONG, up=up)) == table.rows]
    if masks or classes < 1 or not ups:
        return None
    parts = tuple(
        Part(
            boxes=table.slot(classes, _GFL_BINS),
            scores=table.slot(0, classes),
            rows=rows,
            grid=grid,
        )
        for rows, grid in _rows(_grids(table.size, _LONG, up=ups[0]))
    )
    head = Head(parts=parts, boxes="bins", channels_last=table.channels_last, labels=())
    return Layout(head=head, family=name, classes=classes)


def _decoded(table: _Table, masks: Prototypes | None, family: Family, name: str) -> Layout | None:
    """Box, perhaps how sure it is that there is anything, a score for each class, and the rest."""
    first = 4 if name == "yolo" else 5
    extra, joints, axes = _extras(table.channels - first, masks, family)
    classes = table.channels - first - extra
    if classes < 1 or table.rows not in (0, *table.usual):
        return None
    boxes: Boxes = "centre"
    ends: list[tuple[slice, Grid | None]] = [(slice(None), None)]
    if name == "yolox":
        if table.rows != table.cells:
            return None
        boxes, ends = "cells", [*_rows(_grids(table.size, _STRIDES))]
    used = masks or joints or family.turned
    parts = tuple(
        Part(
            boxes=table.slot(0, 4),
            scores=table.slot(first, classes),
            objectness=table.slot(4, 1) if first == 5 else None,
            extras=table.slot(first + classes, extra) if used else None,
            rows=rows,
            grid=grid,
        )
        for rows, grid in ends
    )
    head = Head(
        parts=parts,
        boxes=boxes,
        channels_last=table.channels_last,
        labels=(),
        joints=joints,
        axes=axes,
        turned=family.turned,
        prototypes=masks,
    )
    return Layout(head=head, family=name, classes=classes)


def _extras(rest: int, masks: Prototypes | None, family: Family) -> tuple[int, int, int]:
    """Return how many channels come after the scores, and how many joints of how many axes they are."""
    if masks is not None:
        return masks.channels, 0, 3
    if family.turned:
        return 1, 0, 3
    if family.joints:
        known = family.joints in (PERSON, HAND)
        return family.joints * family.axes, family.joints if known else 0, family.axes
    if family.plain or family.classes == rest:
        return 0, 0, 3
    joints, axes = _joints(rest - 1, family)
    return joints * axes, joints, axes


def _joints(channels: int, family: Family) -> tuple[int, int]:
    """Return the joints, and the axes of each, that so many channels are; 0 joints where they are none."""
    axes = family.axes
    return next(((n, axes) for n in (PERSON, HAND) if channels == n * axes), (0, axes))


def _masks(shapes: Sequence[Shape], size: tuple[int, int]) -> Prototypes | None:
    """Return the prototypes, which have a quarter of the input's size."""
    wanted = (size[1] // 4, size[0] // 4)
    for index, shape in enumerate(shapes):
        if len(shape) == 4:
            for last in (False, True):
                rows, columns, channels = _place(shape, channels_last=last)
                if (rows or wanted[0], columns or wanted[1]) == wanted:
                    return Prototypes(output=index, channels=channels, channels_last=last)
    return None


def _place(shape: Shape, *, channels_last: bool) -> tuple[int, int, int]:
    """Return rows, columns and channels of a map."""
    first, second, third = shape[1:]
    return (first, second, third) if channels_last else (second, third, first)


def _grids(
    size: tuple[int, int],
    strides: Sequence[int],
    *,
    up: bool = False,
    middle: float = 0.0,
    less: float = 0.0,
) -> list[Grid]:
    """Return the grids of an input; with `up`, cells that are not whole count.

    Boxes count from the point of a cell that is `middle` of its size, `less` pixels, from its left and top.
    """
    sides = [
        (stride, *(-(-side // stride) if up else side // stride for side in size))
        for stride in strides
    ]
    return [
        Grid(stride=stride, columns=columns, rows=rows, middle=middle * stride - less)
        for stride, columns, rows in sides
    ]


def _count(grids: Sequence[Grid]) -> int:
    return sum(grid.rows * grid.columns for grid in grids)


def _rows(grids: Sequence[Grid]) -> Iterator[tuple[slice, Grid]]:
    """Yield each grid with its rows of a table that has all of them, one after another."""
    start = 0
    for grid in grids:
        stop = start + grid.rows * grid.columns
        yield slice(start, stop), grid
        start = stop
