"""Pictures in and out: files of three formats to pixels, within bounds, and pixels to files."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from wyoming_units.errors import BadImage, TooLarge
from wyoming_units.vision.scene import Pixels

FORMATS = ("JPEG", "PNG", "WEBP")
_MOST = 64_000_000
"""Pixels of a picture that can be opened at a part of its size."""
_MOST_WHOLE = 20_000_000
"""Pixels of one that is opened as a whole: all but baseline JPEG."""
_ENOUGH = 4_000_000
"""Pixels above which a JPEG is opened at a half, a quarter or an eighth of its size."""
_GREY = (114, 114, 114)
_ROTATION = 0x0112
"""EXIF tag: how the camera was held."""


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is checked here, or harmless
            return _read(data)
    except UnidentifiedImageError:
        raise BadImage("the image is no JPEG, PNG or WebP") from None
    except Image.DecompressionBombError as error:
        raise TooLarge(str(error)) from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, KeyError) as err:
        raise BadImage(f"the image cannot be decoded: {err}") from None


def _read(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        # libjpeg keeps all coefficients of a progressive picture, at whatever size it is opened.
        partly = image.format == "JPEG" and not image.info.get("progressive")
        most = _MOST if partly else _MOST_WHOLE
        if width * height > most:
            raise TooLarge(
                f"an image of {width}x{height} is over the limit of {most // 1_000_000} megapixels"
            )
        turned = image.getexif().get(_ROTATION, 1) in range(5, 9)
        if partly:
            divisor = next(n for n in (1, 2, 4, 8) if width * height <= _ENOUGH * n * n)
            image.draft(None, (width // divisor, height // divisor))
        image.load()
        pixels = np.asarray(_rgb(ImageOps.exif_transpose(image)))
    if turned:
        width, height = height, width
    return Picture(pixels=pixels, width=width, height=height)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
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
