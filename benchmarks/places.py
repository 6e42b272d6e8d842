"""Draws the places of decision beyond the single junction, with the routes that each offers to ego.

    python benchmarks/places.py
    python benchmarks/places.py --out /folder/for/a/look

Grounds are compiled by `sim.road.map.compiler`; lines are the routes of `sim.road.graph.decision_points`.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sheets import FOLDER, save

from sim.datatypes.episode import MapSpec
from sim.datatypes.road_map import Junction, RoadMap, Route
from sim.datatypes.vocabulary import DECISION, DECISIONS
from sim.road.graph.decision_points import bays_of
from sim.road.graph.placement import pose_at
from sim.road.map.loading import load_map
from sim.viz.markers import Colour
from sim.viz.top_down import INK, SHARPNESS, Text, background, rounded_box, text_width, top_down, write
from sim.viz.viewport import Viewport

WIDE = 900  # [px]
APART = 0.62  # [m] between the strands of routes that share a lane
COLOURS: tuple[Colour, ...] = ((38, 99, 201), (214, 92, 24), (24, 138, 88), (160, 52, 150), (196, 32, 48))
GATE: Colour = (20, 22, 26)
PAPER: Colour = (251, 250, 247)
GREY: Colour = (96, 102, 112)


@dataclass(frozen=True)
class Shot:
    """A place, its caption, and the part of the world that is shown.

    Args:
        span, tall: of the picture [m]; up: the yaw that points to the top of the page [rad].
        shift: of the picture's middle from the place's [m].
    """

    kind: str
    spec: MapSpec
    arm: str
    words: str
    span: float
    tall: float
    up: float = 0.5 * math.pi
    shift: tuple[float, float] = (0.0, 0.0)


SHOTS = (
    Shot("exits", MapSpec("exits", (("arm", 25.0), ("exits", 4), ("shift", 8.0), ("side", 30.0), ("spacing", 35.0))),
         "south", "side roads on the right; black: here the place begins, coloured: here it is decided", 186.0, 60.0,
         math.pi, (12.0, 0.0)),
    Shot("motorway_exit", MapSpec("motorway_exit", (("arm", 70.0), ("deceleration", 50.0))),
         "west", "a deceleration lane that leaves as a ramp", 200.0, 48.0, shift=(0.0, -9.0)),
    Shot("two_turns", MapSpec("two_turns", (("arm", 25.0), ("leg", 35.0), ("side", 30.0))),
         "south", "two turns, one after the other; decided is who is past the second", 160.0, 92.0),
    Shot("narrow_passage", MapSpec("narrow_passage", (("arm", 40.0),)),
         "west", "one car at a time, in the middle of the gap", 116.0, 26.0, shift=(0.0, -1.0)),
    Shot("parking_bays", MapSpec("parking_bays", (("arm", 25.0), ("longest", 7.5), ("seed", 3), ("shortest", 4.5))),
         "west", "the stretch with bays to park in; they are counted as ego comes by", 92.0, 22.0, shift=(0.0, -1.0)),
    Shot("crosswalk", MapSpec("crosswalk", (("arm", 40.0),)),
         "west", "the crosswalk, or else the middle, of a straight street", 92.0, 22.0, shift=(0.0, 0.0)),
)  # fmt: skip


def draw(shot: Shot) -> np.ndarray:
    """The picture of one place (H, W, 3), with its name and caption above it."""
    road_map, place = load_map(MapSpec(shot.spec.generate, shot.spec.parameters, kind=shot.kind))
    middle = (place.centre[0] + shot.shift[0], place.centre[1] + shot.shift[1])
    window = Viewport(middle, shot.span, WIDE, round(WIDE * shot.tall / shot.span), shot.up)
    base = background(road_map, window)
    base = cv2.addWeighted(base, 0.62, np.full_like(base, (238, 238, 233)), 0.38, 0.0)
    large = window.larger(SHARPNESS)
    texts: list[tuple[str, tuple[float, float], Colour]] = []
    if shot.kind == "parking_bays":
        _bays(base, road_map, large, texts, window)
    # strands from right to left as the routes leave the lane, so that none crosses another
    routes = sorted(place.routes_from(shot.arm), key=lambda r: (r.decision == DECISION["straight"], r.decision))
    if shot.kind == "two_turns":
        routes.reverse()
    for k, route in enumerate(routes):
        _route(base, route, (k - 0.5 * (len(routes) - 1)) * APART, COLOURS[k % len(COLOURS)], large)
    _bar(base, *pose_at(routes[0].path, routes[0].junction_in), 1.6, GATE, large)
    page = top_down(road_map, window, base=base)
    for k, route in enumerate(routes):
        s = min(route.junction_out + 12.0, route.path.length)
        texts.append((DECISIONS[route.decision], _at(route, s, window), COLOURS[k % len(COLOURS)]))
    texts += [(f"arm {name}", _beside(place, name, window), GREY) for name in place.arms]
    return _head(_labelled(page, texts), shot)


def _route(picture: np.ndarray, route: Route, aside: float, colour: Colour, window: Viewport) -> None:
    """Draw a route as a strand beside the others, with an arrow at its end and a bar where it is decided."""
    points = route.path.points[: round((min(route.junction_out + 9.0, route.path.length)) / 0.5) + 1].astype(float)
    strand = points[:, :2] + aside * np.column_stack([-np.sin(points[:, 2]), np.cos(points[:, 2])])
    _stroke(picture, window.pixels(strand), colour, 1.9 * SHARPNESS)
    yaw = float(points[-1, 2])
    ahead, left = np.array([math.cos(yaw), math.sin(yaw)]), np.array([-math.sin(yaw), math.cos(yaw)])
    tip = strand[-1] + 1.3 * ahead
    corners = np.array([tip, tip - 2.6 * ahead + 1.1 * left, tip - 2.6 * ahead - 1.1 * left])
    cv2.fillPoly(picture, [np.round(window.pixels(corners) * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)
    _bar(picture, *pose_at(route.path, route.junction_out), 1.6, colour, window)


def _bar(
    picture: np.ndarray, x: float, y: float, yaw: float, half: float, colour: Colour, window: Viewport
) -> None:  # fmt: skip
    """Draw a bar across a lane."""
    left = np.array([-math.sin(yaw), math.cos(yaw)]) * half
    _stroke(picture, window.pixels(np.array([x, y]) + np.array([left, -left])), colour, 2.6 * SHARPNESS)


def _stroke(picture: np.ndarray, points: np.ndarray, colour: Colour, width: float) -> None:
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(picture, [fixed], False, colour, max(1, round(width)), cv2.LINE_AA, shift=4)


def _bays(
    picture: np.ndarray, road_map: RoadMap, large: Viewport, texts: list[tuple[str, tuple[float, float], Colour]],
    window: Viewport,
) -> None:  # fmt: skip
    """Draw the outline and the number of every bay."""
    for k, (x, y, yaw, length, width) in enumerate(bays_of(road_map), 1):
        ahead, left = np.array([math.cos(yaw), math.sin(yaw)]), np.array([-math.sin(yaw), math.cos(yaw)])
        corners = [(x, y) + 0.5 * (a * length * ahead + b * width * left)
                   for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1))]  # fmt: skip
        _stroke(picture, large.pixels(np.array(corners)), COLOURS[2], 1.4 * SHARPNESS)
        at = window.pixels(np.array([[x, y]]))[0]
        texts.append((f"bay {k}", (float(at[0]), float(at[1])), COLOURS[2]))


def _at(route: Route, s: float, window: Viewport) -> tuple[float, float]:
    x, y, _ = pose_at(route.path, s)
    at = window.pixels(np.array([[x, y]]))[0]
    return float(at[0]), float(at[1])


def _beside(place: Junction, name: str, window: Viewport) -> tuple[float, float]:
    """The place of an arm's name: to the right of its inbound lane, off the road."""
    arm = place.arms[name]
    away = 23.0 if len(name) > len("south") or name.startswith("exit") else 14.0
    x, y, yaw = pose_at(arm.inbound, max(arm.inbound.length - away, 0.0))
    aside = 8.0
    at = window.pixels(np.array([[x + aside * math.sin(yaw), y - aside * math.cos(yaw)]]))[0]
    return float(at[0]), float(at[1])


def _labelled(page: np.ndarray, texts: list[tuple[str, tuple[float, float], Colour]]) -> np.ndarray:
    """The page with words on white plates, which stay within it."""
    made = []
    for words, (x, y), colour in texts:
        wide = text_width(words, 12, True) + 10
        x = float(np.clip(x, 0.5 * wide + 3, page.shape[1] - 0.5 * wide - 3))
        y = float(np.clip(y, 12, page.shape[0] - 12))
        rounded_box(page, (x - 0.5 * wide, y - 9), (wide, 18), 4, (255, 255, 255), 0.88)
        made.append(Text(words, x, y, 12, colour, bold=True, anchor="mm"))
    return write(page, made)


def _head(picture: np.ndarray, shot: Shot) -> np.ndarray:
    strip = np.full((34, picture.shape[1], 3), PAPER, np.uint8)
    made = f"map: {{generate: {shot.spec.generate}}}"
    beside = 22 + text_width(shot.kind, 16, True)
    texts = [
        Text(shot.kind, 10, 23, 16, INK, bold=True),
        Text(shot.words, beside, 23, 12),
        Text(made, picture.shape[1] - 10, 23, 12, GREY, anchor="rs"),
    ]
    return np.concatenate([write(strip, texts), picture])


def main() -> None:
    """Draw all places, one below the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the picture is written to")
    options = parser.parse_args()
    save(np.concatenate([draw(shot) for shot in SHOTS]), options.out / "places.png", mask=0xF8)


if __name__ == "__main__":
    main()
