"""Meshes of actors and scenery: convex faces in a unit box, scaled to each object's length, width and height.

Box frame: x forward and y left from -1/2 to 1/2, z up from 0 to 1.  A face has up to four corners and, independent of
them, a frame for its texture: an origin and two edges, s to the right and t downwards as seen from outside.  With
separate frames a trapezoid or a triangle cuts its outline from an unsheared texture.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from sim.actors.kinds import BODIES
from sim.actors.light_head import HEAD_FROM, LAMP_AHEAD, LAMP_LEVELS
from sim.datatypes.vocabulary import KINDS
from sim.render.assets.figures import RIDER_SIZE, WALKER_SIZE, rider_name, walker_name
from sim.render.assets.textures import TEXTURE
from sim.render.assets.variants import (
    FACING,
    MIRRORED,
    POSES,
    RIDER_SIDES,
    STYLES,
    THIN,
    TWO_SIDED,
    VARIANTS,
    WALKER_SIDES,
)

Point = tuple[float, float, float]
Face = tuple[list[float], tuple[int, int]]  # a row of Meshes.shape and one of Meshes.what


class Meshes(NamedTuple):
    """The faces of every kind of object as flat arrays.

    Args:
        shape: (Q, 23) float32: four corners, the texture's origin and two edges (x, y, z each); then the metres that
            one repeat of the texture covers along s and t, 0 where the texture is stretched once over its frame.
        what: (Q, 2) int32: texture, flags.
        start: (kinds, most variants + 1) int32: faces of kind k in variant v (`sim.render.objects.variant_of`) are
            start[k, v] .. start[k, v + 1].
        reach: (kinds,) float32: distance beyond which an object of the kind is not drawn [m].
    """

    shape: np.ndarray
    what: np.ndarray
    start: np.ndarray
    reach: np.ndarray


def _face(texture: str, corners: list[Point], frame: tuple[Point, Point, Point] | None = None, flags: int = 0,
          metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    """One face; corners run top left, top right, bottom right, bottom left as seen from outside.

    Args:
        frame: the corners top left, top right and bottom left of the texture; default: those of the face.
    """
    a, b, d = frame or (corners[0], corners[1], corners[3])
    edges = [*a, *(q - p for p, q in zip(a, b)), *(q - p for p, q in zip(a, d))]
    return [v for c in corners for v in c] + edges + list(metres), (TEXTURE[texture], flags)


def _sides(texture: str, x0: float, x1: float, z0: float, z1: float, y: float = 0.5,
           metres: tuple[float, float] = (0.0, 0.0)) -> list[Face]:  # fmt: skip
    """Upright faces on both sides between x0 (rear) and x1 (front); the right one has the mirrored texture."""
    left: list[Point] = [(x1, y, z1), (x0, y, z1), (x0, y, z0), (x1, y, z0)]
    right: list[Point] = [(x0, -y, z1), (x1, -y, z1), (x1, -y, z0), (x0, -y, z0)]
    mirror = (right[1], right[0], right[2])
    return [_face(texture, left, metres=metres), _face(texture, right, mirror, MIRRORED, metres)]


def _front(texture: str, x: float, z0: float, z1: float, y: float = 0.5,
           metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    return _face(texture, [(x, -y, z1), (x, y, z1), (x, y, z0), (x, -y, z0)], metres=metres)


def _rear(texture: str, x: float, z0: float, z1: float, y: float = 0.5,
          metres: tuple[float, float] = (0.0, 0.0)) -> Face:  # fmt: skip
    return _face(texture, [(x, y, z1), (x, -y, z1), (x, -y, z0), (x, y, z0)], metres=metres)


def _top(texture: str, x0: float, x1: float, z0: float, z1: float, y0: float = 0.5, y1: float = 0.5) -> Face:
    """A sloped or level face that can be seen from above and behind, from (x0, z0) up or on to (x1, z1)."""
    return _face(texture, [(x1, y1, z1), (x1, -y1, z1), (x0, -y0, z0), (x0, y0, z0)])


def _car() -> list[Face]:
    waist = 0.60
    # the cabin: waist from -0.47 to 0.20, roof from -0.30 to 0.02, narrower at the roof
    b0, b1, r0, r1, yw, yr = -0.46, 0.24, -0.30, 0.02, 0.47, 0.40
    left: list[Point] = [(r1, yr, 1), (r0, yr, 1), (b0, yw, waist), (b1, yw, waist)]
    right: list[Point] = [(r0, -yr, 1), (r1, -yr, 1), (b1, -yw, waist), (b0, -yw, waist)]
    screen: list[Point] = [(r1, -yr, 1), (r1, yr, 1), (b1, yw, waist), (b1, -yw, waist)]
    rear: list[Point] = [(r0, yr, 1), (r0, -yr, 1), (b0, -yw, waist), (b0, yw, waist)]
    return [
        *_sides("car_side", -0.5, 0.5, 0.0, waist),
        _front("car_front", 0.5, 0.0, waist * 0.92),
        _rear("car_rear", -0.5, 0.0, waist),
        _face("paint", [(b1, -0.5, waist), (b1, 0.5, waist), (0.5, 0.5, waist * 0.92), (0.5, -0.5, waist * 0.92)]),
        _top("paint", -0.5, b1, waist, waist),  # boot, and the ledge beside the narrower cabin
        _face("cabin_side", left, ((b1, yr, 1), (b0, yr, 1), (b1, yw, waist))),
        _face("cabin_side", right, ((b1, -yr, 1), (b0, -yr, 1), (b1, -yw, waist)), flags=MIRRORED),
        _face("glass", screen, ((r1, -yw, 1), (r1, yw, 1), (b1, -yw, waist))),
        _face("glass", rear, ((r0, yw, 1), (r0, -yw, 1), (b0, yw, waist))),
        _top("paint", r0, r1, 1, 1, yr, yr),
    ]


def _van() -> list[Face]:
    return [
        *_sides("van_side", -0.5, 0.5, 0.0, 1.0),
        _front("van_front", 0.5, 0.0, 1.0),
        _rear("van_rear", -0.5, 0.0, 1.0),
        _top("paint", -0.5, 0.5, 1, 1),
    ]


def _truck() -> list[Face]:
    cab = 0.27
    return [
        *_sides("truck_box", -0.5, cab, 0.0, 1.0),
        *_sides("truck_cab_side", cab, 0.5, 0.0, 0.82, y=0.48),
        _front("truck_front", 0.5, 0.0, 0.82, y=0.48),
        _rear("truck_rear", -0.5, 0.0, 1.0),
        _face("paint", [(cab, -0.5, 1), (cab, 0.5, 1), (cab, 0.5, 0.8), (cab, -0.5, 0.8)]),
        _top("paint", cab, 0.5, 0.82, 0.82, 0.48, 0.48),
    ]


def _building(style: int) -> list[Face]:
    wall, metres = f"facade_{style}", (13.0, 13.0)
    return [
        *_sides(wall, -0.5, 0.5, 0.0, 1.0, metres=metres),
        _front(wall, 0.5, 0.0, 1.0, metres=metres),
        _rear(wall, -0.5, 0.0, 1.0, metres=metres),
        _top(f"roof_{style}", -0.5, 0.5, 1, 1),
    ]


def _house(style: int) -> list[Face]:
    """A house: walls to 0.58 of the height, then a gable roof with its ridge along x and overhanging eaves."""
    eave, roof, out = 0.58, f"roof_{style}", 0.55
    low = eave - 0.05
    gable_front: list[Point] = [(0.5, 0, 1), (0.5, 0, 1), (0.5, 0.5, eave), (0.5, -0.5, eave)]
    gable_rear: list[Point] = [(-0.5, 0, 1), (-0.5, 0, 1), (-0.5, -0.5, eave), (-0.5, 0.5, eave)]
    return [
        *_sides("house_door", -0.5, 0.5, 0.0, eave),
        _front("house_side", 0.5, 0.0, eave),
        _rear("house_side", -0.5, 0.0, eave),
        _face("paint", gable_front, ((0.5, -0.5, 1), (0.5, 0.5, 1), (0.5, -0.5, eave))),
        _face("paint", gable_rear, ((-0.5, 0.5, 1), (-0.5, -0.5, 1), (-0.5, 0.5, eave))),
        _face(roof, [(out, 0, 1), (-out, 0, 1), (-out, 0.56, low), (out, 0.56, low)], flags=TWO_SIDED),
        _face(roof, [(-out, 0, 1), (out, 0, 1), (out, -0.56, low), (-out, -0.56, low)], flags=TWO_SIDED),
    ]


def _tree(style: int) -> list[Face]:
    """A tree: one billboard that faces the camera; trees look alike from all sides."""
    corners: list[Point] = [(0, 0.5, 1), (0, -0.5, 1), (0, -0.5, 0), (0, 0.5, 0)]
    return [_face(f"tree_{style}", corners, flags=FACING | TWO_SIDED)]


def _lamp() -> list[Face]:
    """A street lamp: a pole at the centre and an arm ahead (the box's x) with the head at its end."""
    pole: list[Point] = [(0, 0.5, 1), (0, -0.5, 1), (0, -0.5, 0), (0, 0.5, 0)]
    arm: list[Point] = [(0, 0.0, 1), (0.5, 0.0, 1), (0.5, 0.0, 0.985), (0, 0.0, 0.985)]
    head: list[Point] = [(0.36, 0.0, 0.992), (0.62, 0.0, 0.992), (0.62, 0.0, 0.96), (0.36, 0.0, 0.96)]
    tip: list[Point] = [(0.5, 0.9, 0.992), (0.5, -0.9, 0.992), (0.5, -0.9, 0.955), (0.5, 0.9, 0.955)]
    return [
        _face("pole", pole, flags=FACING | TWO_SIDED | THIN),
        _face("pole", arm, flags=TWO_SIDED),
        _face("lamp_head", head, flags=TWO_SIDED),
        _face("lamp_head", tip, flags=FACING | TWO_SIDED | THIN),
    ]


def _fence() -> list[Face]:
    corners: list[Point] = [(0.5, 0, 1), (-0.5, 0, 1), (-0.5, 0, 0), (0.5, 0, 0)]
    return [_face("fence", corners, flags=TWO_SIDED, metres=(2.0, 0.0))]


def _card(name: str, mirrored: bool, half: float) -> list[Face]:
    """A billboard that faces the camera; half: its half width over the object's width."""
    left, right = (0.0, half), (0.0, -half)
    corners: list[Point] = [(*left, 1), (*right, 1), (*right, 0), (*left, 0)]
    if not mirrored:
        return [_face(name, corners, flags=FACING | TWO_SIDED)]
    return [_face(name, corners, ((*right, 1), (*left, 1), (*right, 0)), FACING | TWO_SIDED | MIRRORED)]


def _bicycle(variant: int) -> list[Face]:
    """A cyclist seen from one of RIDER_SIDES sides, in one of PEDALS phases."""
    return _card(*rider_name(*divmod(variant, RIDER_SIDES)), RIDER_SIZE[0] / 2 / BODIES["bicycle"].width)


def _walker(variant: int) -> list[Face]:
    """A pedestrian seen from one of WALKER_SIDES sides, in one of POSES and OUTFITS."""
    dressed, turn = divmod(variant, WALKER_SIDES)
    return _card(*walker_name(*divmod(dressed, POSES), turn), WALKER_SIZE[0] / 2 / BODIES["walker"].width)


def _light() -> list[Face]:
    """A traffic light: a pole at the centre, before it a plate with the housing.

    `sim.render.traffic_lights` draws its lit lamps.
    """
    pole: list[Point] = [(0, 0.07, 0.97), (0, -0.07, 0.97), (0, -0.07, 0), (0, 0.07, 0)]
    x0, x1, tip, z0, z1 = 0.1, LAMP_AHEAD, 0.5, HEAD_FROM + 0.02, 0.985
    below: list[Point] = [(x0, 0.28, z0), (x0, -0.28, z0), (x1, -0.28, z0), (x1, 0.28, z0)]
    hoods = []
    for level in LAMP_LEVELS:
        for y in (-0.24, 0.24):
            up, down = level + 0.045, level - 0.03
            hoods.append([(x1, y, up), (tip, y, up), (tip, y, up - 0.02), (x1, y, down)])
    return [
        _face("pole", pole, flags=FACING | TWO_SIDED | THIN),
        _front("light_front", x1, HEAD_FROM, 1.0),
        _rear("dark_metal", x1, HEAD_FROM, 1.0),
        *_sides("dark_metal", x0, x1, z0, z1, 0.28),
        _rear("dark_metal", x0, z0, z1, 0.28),
        _face("dark_metal", below, flags=TWO_SIDED),
        *(_face("dark_metal", hood, flags=TWO_SIDED) for hood in hoods),
    ]


def _barrier() -> list[Face]:
    """A closed barrier: a boom across the lane, with a skirt of rods, on a housing at its right end."""
    low, high, x, inner = 0.68, 0.95, 0.1, -0.443
    skirt: list[Point] = [(0, inner, low), (0, 0.5, low), (0, 0.5, 0.2), (0, inner, 0.2)]
    return [
        _front("boom", x, low, high),
        _rear("boom", -x, low, high),
        _top("boom", -x, x, high, high),
        _face("skirt", skirt, flags=TWO_SIDED),
        *_post(-0.5, inner, 1.0),
    ]


def _raised_barrier() -> list[Face]:
    """An open barrier: the same housing with its boom upright."""
    foot, low, y = 0.262, 0.2, 0.75
    boom: list[Point] = [(0, y, 1), (0, -y, 1), (0, -y, low), (0, y, low)]
    return [_face("raised_boom", boom, flags=FACING | TWO_SIDED | THIN), *_post(-0.5, 0.5, foot)]


def _post(right: float, left: float, top: float) -> list[Face]:
    """The housing of a barrier, between two shares of its width and up to a share of its height."""
    faces = []
    for x, a, b in ((0.5, right, left), (-0.5, left, right)):
        faces.append(_face("boom_post", [(x, a, top), (x, b, top), (x, b, 0), (x, a, 0)]))
    for y, a, b in ((right, -0.5, 0.5), (left, 0.5, -0.5)):
        faces.append(_face("boom_post", [(a, y, top), (b, y, top), (b, y, 0), (a, y, 0)]))
    return faces


@functools.lru_cache(maxsize=1)
def meshes() -> Meshes:
    """Build the faces of every kind, in its VARIANTS or else in STYLES variants."""
    makers = {
        "car": lambda style: _car(), "van": lambda style: _van(), "truck": lambda style: _truck(),
        "building": _building, "house": _house, "tree": _tree,
        "lamp": lambda style: _lamp(), "fence": lambda style: _fence(),
        "bicycle": _bicycle, "walker": _walker, "cone": lambda style: _card("cone", False, 0.5),
        "light": lambda style: _light(), "ball": lambda style: _card("ball", False, 0.5),
        "barrier": lambda style: _barrier(), "raised_barrier": lambda style: _raised_barrier(),
    }  # fmt: skip
    reach = {"building": 260.0, "house": 160.0, "tree": 120.0, "lamp": 80.0, "fence": 60.0, "cone": 60.0, "ball": 60.0}
    shapes: list[list[float]] = []
    what: list[tuple[int, int]] = []
    start = np.zeros((len(KINDS), max(VARIANTS.values()) + 1), np.int32)
    for k, kind in enumerate(KINDS):
        for variant in range(VARIANTS.get(kind, STYLES)):
            start[k, variant] = len(shapes)
            for shape, label in makers[kind](variant) if kind in makers else []:
                shapes.append(shape)
                what.append(label)
        start[k, VARIANTS.get(kind, STYLES) :] = len(shapes)
    return Meshes(
        np.array(shapes, np.float32), np.array(what, np.int32), start,
        np.array([reach.get(kind, 110.0) for kind in KINDS], np.float32),
    )  # fmt: skip
