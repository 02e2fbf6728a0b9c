"""An engine that finds objects with one network, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._picture_network import PictureEngine, Running
from wyoming_units.engines._vision_network import Network, Told, recognise, recognise_feed
from wyoming_units.engines.base import VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.scene import Pixels, Scene
from wyoming_units.vision.yolo import decode

PARALLEL = 2
"""Calls at the same time: one picture is made ready while the network looks at another."""


class ObjectFinder(PictureEngine):
    """Finds objects with one network."""

    def __init__(
        self, *, model: LocalModel, path: Path, told: Told, start: Callable[[], Running]
    ) -> None:
        """Keep what is said of the network, before it is loaded."""
        super().__init__(model=model, path=path, start=start)
        self._told = told
        self._network: Network | None = None

    def close(self) -> None:
        """Free the network."""
        super().close()
        self._network = None

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the objects in a picture."""
        running, network = self._loaded(), self._network
        if network is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        height, width = image.shape[:2]
        letterbox = fit(width, height, network.feed.size, centred=network.feed.centred)
        outputs = running.run(network.feed.tensor(letterbox.apply(image)))
        objects = decode(
            outputs,
            network.head,
            letterbox,
            labels=request.labels,
            least=request.min_confidence,
            most=request.max_objects,
            agnostic=request.agnostic,
        )
        return Scene(width=width, height=height, objects=objects)

    def _try(self, running: Running) -> None:
        feed = recognise_feed(running.inputs, self._told)
        width, height = feed.size
        outputs = running.run(feed.tensor(np.zeros((height, width, 3), np.uint8)))
        given = [
            Tensor(name=tensor.name, shape=output.shape)
            for tensor, output in zip(running.outputs, outputs, strict=True)
        ]
        self._network = recognise(feed, given, self._told)
