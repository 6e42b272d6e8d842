"""Rasterizes lanes: draws polygons and lines in metres into arrays, and classifies every texel.

OpenCV's pixel centres are whole numbers while texel (r, c) covers origin + texel * ([c, c + 1], [r, r + 1]), hence
the half texel in `Canvas.pixels`.  Row 0 is the smallest y: no flip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sim.datatypes.vocabulary import SURFACE
from sim.road.opendrive.reader import NO_JUNCTION, Lane, Network

_SHIFT = 4  # bits of sub-pixel precision in OpenCV's coordinates
_BEYOND = 60.0  # [m] by which a road with an open end is extended, towards the edge of the ground
_SLIVER = 12.0  # [m^2] a patch of verge smaller than this is taken for a gap in the file
_CLASS_OF_TYPE = {
    "sidewalk": "pavement", "walking": "pavement", "biking": "pavement", "curb": "pavement",
    "shoulder": "shoulder", "border": "shoulder", "stop": "shoulder", "restricted": "shoulder",
    "parking": "parking",
}  # fmt: skip
_LATER_WINS = ("pavement", "shoulder", "parking", "road", "junction")


@dataclass(frozen=True)
class Canvas:
    """A grid over the ground.

    Args:
        origin: (2,) x, y of its lower corner [m]; texel: side of a cell [m]; shape: rows, columns.
    """

    origin: np.ndarray
    texel: float
    shape: tuple[int, int]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(K, 1, 2) int32 OpenCV coordinates, with _SHIFT fractional bits, of points (K, 2) [m]."""
        at = (np.asarray(points)[:, :2] - self.origin) / self.texel - 0.5
        return np.round(at * (1 << _SHIFT)).astype(np.int32)[:, None]

    def fill(self, image: np.ndarray, polygon: np.ndarray, value: float) -> None:
        """Fill a polygon (K, 2) [m]."""
        cv2.fillPoly(image, [self.pixels(polygon)], value, shift=_SHIFT)

    def line(self, image: np.ndarray, points: np.ndarray, width: float, value: float) -> None:
        """Draw a line (K, 2) [m] with flat ends, `width` [m] wide, as quadrilaterals so that width is exact."""
        points = np.asarray(points)[:, :2]
        if len(points) < 2:
            return
        step = np.gradient(points, axis=0)
        step /= np.maximum(np.hypot(step[:, :1], step[:, 1:]), 1e-9)
        normal = np.column_stack([-step[:, 1], step[:, 0]]) * 0.5 * width
        self.strip(image, points + normal, points - normal, value)

    def strip(self, image: np.ndarray, left: np.ndarray, right: np.ndarray, value: float) -> None:
        """Fill the band between two lines of equally many points, piece by piece (a bend may cross itself)."""
        self.quads(image, np.stack([left[:-1], left[1:], right[1:], right[:-1]], 1), value)

    def quads(self, image: np.ndarray, corners: np.ndarray, value: float | np.ndarray) -> None:
        """Fill convex quadrilaterals (Q, 4, 2) [m], each with its own value where `value` is (Q,)."""
        pixels = self.pixels(corners.reshape(-1, 2)).reshape(-1, 4, 2)
        values = np.broadcast_to(np.asarray(value, float), len(pixels)).tolist()
        for quad, colour in zip(pixels, values):
            cv2.fillConvexPoly(image, quad, colour, shift=_SHIFT)


def surface_of(lane: Lane) -> str | None:
    """The surface class of a lane, or None where it is not drawn."""
    if lane.drives:
        return "road" if lane.junction == NO_JUNCTION else "junction"
    return _CLASS_OF_TYPE.get(lane.type)


def edges(lane: Lane) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge (K, 2) of a lane, extended at open ends of its road."""
    return prolonged(lane, lane.edge(1.0)), prolonged(lane, lane.edge(-1.0))


def prolonged(lane: Lane, line: np.ndarray) -> np.ndarray:
    """A line along a lane (K, 2), extended straight at open ends of the lane's road."""
    yaw = lane.points[[0, -1], 2]
    direction = np.column_stack([np.cos(yaw), np.sin(yaw)])
    parts = [line]
    if lane.open_start:
        parts.insert(0, (line[0] - _BEYOND * direction[0])[None])
    if lane.open_end:
        parts.append((line[-1] + _BEYOND * direction[1])[None])
    return np.concatenate(parts)


def classify(network: Network, canvas: Canvas) -> np.ndarray:
    """(H, W) uint8 of SURFACE indices: verge where there is no lane; junctions filled without holes."""
    image = np.full(canvas.shape, SURFACE["verge"], np.uint8)
    for wanted in _LATER_WINS:
        for lane in network.lanes:
            if surface_of(lane) == wanted:
                canvas.strip(image, *edges(lane), SURFACE[wanted])
    for junction in sorted({lane.junction for lane in network.lanes} - {NO_JUNCTION}):
        _fill_junction(network, canvas, image, junction)
    _fill_slivers(canvas, image)
    return image


def _fill_slivers(canvas: Canvas, image: np.ndarray) -> None:
    """Turn small islands of verge into shoulder: at corners, real maps have gaps between lane and kerb."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((image == SURFACE["verge"]).astype(np.uint8))
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        inside = x > 0 and y > 0 and x + w < image.shape[1] and y + h < image.shape[0]
        if inside and area * canvas.texel**2 < _SLIVER:
            window = image[y : y + h, x : x + w]
            window[labels[y : y + h, x : x + w] == label] = SURFACE["shoulder"]


def _fill_junction(network: Network, canvas: Canvas, image: np.ndarray, junction: int) -> None:
    """Fill the area that a junction's connecting lanes enclose: they cross and leave gaps between them."""
    lanes = [lane for lane in network.lanes if lane.junction == junction and lane.drives]
    if not lanes:
        return
    outline = np.concatenate([line for lane in lanes for line in (lane.edge(1.0), lane.edge(-1.0))])
    low = np.maximum(((outline.min(0) - canvas.origin) / canvas.texel).astype(int) - 2, 0)
    high = ((outline.max(0) - canvas.origin) / canvas.texel).astype(int) + 3
    window = image[low[1] : high[1], low[0] : high[0]]
    part = Canvas(canvas.origin + low * canvas.texel, canvas.texel, (window.shape[0], window.shape[1]))
    mask = np.zeros(part.shape, np.uint8)
    for lane in lanes:
        part.strip(mask, lane.edge(1.0), lane.edge(-1.0), 1)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, 1, cv2.FILLED)
    window[mask > 0] = SURFACE["junction"]
