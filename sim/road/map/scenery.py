"""Places a map's scenery: houses, trees, lamps and fences beside the roads, and the distant skyline.

Houses are placed along the outer edge of every road, then trees and lamps in the remaining space, according to a raster
of the ground's classes and of the boxes placed so far.  No box touches a road or a sidewalk.
Every random number is seeded with the map's digest.  World frame; x of a box runs along its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sim.actors.registry import KIND
from sim.datatypes.road_map import Ground, Junction
from sim.datatypes.vocabulary import SURFACE
from sim.road.map.markings import arc_length
from sim.road.map.rasterize import Canvas, prolonged, surface_of
from sim.road.opendrive.reader import NO_JUNCTION, Network

_CELL = 0.5  # [m] of the raster of free ground
_FACADES = (
    0xC9B79C, 0xB5654A, 0xD8D2C4, 0x9C5B44, 0xBFA58A, 0xA8A59C, 0xC7A66B, 0x8E8F94, 0xD9C7A8, 0x7F6A5B,
)  # fmt: skip
_CROWNS = (0x4F7A38, 0x5E8A3E, 0x3F6B3A, 0x6F8F45, 0x486F2F)
_LAMP = 4.0  # [m] length of a lamp's box; its head is about half of that away from the pole
_SKYLINE = 512
_STYLES = 3  # number of style variants of an appearance, all equally frequent


Size = tuple[float, float, float]  # length, width, height [m]


@dataclass
class _Site:
    """The ground during placement: distance to roads and sidewalks, occupied cells, and the rows so far."""

    canvas: Canvas
    clear: np.ndarray
    taken: np.ndarray
    rng: np.random.Generator
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def place(
        self,
        kind: str,
        at: np.ndarray,
        yaw: float,
        size: Size,
        appearance: int,
        free: float,
        gap: float,
        drawn: Size | None = None,
    ) -> bool:
        """Place a box if there is room.

        Args:
            size: length, width, height [m]; appearance: base colour, whose remainder by _STYLES is a random style.
            free: least distance from road and sidewalk; gap: from other boxes [m].
            drawn: the size to record, where the part that needs room (a trunk, a pole) is smaller than the box.

        Returns:
            Whether the box was placed.
        """
        length, width, _ = size
        corners = _corners(at, yaw, length + 2.0 * gap, width + 2.0 * gap)
        pixel = np.floor((corners - self.canvas.origin) / _CELL).astype(int)
        rows, columns = self.canvas.shape
        if pixel.min() < 0 or pixel[:, 0].max() >= columns or pixel[:, 1].max() >= rows:
            return False
        low, high = pixel.min(0), pixel.max(0) + 1
        window = slice(low[1], high[1]), slice(low[0], high[0])
        part = Canvas(self.canvas.origin + low * _CELL, _CELL, (high[1] - low[1], high[0] - low[0]))
        mask = np.zeros(part.shape, np.uint8)
        part.fill(mask, corners, 1)
        if (self.taken[window] & mask).any():
            return False
        body = np.zeros(part.shape, np.uint8)
        part.fill(body, _corners(at, yaw, length, width), 1)
        if not body.any() or self.clear[window][body > 0].min() < free:
            return False
        self.taken[window] |= body
        style = int(self.rng.integers(_STYLES))
        appearance = appearance - appearance % _STYLES + style
        self.rows.append((KIND[kind], float(at[0]), float(at[1]), float(yaw), *(drawn or size), float(appearance)))
        return True


def place_scenery(network: Network, junctions: Sequence[Junction], ground: Ground, digest: str) -> np.ndarray:
    """(M, 8) float64 rows of SCENERY_COLUMNS for a painted map."""
    step = round(_CELL / ground.surface_texel)
    verge = (ground.surface == SURFACE["verge"])[::step, ::step]
    canvas = Canvas(ground.origin.astype(np.float64), _CELL, (verge.shape[0], verge.shape[1]))
    clear = cv2.distanceTransform(verge.astype(np.uint8), cv2.DIST_L2, 5) * np.float32(_CELL)
    rng = np.random.default_rng([int(digest[:16], 16), 1])
    site = _Site(canvas, clear, np.zeros(verge.shape, np.uint8), rng)
    for junction in junctions:
        if junction.kind == "t_junction":
            _close_the_view(site, junction)
    sides = list(_roadsides(network))
    for points, yaw in sides:
        _houses(site, points, yaw)
    for points, yaw in sides:
        _lamps(site, points, yaw)
        _fences(site, points, yaw)
        _street_trees(site, points, yaw)
    _scattered_trees(site)
    return np.array(site.rows, np.float64).reshape(-1, 8)


def _roadsides(network: Network) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Outer edges of the roads: points (K, 2) every metre and yaw (K,); the free side is on the right."""
    outermost: dict[tuple[int, int, bool], int] = {}
    for i, lane in enumerate(network.lanes):
        if surface_of(lane) is None or lane.junction != NO_JUNCTION:
            continue
        key = (lane.road, lane.section, lane.lane > 0)
        if key not in outermost or abs(network.lanes[outermost[key]].lane) < abs(lane.lane):
            outermost[key] = i
    for i in outermost.values():
        lane = network.lanes[i]
        line = prolonged(lane, lane.edge(-1.0))
        at = arc_length(line)
        if at[-1] < 4.0:
            continue
        stations = np.arange(0.0, at[-1], 1.0)
        points = np.column_stack([np.interp(stations, at, line[:, k]) for k in (0, 1)])
        step = np.gradient(points, axis=0)
        yield points, np.arctan2(step[:, 1], step[:, 0])


def _right(yaw: float) -> np.ndarray:
    return np.array([np.sin(yaw), -np.cos(yaw)])


def _ahead(yaw: float) -> np.ndarray:
    return np.array([np.cos(yaw), np.sin(yaw)])


def _corners(at: np.ndarray, yaw: float, length: float, width: float) -> np.ndarray:
    """(4, 2) corners of a box on the ground."""
    u, v = 0.5 * length * _ahead(yaw), 0.5 * width * _right(yaw)
    return np.stack([at - u - v, at + u - v, at + u + v, at - u + v])


def _facade(rng: np.random.Generator) -> int:
    return int(rng.choice(_FACADES))


def _close_the_view(site: _Site, junction: Junction) -> None:
    """Place a row of buildings beyond the through road, straight ahead of the stem."""
    x, y, yaw = junction.arms["south"].inbound.points[-1, :3].astype(float)
    rng = site.rng
    inside = None
    for distance in np.arange(2.0, 45.0, _CELL):
        at = np.array([x, y]) + distance * _ahead(yaw)
        column, row = np.floor((at - site.canvas.origin) / _CELL).astype(int)
        if not (0 <= row < site.clear.shape[0] and 0 <= column < site.clear.shape[1]):
            return
        if site.clear[row, column] > 0.0:
            inside = at
            break
    if inside is None:
        return
    along_yaw = yaw + 0.5 * np.pi
    for aside in (0.0, -19.0, 19.0):
        width, length = rng.uniform(8.0, 11.0), rng.uniform(13.0, 16.5)
        tall = rng.uniform(5.0, 11.0)
        deep, shift = rng.uniform(5.5, 8.0) + 0.5 * width, aside + rng.uniform(-1.0, 1.0)
        centre = inside + deep * _ahead(yaw) + shift * _ahead(along_yaw)
        kind = "building" if tall > 8.5 else "house"
        site.place(kind, centre, along_yaw, (length, width, tall), _facade(rng), 4.0, 1.0)


def _houses(site: _Site, points: np.ndarray, yaw: np.ndarray) -> None:
    """Place detached houses, and some taller buildings, along one side of a road."""
    rng = site.rng
    station = rng.uniform(2.0, 8.0)
    while station < len(points):
        tall = rng.random() < 0.25
        length = rng.uniform(11.0, 20.0) if tall else rng.uniform(8.0, 14.0)
        width = rng.uniform(10.0, 14.0) if tall else rng.uniform(8.0, 10.5)
        height = rng.uniform(8.5, 16.0) if tall else rng.uniform(4.5, 7.5)
        k = int(station + 0.5 * length)
        if k >= len(points):
            return
        setback = rng.uniform(6.0, 11.0)
        at = points[k] + (setback + 0.5 * width) * _right(yaw[k])
        turned = yaw[k] + (0.5 * np.pi if not tall and rng.random() < 0.25 else 0.0)
        kind = "building" if tall else "house"
        if site.place(kind, at, turned, (length, width, height), _facade(rng), 4.0, 1.5):
            station += length + rng.uniform(3.0, 9.0)
        else:
            station += 4.0


def _lamps(site: _Site, points: np.ndarray, yaw: np.ndarray) -> None:
    """Place street lamps behind the sidewalk; the arm points along the box's x, over the road."""
    rng = site.rng
    height = rng.uniform(6.2, 7.6)
    for k in range(int(rng.integers(6, 22)), len(points), 30):
        at = points[k] + 0.75 * _right(yaw[k])
        site.place("lamp", at, yaw[k] + 0.5 * np.pi, (0.2, 0.2, height), 0x606468, 0.2, 0.3, (_LAMP, 0.2, height))


def _fences(site: _Site, points: np.ndarray, yaw: np.ndarray) -> None:
    """Place stretches of garden fence."""
    rng = site.rng
    for k in range(int(rng.integers(4, 20)), len(points), 22):
        if rng.random() < 0.45:
            length = 2.0 * float(rng.integers(3, 6))
            at = points[k] + 2.4 * _right(yaw[k])
            site.place("fence", at, yaw[k], (length, 0.1, rng.uniform(0.9, 1.2)), 0x9A8A70, 1.4, 0.4)


def _tree(rng: np.random.Generator) -> tuple[Size, int]:
    """Size and appearance of a random tree."""
    height = rng.uniform(4.0, 9.0)
    crown = height * rng.uniform(0.55, 0.75)
    return (crown, crown, height), int(rng.choice(_CROWNS))


def _street_trees(site: _Site, points: np.ndarray, yaw: np.ndarray) -> None:
    """Place trees in the verge; their crowns may hang over the sidewalk, so only the trunk needs room."""
    rng = site.rng
    station = rng.uniform(3.0, 14.0)
    while station < len(points):
        k = int(station)
        size, appearance = _tree(rng)
        at = points[k] + rng.uniform(3.0, 6.0) * _right(yaw[k])
        _plant(site, at, size, appearance, 2.0)
        station += rng.uniform(8.0, 17.0)


def _scattered_trees(site: _Site) -> None:
    """Place trees in gardens and fields, about one for every 300 square metres of open ground."""
    rows, columns = np.nonzero((site.clear > 7.0) & (site.taken == 0))
    wanted = int(len(rows) * _CELL**2 / 300.0)
    for n in site.rng.choice(len(rows), size=min(wanted, len(rows)), replace=False) if wanted else ():
        at = site.canvas.origin + (np.array([columns[n], rows[n]]) + 0.5) * _CELL
        size, appearance = _tree(site.rng)
        _plant(site, at, size, appearance, 5.0)


def _plant(site: _Site, at: np.ndarray, size: Size, appearance: int, free: float) -> None:
    """Place a tree where its trunk and half of its crown have room."""
    crown, _, height = size
    site.place("tree", at, 0.0, (0.5 * crown, 0.5 * crown, height), appearance, free, 0.15 * crown, size)


def skyline(digest: str) -> np.ndarray:
    """(512,) float32 elevation of the distant silhouette [rad]: rolling hills, treetops, a few distant blocks."""
    rng = np.random.default_rng([int(digest[:16], 16), 2])
    azimuth = np.arange(_SKYLINE) * (2.0 * np.pi / _SKYLINE)
    hills = np.zeros(_SKYLINE)
    for k in range(1, 9):
        hills += rng.normal(0.0, 1.0 / k) * np.cos(k * azimuth + rng.uniform(0.0, 2.0 * np.pi))
    hills = 0.021 + 0.008 * hills / max(float(np.abs(hills).max()), 1e-9)
    leaves = rng.normal(0.0, 1.0, _SKYLINE)
    leaves = 0.0018 * (leaves + np.roll(leaves, 1) + np.roll(leaves, 2))
    line = hills + leaves
    for _ in range(16):
        start, width = int(rng.integers(_SKYLINE)), int(rng.integers(2, 7))
        block = np.arange(start, start + width) % _SKYLINE
        line[block] = np.maximum(line[block], rng.uniform(0.025, 0.06))
    return np.clip(line, 0.01, 0.08).astype(np.float32)
