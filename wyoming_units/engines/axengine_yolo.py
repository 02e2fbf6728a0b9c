"""YOLO on the NPU of an AX630C: objects, outlines, people's joints and hands' joints.

Options: `mode` (name of the package's mode), and those of `_vision_network`, which the mode's parameters stand in for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import MAKER, library_version
from wyoming_units.engines._axengine_picture import AxNetwork, find_network
from wyoming_units.engines._object_network import PARALLEL, ObjectFinder
from wyoming_units.engines._picture_network import offered
from wyoming_units.engines._vision_network import Told, read_told, tasks, told_tasks
from wyoming_units.engines.base import EngineInfo
from wyoming_units.vision.coco import COCO
from wyoming_units.vision.yolo import HAND

_TYPES = {"detect": "detect", "segment": "segment", "pose": "pose", "obb": "oriented"}
"""Tasks by a mode's `model_type`."""
_LABELS = {"detect": COCO, "segment": COCO, "pose": ("person",), "hand": ("hand",)}
"""What a network finds that is only known by its task, before it is loaded."""


class AxYolo(ObjectFinder):
    """Finds objects with one network."""

    def __init__(self, *, model: LocalModel) -> None:
        """Find the model's file; `EngineFailed` where there is none, or its mode cannot be read."""
        path, parameters = find_network(model, "yolo_model")
        told = read_told({}, {**_said(parameters), **model.options})
        super().__init__(model=model, path=path, told=told, start=partial(AxNetwork, path))

    @property
    def info(self) -> EngineInfo:
        """Return the one model, with its tasks and labels as they are said, once it is loaded as they are."""
        network = self._network
        sees, labels = _seen(self._told)
        if network is not None:
            sees, labels = tasks(network.head), network.head.labels
        return EngineInfo(
            name="axengine-yolo",
            description="Object networks on the NPU of an AX630C",
            version=library_version(),
            attribution=MAKER,
            parallel=PARALLEL,
            models=(offered(self._model, MAKER, sees, labels),),
        )


def _said(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a mode says of its network, as options."""
    task = _TYPES.get(str(parameters.get("model_type", "")))
    if task == "pose" and parameters.get("point_num") == HAND:
        task = "hand"
    names = parameters.get("cls_name")
    return {
        **({"task": task} if task else {}),
        **({"labels": [str(name) for name in names]} if names and isinstance(names, list) else {}),
    }


def _seen(told: Told) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return told_tasks(told), told.labels or _LABELS.get(told.task, ())
