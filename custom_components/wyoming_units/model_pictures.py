"""Makes pictures small enough for language models to read in time."""

from io import BytesIO
from pathlib import Path
from typing import Final

from homeassistant.exceptions import ServiceValidationError
from PIL import Image, ImageOps, UnidentifiedImageError

from .const import DOMAIN
from .pictures import LARGEST, Picture

SIDE: Final = 1024
"""Most pixels of a side; models look at no more of them, but take longer."""


def small(source: str, picture: Picture) -> Picture:
    """Return a picture of at most 1024 pixels a side; `ServiceValidationError` where it is none.

    Blocks while it computes. What is small enough, and upright already, stays byte for byte.
    """
    try:
        with Image.open(BytesIO(picture.content)) as opened:
            upright = opened.getexif().get(0x0112, 1) == 1
            if max(opened.size) <= SIDE and upright:
                opened.load()
                return picture
            opened.draft("RGB", (SIDE, SIDE))
            shown = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_a_picture",
            translation_placeholders={"source": source},
        ) from err
    shown.thumbnail((SIDE, SIDE))
    written = BytesIO()
    shown.save(written, "JPEG", quality=85)
    return Picture(content=written.getvalue(), mime="image/jpeg")


def read_small(path: Path, mime: str) -> Picture:
    """Return the picture in a file, small; raises as `small` does. Blocks."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST)  # never more than is refused
    except OSError as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="file_failed",
            translation_placeholders={"path": str(path), "error": err.strerror or str(err)},
        ) from err
    return small(path.name, Picture.of(path.name, content, mime))
