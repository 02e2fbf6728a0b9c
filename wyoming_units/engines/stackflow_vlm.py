"""Language models that see pictures, of StackFlow's `vlm`."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import ClassVar

from wyoming_units.engines._stackflow_chat import StackFlowModel
from wyoming_units.engines._stackflow_pictures import write_fitting
from wyoming_units.errors import BadImage
from wyoming_units.stackflow.task import Talk
from wyoming_units.vision.picture import read_picture

_SIDE = 512
"""Pixels: no model looks at more."""


class StackFlowVisionChat(StackFlowModel):
    """Answers sentences about pictures with one model; pictures of earlier sentences are not shown again."""

    name: ClassVar[str] = "stackflow-vlm"
    sees: ClassVar[bool] = True

    def _opened(self, pictures: Sequence[str]) -> Sequence[bytes]:
        return tuple(_jpeg(url) for url in pictures)

    def _show(self, talk: Talk, pictures: Sequence[bytes]) -> None:
        for picture in pictures:  # nothing is answered before the sentence has come
            talk.send_bytes("vlm.jpeg.base64", picture)


def _jpeg(url: str) -> bytes:
    """Return the picture of a data URL as a small JPEG file; `BadImage`."""
    try:
        data = b64decode(url.partition(",")[2], validate=True)
    except binascii.Error as err:
        raise BadImage(f"the image is no base64: {err}") from None
    pixels = read_picture(data).pixels
    height, width = pixels.shape[:2]
    side = min(max(width, height), _SIDE)
    return write_fitting(pixels, (side, side))[0]
