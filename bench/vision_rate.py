"""Measures pictures per second: a node over a real socket, the model alone, and the script people write.

`.venv/bin/python bench/vision_rate.py MODEL.onnx PICTURE.jpg [--threads N] [--seconds S] [--rounds N]`

The model must be a YOLO v8 or 11 detection model. All take turns, round by round, with the same number of threads;
prints the median rate of each, and ratios of the same round. *Alone* is `session.run` on one ready tensor. *Script* is
OpenCV and ONNX Runtime as tutorials have it: decode the JPEG, letterbox, run, transpose, `cv2.dnn.NMSBoxes`. *Node* is
a process of its own that is sent the JPEG with `analyze-image`: one client that waits for each answer, and two.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import numpy as np
import onnxruntime
from wyoming.event import Event

from wyoming_units.wire.client import Client

_SIZE = 640
_LEAST = 0.25


def session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """Return a session as the node's engine opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])


def script(run: onnxruntime.InferenceSession, jpeg: bytes) -> int:
    """Detect as tutorials do; return how many objects there are."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1)
    assert image is not None
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    scale = _SIZE / max(height, width)
    small = cv2.resize(image, (round(width * scale), round(height * scale)))
    square = np.full((_SIZE, _SIZE, 3), 114, np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    tensor = square.astype(np.float32).transpose(2, 0, 1)[None] / 255
    rows = run.run(None, {run.get_inputs()[0].name: tensor})[0][0].T
    boxes, scores, classes = [], [], []
    for row in rows:
        best = int(row[4:].argmax())
        if row[4 + best] >= _LEAST:
            x, y, w, h = row[:4] / scale
            boxes.append([x - w / 2, y - h / 2, w, h])
            scores.append(float(row[4 + best]))
            classes.append(best)
    return len(cv2.dnn.NMSBoxesBatched(boxes, scores, classes, _LEAST, 0.45)) if boxes else 0


def rate(work: Callable[[], object], seconds: float) -> float:
    """Return how often a second `work` can be done."""
    began, count = perf_counter(), 0
    while (spent := perf_counter() - began) < seconds:
        work()
        count += 1
    return count / spent


async def asked(uri: str, jpeg: bytes, seconds: float, clients: int) -> float:
    """Return how many pictures a second a node analyses for clients that each wait for the answer."""
    until = perf_counter() + seconds

    async def ask() -> int:
        count = 0
        async with Client(uri) as client:
            while perf_counter() < until:
                await client.send(
                    Event(type="analyze-image", data={"tasks": ["detect"]}, payload=jpeg)
                )
                while (await client.receive()).type != "image-analysis":
                    pass
                count += 1
        return count

    began = perf_counter()
    counts = await asyncio.gather(*(ask() for _ in range(clients)))
    return sum(counts) / (perf_counter() - began)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    jpeg = given.picture.read_bytes()
    run = session(given.model, given.threads)
    tensor = np.zeros((1, 3, _SIZE, _SIZE), np.float32)
    name = run.get_inputs()[0].name
    rounds: list[dict[str, float]] = []
    with TemporaryDirectory() as folder:
        settings = Path(folder) / "node.yaml"
        settings.write_text(f"engines: {{onnx-vision: {{threads: {given.threads}}}}}\n")
        node = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_units", "serve", "--port", "0", "--config", settings),
            *("--host", "127.0.0.1", "--data-dir", folder, "--advertise", "none"),
            *("--unit", f"vision=onnx-vision:{given.model.resolve()}"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert node.stdout
        try:
            line = (await node.stdout.readline()).decode()
            uri = "tcp://127.0.0.1:" + re.findall(r":(\d+)", line)[-1]
            for warm_up in (True, *[False] * given.rounds):
                measured = {
                    "alone": rate(lambda: run.run(None, {name: tensor}), given.seconds),
                    "node, 1 client": await asked(uri, jpeg, given.seconds, 1),
                    "node, 2 clients": await asked(uri, jpeg, given.seconds, 2),
                    "script": rate(lambda: script(run, jpeg), given.seconds),
                }
                if not warm_up:
                    rounds.append(measured)
        finally:
            node.terminate()
            await node.wait()
    print(
        f"{given.model.name}, {given.picture.name}, {given.threads} threads, {given.rounds} rounds"
    )
    for what in rounds[0]:
        rates = [each[what] for each in rounds]
        ratios = [each[what] / each["alone"] for each in rounds]
        print(
            f"{what:16} {statistics.median(rates):6.2f} a second   "
            f"{statistics.median(ratios):.3f} of alone ({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    asyncio.run(main())
