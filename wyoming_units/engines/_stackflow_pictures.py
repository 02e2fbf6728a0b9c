"""Pictures on their way to a module, which would scale them too, but has to be sent and to decode more then."""

from __future__ import annotations

import io

from PIL import Image

from wyoming_units.vision.letterbox import Letterbox, fit
from wyoming_units.vision.scene import Pixels

_QUALITY = 90


def write_fitting(image: Pixels, size: tuple[int, int]) -> tuple[bytes, Letterbox]:
    """Return a picture as a JPEG file that just fits into a size (width, height), and where it lies in there.

    The module puts it in the middle, with black around it.
    """
    height, width = image.shape[:2]
    letterbox = fit(width, height, size)
    return write_stretched(image, letterbox.inner), letterbox


def write_stretched(image: Pixels, size: tuple[int, int]) -> bytes:
    """Return a picture as a JPEG file of a size (width, height), whatever that does to its proportions."""
    picture = Image.fromarray(image)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
