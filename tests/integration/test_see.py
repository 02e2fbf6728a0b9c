"""`wyoming-units see` as a user calls it: real processes, a real node, real models and pictures."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wyoming_units.dialog.seeing import Looking, analyze
from wyoming_units.errors import Unsupported
from wyoming_units.wire.client import Client

from .recordings import data
from .squares import Squares, picture, seeing
from .test_cli import lines, run, serving


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that finds objects."""
    unit = f"vision=onnx-vision:{data('vision-yolo/yolo11n_dynquant.onnx')}"
    with serving(tmp_path_factory.mktemp("node"), "--unit", unit) as (_, uri):
        yield uri


@contextmanager
def served(body: bytes, kind: str = "image/jpeg", status: int = 200) -> Iterator[str]:
    """Serve one answer over HTTP on loopback and give its address, with a password in it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://eve:secret@127.0.0.1:{server.server_port}/door.jpg"
        server.shutdown()


def test_a_bus_and_its_passengers_are_found_drawn_and_told_as_json(
    node: str, tmp_path: Path
) -> None:
    bus, out = data("media/images/bus.jpg"), tmp_path / "drawn.jpg"
    done = run("see", bus, "--uri", node, "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    seen, summary = lines(done)
    labels = [each["label"] for each in seen["objects"]]
    assert (seen["type"], seen["file"]) == ("analysis", str(bus))
    assert labels.count("bus") == 1
    assert labels.count("person") >= 3
    assert seen["timings_ms"]["infer"] > 0
    assert (summary["type"], summary["files"], summary["objects"]) == ("summary", 1, len(labels))
    assert summary["timings_ms"]["total"] >= seen["timings_ms"]["total"]
    before, after = (np.asarray(Image.open(path)).astype(int) for path in (bus, out))
    assert before.shape == after.shape
    assert np.abs(before - after).max() > 100


def test_a_person_reads_a_table_of_what_is_asked_for(node: str) -> None:
    done = run("see", data("media/images/bus.jpg"), "--uri", node, "--label", "bus")
    assert done.returncode == 0, done.stderr
    _, titles, row = done.stdout.splitlines()
    assert titles.split() == ["label", "confidence", "box"]
    assert row.split()[0] == "bus"


def test_nothing_is_found_where_nothing_is_certain_enough(node: str) -> None:
    bus = data("media/images/bus.jpg")
    done = run("see", bus, "--uri", node, "--label", "bus", "--min-confidence", "0.999")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "nothing found")


def test_several_pictures_are_drawn_into_a_folder_each_to_its_own_file(
    node: str, tmp_path: Path
) -> None:
    again = tmp_path / "bus.jpg"
    again.write_bytes(picture())
    names = [data("media/images/bus.jpg"), data("media/images/zidane.jpg"), again]
    done = run("see", *names, "--uri", node, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").iterdir()}
    assert sizes == {"bus.jpg": (810, 1080), "zidane.jpg": (1280, 720), "bus-2.jpg": (320, 240)}
    assert [told["file"] for told in lines(done)[:-1]] == [str(name) for name in names]


def test_a_models_file_runs_in_a_node_of_its_own_and_does_what_it_can(tmp_path: Path) -> None:
    model = data("vision-yolo/yolo11n-pose_int8_fixed.onnx")
    done = run("see", data("media/images/bus.jpg"), "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    people = lines(done)[0]["objects"]
    assert len(people) >= 3
    assert all(len(one["keypoints"]) == 17 for one in people)


def test_depth_alone_is_drawn_as_a_map_of_colours(tmp_path: Path) -> None:
    model = data("vision-depth/fastdepth_dav2_signature_518.onnx")
    bus, out = data("media/images/bus.jpg"), tmp_path / "depth.jpg"
    done = run("see", bus, "--task", "depth", "--model", model, "-o", out)
    assert done.returncode == 0, done.stderr
    drawn = np.asarray(Image.open(out)).astype(int)
    assert drawn.shape == (1080, 810, 3)
    assert drawn[-100:].mean() > drawn[:100].mean() + 20  # the street is nearer than the sky


def test_a_picture_at_an_address_is_fetched(node: str) -> None:
    bus = data("media/images/bus.jpg")
    with served(bus.read_bytes()) as url:
        done = run("see", url, "--uri", node, "--json")
    assert done.returncode == 0, done.stderr
    seen = lines(done)[0]
    assert (seen["width"], seen["height"]) == (810, 1080)
    assert "bus" in {each["label"] for each in seen["objects"]}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [(b"gone", "text/plain", 404, 2), (b"<html>hello</html>", "text/html", 200, 1)],
)
def test_an_address_without_a_picture_is_one_line_without_its_password(
    node: str, body: bytes, kind: str, status: int, code: int
) -> None:
    with served(body, kind, status) as url:
        done = run("see", url, "--uri", node)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["missing.jpg"], 1, "cannot read missing.jpg"),
        (["."], 1, "cannot read ."),
        ([__file__], 1, "is no JPEG, PNG or WebP"),
        (["BUS", "--model", "nothing"], 1, "no vision model is called 'nothing'"),
        (["BUS", "--task", "fly"], 2, "fly"),
        (["BUS", "--task", "depth"], 2, "depth alone is a picture: add -o"),
        (["BUS", "--task", "hand"], 1, "no model for hand"),
        (["BUS", "--min-confidence", "7"], 2, "min_confidence"),
        (["BUS", "--model", __file__], 2, "give one of them"),
        (["BUS", "-o", "drawn.txt"], 2, "must end in .jpg"),
        (["BUS", "-o", "/proc/nowhere/drawn.jpg"], 2, "cannot write"),
    ],
)
def test_a_failure_is_one_clear_line(node: str, args: list[str], code: int, message: str) -> None:
    bus = str(data("media/images/bus.jpg"))
    done = run("see", *(bus if arg == "BUS" else arg for arg in args), "--uri", node)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


async def test_a_look_returns_objects_times_and_the_pictures_that_were_wanted() -> None:
    image = picture(("person", 40, 30, 40), ("car", 200, 180, 50))
    async with (
        seeing(Squares(), Squares("depth", ("depth",))) as (_, _, port),
        Client(f"tcp://127.0.0.1:{port}") as client,
    ):
        seen = await analyze(client, image, Looking(labels=("car",)))
        assert [one["label"] for one in seen.objects] == ["car"]
        assert seen.timing["total"] > 0
        assert (seen.annotated, seen.depth) == (None, None)

        seen = await analyze(
            client, image, Looking(tasks=("detect", "depth"), want=("annotated", "depth-map"))
        )
        assert seen.annotated is not None
        assert Image.open(io.BytesIO(seen.annotated)).size == (320, 240)
        assert seen.depth is not None
        assert not seen.depth.metric
        assert seen.depth.values.min() == 0
        assert seen.depth.values.max() == 1
        assert (np.diff(seen.depth.values[:, 0]) >= 0).all()  # the bottom is near

        with pytest.raises(Unsupported):
            await analyze(client, image, Looking(tasks=("pose",)))
        assert (await analyze(client, image, Looking())).width == 320
