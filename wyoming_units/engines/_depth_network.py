"""An engine that estimates with one network how far away everything is, whatever runs it.

Options: `metric` (it gives metres), `size` (width, height; where the file leaves it open), `bgr`, `mean`, `scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._picture_network import PictureEngine, Running
from wyoming_units.engines.base import VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.feed import Feed, Three
from wyoming_units.vision.scene import DepthMap, Pixels, Scene

_SIZE = 518
"""Side of inputs that leave their size open: 37 patches of 14 pixels."""
_MEAN = (123.675, 116.28, 103.53)
_SCALE = (58.395, 57.12, 57.375)
"""Mean and spread of the pictures of ImageNet."""


class DepthEstimator(PictureEngine):
    """Estimates distances with one network."""

    def __init__(self, *, model: LocalModel, path: Path, start: Callable[[], Running]) -> None:
        """Keep where the network is and what will load it."""
        super().__init__(model=model, path=path, start=start)
        self._feed: Feed | None = None

    def close(self) -> None:
        """Free the network."""
        super().close()
        self._feed = None

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the depth map of a picture, in the network's resolution; nothing of the request matters."""
        running, feed = self._loaded(), self._feed
        if feed is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        height, width = image.shape[:2]
        values = _depth(running, feed, _stretch(image, feed.size))
        metric = bool(self._model.options.get("metric", False))
        return Scene(width=width, height=height, depth=DepthMap(values=values, metric=metric))

    def _try(self, running: Running) -> None:
        feed = _feed(running.inputs, self._model.options)
        width, height = feed.size
        _depth(running, feed, np.zeros((height, width, 3), np.uint8))
        self._feed = feed


def _depth(running: Running, feed: Feed, picture: Pixels) -> NDArray[np.float32]:
    """Return the map (height, width) of a picture of the input's size."""
    outputs = running.run(feed.tensor(picture))
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
