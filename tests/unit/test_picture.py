"""Pictures in and out: what files of three formats hold, within bounds, and one clear error for all others."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from wyoming_units.errors import BadImage, TooLarge
from wyoming_units.vision.picture import read_picture, read_png16, write_jpeg, write_png16


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Return a picture: its left half red, its right half blue, a green bar at the top, noise at the bottom."""
    image = Image.new("RGB", (width, height), (200, 0, 0))
    image.paste((0, 0, 200), (width // 2, 0, width, height))
    image.paste((0, 200, 0), (0, 0, width, height // 4))
    noise = np.random.default_rng(1).integers(0, 256, (height // 4, width, 3), np.uint8)
    image.paste(Image.fromarray(noise), (0, height - height // 4))
    return image


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """Return a PNG file of a size that it declares, with the rows that it really has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


FILES = {
    "jpeg": file_of(scene(), "JPEG", quality=95),
    "progressive": file_of(scene(), "JPEG", quality=95, progressive=True),
    "png": file_of(scene(), "PNG"),
    "webp": file_of(scene(), "WEBP", quality=95),
    "lossless webp": file_of(scene(), "WEBP", lossless=True),
}


@pytest.mark.parametrize("name", FILES)
def test_the_usual_files_are_read(name: str) -> None:
    picture = read_picture(FILES[name])
    assert (picture.width, picture.height) == (64, 48)
    assert picture.pixels.shape == (48, 64, 3)
    assert picture.pixels.dtype == np.uint8
    off = np.abs(picture.pixels.astype(int) - np.asarray(scene(), int))
    assert np.median(off) <= 4


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was_held(turn: int) -> None:
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[turn]
    stored = scene() if undo is None else scene().transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = read_picture(file_of(stored, "PNG", exif=exif))
    assert (picture.width, picture.height) == (64, 48)
    assert np.array_equal(picture.pixels, np.asarray(scene()))


@pytest.mark.parametrize("turn", [1, 6])
def test_a_large_jpeg_is_opened_smaller_and_tells_its_own_upright_size(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.new("RGB", (4000, 3000), (200, 0, 0))
    picture = read_picture(file_of(image, "JPEG", exif=exif))
    size = (4000, 3000) if turn == 1 else (3000, 4000)
    assert (picture.width, picture.height) == size
    assert picture.pixels.shape == (size[1] // 2, size[0] // 2, 3)


def test_the_two_pictures_of_one_phone_photo_are_opened_smaller_too() -> None:
    image = Image.new("RGB", (6000, 4000))
    data = file_of(image, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    picture = read_picture(data)
    assert (picture.width, picture.height) == (6000, 4000)
    assert picture.pixels.shape == (1000, 1500, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    if mode == "I;16":
        grey = np.full((48, 64), 200 << 8, np.uint16)
        image = Image.fromarray(grey)
    else:
        image = Image.new("RGB", (64, 48), (255, 255, 255)).convert(mode.replace("PA", "P"))
    picture = read_picture(file_of(image, "PNG"))
    assert picture.pixels.shape == (48, 64, 3)
    assert picture.pixels.min() == picture.pixels.max() == (200 if mode == "I;16" else 255)


def test_the_four_inks_of_a_printed_picture_become_rgb() -> None:
    picture = read_picture(file_of(Image.new("CMYK", (64, 48), (0, 0, 0, 0)), "JPEG"))
    assert picture.pixels.shape == (48, 64, 3)
    assert picture.pixels.min() > 250


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_grey(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (255, 255, 255, 0)).convert(mode)
    options = {"transparency": image.getpixel((0, 0))} if mode == "P" else {}
    assert (read_picture(file_of(image, "PNG", **options)).pixels == 114).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_a_moving_picture_the_first_one_is_seen(kind: str) -> None:
    more = [Image.new("RGB", (64, 48), (0, 0, 0))]
    data = file_of(scene(), kind, save_all=True, append_images=more, lossless=True)
    assert np.array_equal(read_picture(data).pixels, np.asarray(scene()))


def test_a_picture_may_have_one_pixel() -> None:
    picture = read_picture(file_of(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))
    assert picture.pixels.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("tenth", range(10))
def test_a_file_that_is_cut_off_is_refused(name: str, tenth: int) -> None:
    data = FILES[name]
    with pytest.raises(BadImage):
        read_picture(data[: len(data) * tenth // 10])


@pytest.mark.parametrize(
    "data",
    [
        b"this is a text that somebody called picture.jpg",
        file_of(scene(), "GIF"),
        file_of(scene(), "BMP"),
        file_of(scene(), "TIFF"),
        b"\xff\xd8\xff\xd9",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png(0, 0),
        png(0, 5),
    ],
    ids=["text", "gif", "bmp", "tiff", "empty jpeg", "svg", "png 0x0", "png 0x5"],
)
def test_what_is_no_picture_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(BadImage) as told:
        read_picture(data)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [
        png(30_000, 30_000),
        png(12_000, 12_000),
        png(8_000, 5_000),
        file_of(Image.new("L", (8_000, 5_000)), "JPEG", progressive=True),
        file_of(Image.new("L", (9_000, 8_000)), "JPEG"),
    ],
    ids=["900 MP", "144 MP", "40 MP PNG", "40 MP progressive", "72 MP JPEG"],
)
def test_too_many_pixels_are_refused_before_they_are_decoded(data: bytes) -> None:
    with pytest.raises(TooLarge, match=r"over the limit of \d+ megapixels"):
        read_picture(data)


MEASURE = """
import re, sys
from wyoming_units.errors import UnitError
from wyoming_units.vision.picture import read_picture
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
read_picture(open(sys.argv[1], "rb").read())
before = peak()
try:
    read_picture(open(sys.argv[2], "rb").read())
except UnitError:
    pass
print(peak() - before)
"""  # not ru_maxrss, which begins with what the parent had


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("large", "most"),
    [
        (
            lambda: file_of(
                Image.effect_noise((8_000, 5_000), 60).convert("RGB"), "JPEG", quality=20
            ),
            64,
        ),
        (lambda: file_of(Image.new("RGB", (5_000, 4_000)), "PNG"), 128),
        (lambda: png(8_000, 5_000, bytes(5_000 * 24_001)), 8),
        (lambda: file_of(Image.new("L", (8_000, 5_000)), "JPEG", progressive=True), 8),
        (lambda: png(12_000, 12_000), 8),
    ],
    ids=["40 MP JPEG", "20 MP PNG", "40 MP of zeros", "40 MP progressive", "144 MP not there"],
)
def test_a_huge_picture_takes_little_memory(
    tmp_path: Path, large: Callable[[], bytes], most: int
) -> None:
    small, huge = tmp_path / "small", tmp_path / "huge"
    small.write_bytes(FILES["jpeg"])
    huge.write_bytes(large())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, small, huge],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not done.stderr  # nothing to warn of
    assert int(done.stdout) / 1024 < most


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(FILES)), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)))
)
def test_a_damaged_file_is_a_picture_or_one_error(
    name: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(FILES[name])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        picture = read_picture(bytes(data))
    except (BadImage, TooLarge):
        return
    assert picture.pixels.ndim == 3


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"]), st.binary())
def test_random_bytes_are_refused(head: bytes, rest: bytes) -> None:
    with pytest.raises((BadImage, TooLarge)):
        read_picture(head + rest)


def test_pictures_can_be_opened_in_many_threads() -> None:
    done: list[int] = []

    def read() -> None:
        for _ in range(20):
            for data in FILES.values():
                assert read_picture(data).pixels.shape == (48, 64, 3)
            with pytest.raises(BadImage):
                read_picture(b"no picture")
        done.append(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(threads)


def test_a_written_jpeg_is_what_was_written() -> None:
    pixels = np.asarray(scene())
    again = read_picture(write_jpeg(pixels)).pixels.astype(int)
    assert np.median(np.abs(again - pixels)) <= 4
    assert len(write_jpeg(pixels, quality=20)) < len(write_jpeg(pixels, quality=95))


@given(st.integers(1, 20), st.integers(1, 20))
def test_sixteen_bits_are_written_and_read_without_loss(width: int, height: int) -> None:
    values = np.frombuffer(os.urandom(2 * width * height), np.uint16).reshape(height, width)
    again = read_png16(write_png16(values))
    assert again.dtype == np.uint16
    assert np.array_equal(again, values)


@pytest.mark.parametrize(
    "data", [b"", b"text", FILES["jpeg"], write_png16(np.ones((9, 9), np.uint16))[:50]]
)
def test_what_is_no_depth_map_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        read_png16(data)
