"""Masks of details on the ground: road markings, stop lines, crosswalks, slab joints, wheel tracks, repairs.

Masks are uint8, 255 where the detail is, drawn on the supersampled canvas and averaged down by `ground_texture`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sim.datatypes.road_map import Junction
from sim.road.map.rasterize import Canvas, edges, prolonged, surface_of
from sim.road.opendrive.reader import NO_JUNCTION, Lane, Marking, Network

DASH, GAP = 3.0, 4.0  # [m] of a broken line
_STOP_WIDTH, _STOP_BACK = 0.4, 0.3  # [m] along the lane: a stop line's width and its distance from the lane's end
_SLAB = 0.75  # [m] desired side of a paving slab
_TRACK = 0.78  # [m] half the distance between a car's wheels
_LEAST = 0.15  # [m] least width of a marking: a narrower one would vanish in the image


def arc_length(points: np.ndarray) -> np.ndarray:
    """(K,) distance of each point along a line [m]."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points[:, :2], axis=0).T))])


def sub_polyline(points: np.ndarray, start: float, end: float) -> np.ndarray:
    """The part of a line (K, 2) between two distances along it."""
    at = arc_length(points)
    stations = np.concatenate([[start], at[(at > start) & (at < end)], [end]])
    return np.column_stack([np.interp(stations, at, points[:, 0]), np.interp(stations, at, points[:, 1])])


def paint_markings(network: Network, junctions: Sequence[Junction], canvas: Canvas) -> dict[str, np.ndarray]:
    """Masks "white" and "yellow" of everything painted on the road."""
    masks = {name: np.zeros(canvas.shape, np.uint8) for name in ("white", "yellow")}
    with_twin = {(lane.road, lane.section) for lane in network.lanes if lane.lane == -1}
    for lane in network.lanes:
        if not (lane.drives or surface_of(lane) in ("parking", "shoulder")):
            continue
        _paint_edge(canvas, masks, lane, lane.edge(-1.0), lane.right, -1.0)
        if lane.lane == -1 or (lane.lane == 1 and (lane.road, lane.section) not in with_twin):
            _paint_edge(canvas, masks, lane, lane.edge(1.0), lane.left, 1.0)
    for junction in junctions:
        if junction.kind == "t_junction":
            arm = junction.arms["south"]
            _paint_stop(canvas, masks["white"], arm.inbound.points.astype(float), arm.lane_width)
    for polygon in network.crosswalks:
        _paint_crossing(canvas, masks["white"], polygon)
    return masks


def _paint_edge(
    canvas: Canvas, masks: dict[str, np.ndarray], lane: Lane, line: np.ndarray, marks: tuple[Marking, ...], side: float
) -> None:
    """Paint one edge of a lane, one stretch of equal marking after the other."""
    begin = 0
    for k in range(1, len(marks) + 1):
        if k < len(marks) and marks[k] == marks[begin]:
            continue
        mark, part = marks[begin], line[begin : min(k + 1, len(line))]
        if begin == 0 and k == len(marks):
            part = prolonged(lane, line)
        begin = k
        if mark.kind in ("none", "curb", "grass", "other") or len(part) < 2:
            continue
        image = masks["yellow" if mark.colour == "yellow" else "white"]
        width = max(mark.width, _LEAST)
        if mark.kind.startswith("broken") and mark.kind != "brokensolid":
            length = arc_length(part)[-1]
            for start in np.arange(0.5 * GAP, length - 0.5, DASH + GAP):
                canvas.line(image, sub_polyline(part, start, min(start + DASH, length)), width, 255)
        elif mark.kind in ("solidsolid", "solidbroken", "brokensolid"):
            step = np.gradient(part, axis=0)
            normal = np.column_stack([-step[:, 1], step[:, 0]]) / np.maximum(np.hypot(*step.T), 1e-9)[:, None]
            for offset in (-width, width):
                canvas.line(image, part + side * offset * normal, width, 255)
        else:
            canvas.line(image, part, width, 255)


def _paint_stop(canvas: Canvas, image: np.ndarray, inbound: np.ndarray, lane_width: float) -> None:
    """Paint a stop line across the end of an inbound lane (K, 4)."""
    x, y, yaw = inbound[-1, :3]
    ahead, left = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    middle = np.array([x, y]) - ahead * (_STOP_BACK + 0.5 * _STOP_WIDTH)
    half = 0.5 * lane_width - 0.15
    canvas.line(image, np.stack([middle + left * half, middle - left * half]), _STOP_WIDTH, 255)


def _paint_crossing(canvas: Canvas, image: np.ndarray, polygon: np.ndarray) -> None:
    """Paint zebra stripes in the rectangle around a crosswalk's polygon, parallel to the traffic it crosses."""
    centre, size, angle = cv2.minAreaRect(polygon.astype(np.float32))
    turn = np.deg2rad(angle) + (0.5 * np.pi if size[0] < size[1] else 0.0)
    walk, across = max(size), min(size)
    u, v = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for offset in np.arange(-0.5 * walk + 0.5, 0.5 * walk - 0.2, 1.0):
        at = np.asarray(centre) + u * offset
        canvas.line(image, np.stack([at - 0.5 * across * v, at + 0.5 * across * v]), 0.5, 255)


def paint_slabs(network: Network, canvas: Canvas, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tint of every paving slab, uint8 around 128, and the mask of the joints between them."""
    tint, joint = np.full(canvas.shape, 128, np.uint8), np.zeros(canvas.shape, np.uint8)
    for lane in network.lanes:
        if surface_of(lane) != "pavement":
            continue
        left, right = edges(lane)
        at = arc_length(0.5 * (left + right))
        rows, columns = max(1, round(at[-1] / _SLAB)), max(1, round(float(lane.width.mean()) / _SLAB))
        stations = np.linspace(0.0, at[-1], rows + 1)
        a = np.column_stack([np.interp(stations, at, left[:, k]) for k in (0, 1)])
        b = np.column_stack([np.interp(stations, at, right[:, k]) for k in (0, 1)])
        weights = np.linspace(0.0, 1.0, columns + 1)[None, :, None]
        grid = a[:, None] * (1.0 - weights) + b[:, None] * weights  # (rows + 1, columns + 1, 2)
        corners = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], 2).reshape(-1, 4, 2)
        canvas.quads(tint, corners, np.clip(rng.normal(128.0, 32.0, len(corners)), 1.0, 255.0))
        for line in [*grid, *grid.transpose(1, 0, 2)]:
            cv2.polylines(joint, [canvas.pixels(line)], False, 255, 1, cv2.LINE_8, 4)
    return tint, joint


def paint_tracks(network: Network, canvas: Canvas) -> np.ndarray:
    """Soft-edged mask of the two wheel tracks of every driving lane."""
    image = np.zeros(canvas.shape, np.uint8)
    for lane in network.lanes:
        if lane.drives:
            half = np.maximum(0.5 * lane.width, 0.1)[:, None]
            for side in (-1.0, 1.0):
                line = lane.points[:, :2] + (lane.edge(side) - lane.points[:, :2]) * np.minimum(_TRACK / half, 0.9)
                canvas.line(image, prolonged(lane, line), 0.55, 255)
    spread = 0.22 / canvas.texel
    return cv2.GaussianBlur(image, (0, 0), spread)


def paint_wear(network: Network, canvas: Canvas, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Masks "patch" (repairs), "seam" (their tarred rims, cracks, joints between lanes), "iron" (covers, drains)."""
    masks = {name: np.zeros(canvas.shape, np.uint8) for name in ("patch", "seam", "iron")}
    for lane in network.lanes:
        if not lane.drives or len(lane.points) < 3:
            continue
        length = arc_length(lane.points)[-1]
        centre, width = lane.points, float(lane.width.mean())
        inside = lane.junction != NO_JUNCTION  # there lanes overlap, so each gets less wear
        for _ in range(rng.poisson(length / (20.0 if inside else 12.0))):
            _crack(canvas, masks["seam"], centre, width, rng)
        if not inside:
            for _ in range(rng.poisson(length / 28.0)):
                _patch(canvas, masks, centre, width, rng)
            for _ in range(rng.poisson(length / 45.0)):
                x, y, yaw = _spot(centre, rng)
                aside = rng.uniform(-0.2, 0.2) * width
                at = np.array([[x - np.sin(yaw) * aside, y + np.cos(yaw) * aside]])
                radius = round(0.33 / canvas.texel * 16)
                cv2.circle(masks["iron"], tuple(map(int, canvas.pixels(at)[0, 0])), radius, 255, -1, cv2.LINE_8, 4)
            _drains(canvas, masks["iron"], lane)
    return masks


def _spot(centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3,) x, y, yaw at a random sample of a lane's centre."""
    return centre[int(rng.integers(1, len(centre) - 1))]


def _patch(
    canvas: Canvas, masks: dict[str, np.ndarray], centre: np.ndarray, width: float, rng: np.random.Generator
) -> None:
    """Paint a rectangular repair along the lane with a tarred rim."""
    x, y, yaw = _spot(centre, rng)
    long, wide = rng.uniform(0.8, 5.0), rng.uniform(0.6, min(2.4, 0.8 * width))
    aside = rng.uniform(-0.5, 0.5) * (width - wide)
    ahead, left = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    at = np.array([x, y]) + left * aside
    a, b = 0.5 * long * ahead, 0.5 * wide * left
    corners = np.stack([at - a - b, at + a - b, at + a + b, at - a + b])
    canvas.fill(masks["patch"], corners, float(rng.integers(110, 256)))
    cv2.polylines(masks["seam"], [canvas.pixels(corners)], True, 150, 1, cv2.LINE_AA, 4)


def _crack(canvas: Canvas, image: np.ndarray, centre: np.ndarray, width: float, rng: np.random.Generator) -> None:
    """Paint a wandering crack, along the lane or across it."""
    x, y, yaw = _spot(centre, rng)
    across = rng.random() < 0.35
    heading = yaw + (0.5 * np.pi if across else 0.0) + rng.normal(0.0, 0.15)
    steps = int(rng.uniform(0.5, 0.9) * width / 0.25) if across else int(rng.uniform(8, 40))
    aside = rng.uniform(-0.4, 0.4) * width * (0.0 if across else 1.0)
    turns = heading + np.cumsum(rng.normal(0.0, 0.28, steps)) * 0.6
    begin = np.array([x - np.sin(yaw) * aside, y + np.cos(yaw) * aside])
    begin = begin - 0.125 * steps * np.array([np.cos(heading), np.sin(heading)])
    line = begin + 0.25 * np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]), axis=0)
    cv2.polylines(image, [canvas.pixels(line)], False, float(rng.integers(80, 190)), 1, cv2.LINE_AA, 4)


def _drains(canvas: Canvas, image: np.ndarray, lane: Lane) -> None:
    """Paint a drain every 24 m at the lane's right edge."""
    line = lane.edge(-1.0)
    for start in np.arange(9.0, arc_length(line)[-1] - 1.0, 24.0):
        canvas.line(image, sub_polyline(line, start, start + 0.5), 0.35, 230)
