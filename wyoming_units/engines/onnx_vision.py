"""Networks that find objects, on ONNX Runtime: YOLO and what looks like it, YOLOX, NanoDet."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor, only_file, read_onnx
from wyoming_units.engines._onnxruntime import Runs, open_session
from wyoming_units.engines._vision_network import (
    Network,
    read_told,
    recognise,
    recognise_feed,
    tasks,
    told_tasks,
)
from wyoming_units.engines.base import Attribution, EngineInfo, Model, VisionRequest
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.scene import Pixels, Scene
from wyoming_units.vision.yolo import decode

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_MAKER = Attribution(name="Microsoft", url="https://onnxruntime.ai")


class OnnxVision:
    """Finds objects with one network."""

    def __init__(
        self, *, model: LocalModel, threads: int | None = None, provider: str | None = None
    ) -> None:
        """Find the model's file and read its head; `EngineFailed` where it is none, or is cut off."""
        self._model = model
        self._path = only_file(model.path)
        self._file = read_onnx(self._path)
        self._told = read_told(self._file.metadata, model.options)
        self._threads = threads or os.cpu_count() or 1
        self._provider = provider or model.options.get("provider")
        self._runs = Runs()
        # One picture is made ready while the network looks at another.
        self._turn = threading.Lock()
        self._session: InferenceSession | None = None
        self._network: Network | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model, with its tasks and labels as far as its file tells them."""
        model = self._model
        try:
            feed = recognise_feed(self._file.inputs, self._told)
            head = recognise(feed, self._file.outputs, self._told).head
            sees, labels = tasks(head), head.labels
        except EngineFailed:  # `load` knows more, and says what is wrong
            sees, labels = told_tasks(self._told), self._told.labels
        return EngineInfo(
            name="onnx-vision",
            description="Object networks on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=_MAKER,
            parallel=2,
            models=(
                Model(
                    name=model.name,
                    languages=(),
                    description=model.description or model.name,
                    attribution=Attribution(
                        name=model.author or _MAKER.name, url=model.upstream or _MAKER.url
                    ),
                    tasks=sees,
                    labels=labels,
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
            feed = recognise_feed(self._file.inputs, self._told)
            width, height = feed.size
            blank = feed.tensor(np.zeros((height, width, 3), np.uint8))
            outputs = self._run(session, blank)
            given = [
                Tensor(name=tensor.name, shape=output.shape)
                for tensor, output in zip(self._file.outputs, outputs, strict=True)
            ]
            self._network = recognise(feed, given, self._told)
        except EngineFailed as err:
            raise EngineFailed(f"{self._path} cannot be used: {err}") from None
        self._session = session

    def close(self) -> None:
        """Free the network."""
        self._session = self._network = None

    def interrupt(self, thread: int) -> None:
        """End the run in a thread."""
        self._runs.end(thread)

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return the objects in a picture."""
        session, network = self._session, self._network
        if session is None or network is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        height, width = image.shape[:2]
        letterbox = fit(width, height, network.feed.size, centred=network.feed.centred)
        outputs = self._run(session, network.feed.tensor(letterbox.apply(image)))
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

    def _run(self, session: InferenceSession, picture: NDArray[Any]) -> list[NDArray[Any]]:
        with self._turn:
            return self._runs.run(session, self._model.name, {self._file.inputs[0].name: picture})
