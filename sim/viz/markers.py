"""Markers for actors and traffic lights on a top-down map.

A vehicle is drawn as its outline with two panes, a cyclist as a slim dart with a head, a walker as a small disc, a cone
as a triangle, a barrier as its striped boom or, if raised, its post, a ball as a dot, and a traffic light as a dark bar
with a lamp in its colour on the side that it faces.  World frame as in `sim.datatypes.world_state`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sim.actors.light_head import LAMP_COLOURS
from sim.actors.registry import ACTOR_KINDS, KIND, KINDS
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.road.graph.traffic_lights import OFF, light_state

if TYPE_CHECKING:
    from sim.viz.viewport import Viewport

Colour = tuple[int, int, int]
Placed = Callable[[Any], np.ndarray]  # points in an actor's own frame [m] -> pixels
EGO_COLOUR: Colour = (240, 84, 48)
_LEAST = 5.0  # [px] smallest radius of a walker's disc and of a lamp, at any map scale
_DARK: Colour = (28, 32, 40)
_CONE: Colour = (246, 98, 24)
_BOOM: Colour = (206, 26, 24)
_MIDDLE = [[0.0, 0.0]]


@dataclass(frozen=True)
class Box:
    """An actor from above: centre x, y [m], yaw [rad], length and width [m]; kind is one of KINDS.

    Its marker is that of the kind's declaration.
    """

    x: float
    y: float
    yaw: float
    length: float
    width: float
    colour: Colour
    ego: bool = False
    kind: str = "car"


@dataclass(frozen=True)
class Lamp:
    """A traffic light from above: x, y of its pole [m], yaw of its face [rad], its state (SIGNAL_STATES)."""

    x: float
    y: float
    yaw: float
    state: int


def unpack(look: int) -> Colour:
    """Split 0xRRGGBB into red, green and blue."""
    return (look >> 16) & 255, (look >> 8) & 255, look & 255


def boxes_of(world: World, w: int) -> tuple[Box, ...]:
    """The actors of world `w`, ego last so that it is drawn over the others."""
    found = []
    for i in reversed(range(world.kind.shape[1])):
        kind = int(world.kind[w, i])
        if kind == KIND["none"]:
            continue
        yaw = float(world.yaw[w, i])
        centre = float(world.length[w, i]) / 2 - float(world.overhang[w, i])  # ahead of the rear axle
        found.append(Box(
            float(world.x[w, i]) + centre * math.cos(yaw), float(world.y[w, i]) + centre * math.sin(yaw), yaw,
            float(world.length[w, i]), float(world.width[w, i]),
            EGO_COLOUR if i == 0 else unpack(int(world.appearance[w, i])), ego=i == 0,
            kind=KINDS[kind],
        ))  # fmt: skip
    return tuple(found)


def lamps_of(bank: MapArrays, world: World, w: int) -> tuple[Lamp, ...]:
    """The traffic lights of the map of world `w`, with their current states."""
    m = int(world.map[w])
    rows = bank.scenery[bank.scenery_start[m] : bank.scenery_start[m + 1]]
    clock = np.int32(world.clock[w])
    return tuple(
        Lamp(float(x), float(y), float(yaw), int(light_state(np.int32(plan), clock)))
        for kind, x, y, yaw, _, _, _, plan in rows
        if kind == KIND["light"]
    )


def blend(picture: np.ndarray, paint: Callable[[np.ndarray], None], opacity: float) -> None:
    """Let `paint` draw on `picture` (H, W, 3) in place, with opacity `opacity`."""
    over = picture.copy()
    paint(over)
    cv2.addWeighted(over, opacity, picture, 1.0 - opacity, 0.0, dst=picture)


def rounded(width: float, height: float, radius: float) -> np.ndarray:
    """(32, 2) outline of a rounded rectangle around 0."""
    radius = min(radius, width / 2, height / 2)
    turn = np.linspace(0, math.pi / 2, 8)
    arc = np.stack([np.cos(turn), np.sin(turn)], 1) * radius
    x, y = width / 2 - radius, height / 2 - radius
    corners = []
    for k, (cx, cy) in enumerate([(x, y), (-x, y), (-x, -y), (x, -y)]):
        c, s = math.cos(k * math.pi / 2), math.sin(k * math.pi / 2)
        corners.append(arc @ np.array([[c, s], [-s, c]]) + [cx, cy])
    return np.concatenate(corners)


def fill(picture: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    """Fill a polygon (n, 2) given in pixels, in place."""
    fixed = np.round(points * 16).astype(np.int32)  # 4 fractional bits
    cv2.fillPoly(picture, [fixed], colour, cv2.LINE_AA, shift=4)


def _disc(picture: np.ndarray, at: np.ndarray, radius: float, colour: Colour) -> None:
    centre = (round(float(at[0]) * 16), round(float(at[1]) * 16))
    cv2.circle(picture, centre, round(radius * 16), colour, -1, cv2.LINE_AA, shift=4)


def draw_box(picture: np.ndarray, box: Box, window: Viewport) -> None:
    """Draw one actor on `picture` (H, W, 3), whose pixels are those of `window`."""
    c, s = math.cos(box.yaw), math.sin(box.yaw)
    turn = np.array([[c, s], [-s, c]])

    def placed(outline: np.ndarray | list[list[float]]) -> np.ndarray:
        return window.pixels(np.asarray(outline, float) @ turn + [box.x, box.y])

    MARKERS[ACTOR_KINDS[box.kind].marker](picture, box, placed, window.scale)


def _cone(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    radius = max(box.width * 0.7 * scale, _LEAST)
    corners = np.array([[0.0, -1.0], [0.87, 0.5], [-0.87, 0.5]])
    fill(picture, placed(_MIDDLE)[0] + corners * (radius * 1.45), (255, 255, 255))
    fill(picture, placed(_MIDDLE)[0] + corners * radius, _CONE)


def _barrier(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    half, thick = box.width / 2, max(0.4, _LEAST / scale) / 2
    _boom(picture, placed, np.linspace(-half, half, 8), thick)
    _post(picture, placed([[0.0, -half]])[0], scale)


def _raised_barrier(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    _post(picture, placed(_MIDDLE)[0], scale)


def _post(picture: np.ndarray, at: np.ndarray, scale: float) -> None:
    reach = max(0.45, _LEAST / scale)
    _disc(picture, at, reach * 1.4 * scale, (255, 255, 255))
    _disc(picture, at, reach * scale, _BOOM)


def _ball(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    _disc(picture, placed(_MIDDLE)[0], _LEAST, (255, 255, 255))
    _disc(picture, placed(_MIDDLE)[0], 0.75 * _LEAST, _BOOM)


def _person(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    radius = max(box.width / 2 * scale, _LEAST)
    _disc(picture, placed(_MIDDLE)[0], radius * 1.4, (255, 255, 255))
    _disc(picture, placed(_MIDDLE)[0], radius, box.colour)


def _dart(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    half, across = box.length / 2, max(box.width / 2, 0.7 * _LEAST / scale)
    dart = np.array([[half, 0.0], [0.1 * half, across], [-half, 0.3 * across], [-half, -0.3 * across],
                     [0.1 * half, -across]])  # fmt: skip
    fill(picture, placed(dart * 1.35), (255, 255, 255))
    fill(picture, placed(dart), box.colour)
    _disc(picture, placed(_MIDDLE)[0], across * scale * 0.5, _DARK)


def _boom(picture: np.ndarray, placed: Placed, ends: np.ndarray, thick: float) -> None:
    """Draw a barrier's boom in red and white pieces; ends: of the pieces across the lane, thick: half thickness [m]."""
    for k, (a, b) in enumerate(itertools.pairwise(ends)):
        corners = [[thick, a], [thick, b], [-thick, b], [-thick, a]]
        fill(picture, placed(corners), (255, 255, 255) if k % 2 else _BOOM)


def draw_lamp(picture: np.ndarray, lamp: Lamp, window: Viewport) -> None:
    """Draw one traffic light on `picture` (H, W, 3): a bar across its facing direction, with the lamp before it."""
    size = max(0.75 * window.scale, _LEAST)
    at, ahead = window.pixels(np.array([[lamp.x, lamp.y], [lamp.x + math.cos(lamp.yaw), lamp.y + math.sin(lamp.yaw)]]))
    forward = (ahead - at) / np.hypot(*(ahead - at))
    across = np.array([-forward[1], forward[0]])
    for grow, colour in ((1.35, (255, 255, 255)), (1.0, _DARK)):
        corners = [(0.55, 1.0), (0.55, -1.0), (-0.55, -1.0), (-0.55, 1.0)]
        fill(picture, np.array([at + (forward * a + across * b) * size * grow for a, b in corners]), colour)
    if lamp.state != OFF:
        red, green, blue = (int(v) for v in LAMP_COLOURS[lamp.state])
        _disc(picture, at + forward * size * 0.9, size * 0.85, _DARK)
        _disc(picture, at + forward * size * 0.9, size * 0.68, (red, green, blue))


def _vehicle(picture: np.ndarray, box: Box, placed: Placed, scale: float) -> None:
    """Draw a vehicle's outline, shadow and panes; `placed` maps metres in its own frame to pixels."""
    body = rounded(box.length, box.width, 0.5)
    blend(picture, lambda p: fill(p, placed(body) + scale * 0.25, (20, 24, 30)), 0.35)
    if box.ego:
        fill(picture, placed(rounded(box.length + 0.9, box.width + 0.9, 0.9)), (255, 255, 255))
    fill(picture, placed(body), box.colour)
    glass = tuple(int(v * 0.35 + 18) for v in box.colour)
    front = np.array([[0.16, 0.40], [0.16, -0.40], [0.02, -0.33], [0.02, 0.33]]) * [box.length, box.width]
    rear = np.array([[-0.36, 0.36], [-0.36, -0.36], [-0.28, -0.32], [-0.28, 0.32]]) * [box.length, box.width]
    for pane in (front, rear):
        fill(picture, placed(pane), glass)  # type: ignore[arg-type]


# The form of an actor from above, by the name that a kind's declaration gives; `sim.viz.top_down` draws scenery.
MARKERS: dict[str, Callable[[np.ndarray, Box, Placed, float], None]] = {
    "vehicle": _vehicle, "dart": _dart, "disc": _person, "cone": _cone, "ball": _ball, "boom": _barrier,
    "boom_post": _raised_barrier,
}  # fmt: skip
