"""Postures of real people, by a real network."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from PIL import Image

from tests.integration.recordings import data
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.onnx_vision import OnnxVision
from wyoming_units.vision.scene import Found, Pixels

SURE = VisionRequest(min_confidence=0.5)


@pytest.fixture(scope="module")
def eyes() -> OnnxVision:
    path = data("vision-yolo/yolo11n-pose_int8_fixed.onnx")
    engine = OnnxVision(model=LocalModel(name="pose", path=path))
    engine.load()
    return engine


def picture(name: str) -> Pixels:
    with Image.open(data(f"media/images/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def people(eyes: OnnxVision, image: Pixels) -> tuple[Found, ...]:
    return eyes.analyze(image, SURE).objects


def test_people_at_a_bus_stop_stand(eyes: OnnxVision) -> None:
    assert [each.posture for each in people(eyes, picture("bus.jpg"))] == ["standing"] * 3


def test_the_same_people_lie_when_the_picture_is_turned(eyes: OnnxVision) -> None:
    turned = np.ascontiguousarray(np.rot90(picture("bus.jpg")))

    found = people(eyes, turned)

    assert found
    assert {each.posture for each in found} == {"lying"}


def test_upper_bodies_tell_no_posture(eyes: OnnxVision) -> None:
    assert [each.posture for each in people(eyes, picture("zidane.jpg"))] == [None, None]
