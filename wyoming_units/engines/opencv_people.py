"""Finds people with what OpenCV brings along: gradients and a linear classifier, no model to install."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.base import Attribution, EngineInfo, Model, VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.boxes import nms
from wyoming_units.vision.scene import Found, Pixels, Scene

_LABEL = "person"
_MAKER = Attribution(name="OpenCV", url="https://opencv.org")
_SIDE = 480
"""Pixels of the longer side of the picture that is searched: people under a fifth of it are too small."""
_RIM = 16
"""Pixels added around it: the classifier was trained on people with so much around them."""
_INSIDE = np.array([0.12, 0.08, 0.88, 0.92], np.float32)
"""Where a person is in the window that finds one: left, top, right, bottom as parts of it."""
_STEP = 8
"""Pixels between two windows."""
_STEEP, _EVEN = 3.0, 0.6
"""Confidence is a logistic curve over a window's score: one half at `_EVEN`, where it rises by `_STEEP` / 4 per unit.
Chosen on a few pictures, where the best windows of things have 0 to 0.5 and of people seen as a whole 0.6 to 1.5."""
_OVERLAP = 0.4
"""IoU above which two windows found the same person."""


class OpenCvPeople:
    """Finds people who stand or walk and are seen as a whole; many others are missed."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Take how many threads all of OpenCV in this process may use, by default one for every core."""
        self._threads = threads or os.cpu_count() or 1
        self._cv: Any = None
        self._windows: Any = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return EngineInfo(
            name="opencv-people",
            description="OpenCV's people detector",
            version=_version(),
            attribution=_MAKER,
            models=(
                Model(
                    name="hog",
                    languages=(),
                    description="People who stand or walk, from their outlines; no model file is needed",
                    attribution=_MAKER,
                    tasks=("detect",),
                    labels=(_LABEL,),
                ),
            ),
        )

    @property
    def report(self) -> Mapping[str, Any]:
        """Return the provider and the threads in use."""
        return {"provider": "OpenCV", "threads": self._threads} if self._cv else {}

    def load(self) -> None:
        """Set up the detector; `EngineFailed` for an OpenCV that has none."""
        try:
            import cv2

            windows = cv2.HOGDescriptor()
            windows.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))
        except (ImportError, AttributeError) as err:
            raise EngineFailed(f"this OpenCV has no people detector: {err}") from None
        cv2.setNumThreads(self._threads)
        self._cv, self._windows = cv2, windows
        self._search(np.zeros((_SIDE, _SIDE, 3), np.uint8))

    def close(self) -> None:
        """Free the detector."""
        self._cv = self._windows = None

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the people in a picture."""
        height, width = image.shape[:2]
        scene = Scene(width=width, height=height)
        if request.labels and _LABEL not in request.labels:
            return scene
        boxes, scores = self._search(image)
        sure = 1 / (1 + np.exp(-_STEEP * (scores - _EVEN)))
        keep = sure >= request.min_confidence
        boxes, sure = boxes[keep], sure[keep]
        best = nms(boxes, sure, None, threshold=_OVERLAP, most=request.max_objects)
        boxes = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
        objects = tuple(
            Found(label=_LABEL, confidence=float(sure[n]), box=tuple(boxes[n].tolist()))
            for n in best
        )
        return Scene(width=width, height=height, objects=objects)

    def _search(self, image: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return people's boxes (n, 4) in the picture and the scores (n,) of the windows that found them."""
        cv2 = self._cv
        if cv2 is None:
            raise EngineFailed("the people detector is not loaded")
        height, width = image.shape[:2]
        scale = _SIDE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        # A narrow picture is filled up, for the smallest window is 64 by 128.
        right, bottom = (_RIM + max(0, 128 - side) for side in size)
        framed = cv2.copyMakeBorder(small, _RIM, bottom, _RIM, right, cv2.BORDER_REPLICATE)
        found, scores = self._windows.detectMultiScale(
            framed, winStride=(_STEP, _STEP), padding=(0, 0), scale=1.05, groupThreshold=0
        )
        places = np.reshape(np.asarray(found, np.float32), (-1, 4))
        corners, sides = places[:, :2] - _RIM, places[:, 2:]
        inside = np.hstack([corners, corners]) + np.hstack([sides, sides]) * _INSIDE
        factors = np.divide((width, height, width, height), size + size)
        return (inside * factors).astype(np.float32), np.asarray(scores, np.float32).ravel()


def _version() -> str:
    for name in ("opencv-python-headless", "opencv-python"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
