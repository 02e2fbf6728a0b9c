"""Draws what was found into a picture: outlines, joints, boxes, names, zones and depth."""

from __future__ import annotations

import colorsys
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wyoming_units.vision.rle import decode
from wyoming_units.vision.scene import DepthMap, Found, Keypoints, Pixels, Scene

Colour = tuple[int, int, int]
Point = tuple[float, float]
Outline = tuple[str, Sequence[Point]]
"""Name and corners, in 0-1, of a zone."""

_SMOOTH = 2
"""How many times finer lines are drawn than they are shown."""
_STEEP = [max(0, min(255, (value - 96) * 4)) * 90 // 255 for value in range(256)]
"""How strongly cells are coloured, by how much a pixel belongs to them: the edge is steep but not jagged."""
_SURE = 0.4
"""Least confidence of a joint that is drawn."""
_WHITE: Colour = (255, 255, 255)
_DARK: Colour = (20, 20, 20)
_ZONE: Colour = (255, 214, 90)
_KNOWN: dict[str, Colour] = {
    "person": (255, 92, 92),
    "car": (64, 156, 255),
    "bus": (0, 205, 230),
    "truck": (0, 191, 165),
    "dog": (255, 166, 46),
    "cat": (190, 120, 255),
    "bicycle": (56, 201, 130),
    "motorcycle": (140, 214, 60),
    "hand": (255, 140, 200),
}
# Pairs of joints that are joined, with the part of the body that gives them their shade.
_BODY = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
    *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
_HAND = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (5, 9), (9, 10), (10, 11)),
    *((11, 12), (9, 13), (13, 14), (14, 15), (15, 16), (13, 17), (0, 17), (17, 18), (18, 19)),
    (19, 20),
)
# Control points of a map from far (dark) to near (bright) that is even to the eye.
_FAR_TO_NEAR = np.array(
    [
        *((4, 4, 20), (40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66)),
        *((245, 125, 21), (250, 193, 39), (252, 255, 164)),
    ],
    np.float32,
)


def colour_of(label: str) -> Colour:
    """Return the colour of a label, always the same."""
    if label in _KNOWN:
        return _KNOWN[label]
    hue = zlib.crc32(label.encode()) % 997 / 997
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62, 0.75)
    return (round(red * 255), round(green * 255), round(blue * 255))


def annotate(pixels: Pixels, scene: Scene, *, zones: Sequence[Outline] = ()) -> Pixels:
    """Return a copy of the picture with all objects of the scene, and zones, drawn into it."""
    height, width = pixels.shape[:2]
    canvas = _Canvas(pixels)
    areas = [(name, [(x * width, y * height) for x, y in corners]) for name, corners in zones]
    for _, corners in areas:
        canvas.zone(corners)
    objects = scene.scaled(width, height).objects
    for found in objects:
        canvas.outline(found)
    for found in reversed(objects):
        canvas.shape(found)
    for found in objects:
        canvas.name(found)
    for name, corners in areas:
        canvas.zone_name(name, corners)
    return canvas.pixels()


def mark(pixels: Pixels, found: Found) -> Pixels:
    """Return a copy of the picture with one object, in coordinates of these pixels, drawn into it."""
    height, width = pixels.shape[:2]
    return annotate(pixels, Scene(width=width, height=height, objects=(found,)))


def colour_depth(depth: DepthMap, width: int, height: int) -> Pixels:
    """Return a depth map as a picture of that size, near things bright; metres beside it where it has them."""
    near = 1 / np.maximum(depth.values, 0.01) if depth.metric else depth.values
    far_end, near_end = (float(end) for end in np.quantile(near, (0.01, 0.99)))
    part = np.clip((near - far_end) / max(near_end - far_end, 1e-9), 0, 1)
    image = Image.fromarray(_colours(part)).resize((width, height), Image.Resampling.BICUBIC)
    if depth.metric:
        _legend(image, far_end, near_end)
    return np.array(image)


def _colours(part: NDArray[np.floating]) -> Pixels:
    steps = np.linspace(0, 1, len(_FAR_TO_NEAR))
    table = np.stack(
        [np.interp(np.linspace(0, 1, 256), steps, _FAR_TO_NEAR[:, i]) for i in range(3)], 1
    )
    colours: Pixels = table.astype(np.uint8)[(part * 255).astype(np.uint8)]
    return colours


def _legend(image: Image.Image, far_end: float, near_end: float) -> None:
    """Draw a bar with distances at the right edge."""
    unit = max(12, image.height // 32)
    top, left = unit, image.width - 2 * unit
    tall = image.height - 2 * unit
    bar = np.repeat(np.linspace(1, 0, tall)[:, None], unit, axis=1)
    image.paste(Image.fromarray(_colours(bar)), (left, top))
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + unit, top + tall), outline=_WHITE)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        inverse = far_end + (near_end - far_end) * part
        text = f"{1 / max(inverse, 1e-3):.1f} m"
        place = (left - unit // 3, top + tall * (1 - part))
        draw.text(place, text, _WHITE, _font(unit), "rm", stroke_width=1, stroke_fill=(0, 0, 0))


class _Canvas:
    """A picture that is drawn on: lines on a finer layer, in patches where there is something."""

    def __init__(self, pixels: Pixels) -> None:
        self._image = Image.fromarray(pixels)
        self._width, self._height = self._image.size
        side = min(self._width, self._height)
        self._line = max(1.5, side / 270)
        self._font = _font(max(11, round(side / 32)))
        self._names: list[tuple[float, float, float, float]] = []

    def pixels(self) -> Pixels:
        """Return the picture."""
        return np.array(self._image)

    def zone(self, corners: Sequence[Point]) -> None:
        """Draw a polygon that one can see through."""
        for draw, move in self._patch(corners, fine=1):
            points = [move(x, y) for x, y in corners]
            draw.polygon(points, fill=(*_ZONE, 46))
            draw.line([*points, points[0]], (*_ZONE, 230), round(self._line), "curve")

    def zone_name(self, name: str, corners: Sequence[Point]) -> None:
        """Write what a zone is called in its upper left corner."""
        x, y = min(corners, key=sum)
        self._chip(name, x + self._line, y + self._line, _DARK, below=True)

    def outline(self, found: Found) -> None:
        """Lay the colour of an object over its cells."""
        if found.mask is None:
            return
        cells = Image.fromarray(decode(found.mask).astype(np.uint8) * 255)
        scale_x, scale_y = self._width / found.mask.width, self._height / found.mask.height
        left, top, right, bottom = self._inside(found.box)
        if right - left < 1 or bottom - top < 1:
            return
        part = cells.resize(
            (right - left, bottom - top),
            Image.Resampling.BICUBIC,
            box=(left / scale_x, top / scale_y, right / scale_x, bottom / scale_y),
        )
        self._image.paste(colour_of(found.label), (left, top), part.point(_STEEP))

    def shape(self, found: Found) -> None:
        """Draw the box and the joints of an object."""
        colour = colour_of(found.label)
        width = round(self._line)
        if found.angle is not None:
            turned = _turned(found)
            for draw, move in self._patch(turned):
                corners = [move(x, y) for x, y in turned]
                draw.line([*corners, *corners[:2]], (*colour, 255), width * _SMOOTH, "curve")
        else:
            left, top, right, bottom = (round(side) for side in found.box)
            radius = min(4 * self._line, (right - left) / 4, (bottom - top) / 4)
            if radius > 0:
                box = (left, top, right, bottom)
                ImageDraw.Draw(self._image).rounded_rectangle(box, radius, None, colour, width)
        if found.keypoints is not None:
            self._skeleton(found.keypoints)

    def _skeleton(self, points: Keypoints) -> None:
        """Draw the joints that are certain, and what joins two of them."""
        joints = [(float(x), float(y)) if sure >= _SURE else None for x, y, sure in points]
        width = round(self._line * _SMOOTH)
        for start, end in _HAND if len(joints) == 21 else _BODY:
            ends = [joint for joint in (joints[start], joints[end]) if joint is not None]
            if len(ends) < 2:
                continue
            for draw, move in self._patch(ends):
                line = [move(x, y) for x, y in ends]
                draw.line(line, (*_DARK, 120), width + 2 * _SMOOTH)
                draw.line(line, (*_limb(start, end, len(joints)), 255), width)
        dot = _dot(1.3 * self._line)
        for joint in joints:
            if joint is not None:
                place = (round(joint[0] - dot.width / 2), round(joint[1] - dot.height / 2))
                self._image.paste(dot, place, dot)

    def name(self, found: Found) -> None:
        """Write what an object is above its box."""
        parts = [f"{found.label} {found.confidence:.0%}".replace("%", " %")]
        if found.distance is not None:
            parts.append(f"{found.distance:.1f} m")
        parts += [word.replace("-", " ") for word in (found.posture, found.gesture) if word]
        left, top, _, _ = found.box
        self._chip(" · ".join(parts), left - self._line / 2, top, colour_of(found.label))

    def _chip(
        self, text: str, left: float, top: float, colour: Colour, *, below: bool = False
    ) -> None:
        """Write on a plate above a point, where no other plate is and within the picture."""
        text = _spelled(text)
        draw = ImageDraw.Draw(self._image)
        pad = round(2 * self._line)
        x0, _, x1, _ = self._font.getbbox(text)
        ascent = self._font.getbbox("Ag")
        width, height = x1 - x0 + 3 * pad, ascent[3] - ascent[1] + 2 * pad
        left = min(max(left, 0), max(self._width - width, 0))
        top = min(max(top if below else top - height, 0), max(self._height - height, 0))
        for _ in self._names:  # each plate may push it down once
            hit = next(
                (other for other in self._names if _meet((left, top, width, height), other)), None
            )
            if hit is None or hit[1] + hit[3] + height > self._height:
                break
            top = hit[1] + hit[3] + 1
        self._names.append((left, top, width, height))
        draw.rounded_rectangle((left, top, left + width, top + height), pad, colour)
        ink = (0, 0, 0) if _brightness(colour) > 140 else _WHITE
        draw.text((left + 1.5 * pad - x0, top + pad - ascent[1]), text, ink, self._font)

    def _inside(self, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        left, top, right, bottom = box
        return (
            max(0, int(left)),
            max(0, int(top)),
            min(self._width, int(np.ceil(right))),
            min(self._height, int(np.ceil(bottom))),
        )

    def _patch(
        self, points: Sequence[Point], *, fine: int = _SMOOTH
    ) -> Iterator[tuple[ImageDraw.ImageDraw, _Move]]:
        """Give a finer, transparent layer around points to draw on, and lay it over the picture afterwards."""
        margin = 4 * self._line
        xs, ys = zip(*points, strict=True)
        left, top, right, bottom = self._inside(
            (min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)
        )
        if right <= left or bottom <= top:
            return
        layer = Image.new("RGBA", ((right - left) * fine, (bottom - top) * fine))
        yield ImageDraw.Draw(layer), _Move(left, top, fine)
        layer = layer.reduce(fine)
        self._image.paste(layer, (left, top), layer)


class _Move:
    """Brings points of the picture onto a patch."""

    def __init__(self, left: int, top: int, fine: int) -> None:
        self._left, self._top, self._fine = left, top, fine

    def __call__(self, x: float, y: float) -> Point:
        return ((float(x) - self._left) * self._fine, (float(y) - self._top) * self._fine)


def _turned(found: Found) -> list[Point]:
    """Return the corners of a turned box, of which only the upright box around it and the angle are known."""
    left, top, right, bottom = found.box
    angle = found.angle or 0.0
    cos, sin = abs(np.cos(angle)), abs(np.sin(angle))
    across, down = right - left, bottom - top
    # across = w cos + h sin, down = w sin + h cos
    det = cos * cos - sin * sin
    if abs(det) < 0.05:  # at 45 degrees all shapes have the same box: a square is as good as any
        w = h = across / (cos + sin)
    else:
        w, h = (across * cos - down * sin) / det, (down * cos - across * sin) / det
    x, y = (left + right) / 2, (top + bottom) / 2
    ux, uy = np.cos(angle), np.sin(angle)
    return [
        (x + a * w / 2 * ux - b * h / 2 * uy, y + a * w / 2 * uy + b * h / 2 * ux)
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]


def _limb(start: int, end: int, joints: int) -> Colour:
    """Return a colour of its own for the left, the right and the middle of a body, and for each finger."""
    if joints == 21:
        hue = (max(start, end) - 1) // 4 / 5
    elif max(start, end) < 5:
        hue = 0.14
    else:
        hue = 0.33 if start % 2 and end % 2 else 0.58 if not (start % 2 or end % 2) else 0.5
    red, green, blue = colorsys.hls_to_rgb(hue, 0.6, 0.9)
    return (round(red * 255), round(green * 255), round(blue * 255))


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))


def _brightness(colour: Colour) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _spelled(text: str) -> str:
    """Return a text without what Pillow's own font lacks, such as the dots of an umlaut."""
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@lru_cache(maxsize=32)
def _dot(radius: float) -> Image.Image:
    """Return a joint."""
    side = 2 * round(radius + 1) * _SMOOTH
    layer = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(layer)
    draw.circle((side / 2, side / 2), (radius + 0.5) * _SMOOTH, (*_DARK, 160))
    draw.circle((side / 2, side / 2), radius * _SMOOTH, (*_WHITE, 255))
    return layer.reduce(_SMOOTH)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
