"""Pictures for people: top-down maps, strips of frames, text.

No policy uses these pictures.  World frame as in `sim.datatypes.world_state`; pictures are (H, W, 3) uint8 RGB with
row 0 on top.  Shapes are drawn at SHARPNESS times the size and averaged down, the cheapest anti-aliasing that also
works for filled shapes; text uses the DejaVu fonts that matplotlib ships, so a picture looks the same on a machine
without fonts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sim.actors.registry import ACTOR_KINDS, KINDS
from sim.datatypes.episode import Episode
from sim.datatypes.road_map import MapArrays, RoadMap
from sim.datatypes.world_state import World
from sim.viz.markers import EGO_COLOUR, Box, Colour, Lamp, blend, draw_box, draw_lamp, fill, rounded, unpack
from sim.viz.viewport import Viewport

SHARPNESS = 2  # shapes are drawn larger by this factor
INK: Colour = (29, 35, 48)
FAINT: Colour = (118, 124, 134)
PAPER: Colour = (251, 250, 247)
RUN_COLOURS: tuple[Colour, ...] = (
    (217, 142, 4), (31, 111, 178), (194, 24, 107), (15, 138, 109), (110, 84, 170), (90, 96, 106),
)  # fmt: skip
NOWHERE: Colour = (206, 209, 200)  # drawn beyond the edge of a map


# ------------------------------------------------------------------------------------------------- lettering
@dataclass(frozen=True)
class Text:
    """One line of text at a position in a picture.

    Args:
        words: one line.
        x, y: of the anchor [px].
        size: of the letters [px].
        anchor: Pillow's two letters: l m r, then a (ascender) m (middle) s (baseline).
    """

    words: str
    x: float
    y: float
    size: int = 13
    colour: Colour = INK
    bold: bool = False
    anchor: str = "ls"


@functools.lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> Any:
    from PIL import ImageFont  # imported at use: a world without pictures needs no fonts

    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("text on pictures needs the fonts that matplotlib ships, and it is not installed")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size)


def text_width(words: str, size: int, bold: bool = False) -> float:
    """Width of a line of text [px]."""
    return float(_font(size, bold).getlength(words))


def write(picture: np.ndarray, texts: Sequence[Text]) -> np.ndarray:
    """Return a copy of `picture` (H, W, 3) with texts on it."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for t in texts:
        pen.text((t.x, t.y), t.words, fill=t.colour, font=_font(t.size, t.bold), anchor=t.anchor)
    return np.asarray(image).copy()


def rounded_box(
    picture: np.ndarray, corner: tuple[float, float], size: tuple[float, float], radius: float, colour: Colour,
    opacity: float = 1.0,
) -> None:  # fmt: skip
    """Fill a rounded rectangle in place.

    Args:
        corner: x, y of the upper left one [px]; size: width, height [px]; radius: of the corners [px].
    """
    outline = rounded(size[0], size[1], radius) + np.array(corner) + np.array(size) / 2
    x0, y0 = np.clip(np.floor(np.array(corner)).astype(int) - 1, 0, None)
    x1, y1 = np.ceil(np.array(corner) + np.array(size)).astype(int) + 2
    patch = picture[y0:y1, x0:x1]
    if not patch.size:
        return
    big = cv2.resize(patch, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    fill(big, (outline - [x0, y0]) * 4, colour)
    small = cv2.resize(big, (patch.shape[1], patch.shape[0]), interpolation=cv2.INTER_AREA)
    patch[:] = cv2.addWeighted(small, opacity, patch, 1.0 - opacity, 0.0)


def _stroke(picture: np.ndarray, points: np.ndarray, colour: Colour, width: float) -> None:
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(picture, [fixed], False, colour, max(1, round(width)), cv2.LINE_AA, shift=4)


# ------------------------------------------------------------------------------------------------- from above


@dataclass(frozen=True)
class Line:
    """A trajectory on the map: points (T, 2) [m], a colour, and its name in the legend ("" for no entry)."""

    points: np.ndarray
    colour: Colour = EGO_COLOUR
    label: str = ""


def viewport_of(
    bank: MapArrays, world: World, w: int, episode: Episode, size: tuple[int, int] = (288, 288)
) -> Viewport:
    """A viewport that contains all of ego's routes from its position to their goals, with ego's heading up.

    Raises:
        ValueError: if ego has no route.
    """
    pieces = []
    for r, q in enumerate(world.route[w]):
        if q >= 0:
            points = bank.points[bank.path_start[q] : bank.path_start[q + 1]]
            first = max(0, int(world.route_s[w, r] / 0.5) - 8)
            pieces.append(points[first : int((bank.junction_out[q] + episode.finish) / 0.5) + 1, :2])
    if not pieces:
        raise ValueError(f"world {w} has no route to look at; reset it with an episode first")
    up = float(world.yaw[w, 0])
    there = Viewport((0.0, 0.0), 1.0, 1, 1, up).pixels(np.concatenate(pieces)) - 0.5
    low, high = there.min(0), there.max(0)
    middle = (low + high) / 2 * [1, -1]
    right, ahead = Viewport((0.0, 0.0), 1.0, 1, 1, up)._axes()
    centre = middle[0] * right + middle[1] * ahead
    span = max(high[0] - low[0], (high[1] - low[1]) * size[0] / size[1]) + 11.0
    return Viewport((float(centre[0]), float(centre[1])), float(span), size[0], size[1], up)


def _ground(road_map: RoadMap, window: Viewport, wet: float) -> np.ndarray:
    ground = road_map.ground
    level = int(np.clip(np.floor(np.log2(max(1.0, 1 / window.scale / ground.texel))), 0, len(ground.levels) - 1))
    texel = ground.texel * 2**level
    right, up = window._axes()
    steps = np.stack([right, -up], 1) / (window.scale * texel)  # texels per pixel
    middle = (np.array(window.centre) - np.array(ground.origin)) / texel
    shift = middle - steps @ [window.width / 2 - 0.5, window.height / 2 - 0.5] - 0.5
    matrix = np.concatenate([steps, shift[:, None]], 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (window.width, window.height)
    picture = cv2.warpAffine(ground.levels[level], matrix, size, flags=flags, borderValue=(*NOWHERE, 0))
    colour = picture[..., :3].astype(np.float32)
    shine = picture[..., 3:].astype(np.float32) / 255 * np.float32(wet)
    colour *= 1 - shine * np.array([0.42, 0.36, 0.26], np.float32)  # wet asphalt is dark and bluish
    return np.clip(colour * 0.92 + 14, 0, 255).astype(np.uint8)  # a little paler, so that cars and lines stand out


def _scenery(picture: np.ndarray, road_map: RoadMap, window: Viewport) -> None:
    near = np.hypot(*(road_map.scenery[:, 1:3] - window.centre).T) < window.span * 0.75 + 12
    shadows: list[np.ndarray] = []
    things: list[tuple[np.ndarray, Colour, np.ndarray | None]] = []
    for kind, x, y, yaw, length, width, _, look in road_map.scenery[near]:
        marker = ACTOR_KINDS[KINDS[int(kind)]].marker if kind else ""
        if not marker:
            continue
        if marker == "crown":
            turn = np.linspace(0, 2 * math.pi, 24, endpoint=False)
            ripple = 1 + 0.08 * np.sin(5 * turn + x + y)
            outline = np.stack([np.cos(turn), np.sin(turn)], 1) * (max(length, width) / 2 * ripple)[:, None] + [x, y]
            things.append((outline, (86, 118, 74), (outline - [x, y]) * 0.55 + [x - 0.3, y + 0.3]))
        else:
            half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [length / 2, max(width, 0.3) / 2]
            c, s = math.cos(yaw), math.sin(yaw)
            outline = half @ np.array([[c, s], [-s, c]]) + [x, y]
            roof = half * [1, 0.02] @ np.array([[c, s], [-s, c]]) + [x, y] if marker == "gable" else None
            red, green, blue = unpack(int(look))
            things.append((outline, ((red + 150) // 2, (green + 140) // 2, (blue + 135) // 2), roof))
        shadows.append(outline - [-1.0, 1.0])
    if not things:
        return

    def shade(over: np.ndarray) -> None:
        for outline in shadows:
            fill(over, window.pixels(outline), (30, 34, 40))

    blend(picture, shade, 0.22)

    def paint(over: np.ndarray) -> None:
        for outline, colour, inner in things:
            fill(over, window.pixels(outline), colour)
            if inner is not None:
                fill(over, window.pixels(inner), tuple(min(255, c + 18) for c in colour))  # type: ignore[arg-type]

    blend(picture, paint, 0.9)


def background(road_map: RoadMap, window: Viewport, wet: float = 0.0) -> np.ndarray:
    """Ground and scenery alone, SHARPNESS times as large as the window: the base layer of `top_down`."""
    large = window.larger(SHARPNESS)
    picture = _ground(road_map, large, wet)
    _scenery(picture, road_map, large)
    return picture


def top_down(
    road_map: RoadMap,
    window: Viewport,
    boxes: Sequence[Box] = (),
    lines: Sequence[Line] = (),
    wet: float = 0.0,
    base: np.ndarray | None = None,
    lamps: Sequence[Lamp] = (),
) -> np.ndarray:
    """Draw the map from above, with actors, trajectories and traffic lights.

    Args:
        wet: 0 dry to 1 soaked; wet asphalt is darker.
        base: the result of `background` for the same map and window, so that a film draws it once.
        lamps: the traffic lights and their states, see `sim.viz.markers.lamps_of`.

    Returns:
        (window.height, window.width, 3) uint8. Lines that have a label get a legend.

    Raises:
        ValueError: if the shape of `base` does not fit the window.
    """
    large = window.larger(SHARPNESS)
    wanted = (large.height, large.width, 3)
    if base is not None and base.shape != wanted:
        raise ValueError(f"base is {base.shape}; this window needs {wanted}")
    picture = background(road_map, window, wet) if base is None else base.copy()
    width = float(np.clip(window.scale * 0.35, 2.0, 5.0)) * SHARPNESS
    for line in lines:
        if len(line.points) > 1:
            points = large.pixels(np.asarray(line.points)[:, :2])
            _stroke(picture, points, (255, 255, 255), width + 2 * SHARPNESS)
    for line in lines:
        if len(line.points) > 1:
            _stroke(picture, large.pixels(np.asarray(line.points)[:, :2]), line.colour, width)
    for box in boxes:
        draw_box(picture, box, large)
    for lamp in lamps:
        draw_lamp(picture, lamp, large)
    picture = cv2.resize(picture, (window.width, window.height), interpolation=cv2.INTER_AREA)
    return _legend(picture, [line for line in lines if line.label])


def _legend(picture: np.ndarray, lines: Sequence[Line]) -> np.ndarray:
    if not lines:
        return picture
    wide = max(text_width(line.label, 12) for line in lines) + 46
    rounded_box(picture, (8, 8), (wide, 18 * len(lines) + 10), 6, (255, 255, 255), 0.88)
    texts = []
    for i, line in enumerate(lines):
        y = 22 + 18 * i
        rounded_box(picture, (17, y - 2), (18, 4), 2, line.colour)
        texts.append(Text(line.label, 42, y, 12, anchor="lm"))
    return write(picture, texts)


# ----------------------------------------------------------------------------------------------------- strips
def film_strip(frames: np.ndarray, captions: Sequence[str] = (), gap: int = 6, scale: int = 1) -> np.ndarray:
    """Draw frames in a row, a caption under each.

    Args:
        frames: (N, H, W, 3) uint8.
        captions: none, or N of them.
        gap: between frames [px]; scale: integer enlargement, pixels stay square.

    Raises:
        ValueError: if there are no frames, or the number of captions does not fit.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"frames have shape {frames.shape}; wanted (N, H, W, 3) with N of at least 1")
    if captions and len(captions) != len(frames):
        raise ValueError(f"{len(captions)} captions for {len(frames)} frames; wanted one each, or none")
    frames = frames.repeat(scale, 1).repeat(scale, 2)
    n, height, width, _ = frames.shape
    under = 22 if captions else 0
    page = np.full((height + under + 2 * gap, n * (width + gap) + gap, 3), PAPER, np.uint8)
    texts = []
    for i, frame in enumerate(frames):
        x = gap + i * (width + gap)
        page[gap : gap + height, x : x + width] = frame
        if captions:
            texts.append(Text(captions[i], x + width / 2, gap + height + 14, 12, anchor="mm"))
    return write(page, texts) if texts else page
