"""People without a model: the real detector on real pictures."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("PIL")

from PIL import Image

from tests.integration.recordings import data
from wyoming_units.engines import create_engine
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.opencv_people import OpenCvPeople
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.boxes import iou
from wyoming_units.vision.scene import Pixels

LEFT, RIGHT = (48, 398, 245, 902), (670, 392, 810, 877)
"""Two of the people in front of the bus."""


def picture(name: str) -> Pixels:
    with Image.open(data(f"media/images/{name}")) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def people() -> OpenCvPeople:
    """Return the detector, loaded."""
    engine = create_engine("opencv-people", threads=2)
    assert isinstance(engine, OpenCvPeople)
    engine.load()
    return engine


def test_finds_people_on_the_street_where_they_are(people: OpenCvPeople) -> None:
    objects = people.analyze(picture("bus.jpg"), VisionRequest(min_confidence=0.4)).objects
    boxes = np.array([found.box for found in objects], np.float32)
    assert {found.label for found in objects} == {"person"}
    assert iou(np.array([LEFT, RIGHT], np.float32), boxes).max(1).min() > 0.5
    assert [found.confidence for found in objects] == sorted(
        (found.confidence for found in objects), reverse=True
    )


@pytest.mark.parametrize("name", ["000000000632.jpg", "depth/demo02.jpg"])
def test_sees_nobody_where_there_is_nobody(people: OpenCvPeople, name: str) -> None:
    assert people.analyze(picture(name), VisionRequest()).objects == ()


def test_a_request_limits_what_is_returned(people: OpenCvPeople) -> None:
    image = picture("bus.jpg")
    assert len(people.analyze(image, VisionRequest(min_confidence=0.1)).objects) > 2
    assert len(people.analyze(image, VisionRequest(min_confidence=0.1, max_objects=1)).objects) == 1
    assert people.analyze(image, VisionRequest(labels=("bus",))).objects == ()
    assert people.analyze(image, VisionRequest(labels=("bus", "person"))).objects


def test_boxes_are_those_of_the_picture_at_any_size(people: OpenCvPeople) -> None:
    image = picture("bus.jpg")
    large = np.asarray(Image.fromarray(image).resize((1620, 2160)))
    (one,) = people.analyze(image, VisionRequest(max_objects=1)).objects
    (other,) = people.analyze(large, VisionRequest(max_objects=1)).objects
    boxes = np.array([one.box, other.scaled(0.5, 0.5).box], np.float32)
    assert iou(boxes, boxes)[0, 1] > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 40)])
def test_odd_pictures_are_searched_too(people: OpenCvPeople, shape: tuple[int, int]) -> None:
    scene = people.analyze(np.zeros((*shape, 3), np.uint8), VisionRequest(min_confidence=0))
    assert (scene.height, scene.width) == shape


def test_is_found_out_before_it_is_loaded_and_says_so_afterwards() -> None:
    engine = OpenCvPeople(threads=2)
    (model,) = engine.info.models
    assert (model.name, model.tasks, model.labels) == ("hog", ("detect",), ("person",))
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.analyze(np.zeros((9, 9, 3), np.uint8), VisionRequest())
    assert engine.report == {}
    engine.load()
    assert engine.report == {"provider": "OpenCV", "threads": 2}
    engine.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        engine.analyze(np.zeros((9, 9, 3), np.uint8), VisionRequest())
