"""Networks that estimate how far away everything is, on ONNX Runtime: Depth Anything and what looks like it.

Options: `metric` (it gives metres), `size` (width, height; where the file leaves it open), `bgr`, `mean`, `scale`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor, only_file, read_onnx
from wyoming_units.engines._onnxruntime import Runs, open_session
from wyoming_units.engines.base import Attribution, EngineInfo, Model, VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.feed import Feed, Three
from wyoming_units.vision.scene import DepthMap, Pixels, Scene

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_MAKER = Attribution(name="Microsoft", url="https://onnxruntime.ai")
_SIZE = 518
"""Side of inputs that leave their size open: 37 patches of 14 pixels."""
_MEAN = (123.675, 116.28, 103.53)
_SCALE = (58.395, 57.12, 57.375)
"""Mean and spread of the pictures of ImageNet."""


class OnnxDepth:
    """Estimates distances with one network."""

    def __init__(
        self, *, model: LocalModel, threads: int | None = None, provider: str | None = None
    ) -> None:
        """Find the model's file and read its head; `EngineFailed` where it is none, or is cut off."""
        self._model = model
        self._path = only_file(model.path)
        self._file = read_onnx(self._path)
        self._threads = threads or os.cpu_count() or 1
        self._provider = provider or model.options.get("provider")
        self._runs = Runs()
        self._session: InferenceSession | None = None
        self._feed: Feed | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        model = self._model
        return EngineInfo(
            name="onnx-depth",
            description="Depth networks on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=_MAKER,
            models=(
                Model(
                    name=model.name,
                    languages=(),
                    description=model.description or model.name,
                    attribution=Attribution(
                        name=model.author or _MAKER.name, url=model.upstream or _MAKER.url
                    ),
                    tasks=("depth",),
                ),
            ),
        )

    @property
    def report(self) -> Mapping[str, Any]:
        """Return the provider and the threads in use."""
        if self._session is None:
            return {}
        return {"provider": self._session.get_providers()[0], "threads": self._threads}

    def load(self) -> None:
        """Load the network and run it once; `EngineFailed` where it is of an unknown kind."""
        session = open_session(self._path, threads=self._threads, provider=self._provider)
        try:
            feed = _feed(self._file.inputs, self._model.options)
            width, height = feed.size
            self._run(session, feed, np.zeros((height, width, 3), np.uint8))
        except EngineFailed as err:
            raise EngineFailed(f"{self._path} cannot be used: {err}") from None
        self._session, self._feed = session, feed

    def close(self) -> None:
        """Free the network."""
        self._session = self._feed = None

    def interrupt(self, thread: int) -> None:
        """End the run in a thread."""
        self._runs.end(thread)

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the depth map of a picture, in the network's resolution; nothing of the request matters."""
        session, feed = self._session, self._feed
        if session is None or feed is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        height, width = image.shape[:2]
        values = self._run(session, feed, _stretch(image, feed.size))
        metric = bool(self._model.options.get("metric", False))
        return Scene(width=width, height=height, depth=DepthMap(values=values, metric=metric))

    def _run(self, session: InferenceSession, feed: Feed, picture: Pixels) -> NDArray[np.float32]:
        """Return the map (height, width) of a picture of the input's size."""
        inputs = {self._file.inputs[0].name: feed.tensor(picture)}
        outputs = self._runs.run(session, self._model.name, inputs)
        shapes = [np.shape(output) for output in outputs]
        if len(shapes) != 1 or len(shapes[0]) not in (3, 4) or set(shapes[0][:-2]) != {1}:
            raise EngineFailed(
                f"it gives {', '.join(map(str, shapes))}, not one depth map (1, height, width)"
            )
        return np.asarray(outputs[0], np.float32).reshape(shapes[0][-2:])


def _feed(inputs: Sequence[Tensor], options: Mapping[str, Any]) -> Feed:
    """Return what goes in; `EngineFailed` where that is no picture."""
    shape = inputs[0].shape if len(inputs) == 1 else ()
    last = shape[3:] == (3,)
    if len(shape) != 4 or shape[0] not in (None, 1) or not (last or shape[1] in (None, 3)):
        told = ", ".join(f"{one.name} {one.shape}" for one in inputs)
        raise EngineFailed(f"it takes {told}, not one picture (1, 3, height, width)")
    if not inputs[0].kind:
        raise EngineFailed(f"it takes {inputs[0].name} in numbers that no picture has")
    size = options.get("size", _SIZE)
    width, height = (size, size) if isinstance(size, int) else size
    rows, columns = shape[1:3] if last else shape[2:]
    return Feed(
        size=(columns or width, rows or height),
        channels_last=last,
        kind=inputs[0].kind,
        bgr=bool(options.get("bgr", False)),
        mean=_three(options.get("mean", _MEAN)),
        scale=_three(options.get("scale", _SCALE)),
    )


def _three(values: Sequence[float]) -> Three:
    red, green, blue = values
    return float(red), float(green), float(blue)


def _stretch(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a picture in a size, whatever that does to its proportions, so that the map covers all of it."""
    from PIL import Image

    if (image.shape[1], image.shape[0]) == size:
        return image
    picture = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    return np.asarray(picture)
