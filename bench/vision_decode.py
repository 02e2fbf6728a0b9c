"""Measures what comes after a 640 network: from its outputs to the objects in the picture.

    .venv/bin/python bench/vision_decode.py [--runs N]

Beside it, the usual way: transpose everything, take the best class of every row, cv2.dnn.NMSBoxes, masks of all objects
at the input's size. Outputs are those of real networks for bus.jpg where the test data are (`WYOMING_UNITS_TEST_DATA`,
default `../shared/data`), and crowds: 60 objects of which 12 rows each tell. Times are milliseconds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._vision_network import read_told, recognise, recognise_feed
from wyoming_units.vision.letterbox import Letterbox, fit
from wyoming_units.vision.yolo import decode

DATA = Path(os.environ.get("WYOMING_UNITS_TEST_DATA") or "../shared/data")
SIZE = (810, 1080)
Array = NDArray[np.float32]


def crowd(classes: int, extra: int) -> Array:
    """Return (1, 4 + classes + extra, 8400) of 60 objects that 12 rows each tell of."""
    dice = np.random.default_rng(5)
    rows = np.zeros((8400, 4 + classes + extra), np.float32)
    rows[:, 4 : 4 + classes] = dice.random((8400, classes)) * 0.02
    for place in dice.choice(700, 60, replace=False):
        middle, size = dice.uniform(60, 580, 2), dice.uniform(30, 120, 2)
        some = rows[place * 12 : place * 12 + 12]
        some[:, :4] = np.concatenate([middle, size]) + dice.normal(0, 2, (12, 4))
        some[:, 4 + dice.integers(classes)] = dice.uniform(0.3, 0.9, 12)
        some[:, 4 + classes :] = dice.uniform(-1, 1, (12, extra)) + (
            np.resize([*middle, 1], extra) if extra % 3 == 0 else 0
        )
    return np.ascontiguousarray(rows.T)[None]


def seen(model: str) -> list[Array] | None:
    """Return what a real network gives for bus.jpg, None without the test data."""
    path = DATA / "vision-yolo" / model
    if not path.exists():
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    box = fit(*SIZE, (640, 640))
    picture = box.apply(np.asarray(Image.open(DATA / "media/images/bus.jpg").convert("RGB")))
    given: list[Array] = session.run(
        None, {"images": picture.transpose(2, 0, 1)[None] / np.float32(255)}
    )
    return given


def plainly(outputs: list[Array], classes: int, letterbox: Letterbox) -> list[Any]:
    """Decode as scripts do."""
    rows = outputs[0][0].transpose()
    boxes, scores, names = [], [], []
    best = rows[:, 4 : 4 + classes].max(axis=1)
    number = rows[:, 4 : 4 + classes].argmax(axis=1)
    corners = np.stack(
        [rows[:, 0] - rows[:, 2] / 2, rows[:, 1] - rows[:, 3] / 2, rows[:, 2], rows[:, 3]], 1
    )
    extras = []
    for index in np.flatnonzero(best >= 0.25):
        boxes.append(corners[index].tolist())
        scores.append(float(best[index]))
        names.append(int(number[index]))
        extras.append(rows[index, 4 + classes :])
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, names, 0.25, 0.45) if boxes else ()
    scale = letterbox.width / letterbox.inner[0]
    objects = []
    for index in kept:
        x, y, width, height = boxes[index]
        box = (
            (x - letterbox.left) * scale,
            (y - letterbox.top) * scale,
            width * scale,
            height * scale,
        )
        mask = None
        if len(outputs) > 1:
            planes = outputs[1][0]
            whole = 1 / (1 + np.exp(-(extras[index] @ planes.reshape(len(planes), -1))))
            mask = cv2.resize(whole.reshape(planes.shape[1:]), (640, 640)) > 0.5
        objects.append((names[index], scores[index], box, extras[index].copy(), mask))
    return objects


def timed(call: Callable[[], Any], runs: int) -> str:
    """Return the median and the 95th percentile."""
    for _ in range(10):
        call()
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1e3)
    return f"{np.median(took):7.2f} {np.percentile(took, 95):7.2f}"


def main() -> None:
    """Print a line for each kind of network and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    blobs = np.random.default_rng(7).normal(0, 1, (8, 8, 32)).astype(np.float32)
    planes = np.asarray(cv2.resize(blobs, (160, 160)), np.float32).transpose(2, 0, 1)[None].copy()
    cases: list[tuple[str, int, list[Array] | None]] = [
        ("detect, bus.jpg", 80, seen("yolo11n_dynquant.onnx")),
        ("pose, bus.jpg", 1, seen("yolo11n-pose_int8_fixed.onnx")),
        ("detect, crowd", 80, [crowd(80, 0)]),
        ("segment, crowd", 80, [crowd(80, 32), planes]),
        ("pose, crowd", 1, [crowd(1, 51)]),
    ]
    letterbox = fit(*SIZE, (640, 640))
    told = read_told({}, {})
    feed = recognise_feed([Tensor(name="x", shape=(1, 3, 640, 640), kind="float32")], told)
    print(f"{'':18}{'objects':>8}{'p50':>8}{'p95':>8}   usual way{'p50':>8}{'p95':>8}")
    for name, classes, outputs in cases:
        if outputs is None:
            print(f"{name:18} no test data")
            continue
        head = recognise(feed, [Tensor(name="y", shape=one.shape) for one in outputs], told).head
        here = outputs
        found = decode(here, head, letterbox)
        print(
            f"{name:18}{len(found):8} {timed(lambda: decode(here, head, letterbox), runs)}"  # noqa: B023
            f"            {timed(lambda: plainly(here, classes, letterbox), runs)}"  # noqa: B023
        )


if __name__ == "__main__":
    main()
