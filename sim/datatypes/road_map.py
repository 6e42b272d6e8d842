"""Road maps as arrays: ground, paths, routes, junctions and scenery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.datatypes.vocabulary import ROUTE_SPACING


@dataclass(frozen=True)
class Ground:
    """The ground of a map: an image pyramid for cameras and a raster of surface classes for wheels.

    Row 0 is the smallest y, column 0 the smallest x; texel (r, c) of level l covers the square whose lower
    corner is origin + texel * 2**l * (c, r).

    Args:
        origin: (2,) world x, y of the lower corner [m].
        texel: side of a level-0 texel [m].
        levels: (H_l, W_l, 4) uint8 each; RGB in dry daylight, A = how much rain darkens it and makes it shine
            (255 asphalt, 0 grass). Level l+1 is level l averaged 2 x 2.
        surface: (H_s, W_s) uint8, indices into SURFACES.
        surface_texel: side of a surface texel [m]; same origin.
    """

    origin: np.ndarray
    texel: float
    levels: tuple[np.ndarray, ...]
    surface: np.ndarray
    surface_texel: float


@dataclass(frozen=True)
class Path:
    """A line to drive along, with points ROUTE_SPACING apart.

    Args:
        points: (K, 4) float32: x, y [m], yaw [rad] (unwrapped along the path), curvature [1/m].
    """

    points: np.ndarray

    @property
    def length(self) -> float:
        """Length of the path [m]."""
        return float((len(self.points) - 1) * ROUTE_SPACING)


@dataclass(frozen=True)
class Route:
    """One route through a junction: the inbound lane, the connecting lane and the outbound lane as one path.

    It can also be a route through a composed decision point: then the junction begins at the edge of the first junction
    and ends with the last turn, or is a stretch of street. Or it is a route along keypoints through many junctions
    (`sim.road.graph.keypoint_route`): then its decision is "straight", and its junction ends where ego has arrived.

    Args:
        path: the whole line.
        origin: name of the arm where it begins.
        target: name of the arm where it ends.
        decision: index into DECISIONS.
        junction_in: distance along the path at which the junction begins [m].
        junction_out: distance along the path at which it ends [m].
    """

    path: Path
    origin: str
    target: str
    decision: int
    junction_in: float
    junction_out: float


@dataclass(frozen=True)
class Arm:
    """One road that meets a junction.

    Args:
        name: south, west, east or north, with the stem (or the first arm) at the bottom of the page. A composed
            decision point has others as well: exit1, exit2, ... for side roads, southwest, northwest, ... after two
            turns.
        inbound: lane towards the junction; ends at the junction's edge.
        outbound: lane away from it; begins at the junction's edge.
        lane_width: [m].
    """

    name: str
    inbound: Path
    outbound: Path
    lane_width: float


@dataclass(frozen=True)
class Junction:
    """A junction of roads, or another decision point.

    Its kind is "t_junction": three arms of which one, the stem (south), offers left and right only; "crossroads": four
    arms; "other": any other junction; or that of a decision point of several junctions, or of none, see
    `sim.road.generators.registry.DECISION_POINTS`.
    """

    id: int
    kind: str
    centre: tuple[float, float]
    arms: dict[str, Arm]
    routes: tuple[Route, ...]

    def routes_from(self, arm: str) -> tuple[Route, ...]:
        """The routes that start on `arm`, ordered by decision."""
        return tuple(sorted((r for r in self.routes if r.origin == arm), key=lambda r: r.decision))


# Scenery rows: kind, x, y of the centre, yaw, length, width, height, appearance (packed 0xRRGGBB; drawn per kind).
X, Y, YAW, CURVATURE = range(4)  # columns of a path's points
SCENERY_COLUMNS: tuple[str, ...] = ("kind", "x", "y", "yaw", "length", "width", "height", "appearance")


@dataclass(frozen=True)
class RoadMap:
    """An OpenDRIVE file compiled to arrays.

    Args:
        name: for messages and displays.
        digest: SHA-256 of the OpenDRIVE text and of the compiler's version; the cache key.
        ground: image and surface classes of the ground.
        junctions: every junction with at least three arms.
        scenery: (M, 8) float64, SCENERY_COLUMNS (float64 so that a 24-bit appearance is exact).
        skyline: (512,) float32, elevation of the distant silhouette over azimuth 0..2 pi [rad].
        opendrive: the text that it was compiled from, which CARLA can load.
    """

    name: str
    digest: str
    ground: Ground
    junctions: tuple[Junction, ...]
    scenery: np.ndarray
    skyline: np.ndarray
    opendrive: str


class MapArrays(NamedTuple):
    """The maps of a batch of worlds, concatenated for the kernels. Built by `sim.road.map.map_batch`; read-only.

    texels (X, 4) u8; level_start (M, L) i64 row of texels at which a level begins (-1: no such level);
    level_shape (M, L, 2) i32 rows, columns; ground_origin (M, 2) f32; ground_texel (M,) f32;
    surface (Y,) u8; surface_start (M,) i64; surface_shape (M, 2) i32; surface_texel (M,) f32;
    scenery (K, 8) f64, for each map its scenery and then its traffic lights, whose appearance is their signal plan;
    scenery_start (M + 1,) i64; skyline (M, 512) f32;
    points (P, 4) f32 all paths; path_start (Q + 1,) i64; junction_in, junction_out (Q,) f32, decision (Q,) i32;
    gate_start (Q + 1,) i64, gate_s (G,) f32 [m], gate_kind, gate_plan (G,) i32: lights, stop and yield signs along
    every route, see `sim.road.map.stop_lines`; cell_first (M,) i64, cell_shape (M, 2) i32, cell_origin (M, 2) f32,
    cell_start, cell_items i32, boxes (K, 6) f32, box_kind (K,) i32: static obstacles, see
    `sim.road.map.obstacle_grid`.
    """

    texels: np.ndarray
    level_start: np.ndarray
    level_shape: np.ndarray
    ground_origin: np.ndarray
    ground_texel: np.ndarray
    surface: np.ndarray
    surface_start: np.ndarray
    surface_shape: np.ndarray
    surface_texel: np.ndarray
    scenery: np.ndarray
    scenery_start: np.ndarray
    skyline: np.ndarray
    points: np.ndarray
    path_start: np.ndarray
    junction_in: np.ndarray
    junction_out: np.ndarray
    decision: np.ndarray
    gate_start: np.ndarray
    gate_s: np.ndarray
    gate_kind: np.ndarray
    gate_plan: np.ndarray
    cell_first: np.ndarray
    cell_shape: np.ndarray
    cell_origin: np.ndarray
    cell_start: np.ndarray
    cell_items: np.ndarray
    boxes: np.ndarray
    box_kind: np.ndarray
