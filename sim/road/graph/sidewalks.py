"""The sidewalk graph: sidewalks and crosswalks of a map as connected lines that pedestrians follow.

A sidewalk is cut where a crosswalk meets it.  Each end of a line is linked to all other ends that lie there; where
there is none, pedestrians turn round.  World frame, SI units.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sim.road.graph.lane_graph import LaneGraph

SPACING = 0.5  # [m] most between points
X, Y, YAW, ROOM = range(4)  # columns of `SidewalkGraph.points`
_TOUCH = 2.2  # [m] ends this near are linked
_REACH = 8.0  # [m] a crosswalk is extended to a sidewalk this near
_EDGE = 0.45  # [m] distance of pedestrians from the sidewalk's edges
_SHORTEST = 1.0  # [m] a sidewalk is not cut where a shorter piece would be left


@dataclass(frozen=True)
class SidewalkGraph:
    """F lines (sidewalks, then crosswalks) with P points in all.

    Args:
        start: (F + 1,) int64 rows of points.
        points: (P, 4) float32: x, y [m], yaw [rad] from the first point to the last, free space to either side [m].
        crossing: (F,) uint8, 1 for a crosswalk over the carriageway.
        link_start: (2 F + 1,) int32; the links of end e (0 first point, 1 last) of line f are
            links[link_start[2 f + e] : link_start[2 f + e + 1]].
        links: int32, 2 * line + the end at which it is entered.
    """

    start: np.ndarray
    points: np.ndarray
    crossing: np.ndarray
    link_start: np.ndarray
    links: np.ndarray


def sidewalk_graph(graph: LaneGraph) -> SidewalkGraph:
    """The sidewalks and crosswalks of a map as a graph, which may be empty."""
    pavements = [
        (
            graph.points_of(i)[:, :2].astype(np.float64),
            float(np.median(graph.width[graph.start[i] : graph.start[i + 1]])),
        )
        for i in graph.lanes_of_kind("sidewalk").tolist()
    ]
    crossings = []
    for corners in graph.crosswalks():
        line, width = _across(graph, np.asarray(corners, np.float64))
        crossings.append((_led_to(line, pavements), width))
    cut = [piece for line, width in pavements for piece in _cut(line, width, [c for c, _ in crossings])]
    lines = [_even(line) for line, _ in (*cut, *crossings)]
    widths = [width for _, width in (*cut, *crossings)]
    rooms = [max(width / 2.0 - _EDGE, 0.0) for width in widths]
    points = [np.column_stack([line, _yaw(line), np.full(len(line), room)]) for line, room in zip(lines, rooms)]
    ends = np.array([line[i] for line in lines for i in (0, -1)]).reshape(-1, 2)
    links = [_links(ends, e) for e in range(len(ends))]
    return SidewalkGraph(
        start=np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int64),
        points=np.concatenate([np.zeros((0, 4)), *points]).astype(np.float32),
        crossing=np.array([0] * len(cut) + [1] * len(crossings), np.uint8),
        link_start=np.concatenate([[0], np.cumsum([len(found) for found in links])]).astype(np.int32),
        links=np.array([v for found in links for v in found], np.int32),
    )


def _across(graph: LaneGraph, corners: np.ndarray) -> tuple[np.ndarray, float]:
    """(2, 2) the middle line of a crosswalk, from kerb to kerb, and the crosswalk's width [m]."""
    if len(corners) > 4 and np.allclose(corners[0], corners[-1]):
        corners = corners[:-1]
    middle = corners.mean(0)
    driving = np.repeat(graph.kind == 0, np.diff(graph.start))
    near = np.argmin(np.where(driving, np.hypot(*(graph.points[:, :2] - middle).T), np.inf))
    along = np.array([np.cos(graph.points[near, 2]), np.sin(graph.points[near, 2])])
    over = np.array([-along[1], along[0]])
    reach, wide = (corners - middle) @ over, (corners - middle) @ along
    return np.array([middle + over * reach.min(), middle + over * reach.max()]), float(np.ptp(wide))


def _led_to(line: np.ndarray, pavements: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """The line with its ends moved to the nearest sidewalks within _REACH."""
    found = line.copy()
    for end in (0, 1):
        outward = line[end] - line[1 - end]
        outward = outward / max(float(np.hypot(*outward)), 1e-6)
        best = _REACH
        for points, _ in pavements:
            offset = points - line[end]
            apart = np.hypot(*offset.T) + np.where(offset @ outward < -1.0, np.inf, 0.0)
            k = int(np.argmin(apart))
            if apart[k] < best:
                best, found[end] = float(apart[k]), points[k]
    return found


def _cut(line: np.ndarray, width: float, crossings: list[np.ndarray]) -> list[tuple[np.ndarray, float]]:
    """Cut a sidewalk into pieces that end where crosswalks meet it."""
    cuts = sorted(
        {
            int(np.argmin(np.hypot(*(line - end).T)))
            for crossing in crossings
            for end in crossing
            if np.hypot(*(line - end).T).min() < 0.3
        }
    )
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    kept = [k for k in cuts if _SHORTEST < along[k] < along[-1] - _SHORTEST]
    edges = [0, *kept, len(line) - 1]
    return [(line[a : b + 1], width) for a, b in itertools.pairwise(edges)]


def _even(line: np.ndarray) -> np.ndarray:
    """Resample a line evenly, at most SPACING apart, with at least two points."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / SPACING)) + 1))
    return np.column_stack([np.interp(at, along, line[:, k]) for k in (0, 1)])


def _yaw(line: np.ndarray) -> np.ndarray:
    steps = np.diff(line, axis=0)
    yaw = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    return np.concatenate([yaw, yaw[-1:]])


def _links(ends: np.ndarray, e: int) -> list[int]:
    """The links of end `e`: the ends of other lines that lie there, else its own, which turns pedestrians round."""
    near = np.flatnonzero(np.hypot(*(ends - ends[e]).T) < _TOUCH)
    other = [int(k) for k in near if k // 2 != e // 2]
    return other or [e]
