"""Pictures as the module's vision units handle them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .minds import Pixels


def letterboxed(jpeg: bytes, width: int, height: int) -> Pixels:
    """Return a JPEG file fitted into a size, black around it."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        picture = image.convert("RGB")
    scale = min(width / picture.width, height / picture.height)
    inner = (int(picture.width * scale), int(picture.height * scale))
    whole = Image.new("RGB", (width, height))
    # Halves are rounded down, as the way back does.
    whole.paste(picture.resize(inner), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return np.asarray(whole)


def colour_map(nearness: NDArray[np.float32]) -> bytes:
    """Return a JPEG file of distances in the colours of MAGMA."""
    import cv2

    span = float(np.ptp(nearness)) or 1.0
    grey = ((nearness - nearness.min()) / span * 255).astype(np.uint8)
    coloured = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_MAGMA))[..., ::-1]
    file = io.BytesIO()
    Image.fromarray(coloured).save(file, "JPEG", quality=90)
    return file.getvalue()
