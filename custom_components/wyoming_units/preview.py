"""Shows, in the flow of a camera, what it sees with the zones drawn in."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final
from zlib import crc32

from aiohttp import web
from homeassistant.components.camera import async_get_image
from homeassistant.components.http import KEY_HASS, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from .const import DOMAIN

PREVIEWS: Final[HassKey[dict[str, bytes]]] = HassKey(f"{DOMAIN}_previews")
"""The picture of each flow that is open."""
SHOWN_FOR: Final = timedelta(minutes=30)
SIZE: Final = (960, 540)
GRID: Final = 10
"""Lines in either direction, a tenth of the picture apart."""
COLOURS: Final = ("#ffcc00", "#00c8ff", "#ff5078", "#78e650", "#c88cff", "#ff8c28")


class PreviewView(HomeAssistantView):
    """Gives the frontend the picture of a flow; the path is signed."""

    url = f"/api/{DOMAIN}/preview/{{flow_id}}/{{version}}"
    name = f"api:{DOMAIN}:preview"

    async def get(self, request: web.Request, flow_id: str, version: str) -> web.Response:
        """Return the picture; its version keeps browsers from showing an older one."""
        picture = request.app[KEY_HASS].data[PREVIEWS].get(flow_id)
        if picture is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(body=picture, content_type="image/jpeg")


@callback
def async_setup_previews(hass: HomeAssistant) -> None:
    """Let flows show pictures."""
    hass.data[PREVIEWS] = {}
    hass.http.register_view(PreviewView())


async def async_preview(
    hass: HomeAssistant, flow_id: str, camera: str, zones: Sequence[Mapping[str, Any]]
) -> str:
    """Return the markdown that shows what a camera sees, empty while it shows nothing."""
    try:
        picture = await async_get_image(hass, camera, width=SIZE[0], height=SIZE[1])
        drawn = await hass.async_add_executor_job(draw_zones, picture.content, zones)
    except HomeAssistantError, UnidentifiedImageError, OSError:
        return ""
    hass.data[PREVIEWS][flow_id] = drawn
    path = PreviewView.url.format(flow_id=flow_id, version=f"{crc32(drawn):08x}")
    return f"![]({async_sign_path(hass, path, SHOWN_FOR)})"


def draw_zones(picture: bytes, zones: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a picture as JPEG with a grid of tenths and the zones, which are in 0-1."""
    with Image.open(BytesIO(picture)) as opened:
        shown = opened.convert("RGB")
    shown.thumbnail(SIZE)
    width, height = shown.size
    draw = ImageDraw.Draw(shown, "RGBA")
    font = ImageFont.load_default(size=height / 30)
    for line in range(1, GRID):
        x, y, name = width * line / GRID, height * line / GRID, str(line * 100 // GRID)
        draw.line((x, 0, x, height), fill="#ffffff50")
        draw.line((0, y, width, y), fill="#ffffff50")
        draw.text((x, 0), name, fill="white", font=font, stroke_width=1, stroke_fill="black")
        draw.text((0, y), name, fill="white", font=font, stroke_width=1, stroke_fill="black")
    for number, zone in enumerate(zones):
        colour = COLOURS[number % len(COLOURS)]
        corners = [(x * width, y * height) for x, y in zone["polygon"]]
        draw.polygon(corners, fill=f"{colour}40", outline=colour, width=3)
        middle = tuple(sum(side) / len(corners) for side in zip(*corners, strict=True))
        draw.text(
            (middle[0], middle[1]),
            zone["name"],
            fill=colour,
            font=font,
            anchor="mm",
            stroke_width=2,
            stroke_fill="black",
        )
    written = BytesIO()
    shown.save(written, "JPEG", quality=85)
    return written.getvalue()
