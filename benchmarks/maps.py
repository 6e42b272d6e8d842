"""Draws the maps of docs/reference/maps.md (generators, files of $HOMUNCULUS_MAPS) with their lane graphs.

    python benchmarks/maps.py
    python benchmarks/maps.py --out /folder/for/a/look --only roundabout motorway_exit

Ground and scenery are compiled by `sim.road.map.compiler`; the lines on them are those of `sim.road.graph.lane_graph`.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sim.road.generators import registry as maps
from sim.road.graph.lane_graph import LANE_KIND, LIGHTS, STOP, YIELD, LaneGraph, lane_graph
from sim.road.map.compiler import compiled
from sim.viz.markers import Colour
from sim.viz.top_down import INK, SHARPNESS, Text, background, rounded_box, text_width, top_down, write
from sim.viz.viewport import Viewport

FOLDER = Path(__file__).parent.parent / "docs" / "images"
TOWNS = ("Town01", "Town02")  # the files that are on the page
WIDE, TALLEST, LEAST = 860, 640, 190  # [px]
EDGE = 9.0  # [m] around the lanes
LANE: Colour = (40, 110, 215)
INSIDE: Colour = (240, 130, 20)
CHANGES: Colour = (255, 255, 255)
COLOURS: dict[str, Colour] = {"parking": (20, 150, 90), "biking": (190, 60, 170), "sidewalk": (140, 90, 60)}
CROSSWALK: Colour = (200, 30, 140)
RED: Colour = (205, 30, 35)
LAMPS: tuple[Colour, ...] = ((235, 60, 50), (245, 190, 40), (60, 200, 90))
GREY: Colour = (118, 124, 134)
KEPT: tuple[Colour, ...] = (
    LANE, INSIDE, CHANGES, CROSSWALK, RED, GREY, INK, *COLOURS.values(), *LAMPS, (251, 250, 247), (20, 22, 26),
    (125, 165, 225), (245, 185, 120), (70, 80, 95), (170, 172, 178), (180, 180, 180),
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """What a picture shows: a generator with its parameters or a file, and the words above it."""

    words: str
    generate: str | None = None
    parameters: tuple[tuple[str, float], ...] = ()


SHOTS: dict[str, Shot] = {
    "t_junction": Shot("A stem meets a through road.", "t_junction"),
    "crossroads": Shot("Four roads, no signs: who comes from the right goes first.", "crossroads"),
    "crossroads_lights": Shot(
        "A light on every arm; opposite ones have one controller.", "crossroads_lights", (("arm", 30.0),)
    ),
    "crossroads_stop": Shot("A stop sign on every arm.", "crossroads_stop", (("arm", 30.0),)),
    "roundabout": Shot("A one-lane ring; who enters gives way.", "roundabout", (("arm", 35.0),)),
    "roundabout-3": Shot("Three arms and a wide ring.", "roundabout", (("arm", 25.0), ("arms", 3.0), ("radius", 30.0))),
    "grid_town": Shot(
        "A closed town; the seed moves streets and leaves some out.", "grid_town",
        (("blocks_x", 5.0), ("blocks_y", 4.0), ("seed", 4.0)),
    ),
    "grid_town-lanes": Shot(
        "Two lanes a direction; white: may be changed.", "grid_town",
        (("block", 70.0), ("blocks_x", 2.0), ("blocks_y", 2.0), ("lanes", 2.0)),
    ),
    "motorway_merge": Shot(
        "A ramp gets a lane of its own, then runs into the next one.", "motorway_merge", (("arm", 60.0),)
    ),
    "narrow_passage": Shot("One car at a time; eastbound traffic gives way.", "narrow_passage", (("arm", 35.0),)),
    "parking_bays": Shot("Bays to park in along the south kerb.", "parking_bays", (("arm", 25.0),)),
    "exits": Shot("Side roads to be counted.", "exits", (("arm", 25.0), ("shift", 8.0), ("side", 60.0))),
    "two_turns": Shot("A left or right, and then another one.", "two_turns", (("arm", 30.0), ("side", 25.0))),
    "crosswalk": Shot("A crosswalk from kerb to kerb.", "crosswalk", (("arm", 35.0),)),
    "motorway_exit": Shot("A deceleration lane opens, then leaves as a ramp.", "motorway_exit", (("arm", 60.0),)),
}  # fmt: skip
for _name, _made in maps.GENERATORS.items():  # a new generator has a picture before it has a caption
    SHOTS.setdefault(_name, Shot(_made.doc, _name))


def draw(name: str, shot: Shot, file: Path | None = None) -> np.ndarray:
    """The picture (H, W, 3) of a map."""
    if file is None:
        text = maps.generate(str(shot.generate), shot.parameters)
    else:
        text = file.read_text(encoding="utf-8-sig")
    graph = lane_graph(text, name)
    window = _window(graph)
    large = window.larger(SHARPNESS)
    road_map = compiled(text, name)
    base = background(road_map, window)
    paper = np.full_like(base, (236, 236, 230))  # paler, so that the lanes stand out
    base = cv2.addWeighted(cv2.GaussianBlur(base, (0, 0), 0.7 * SHARPNESS), 0.72, paper, 0.28, 0.0)
    _lanes(base, graph, large)
    _crosswalks(base, graph, large)
    _signals(base, graph, large)
    return _title(top_down(road_map, window, base=base), name, shot.words, graph)


def _window(graph: LaneGraph) -> Viewport:
    low, high = graph.points[:, :2].min(0) - EDGE, graph.points[:, :2].max(0) + EDGE
    size = (high - low).astype(float)
    span = max(size[0], size[1] * WIDE / TALLEST)
    height = int(np.clip(size[1] / span * WIDE, LEAST, TALLEST))
    centre = 0.5 * (low + high)
    return Viewport((float(centre[0]), float(centre[1])), float(span), WIDE, height)


def _stroke(picture: np.ndarray, points: np.ndarray, colour: Colour, width: float, closed: bool = False) -> None:
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(picture, [fixed], closed, colour, max(1, round(width)), cv2.LINE_AA, shift=4)


def _fill(picture: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    cv2.fillPoly(picture, [np.round(points * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)


def _lanes(picture: np.ndarray, graph: LaneGraph, window: Viewport) -> None:
    """Draw driving, parking and cycling lanes as lines with arrows; those within junctions in a colour of their own."""
    scale = window.scale / SHARPNESS
    width = SHARPNESS * float(np.clip(scale * 0.22, 1.0, 2.0))
    for i in sorted(range(len(graph)), key=lambda i: graph.junction[i] < 0):
        kind = next(name for name, number in LANE_KIND.items() if number == graph.kind[i])
        if kind not in ("driving", "parking", "biking") or graph.length[i] < 0.5:
            continue
        colour = COLOURS.get(kind, LANE if graph.junction[i] < 0 else INSIDE)
        points = window.pixels(graph.points_of(i)[:, :2])
        if kind == "parking":
            _fill_lane(picture, graph, i, window, colour)
        _stroke(picture, points, colour, width)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        every = 70.0 * SHARPNESS
        count = max(1, round(along[-1] / every)) if kind != "parking" else 0
        if along[-1] < 14.0 * SHARPNESS:
            count = 0
        for k in range(count):
            # Within a junction near the exit, where lines have parted.
            at = (k + (0.5 if graph.junction[i] < 0 else 0.8)) / count * along[-1]
            size = np.clip(scale, 3.5, 6.0) * (1.0 if graph.junction[i] < 0 else 0.75)
            _arrow(picture, points, along, at, colour, SHARPNESS * float(size))
        _changes(picture, graph, i, window)


def _fill_lane(picture: np.ndarray, graph: LaneGraph, lane: int, window: Viewport, colour: Colour) -> None:
    rows = slice(graph.start[lane], graph.start[lane + 1])
    x, y, yaw = graph.points[rows].astype(float).T
    half = 0.5 * graph.width[rows]
    left, right = (np.stack([x - np.sin(yaw) * h, y + np.cos(yaw) * h], 1) for h in (half, -half))
    _stroke(picture, window.pixels(np.concatenate([left, right[::-1]])), colour, 1.5 * SHARPNESS, closed=True)


def _arrow(picture: np.ndarray, points: np.ndarray, along: np.ndarray, at: float, colour: Colour, size: float) -> None:
    here, there = (np.array([np.interp(at + d, along, points[:, k]) for k in (0, 1)]) for d in (-1.0, 1.0))
    ahead = (there - here) / max(float(np.hypot(*(there - here))), 1e-6)
    left = np.array([-ahead[1], ahead[0]])
    middle = 0.5 * (here + there)
    for grow, paint in ((1.6, (255, 255, 255)), (1.0, colour)):
        tip, back = middle + ahead * size * grow, middle - ahead * size * 0.7 * grow
        _fill(picture, np.array([tip, back + left * size * 0.75 * grow, back - left * size * 0.75 * grow]), paint)


def _changes(picture: np.ndarray, graph: LaneGraph, lane: int, window: Viewport) -> None:
    """Draw short white strokes towards the neighbouring lane where a lane change is allowed."""
    other = int(graph.neighbours[lane, 0])
    if other < 0 or graph.kind[lane] != LANE_KIND["driving"]:
        return
    rows = np.flatnonzero(graph.change[graph.start[lane] : graph.start[lane + 1], 0])[4::10]
    mine, theirs = graph.points_of(lane), graph.points_of(other)
    for k in rows:
        beside = theirs[min(len(theirs) - 1, round(k / len(mine) * len(theirs)))]
        ends = np.array([mine[k, :2] * 0.75 + beside[:2] * 0.25, mine[k, :2] * 0.25 + beside[:2] * 0.75])
        _stroke(picture, window.pixels(ends), CHANGES, SHARPNESS * 1.2)


def _crosswalks(picture: np.ndarray, graph: LaneGraph, window: Viewport) -> None:
    for corners in graph.crosswalks():
        _stroke(picture, window.pixels(corners), CROSSWALK, 2.0 * SHARPNESS, closed=True)


def _signals(picture: np.ndarray, graph: LaneGraph, window: Viewport) -> None:
    """Draw lights as lamps, stop as an octagon, yield as a triangle, others as dots; a stroke shows where they face."""
    for k, kind in enumerate(graph.signal_types):
        x, y, yaw = (float(v) for v in graph.signal_pose[k])
        at = window.pixels(np.array([[x, y]]))[0]
        size = SHARPNESS * float(np.clip(window.scale / SHARPNESS * 0.9, 5.0, 8.0))
        facing = window.pixels(np.array([[x + math.cos(yaw), y + math.sin(yaw)]]))[0] - at
        facing /= np.hypot(*facing)
        _stroke(picture, np.array([at, at + facing * size * 2.2]), INK, SHARPNESS * 1.2)
        if kind in LIGHTS:
            half = np.array([[-0.55, -1.3], [0.55, -1.3], [0.55, 1.3], [-0.55, 1.3]])
            _fill(picture, at + half * size, (20, 22, 26))
            for row, lamp in zip((-0.8, 0.0, 0.8), LAMPS):
                centre = np.round((at + np.array([0.0, row * size])) * 16).astype(int)
                cv2.circle(picture, tuple(map(int, centre)), round(size * 0.33 * 16), lamp, -1, cv2.LINE_AA, shift=4)
        else:
            corners = {STOP: 8, YIELD: 3}.get(kind, 24)
            turn = 2.0 * np.pi * (np.arange(corners) + (0.5 if kind == STOP else 0.25 * corners)) / corners
            shape = np.stack([np.cos(turn), np.sin(turn)], 1)
            for grow, paint in ((1.25, (255, 255, 255)), (1.0, RED if kind in (STOP, YIELD) else (70, 80, 95))):
                _fill(picture, at + shape * size * grow, paint)
            if kind == YIELD:
                _fill(picture, at + shape * size * 0.5, (255, 255, 255))


def _title(picture: np.ndarray, name: str, words: str, graph: LaneGraph) -> np.ndarray:
    """The picture below a strip with the map's name, what it shows, and its figures."""
    strip = np.full((44, picture.shape[1], 3), (251, 250, 247), np.uint8)
    driving = graph.lanes_of_kind("driving")
    inside = np.unique(graph.junction[driving][graph.junction[driving] >= 0])
    length = float(graph.length[driving][graph.junction[driving] < 0].sum())
    figures = f"{length / 1000:.2f} km of lanes, {len(inside)} junction{'' if len(inside) == 1 else 's'}"
    if graph.signal_ids:
        figures += f", {len(graph.signal_ids)} signs and lights"
    texts = [Text(name, 10, 28, 17, bold=True), Text(words, 20 + text_width(name, 17, True), 28, 13),
             Text(figures, picture.shape[1] - 10, 28, 12, GREY, anchor="rs")]  # fmt: skip
    page = write(np.concatenate([strip, picture]), texts)
    _bar(page, graph)
    return page


def _bar(page: np.ndarray, graph: LaneGraph) -> None:
    """Draw a scale in the lower left corner."""
    window = _window(graph)
    length = next(n for n in (200, 100, 50, 20, 10, 5) if n * window.scale < 0.25 * WIDE)
    y, x = page.shape[0] - 18, 14
    rounded_box(page, (x - 6, y - 12), (length * window.scale + 52, 24), 5, (255, 255, 255), 0.85)
    cv2.line(page, (x, y), (x + round(length * window.scale), y), INK, 2)
    page[:] = write(page, [Text(f"{length} m", x + length * window.scale + 6, y, 12, anchor="lm")])


def save(picture: np.ndarray, path: Path) -> None:
    """Write a PNG of few colours, which is a third of the bytes, and print its size.

    The colours of lines and signs are kept as they are: a palette chosen by area alone would turn them grey.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture)
    ground = (image.quantize(72, dither=Image.Dither.NONE).getpalette() or [])[: 3 * 72]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*ground, *(int(v) for colour in KEPT for v in colour)])
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}  {picture.shape[1]} x {picture.shape[0]}  {path.stat().st_size / 1000:.0f} kB")


def files() -> dict[str, Path]:
    """Name -> OpenDRIVE file in $HOMUNCULUS_MAPS."""
    folder = os.environ.get("HOMUNCULUS_MAPS")
    return {path.stem: path for path in sorted(Path(folder).glob("*.xodr"))} if folder else {}


def main() -> None:
    """Draw all maps, or the named ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    parser.add_argument("--only", nargs="*", default=(), help="names of the maps to draw")
    options = parser.parse_args()
    for name, shot in SHOTS.items():
        if not options.only or name in options.only:
            save(draw(name, shot), options.out / f"map-{name}.png")
    for name, path in files().items():
        if name in (options.only or (TOWNS if options.out == FOLDER else files())):
            save(draw(name, Shot("read from a file"), path), options.out / f"map-{name}.png")


if __name__ == "__main__":
    main()
