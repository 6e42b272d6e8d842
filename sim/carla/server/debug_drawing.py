"""Debug drawings of clients: parse, expire, and render them over pictures.

In CARLA an rgb camera sees points, lines, arrows and boxes; words and HUD drawings appear in the window of the server
alone (carla-simulator/carla, issues 1788 and 6705). This server has no window; films of recordings show them instead.
Frame: CARLA's (left-handed, degrees), in which drawings travel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from sim.carla.server import wire
from sim.carla.server.actors import turned
from sim.carla.server.rpc import Refused
from sim.datatypes.camera import Camera
from sim.datatypes.world_state import World
from sim.viz.markers import Colour
from sim.viz.top_down import Text, write
from sim.viz.viewport import Viewport

MOST = 10_000  # drawings that are kept
FARTHEST = 1e6  # [m] from the origin
_SOON = 1e-6  # [s] tolerance for the rounding of a sum of ticks
_NEAR = 0.1  # [m] near plane of an eye
_PIECE = 5.0  # [px] of a stroke that are occluded or visible as one
_BEHIND = 0.1, 0.01  # [m] and share of the depth by which a stroke may lie behind its occluder: lines on the ground
_SHAPES = ("point", "line", "arrow", "box", "string", "HUD point", "HUD line", "HUD arrow", "HUD box")
_SPOT = [0.0, 0.0, 0.0]
_USUAL: tuple[list[Any], ...] = (  # a shape's data; an arrow's line and a box's parts unpacked
    [_SPOT, 0.0], [_SPOT, _SPOT, 0.0], [_SPOT, _SPOT, 0.0, 0.0], [_SPOT, _SPOT, _SPOT, 0, _SPOT, 0.0],
    [_SPOT, "", False],
)  # fmt: skip
_POINT, _LINE, _ARROW, _CUBE, _STRING = range(5)


@dataclass(frozen=True)
class Drawing:
    """One drawing.

    Args:
        until: the time of its last appearance [s of the world]. told: its encoding on the wire.
        strokes: (K, 2, 3) begin and end [m]; a point is a stroke without length. width: of the strokes [m].
        words: text at the first stroke's begin, "" for none; shadow: whether the text has one.
        window: whether it is in the server's window alone, and no camera sees it.
    """

    until: float
    told: list[Any]
    strokes: np.ndarray
    width: float
    colour: Colour
    words: str = ""
    shadow: bool = False
    window: bool = False


def drawing_of(told: Any, now: float, tick: float) -> Drawing:
    """Parse a client's drawing: a life time of 0 is for ever, one below 0 is a tick.

    Raises:
        Refused: for an invalid shape.
    """
    if not (isinstance(told, list) and len(told) == 4 and wire.same_value(told[1:], [[0, 0, 0], 0.0, False])):
        raise Refused(f"{told!r:.200} is no drawing; wanted a shape, a colour, a life time and whether it persists")
    shape, colour, life, _ = told
    if not (isinstance(shape, list) and len(shape) == 2 and type(shape[0]) is int and 0 <= shape[0] < len(_SHAPES)):
        raise Refused(f"{shape!r:.200} is no shape; known are {', '.join(_SHAPES)}")
    kind, window = (shape[0] - 5, True) if shape[0] > _STRING else (shape[0], shape[0] == _STRING)
    data = shape[1]
    if kind in (_ARROW, _CUBE) and isinstance(data, list) and data and isinstance(data[0], list):
        data = [*data[0], *data[1:]]
    if not wire.same_value(data, _USUAL[kind]):
        raise Refused(f"{shape[1]!r:.200} is no {_SHAPES[shape[0]]}")
    strokes, width = _strokes(kind, data)
    if not (np.abs(strokes) < FARTHEST).all():
        raise Refused(f"a {_SHAPES[shape[0]]} reaches beyond {FARTHEST:g} m: {shape[1]!r:.200}")
    until = math.inf if life == 0.0 else now + (life if life > 0.0 else tick)
    red, green, blue = (min(max(v, 0), 255) for v in colour)
    words, shadow = data[1:] if kind == _STRING else ("", False)
    return Drawing(until, told, strokes, float(width), (red, green, blue), words, shadow, window)


def visible(drawings: Iterable[Drawing], now: float) -> list[Drawing]:
    """Return the drawings that have not expired: one of a single tick is there in the tick after it was drawn."""
    return [d for d in drawings if d.until > now - _SOON]


def _strokes(kind: int, data: list[Any]) -> tuple[np.ndarray, float]:
    """Return the strokes of a shape's data (see _USUAL), (K, 2, 3) begin and end [m], and their width [m]."""
    if kind == _LINE:
        return np.array([data[:2]], float), data[2]
    if kind == _ARROW:
        begin, end, width, head = data
        return _arrow(np.array(begin, float), np.array(end, float), head), width
    if kind == _CUBE:
        centre, half, _, _, rotation, width = data
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
        corners = corners @ turned(rotation).T + centre
        edges = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
        return corners[np.array(edges)], width
    return np.array([[data[0], data[0]]], float), data[1] if kind == _POINT else 0.0


def _arrow(begin: np.ndarray, end: np.ndarray, head: float) -> np.ndarray:
    """Return a shaft and four barbs, `head` metres long."""
    along = end - begin
    length = float(np.linalg.norm(along))
    if length == 0.0:
        return np.array([[begin, end]])
    along = along / length
    side = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    over = np.cross(side, along)
    barbs = [end + head * (0.5 * out - along) for out in (side, -side, over, -over)]
    return np.array([[begin, end], *([end, barb] for barb in barbs)])


# --------------------------------------------------------------------------------------------------- pictures
@dataclass(frozen=True)
class DrawingCamera:
    """A pinhole camera somewhere in the world.

    Args:
        at: (3,) [m]. axes: (3, 3), columns forward, right and up. width, height: of its picture [px]; focal: [px].
    """

    at: np.ndarray
    axes: np.ndarray
    width: int
    height: int
    focal: float

    @classmethod
    def of(cls, place: list[Any], width: int, height: int, fov: float) -> DrawingCamera:
        """Return the eye of a camera from its transform on the wire and its horizontal field of view [deg]."""
        focal = width / 2.0 / math.tan(math.radians(fov) / 2.0)
        return cls(np.array(place[0], float), turned(place[1]), width, height, focal)

    @classmethod
    def on(cls, world: World, camera: Camera) -> DrawingCamera:
        """Return the eye of a camera on row 0 of world 0."""
        x, y, yaw = (float(a[0, 0]) for a in (world.x, world.y, world.yaw))
        cos, sin = math.cos(yaw), math.sin(yaw)
        x, y = x + camera.forward * cos - camera.left * sin, y + camera.forward * sin + camera.left * cos
        place = [[x, -y, camera.up], [camera.pitch, -math.degrees(yaw) - camera.yaw, 0.0]]
        return cls.of(place, camera.width, camera.height, camera.fov)

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Convert world points (..., 3) to metres ahead, to the right and up."""
        return np.asarray((points - self.at) @ self.axes)

    def pixels(self, seen: np.ndarray) -> np.ndarray:
        """Project the output of `seen` (..., 3), ahead of the eye, to (..., 2) x and y in the picture [px]."""
        flat = seen[..., 1:] / seen[..., :1] * self.focal
        return np.stack([self.width / 2.0 + flat[..., 0], self.height / 2.0 - flat[..., 1]], -1)

    def within(self, strokes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clip strokes (K, 2, 3), in the output of `seen`, to the view; also returns which of the K are left."""
        wide, high = (0.5 * side / self.focal * 1.05 for side in (self.width, self.height))
        walls = np.array([[1, 0, 0], [wide, 1, 0], [wide, -1, 0], [high, 0, 1], [high, 0, -1]], float)
        begin, end = np.zeros(len(strokes)), np.ones(len(strokes))
        for wall, least in zip(walls, (_NEAR, 0, 0, 0, 0)):
            a, b = (strokes[:, k] @ wall - least for k in (0, 1))
            with np.errstate(divide="ignore", invalid="ignore"):
                cut = a / (a - b)
            begin = np.where(a < 0, np.where(b < 0, 2.0, np.maximum(begin, cut)), begin)
            end = np.where((b < 0) & (a >= 0), np.minimum(end, cut), end)
        left = np.flatnonzero(begin <= end)
        ways = strokes[left, 1] - strokes[left, 0]
        ends = [strokes[left, 0] + ways * share[left, None] for share in (begin, end)]
        return np.stack(ends, 1), left


def paint(picture: np.ndarray, drawings: Iterable[Drawing], eye: DrawingCamera, depth: np.ndarray) -> None:
    """Draw visible drawings over an eye's picture, in place; `letter` draws words.

    Args:
        picture: (H, W, 3) uint8 RGB. depth: (H, W) [m] along the eye's axis; it occludes strokes that are farther.
    """
    strokes, owners = _together(drawings)
    strokes, left = eye.within(eye.seen(strokes))
    for (a, b), (p, q), drawing in zip(strokes, eye.pixels(strokes), (owners[k] for k in left)):
        n = max(1, math.ceil(float(np.hypot(*(q - p))) / _PIECE))
        share = np.linspace(0.0, 1.0, n + 1)[:, None]
        points = p + share * (q - p)
        far = 1.0 / (1.0 / a[0] + share[:, 0] * (1.0 / b[0] - 1.0 / a[0]))  # at even steps in the picture
        seen = _open((points[:-1] + points[1:]) / 2.0, (far[:-1] + far[1:]) / 2.0, depth)
        for k in np.flatnonzero(seen):
            _line(picture, points[k], points[k + 1], drawing, eye.focal / float(far[k]))


def _together(drawings: Iterable[Drawing]) -> tuple[np.ndarray, list[Drawing]]:
    """Return the strokes (K, 2, 3) of all drawings but words, and the drawing of each stroke."""
    drawn = [d for d in drawings if not d.words]
    owners = [d for d in drawn for _ in d.strokes]
    return np.concatenate([np.zeros((0, 2, 3)), *(d.strokes for d in drawn)]), owners


def _open(points: np.ndarray, far: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return (n,) bool: whether points (n, 2) [px] at `far` [m] are not occluded."""
    x = np.clip(points[:, 0].astype(int), 0, depth.shape[1] - 1)
    y = np.clip(points[:, 1].astype(int), 0, depth.shape[0] - 1)
    least, share = _BEHIND
    return np.asarray(far * (1.0 - share) - least < depth[y, x])


def _line(picture: np.ndarray, p: np.ndarray, q: np.ndarray, drawing: Drawing, scale: float) -> None:
    """Draw a stroke, or a disc where it has no length; `scale`: [px/m]."""
    # here a pixel's number is the corner of its square, for OpenCV the middle
    ends = [(round((float(x) - 0.5) * 16), round((float(y) - 0.5) * 16)) for x, y in (p, q)]
    if ends[0] == ends[1]:
        radius = max(1.0, min(drawing.width * scale / 2.0, 500.0))
        cv2.circle(picture, ends[0], round(radius * 16), drawing.colour, -1, cv2.LINE_AA, shift=4)
    else:
        thick = max(1, min(round(drawing.width * scale), 500))
        cv2.line(picture, ends[0], ends[1], drawing.colour, thick, cv2.LINE_AA, shift=4)


def paint_plan(picture: np.ndarray, drawings: Iterable[Drawing], window: Viewport) -> None:
    """Draw drawings over a picture from above, in place; nothing occludes them, whatever their height."""
    strokes, owners = _together(drawings)
    begins, ends = (window.pixels(_plan(strokes[:, k])) for k in (0, 1))
    size = window.width, window.height
    seen = (np.maximum(begins, ends) > 0).all(1) & (np.minimum(begins, ends) < size).all(1)
    for k in np.flatnonzero(seen):
        _line(picture, begins[k], ends[k], owners[k], window.scale)


def _plan(points: np.ndarray) -> np.ndarray:
    """Convert (n, 3) in CARLA's frame to (n, 2) in ours."""
    return points[:, :2] * [1.0, -1.0]


def letter(picture: np.ndarray, drawings: Iterable[Drawing], pixels: Callable[[np.ndarray], np.ndarray | None],
           size: int = 12) -> np.ndarray:  # fmt: skip
    """Return a copy of a picture with the words of drawings, which nothing occludes.

    Args:
        pixels: (3,) place in CARLA's frame -> (2,) [px], None where it is not in the picture. size: of letters [px].
    """
    texts: list[Text] = []
    for drawing in drawings:
        if drawing.words and (at := pixels(drawing.strokes[0, 0])) is not None:
            x, y = (float(v) for v in at)
            if drawing.shadow:
                texts.append(Text(drawing.words, x + 1, y + 1, size, (0, 0, 0), bold=True))
            texts.append(Text(drawing.words, x, y, size, drawing.colour, bold=True))
    return write(picture, texts) if texts else picture


def on_plan(window: Viewport) -> Callable[[np.ndarray], np.ndarray | None]:
    """Return the projection to a picture from above, for `letter`."""
    return lambda place: window.pixels(_plan(place[None]))[0]


def in_view(eye: DrawingCamera) -> Callable[[np.ndarray], np.ndarray | None]:
    """Return the projection to an eye's picture, for `letter`."""

    def pixels(place: np.ndarray) -> np.ndarray | None:
        seen = eye.seen(place)
        return eye.pixels(seen) if seen[0] > _NEAR else None

    return pixels
