"""Pictures in and out: files of three formats to pixels, within bounds, and pixels to files."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wyoming_units.errors import BadImage, TooLarge
from wyoming_units.vision.scene import Pixels

# Of what is checked here, or harmless. Not around each call: threads share the filters.
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = ("JPEG", "PNG", "WEBP")
_MOST = 64_000_000
"""Pixels of a picture that can be opened at a part of its size."""
_MOST_WHOLE = 20_000_000
"""Pixels of one that is opened as a whole: all but baseline JPEG."""
_ENOUGH = 4_000_000
"""Pixels above which a picture is made a half, a quarter or an eighth of its size."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, KeyError)
"""What Pillow raises for files that are damaged."""
_GREY = (114, 114, 114)
_ROTATION = 0x0112
"""EXIF tag: how the camera was held."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each value of it."""
_SIDEWAYS = {turn for value, turn in _UPRIGHT.items() if value > 4}


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An opened picture, upright."""

    pixels: Pixels
    """May be smaller than the picture."""
    width: int
    height: int
    """Of the picture as it was sent."""


def read_picture(data: bytes) -> Picture:
    """Return the picture of a JPEG, PNG or WebP file; `BadImage`, and `TooLarge` before anything is decoded."""
    try:
        return _read(data)
    except UnidentifiedImageError:
        raise BadImage("the image is no JPEG, PNG or WebP") from None
    except Image.DecompressionBombError:
        raise TooLarge(f"the image is over the limit of {_MOST // 1_000_000} megapixels") from None
    except _BROKEN as err:
        raise BadImage(f"the image cannot be decoded: {err}") from None


def _read(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        # libjpeg keeps all coefficients of a progressive picture, at whatever size it is opened.
        partly = image.format in {"JPEG", "MPO"} and not image.info.get("progressive")
        most = _MOST if partly else _MOST_WHOLE
        if width * height > most:
            raise TooLarge(
                f"an image of {width}x{height} is over the limit of {most // 1_000_000} megapixels"
            )
        if not width * height:
            raise BadImage("the image has no pixels")
        turn = _UPRIGHT.get(image.getexif().get(_ROTATION, 1))
        if partly:
            divisor = _divisor(image)
            image.draft(None, (width // divisor, height // divisor))
        image.load()
        small = _rgb(image)
    if turn is not None:
        small = small.transpose(turn)
    if turn in _SIDEWAYS:
        width, height = height, width
    return Picture(pixels=np.asarray(small), width=width, height=height)


def _divisor(image: Image.Image) -> int:
    return next(n for n in (1, 2, 4, 8) if image.width * image.height <= _ENOUGH * n * n)


def _rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any kind in red, green and blue, no larger than `_ENOUGH`."""
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in {"1", "P", "PA"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    # Before all else that copies it.
    if (divisor := _divisor(image)) > 1:
        image = image.reduce(divisor)
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (*_GREY, 255))
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def write_jpeg(pixels: Pixels, quality: int = 85) -> bytes:
    """Return a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def write_png16(values: NDArray[np.uint16]) -> bytes:
    """Return a 16-bit grey PNG file of an array (height, width)."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)
    return file.getvalue()


def read_png16(data: bytes) -> NDArray[np.uint16]:
    """Return what `write_png16` wrote; `BadImage`."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return np.asarray(image, np.uint16)
    except (*_BROKEN, UnidentifiedImageError, Image.DecompressionBombError) as err:
        raise BadImage(f"the depth map cannot be decoded: {err}") from None
