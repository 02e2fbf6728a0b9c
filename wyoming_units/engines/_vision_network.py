"""Recognises an object network by its inputs, outputs and metadata; a manifest's options have the last word.

Options: `family` (`yolo`, `yolov5`, `yolox`, `nanodet`), `task` (`detect`, `segment`, `pose`, `hand`, `oriented`),
`labels`, `size` (width, height), `bgr`, `mean`, `scale`, `centred`, `end2end`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._vision_parts import Family, Layout, Shape, layout
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.coco import COCO
from wyoming_units.vision.feed import Feed
from wyoming_units.vision.heads import Head
from wyoming_units.vision.yolo import HAND, PERSON

_SIZE = 640
"""Side of inputs that leave their size open."""
_FEEDS: dict[str, dict[str, Any]] = {
    "yolox": {"bgr": True, "scale": (1.0, 1.0, 1.0), "centred": False},
    "nanodet": {
        "bgr": True,
        "mean": (103.53, 116.28, 123.675),
        "scale": (57.375, 57.12, 58.395),
    },
}
"""What a family's input has that others do not have."""
_TASKS = {
    "detect": ("detect",),
    "segment": ("detect", "segment"),
    "pose": ("pose",),
    "hand": ("hand",),
    "oriented": ("oriented",),
}
_FAMILIES = ("yolo", "yolov5", "yolox", "nanodet")


@dataclass(frozen=True, kw_only=True)
class Network:
    """How to use a network."""

    feed: Feed
    head: Head


@dataclass(frozen=True, kw_only=True)
class Told:
    """What options and metadata say of a network."""

    family: str
    """Empty where nobody says, as are the next two."""
    task: str
    labels: tuple[str, ...]
    joints: int
    """0 where there are none, or nobody says."""
    axes: int
    ranked: bool | None
    exported: bool
    """Whether Ultralytics wrote the file, so it is none of the other families."""
    size: tuple[int, int] | None
    options: Mapping[str, Any]


def read_told(metadata: Mapping[str, str], options: Mapping[str, Any]) -> Told:
    """Return what is said of a network; `EngineFailed` for a task or family that there is not."""
    shape = tuple(_literal(metadata, "kpt_shape", ()))
    task = metadata.get("task", "").replace("obb", "oriented")
    task = str(options.get("task", task if task in _TASKS else ""))
    if task == "pose" and shape[:1] == (HAND,):
        task = "hand"
    family = str(options.get("family", ""))
    for word, value, known in (("task", task, _TASKS), ("family", family, _FAMILIES)):
        if value and value not in known:
            raise EngineFailed(f"no {word} is called {value!r}; there are: {', '.join(known)}")
    names = _literal(metadata, "names", {})
    names = [names[key] for key in sorted(names)] if isinstance(names, dict) else names
    size = options.get("size") or tuple(_literal(metadata, "imgsz", ()))[::-1] or None
    return Told(
        family=family,
        task=task,
        labels=tuple(str(name) for name in options.get("labels", names)),
        joints=shape[0] if shape else {"pose": PERSON, "hand": HAND}.get(task, 0),
        axes=shape[1] if len(shape) == 2 else 3,
        ranked=options.get("end2end", _literal(metadata, "end2end", None)),
        exported=bool(names),
        size=(size, size) if isinstance(size, int) else size and (int(size[0]), int(size[1])),
        options=options,
    )


def recognise_feed(inputs: Sequence[Tensor], told: Told) -> Feed:
    """Return how big a picture goes in and as what; `EngineFailed` where it is no picture that goes in."""
    shape = inputs[0].shape if len(inputs) == 1 else ()
    last = len(shape) == 4 and shape[3] == 3 and shape[1] != 3
    if len(shape) != 4 or shape[0] not in (None, 1) or not inputs[0].kind:
        raise EngineFailed(f"it takes {_shapes(inputs)}, not one picture (1, 3, height, width)")
    if 3 not in (shape[1], shape[3]):
        raise EngineFailed(f"it takes {_shapes(inputs)}, not the three colours of a picture")
    height, width = shape[1:3] if last else shape[2:4]
    usual = told.size or (_SIZE, _SIZE)
    return Feed(
        size=(width or usual[0], height or usual[1]), channels_last=last, kind=inputs[0].kind
    )


def recognise(feed: Feed, outputs: Sequence[Tensor], told: Told) -> Network:
    """Return how to use a network; `EngineFailed` says what it gives where that is nothing known."""
    shapes: list[Shape] = [tuple(size or 0 for size in tensor.shape) for tensor in outputs]
    family = Family(
        name=told.family,
        exported=told.exported,
        classes=len(told.labels),
        joints=told.joints,
        axes=told.axes,
        turned=told.task == "oriented",
        plain=told.task == "detect",
        ranked=told.ranked,
    )
    found = layout(shapes, feed.size, family)
    if found is None:
        raise EngineFailed(
            f"it takes {feed.size[0]}x{feed.size[1]} pixels and gives {_shapes(outputs)}, which is no "
            "known kind of object network"
        )
    own = {key: _option(told.options[key]) for key in _OPTIONS if key in told.options}
    feed = replace(feed, **{**_FEEDS.get(found.family, {}), **own})
    return Network(feed=feed, head=replace(found.head, labels=_labels(told, found)))


_OPTIONS = ("bgr", "mean", "scale", "centred")


def tasks(head: Head) -> tuple[str, ...]:
    """Return what a network looks for."""
    if head.turned:
        return _TASKS["oriented"]
    if head.prototypes is not None:
        return _TASKS["segment"]
    return _TASKS[{PERSON: "pose", HAND: "hand"}.get(head.joints, "detect")]


def told_tasks(told: Told) -> tuple[str, ...]:
    """Return what a network is said to look for, before its outputs are known."""
    return _TASKS.get(told.task, ("detect",))


def _labels(told: Told, found: Layout) -> tuple[str, ...]:
    if told.labels:
        return told.labels
    if found.head.joints:
        return ("person",) if found.head.joints == PERSON else ("hand",)
    if found.classes == len(COCO) or (not found.classes and not found.head.turned):
        return COCO
    return tuple(f"class {number}" for number in range(found.classes))


def _option(value: Any) -> Any:
    return tuple(float(one) for one in value) if isinstance(value, list | tuple) else value


def _literal(metadata: Mapping[str, str], key: str, default: Any) -> Any:
    """Return a value that is written as Python writes it, the default where there is none of its type."""
    try:
        value = ast.literal_eval(metadata[key])
    except (KeyError, ValueError, SyntaxError, MemoryError, RecursionError):
        return default
    if isinstance(value, dict | list | tuple) or default is None:
        return value
    return default


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(
        f"{tensor.name} ({', '.join(str(size or '?') for size in tensor.shape)})"
        for tensor in tensors
    )
