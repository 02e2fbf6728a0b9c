"""Networks that see on a module: boxes and depth come back in pixels of the picture, whatever its shape."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from tests.integration.stackflow_script import ScriptedModule
from tests.integration.stackflow_speech import Lab, lab
from tests.stackflow_server import Minds, Seen
from tests.stackflow_server.pictures import colour_map
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.stackflow_depth_anything import StackFlowDepth
from wyoming_units.engines.stackflow_yolo import StackFlowYolo
from wyoming_units.errors import Cancelled, EngineFailed, TimedOut
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.vision.scene import Pixels

ALL = VisionRequest()
SHAPES = [(640, 480), (480, 640), (1280, 720), (320, 320), (101, 77), (64, 480)]
"""Widths and heights."""


@pytest.fixture(autouse=True)
def no_module_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was learnt of a module of another test that had the same port."""
    monkeypatch.setattr("wyoming_units.stackflow.module._MODULES", {})


@contextmanager
def engine(kind: str, mode: str, version: str = "1.6", **minds: Any) -> Iterator[tuple[Lab, Any]]:
    """Run a module and an engine that has loaded."""
    with lab(version, minds=Minds(**minds)) as module:
        made = module.engine(kind, mode)
        made.load()
        try:
            yield module, made
        finally:
            made.close()


def scene(width: int, height: int, *boxes: tuple[int, int, int, int]) -> Pixels:
    """Return a dark picture with red boxes, in percent of its size."""
    picture = np.full((height, width, 3), 20, np.uint8)
    for left, top, right, bottom in boxes:
        rows = slice(top * height // 100, bottom * height // 100)
        picture[rows, left * width // 100 : right * width // 100] = (230, 10, 10)
    return picture


# -- objects


@pytest.mark.parametrize("version", ["1.3", "1.5", "1.6", "main", "dev"])
@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_a_box_lies_where_the_thing_is(version: str, width: int, height: int) -> None:
    with engine("stackflow-yolo", "yolo11n", version) as (_, yolo):
        seen = yolo.analyze(scene(width, height, (30, 20, 70, 60)), ALL)
        assert (seen.width, seen.height) == (width, height)
        [found] = seen.objects
        assert found.label == "person"
        assert 0.9 < found.confidence <= 1
        wanted = np.multiply((0.3, 0.2, 0.7, 0.6), (width, height, width, height))
        pixel = max(width, height) / 320
        np.testing.assert_allclose(found.box, wanted, atol=2 * pixel + 1)


@pytest.mark.parametrize(("version", "form"), [("1.5", "yolo.box"), ("1.6", "yolo.boxV2")])
def test_the_module_is_asked_for_what_its_release_can_tell(version: str, form: str) -> None:
    with engine("stackflow-yolo", "yolo11n", version) as (module, _):
        [setup] = [each for each in module.server.requests if each.action == "setup"]
        assert f'"{form}"' in setup.data


@pytest.mark.parametrize("version", ["1.3", "1.4", "1.6"])
def test_a_picture_travels_small_and_raw_where_the_module_takes_that(version: str) -> None:
    with engine("stackflow-yolo", "yolo11n", version) as (module, yolo):
        yolo.analyze(np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8), ALL)
        [sent] = [each for each in module.server.requests if each.action == "inference"]
        assert sent.text.startswith('{"RAW":') is (version == "1.6")
        assert len(sent.data) < 120_000


@pytest.mark.parametrize("version", ["1.5", "1.6"])
def test_nothing_seen_is_no_object(version: str) -> None:
    with engine("stackflow-yolo", "yolo11n", version) as (_, yolo):
        assert yolo.analyze(scene(640, 480), ALL).objects == ()


def crowd(picture: Pixels) -> list[Seen]:
    labels = ("cat", "person", "dog", "person", "cat")
    sure = (0.3, 0.9, 0.6, 0.15, 0.8)
    return [
        Seen(label=label, confidence=value, box=(10.0 * n, 100.0, 10.0 * n + 20, 150.0))
        for n, (label, value) in enumerate(zip(labels, sure, strict=True))
    ]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (ALL, [0.9, 0.8, 0.6, 0.3]),
        (VisionRequest(min_confidence=0.12), [0.9, 0.8, 0.6, 0.3, 0.15]),
        (VisionRequest(min_confidence=0.7), [0.9, 0.8]),
        (VisionRequest(labels=("cat",)), [0.8, 0.3]),
        (VisionRequest(labels=("unicorn",)), []),
        (VisionRequest(max_objects=2), [0.9, 0.8]),
    ],
)
@pytest.mark.parametrize("version", ["1.5", "1.6"])
def test_a_request_bounds_what_is_told(
    version: str, request_: VisionRequest, wanted: list[float]
) -> None:
    with engine("stackflow-yolo", "yolo11n", version, see=crowd) as (_, yolo):
        seen = yolo.analyze(scene(640, 480), request_)
        assert [each.confidence for each in seen.objects] == pytest.approx(wanted)


def test_a_network_tells_what_it_looks_for() -> None:
    kinds = {
        "yolo11n": ("detect", 80),
        "yolo11n-seg": ("detect", 80),
        "yolo11n-pose-npu1": ("pose", 1),
        "yolo11n-hand-pose": ("hand", 1),
    }
    with lab("1.6") as module:
        for mode, (task, labels) in kinds.items():
            [model] = module.engine("stackflow-yolo", mode).info.models
            assert (model.tasks, len(model.labels)) == ((task,), labels)
        assert not [each for each in module.server.requests if each.action == "setup"]


@pytest.mark.parametrize("version", ["1.5", "1.6"])
@pytest.mark.parametrize(
    ("mode", "label", "count"), [("yolo11n-pose", "person", 17), ("yolo11n-hand-pose", "hand", 21)]
)
def test_joints_lie_where_they_are(version: str, mode: str, label: str, count: int) -> None:
    points = tuple((40.0 + 10 * n, 70.0 + 8 * n, 0.5) for n in range(count))

    def see(picture: Pixels) -> list[Seen]:
        return [Seen(label=label, confidence=0.9, box=(30.0, 60.0, 300.0, 255.0), points=points)]

    with engine("stackflow-yolo", mode, version, see=see) as (_, yolo):
        [found] = yolo.analyze(scene(640, 360), ALL).objects
    # A picture of 640x360 is 320x180 in the network's input, with 70 rows above it.
    wanted = [(2 * x, 2 * (y - 70), sure) for x, y, sure in points]
    np.testing.assert_allclose(found.keypoints, wanted, atol=0.05)
    assert found.box == pytest.approx((60, 0, 600, 360))


def test_outlines_that_cannot_be_drawn_do_not_hide_the_boxes() -> None:
    with engine("stackflow-yolo", "yolo11n-seg") as (_, yolo):
        [found] = yolo.analyze(scene(640, 480, (30, 20, 70, 60)), ALL).objects
        assert found.mask is None


# -- depth


@pytest.mark.parametrize("version", ["1.4", "1.6", "dev"])
@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_a_depth_map_covers_the_picture_and_near_is_large(
    version: str, width: int, height: int
) -> None:
    across = np.linspace(0, 255, width)
    picture = np.repeat(np.tile(across, (height, 1))[..., None], 3, axis=2).astype(np.uint8)
    with engine("stackflow-depth", "depth-anything-ax630c", version) as (_, depth):
        seen = depth.analyze(picture, ALL)
    values = seen.depth.values
    rows, columns = values.shape
    assert not seen.depth.metric
    assert (seen.width, seen.height) == (width, height)
    assert (columns, rows) == (384, 256)
    expected = np.tile((np.arange(columns) + 0.5) / columns, (rows, 1))
    assert np.abs(values - expected).mean() < 0.02
    assert values.dtype == np.float32
    assert 0 <= values.min() <= values.max() <= 1


def test_steps_of_depth_stay_sharp() -> None:
    picture = np.zeros((256, 384, 3), np.uint8)
    picture[:, 192:] = 255
    picture[:64] = 128
    with engine("stackflow-depth", "depth-anything-ax630c") as (_, depth):
        values = depth.analyze(picture, ALL).depth.values
    for part, wanted in ((values[80:, :184], 0.0), (values[80:, 200:], 1.0), (values[:56], 0.5)):
        assert np.abs(part - wanted).max() < 0.04


# -- what no module that we know sends, but one may


@contextmanager
def answering(made: type[StackFlowYolo | StackFlowDepth], mode: Mode, data: Any) -> Iterator[Any]:
    """Have an engine whose module gives one answer to every picture, and does not tell its release."""
    module = ScriptedModule()
    module.handlers["inference"] = lambda request: request.answer(data)
    engine = made(mode=mode, module=ModuleAt(address=module.address))
    try:
        engine.load()
        yield engine
    finally:
        engine.close()
        module.down()


TURNED = Mode(name="ships-obb", unit="yolo", parameters={"model_type": "obb", "cls_name": ["ship"]})
PLAIN = Mode(name="mine", unit="yolo")
MAP = Mode(name="depth", unit="depth_anything")


def test_a_turned_box_is_told_by_the_upright_one_around_it() -> None:
    ship = {"class": "ship", "confidence": 0.9, "bbox": [100, 150, 80, 20], "angle": np.pi / 2}
    with answering(StackFlowYolo, TURNED, [ship]) as yolo:
        assert yolo.info.models[0].tasks == ("oriented",)
        [found] = yolo.analyze(scene(320, 320), ALL).objects
    assert found.angle == pytest.approx(np.pi / 2)
    assert found.box == pytest.approx((130, 120, 150, 200), abs=0.01)


@pytest.mark.parametrize("data", [[], "", "None", "[]", None])
def test_nothing_may_be_told_in_several_ways(data: Any) -> None:
    with answering(StackFlowYolo, PLAIN, data) as yolo:
        assert yolo.analyze(scene(64, 48), ALL).objects == ()


@pytest.mark.parametrize(
    "data",
    [
        "boxes",
        7,
        [7],
        [{"class": "cat"}],
        [{"class": "cat", "confidence": "?", "bbox": [1, 2, 3, 4]}],
    ]
    + [[{"class": "cat", "confidence": 1, "bbox": box}] for box in ([1, 2], ["a"] * 4, None)],
)
def test_what_makes_no_sense_is_the_engines_failure(data: Any) -> None:
    with (
        answering(StackFlowYolo, PLAIN, data) as yolo,
        pytest.raises(EngineFailed, match=r"^the module tells of no object"),
    ):
        yolo.analyze(scene(64, 48), ALL)


@pytest.mark.parametrize("data", ["", "%%%", "AAAA", 7, {}, {"delta": "AAAA"}])
def test_a_depth_map_that_is_none_is_the_engines_failure(data: Any) -> None:
    with (
        answering(StackFlowDepth, MAP, data) as depth,
        pytest.raises(EngineFailed, match=r"^the module sends no depth map"),
    ):
        depth.analyze(scene(64, 48), ALL)


def test_a_depth_map_may_come_as_a_stream_and_in_another_size() -> None:
    jpeg = b64encode(colour_map(np.tile(np.arange(192, dtype=np.float32), (128, 1)))).decode()
    told = {"index": 0, "delta": jpeg, "finish": True}
    with answering(StackFlowDepth, MAP, told) as depth:
        values = depth.analyze(scene(300, 100), ALL).depth.values
    assert values.shape == (128, 192)
    assert np.abs(values - np.arange(192) / 191).mean() < 0.02


# -- both


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("stackflow-yolo", "yolo11n"), ("stackflow-depth", "depth-anything-ax630c")],
)
class TestBoth:
    """What fails, ends and comes back alike."""

    def test_an_interrupted_picture_ends_at_once_and_the_next_is_seen(
        self, kind: str, mode: str
    ) -> None:
        with engine(kind, mode) as (module, made), ThreadPoolExecutor(1) as pool:
            thread = pool.submit(threading.get_ident).result()
            module.server.faults.slow(0.5)
            call = pool.submit(made.analyze, scene(640, 480), ALL)
            assert module.server.asked("inference")
            began = time.monotonic()
            made.interrupt(thread)
            with pytest.raises(Cancelled):
                call.result()
            assert time.monotonic() - began < 0.3  # it would have taken 0.5
            module.server.faults.slow(0)
            assert pool.submit(made.analyze, scene(64, 48), ALL).result().width == 64

    def test_a_restarted_module_is_set_up_again(self, kind: str, mode: str) -> None:
        with engine(kind, mode) as (module, made):
            module.server.faults.restart(0.1).result()
            assert made.analyze(scene(64, 48), ALL).width == 64

    def test_a_silent_module_fails_in_time(
        self, kind: str, mode: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with engine(kind, mode) as (module, made):
            monkeypatch.setattr(f"{type(made).__module__}._SECONDS", 0.2)
            module.server.faults.silent = True
            with pytest.raises(TimedOut):
                made.analyze(scene(64, 48), ALL)

    def test_an_error_is_told_and_passes(self, kind: str, mode: str) -> None:
        with engine(kind, mode) as (module, made):
            module.server.faults.error(-11, module.server.asked("setup")[0].unit)
            with pytest.raises(EngineFailed):
                made.analyze(scene(64, 48), ALL)
            assert made.analyze(scene(64, 48), ALL).width == 64
