"""Networks that find objects, of StackFlow's `yolo`.

The module scales and decodes; what it sends is in pixels of its network's input, 320 wide and high.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wyoming_units.engines._stackflow import Service, engine_info, model_of
from wyoming_units.engines._stackflow_pictures import write_fitting
from wyoming_units.engines.base import EngineInfo, VisionRequest
from wyoming_units.errors import EngineFailed, UnitError
from wyoming_units.stackflow.framing import NONE
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt, module_at
from wyoming_units.stackflow.task import Talk, Task
from wyoming_units.vision.boxes import Floats, upright
from wyoming_units.vision.coco import COCO
from wyoming_units.vision.gesture import gesture
from wyoming_units.vision.letterbox import Letterbox
from wyoming_units.vision.posture import posture
from wyoming_units.vision.scene import Found, Pixels, Scene
from wyoming_units.vision.yolo import HAND, OVERLAP, PERSON

_SIDE = 320
_LEAST = 0.1
"""Confidence of what the module tells at all; a request's own bound comes after that."""
_SECONDS = 10.0
"""A picture takes a tenth of one."""
_SIZES = (1, 6)
"""The release since which boxes are numbers, with sizes in place of right and bottom."""


class StackFlowYolo:
    """Finds objects with one network."""

    def __init__(self, *, mode: Mode, module: ModuleAt) -> None:
        """Prepare; nothing is sent."""
        told = mode.parameters
        self._module = module
        self._size = _side(told.get("img_w")), _side(told.get("img_h"))
        self._joints = _joints(mode)
        self._turned = "obb" in f"{told.get('model_type')} {mode.name}"
        self._service = Service(module, mode)
        self._format = ""
        model = model_of(mode, (), tasks=(self._sees(),), labels=self._labels(told))
        self._info = engine_info("stackflow-yolo", model)

    @property
    def info(self) -> EngineInfo:
        """Return the one network, with its task and labels."""
        return self._info

    def load(self) -> None:
        """Let the module load the network."""
        try:
            release = re.search(r"(\d+)\.(\d+)", module_at(self._module).version())
        except UnitError:  # who cannot tell may still see
            release = None
        sizes = release is not None and (int(release[1]), int(release[2])) >= _SIZES
        self._format = "yolo.boxV2" if sizes else "yolo.box"
        self._service.try_to_open(self._task())

    def close(self) -> None:
        """End the task."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        self._service.interrupt(thread)

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the objects in a picture; boxes that overlap suppress each other whatever their labels are."""
        if not self._format:
            raise EngineFailed(f"{self._info.models[0].name} is not loaded")
        height, width = image.shape[:2]
        picture, letterbox = write_fitting(image, self._size)

        def call(talk: Talk) -> Any:
            talk.send_bytes("yolo.jpeg.base64", picture)
            return talk.receive(_SECONDS).data

        objects = [self._found(told, letterbox) for told in _list(self._task().run(call))]
        wanted = [
            found
            for found in sorted(objects, key=lambda found: -found.confidence)
            if found.confidence >= request.min_confidence
            and (not request.labels or found.label in request.labels)
        ]
        return Scene(width=width, height=height, objects=tuple(wanted[: request.max_objects]))

    def _task(self) -> Task:
        return self._service.task(
            response_format=self._format,
            input="yolo.jpeg.base64",
            pron_threshold=_LEAST,
            nms_threshold=OVERLAP,
        )

    def _sees(self) -> str:
        # Outlines are told as the weights of planes that the module keeps, so nobody can draw them here.
        return (
            "oriented"
            if self._turned
            else {PERSON: "pose", HAND: "hand"}.get(self._joints, "detect")
        )

    def _labels(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        if isinstance(names := told.get("cls_name"), list | tuple) and names:
            return tuple(map(str, names))
        return {PERSON: ("person",), HAND: ("hand",)}.get(self._joints, COCO)

    def _found(self, told: Mapping[str, Any], letterbox: Letterbox) -> Found:
        """Return an object that the module tells of, in pixels of the picture; `EngineFailed`."""
        try:
            label, confidence = str(told["class"]), float(told["confidence"])
            # Texts are left, top, right and bottom; numbers end with width and height.
            corners = any(isinstance(side, str) for side in told["bbox"])
            box = np.array(told["bbox"], np.float32).reshape(1, 4)
            angle = float(told["angle"]) if self._turned and "angle" in told else None
            joints = np.array(told.get("kps") or (), np.float32).reshape(-1, 3)
        except (KeyError, TypeError, ValueError) as err:
            raise EngineFailed(f"the module tells of no object: {err!r} in {told!r}") from None
        if not corners:
            box[:, 2:] += box[:, :2]
        sides = letterbox.boxes(box if angle is None else _around(box, angle))[0].tolist()
        found = Found(
            label=label,
            confidence=min(confidence, 1.0),
            box=(sides[0], sides[1], sides[2], sides[3]),
            angle=angle,
        )
        points = np.concatenate([letterbox.undo(joints[:, :2]), joints[:, 2:]], 1)
        if len(points) == PERSON:
            return replace(found, keypoints=points, posture=posture(points, found.box))
        if len(points) == HAND:
            return replace(found, keypoints=points, gesture=gesture(points))
        return found


def _side(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else _SIDE


def _joints(mode: Mode) -> int:
    """Return how many joints a network tells, 0 for none."""
    if "pose" not in f"{mode.parameters.get('model_type')} {mode.name}":
        return 0
    told = mode.parameters.get("point_num", HAND if "hand" in mode.name else PERSON)
    return told if told in (PERSON, HAND) else 0


def _around(box: Floats, angle: float) -> Floats:
    """Return the upright box (1, 4) around one that is turned about its middle."""
    middle, size = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
    return upright(np.concatenate([middle, size, [[angle]]], 1).astype(np.float32))


def _list(data: Any) -> list[Mapping[str, Any]]:
    """Return what a module tells of, of which it may say nothing in several ways; `EngineFailed`."""
    if data in ("", "[]", NONE, None):
        return []
    if isinstance(data, list) and all(isinstance(each, Mapping) for each in data):
        return data
    raise EngineFailed(f"the module tells of no objects: {str(data)[:80]!r}")
