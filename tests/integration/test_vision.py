"""`analyze-image` on a real socket: what is asked for, what is answered, what is refused."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .raw import Raw
from .squares import Squares, picture, seeing


async def asked(peer: Raw, image: bytes, **data: Any) -> dict[str, Any]:
    """Return the answer to an `analyze-image`."""
    await peer.event("analyze-image", data, image)
    answer = await peer.frame()
    assert answer is not None
    return answer


def boxes(answer: dict[str, Any]) -> dict[str, list[float]]:
    """Return the boxes of an answer by label."""
    return {each["label"]: each["box"] for each in answer["objects"]}


async def test_objects_are_told_in_pixels_of_the_picture_with_the_time_it_took() -> None:
    async with seeing() as (peer, _, _):
        answer = await asked(peer, picture(("person", 40, 60, 50), ("car", 200, 100, 80)))
        assert (answer["width"], answer["height"]) == (320, 240)
        found = boxes(answer)
        assert found["person"] == pytest.approx([40, 60, 90, 110], abs=2)
        assert found["car"] == pytest.approx([200, 100, 280, 180], abs=2)
        timing = answer["context"]["timing"]
        assert {"open", "infer", "total"} <= timing.keys()
        assert timing["total"] >= timing["infer"]


async def test_a_large_picture_is_told_in_its_own_pixels_though_it_is_opened_smaller() -> None:
    async with seeing() as (peer, _, _):
        image = picture(("person", 1000, 1200, 800), width=4000, height=3000)
        answer = await asked(peer, image)
        assert (answer["width"], answer["height"]) == (4000, 3000)
        assert boxes(answer)["person"] == pytest.approx([1000, 1200, 1800, 2000], abs=20)


async def test_labels_and_number_of_objects_can_be_limited() -> None:
    image = picture(("person", 40, 60, 50), ("car", 200, 100, 80))
    async with seeing() as (peer, _, _):
        assert list(boxes(await asked(peer, image, labels=["car"]))) == ["car"]
        assert list(boxes(await asked(peer, image, labels=["zebra"]))) == []
        assert len(boxes(await asked(peer, image, max_objects=1))) == 1


async def test_depth_tells_how_near_objects_are_and_in_metres_where_it_is_calibrated() -> None:
    image = picture(("person", 40, 30, 40), ("car", 200, 180, 50))
    async with seeing(Squares(), Squares("depth", ("depth",))) as (peer, _, _):
        answer = await asked(peer, image, tasks=["detect", "depth"])
        near = {each["label"]: each["nearness"] for each in answer["objects"]}
        assert near["car"] > near["person"]
        assert not any("distance" in each for each in answer["objects"])
        points = [{"point": [0.5, 1.0], "distance": 2.0}, {"point": [0.5, 0.5], "distance": 4.0}]
        answer = await asked(peer, image, tasks=["detect", "depth"], calibration=points)
        far = {each["label"]: each["distance"] for each in answer["objects"]}
        assert 2 < far["car"] < far["person"]


async def test_pictures_that_are_wanted_come_as_parts_in_their_order() -> None:
    image = picture(("person", 40, 60, 100))
    async with seeing(Squares(), Squares("depth", ("depth",))) as (peer, _, _):
        answer = await asked(
            peer, image, tasks=["detect", "depth"], want=["depth-map", "annotated"]
        )
        payload, parts = peer.payload, {}
        for part in answer["parts"]:
            parts[part["name"]], payload = payload[: part["length"]], payload[part["length"] :]
        assert not payload
        depth = np.asarray(Image.open(io.BytesIO(parts["depth-map"])))
        assert depth.dtype == np.uint16
        assert depth[-1].mean() > depth[0].mean()
        drawn = np.asarray(Image.open(io.BytesIO(parts["annotated"]))).astype(int)
        before = np.asarray(Image.open(io.BytesIO(image))).astype(int)
        assert drawn.shape == before.shape
        assert np.abs(drawn - before).max() > 100


async def test_the_model_that_does_most_of_the_tasks_is_asked_and_no_other() -> None:
    detector, both = Squares("detector"), Squares("both", ("detect", "segment"))
    async with seeing(detector, both) as (peer, _, _):
        await asked(peer, picture(), tasks=["detect", "segment"])
        assert (detector.looks, both.looks) == (0, 1)
        await asked(peer, picture(), tasks=["detect"])
        assert (detector.looks, both.looks) == (1, 1)


async def test_a_named_model_answers_or_it_is_an_error_and_never_another_one() -> None:
    first, second = Squares("first"), Squares("second")
    async with seeing(first, second, Squares("depth", ("depth",))) as (peer, _, _):
        await asked(peer, picture(), model="second")
        assert (first.looks, second.looks) == (0, 1)
        assert (await asked(peer, picture(), model="third"))["code"] == "unknown-model"
        assert (await asked(peer, picture(), model="depth"))["code"] == "unsupported"
        assert (await asked(peer, picture(), tasks=["pose"]))["code"] == "unsupported"
        await peer.event("select-program", {"name": "first-engine"})
        assert (await asked(peer, picture(), model="second"))["code"] == "unknown-model"
        assert (first.looks, second.looks) == (0, 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"tasks": ["fly"]}, "bad-request"),
        ({"tasks": "detect"}, "bad-request"),
        ({"want": ["moon"]}, "bad-request"),
        ({"min_confidence": 2}, "bad-request"),
        ({"min_confidence": "high"}, "bad-request"),
        ({"max_objects": 0}, "bad-request"),
        ({"labels": [1]}, "bad-request"),
        ({"calibration": [{"point": [2, 0], "distance": 1}]}, "bad-request"),
        ({"calibration": [{"point": [0.5, 0.5]}]}, "bad-request"),
        ({"calibration": [{"point": [0.5, 0.5], "distance": 1}] * 3}, "bad-request"),
        ({"parts": [{"name": "image", "mime": "image/jpeg", "length": 5}]}, "bad-request"),
        ({"parts": [{"name": "sound", "mime": "audio/wav", "length": 5}]}, "bad-request"),
    ],
)
async def test_a_request_that_makes_no_sense_is_one_error_and_the_next_is_answered(
    data: dict[str, Any], code: str
) -> None:
    async with seeing() as (peer, _, _):
        assert (await asked(peer, picture(), **data))["code"] == code
        assert (await asked(peer, picture()))["type"] == "image-analysis"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (b"", "bad-request"),
        (b"this is no picture", "bad-image"),
        (picture()[:500], "bad-image"),
        (picture(kind="GIF"), "bad-image"),
    ],
)
async def test_what_is_no_picture_is_one_error_and_the_next_is_answered(
    image: bytes, code: str
) -> None:
    async with seeing() as (peer, _, _):
        assert (await asked(peer, image))["code"] == code
        assert (await asked(peer, picture()))["type"] == "image-analysis"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_the_usual_formats_are_read(kind: str) -> None:
    async with seeing() as (peer, _, _):
        answer = await asked(peer, picture(("car", 100, 100, 60), kind=kind))
        assert boxes(answer)["car"] == pytest.approx([100, 100, 160, 160], abs=3)


async def test_a_picture_of_one_pixel_has_nothing_in_it() -> None:
    async with seeing() as (peer, _, _):
        answer = await asked(peer, picture(width=1, height=1, kind="PNG"))
        assert (answer["width"], answer["height"], answer["objects"]) == (1, 1, [])


async def test_an_analysis_can_be_cancelled_by_its_id() -> None:
    squares = Squares()
    squares.gate.clear()
    async with seeing(squares) as (peer, _, _):
        await peer.event("analyze-image", {"request": {"id": "one"}}, picture())
        await asyncio.sleep(0.05)
        await peer.event("cancel", {"id": "one"})
        squares.gate.set()
        answer = await peer.frame()
        assert answer is not None
        assert (answer["code"], answer["request"]) == ("cancelled", {"id": "one"})
