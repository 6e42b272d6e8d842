"""The arrays that every part of the house exchanges: ground, roads, state, observation, action, trajectory.

World frame: x east, y north, yaw anticlockwise, SI units and radians (ISO 8855: x forward, y left in the
vehicle's own frame).  Batch axis first: B worlds, T ticks, N actors (actor 0 is ego), R routes, H W pixels.
A vehicle's pose is that of its *rear axle*, not of its box centre.  All floats are float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

# ---------------------------------------------------------------------------------------------- vocabulary
# CARLA's WeatherParameters, in CARLA's wire order; percentages 0..100, angles in degrees as CARLA has them.
WEATHER_FIELDS: tuple[str, ...] = (
    "cloudiness", "precipitation", "precipitation_deposits", "wind_intensity", "sun_azimuth_angle",
    "sun_altitude_angle", "fog_density", "fog_distance", "fog_falloff", "wetness", "scattering_intensity",
    "mie_scattering_scale", "rayleigh_scattering_scale", "dust_storm",
)  # fmt: skip
WEATHER_INDEX: dict[str, int] = {name: i for i, name in enumerate(WEATHER_FIELDS)}

# What the ground is made of (`Ground.surface`); DRIVABLE ones may carry a wheel.
SURFACES: tuple[str, ...] = ("offmap", "road", "junction", "shoulder", "parking", "pavement", "verge")
SURFACE: dict[str, int] = {name: i for i, name in enumerate(SURFACES)}
DRIVABLE: tuple[int, ...] = (SURFACE["road"], SURFACE["junction"], SURFACE["shoulder"], SURFACE["parking"])

# What stands in a world: actors (they may move) and scenery (it belongs to the map).
KINDS: tuple[str, ...] = (
    "none", "car", "van", "truck", "building", "house", "tree", "lamp", "fence", "bicycle", "walker", "cone", "light",
    "barrier", "raised_barrier", "ball",
)  # fmt: skip
KIND: dict[str, int] = {name: i for i, name in enumerate(KINDS)}

OUTCOMES: tuple[str, ...] = ("running", "arrived", "collision", "off_road", "timeout", "deviated")
OUTCOME: dict[str, int] = {name: i for i, name in enumerate(OUTCOMES)}

# What a driver can decide and a drive can show; `Route.decision` and `World.branch` are indices into this. First the
# ways out of a junction, then what is done where there is none, then numbered choices, then two turns in a row.
TURNS: tuple[str, ...] = ("left", "right", "straight")
DECISIONS: tuple[str, ...] = (
    *TURNS,
    "go", "wait", "stop", "yield", "slow", "early", "late",
    *(f"{thing} {number}" for thing, most in (("exit", 4), ("bay", 6), ("lane", 3), ("place", 4))
      for number in range(1, most + 1)),
    *(f"{first} then {second}" for first in TURNS for second in TURNS),
)  # fmt: skip
DECISION: dict[str, int] = {name: i for i, name in enumerate(DECISIONS)}
NO_BRANCH = -1

ROUTE_SPACING = np.float32(0.5)  # [m] between neighbouring points of every path in a PathTable


# The fields of a World that are one whole number a world.
PER_WORLD: tuple[str, ...] = (
    "tick", "seed", "map", "outcome", "branch", "time_limit", "clock", "struck", "red_lights", "stop_signs", "halted",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------- the map
@dataclass(frozen=True)
class Ground:
    """What lies underfoot: a picture pyramid for cameras and a class raster for wheels.

    Row 0 is the smallest y, column 0 the smallest x; texel (r, c) of level l covers the square whose lower
    corner is origin + texel * 2**l * (c, r).

    Args:
        origin: (2,) world x, y of the lower corner [m].
        texel: side of a level-0 texel [m].
        levels: (H_l, W_l, 4) uint8 each; RGB in daylight when dry, A = how far rain darkens it and makes it
            shine (255 asphalt, 0 grass). Level l+1 is level l averaged 2 x 2.
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
    """A line to drive along, resampled at ROUTE_SPACING.

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
    """One way through a junction: the inbound lane, the connecting lane and the outbound lane as one path.

    Or one way over a composed place: its junction begins at the edge of the first and ends with the last turn, or it is
    a stretch of street. Or one way through many junctions, where keypoints say it (`sim.routes`): then it is all
    "straight", and its junction ends where ego has arrived.

    Args:
        path: the whole way.
        origin: name of the arm it comes from.
        target: name of the arm it leaves by.
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
        name: south, west, east or north: as seen with the stem (or the first arm) at the bottom of the page. A composed
            place has others besides: exit1, exit2, ... at side roads, southwest, northwest, ... behind two turns.
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
    """Where roads meet, or another place of decision. What its kind says:

    "t": three arms of which one, the stem (south), offers left and right only; "x": four arms; "other": any others;
    "exits", "legs", "passage", "bays", "street": composed of more than a junction, or of none, see `sim.composed`.
    """

    id: int
    kind: str
    centre: tuple[float, float]
    arms: dict[str, Arm]
    routes: tuple[Route, ...]

    def routes_from(self, arm: str) -> tuple[Route, ...]:
        """The routes that start on `arm`, ordered by decision."""
        return tuple(sorted((r for r in self.routes if r.origin == arm), key=lambda r: r.decision))


# Scenery rows: kind, x, y of the centre, yaw, length, width, height, look (packed 0xRRGGBB; drawn per kind).
SCENERY_COLUMNS: tuple[str, ...] = ("kind", "x", "y", "yaw", "length", "width", "height", "look")


@dataclass(frozen=True)
class RoadMap:
    """An OpenDRIVE file compiled to arrays.

    Args:
        name: for people.
        digest: SHA-256 of the OpenDRIVE text and of the compiler's version; the cache key.
        ground: pictures and classes of the ground.
        junctions: every junction with at least three arms.
        scenery: (M, 8) float64, SCENERY_COLUMNS (float64 so that a 24-bit look survives).
        skyline: (512,) float32, height of the far horizon's silhouette over azimuth 0..2 pi [rad of elevation].
        opendrive: the text it was compiled from, as CARLA can load it.
    """

    name: str
    digest: str
    ground: Ground
    junctions: tuple[Junction, ...]
    scenery: np.ndarray
    skyline: np.ndarray
    opendrive: str


# ------------------------------------------------------------------------------- what the kernels work upon
class Bank(NamedTuple):
    """Every map of a fleet, laid end to end for the kernels. Built by `sim.bank`; read-only.

    texels (X, 4) u8; level_start (M, L) i64 row of texels at which a level begins (-1: no such level);
    level_shape (M, L, 2) i32 rows, columns; ground_origin (M, 2) f32; ground_texel (M,) f32;
    surface (Y,) u8; surface_start (M,) i64; surface_shape (M, 2) i32; surface_texel (M,) f32;
    scenery (K, 8) f64, of each map its own and then its traffic lights, whose look is their plan;
    scenery_start (M + 1,) i64; skyline (M, 512) f32;
    points (P, 4) f32 all paths; path_start (Q + 1,) i64; junction_in, junction_out (Q,) f32, decision (Q,) i32;
    gate_start (Q + 1,) i64, gate_s (G,) f32 [m], gate_kind, gate_plan (G,) i32: lights and signs along every route, see
    `sim.gates`; cell_first (M,) i64, cell_shape (M, 2) i32, cell_origin (M, 2) f32, cell_start, cell_items i32,
    boxes (K, 6) f32, box_kind (K,) i32: what can be run into, see `sim.obstacles`.
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


class World(NamedTuple):
    """The truth about B worlds, as the kernels hold it: everything a frame is drawn from and stepped from.

    Per world: tick (B,) i32; seed (B,) u32; map (B,) i32; weather (B, 14) f32 in WEATHER_FIELDS order;
    outcome (B,) i32; branch (B,) i32; time_limit (B,) i32 [ticks]; clock (B,) i32 of the traffic lights [ms], negative
    where they are off; struck (B,) i32, the kind of what ego has hit, 0 for nothing; red_lights, stop_signs (B,) i32,
    how many it drove over without leave; halted (B,) i32, 1 where it has stopped before the stop line that comes next.
    Per actor (B, N): x, y [m], yaw [rad] of the rear axle, speed (below 0 backwards) [m/s], steer (front wheel angle)
    [rad], acceleration (of speed, mean over the last tick) [m/s^2], length, width, height, wheelbase, overhang (rear
    axle to rear bumper) [m] f32; kind i32 (index into KINDS, 0 where there is no actor), look i32 (packed 0xRRGGBB);
    path i32 (row of the Bank's paths that it follows, -1 if none), path_s f32 [m], target_speed f32 [m/s].
    Whoever is sent through the junction (`sim.errands`) has the path -2 - decision, and its path_s is what is left
    to its line [m], below 0 behind it.
    Per route of ego (B, R): route i32 (path row, -1 if none), route_s f32 progress [m],
    route_offset f32 signed distance to the left of the route [m].
    """

    tick: np.ndarray
    seed: np.ndarray
    map: np.ndarray
    weather: np.ndarray
    outcome: np.ndarray
    branch: np.ndarray
    time_limit: np.ndarray
    clock: np.ndarray
    struck: np.ndarray
    red_lights: np.ndarray
    stop_signs: np.ndarray
    halted: np.ndarray
    x: np.ndarray
    y: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    steer: np.ndarray
    acceleration: np.ndarray
    length: np.ndarray
    width: np.ndarray
    height: np.ndarray
    wheelbase: np.ndarray
    overhang: np.ndarray
    kind: np.ndarray
    look: np.ndarray
    path: np.ndarray
    path_s: np.ndarray
    target_speed: np.ndarray
    route: np.ndarray
    route_s: np.ndarray
    route_offset: np.ndarray

    def copy(self) -> World:
        """An independent copy of every array."""
        return World(*(a.copy() for a in self))


# -------------------------------------------------------------------------------------- what policies exchange
@dataclass(frozen=True)
class Observation:
    """What a policy sees.

    Args:
        camera: (B, H, W, 3) uint8, RGB.
        speed: (B,) float32, of ego [m/s].
    """

    camera: np.ndarray
    speed: np.ndarray


@dataclass(frozen=True)
class Action:
    """What a policy does.

    Args:
        steer: (B,) float32, front wheel angle asked for [rad], positive to the left.
        acceleration: (B,) float32, asked for in the direction of the gear [m/s^2]; negative brakes, either way.
        reverse: (B,) bool, which gear: True drives backwards. None is forwards everywhere.
    """

    steer: np.ndarray
    acceleration: np.ndarray
    reverse: np.ndarray | None = None

    def where(self, mask: np.ndarray, other: Action) -> Action:
        """This action where `mask` (B,) holds, `other` elsewhere."""
        gears = None
        if self.reverse is not None or other.reverse is not None:
            mine, theirs = (np.zeros(1, bool) if a.reverse is None else a.reverse for a in (self, other))
            gears = np.where(mask, mine, theirs)
        return replace(
            self,
            steer=np.where(mask, self.steer, other.steer).astype(np.float32),
            acceleration=np.where(mask, self.acceleration, other.acceleration).astype(np.float32),
            reverse=gears,
        )

    def spread(self, slots: np.ndarray, worlds: int) -> Action:
        """This action in the given slots (S,) of so many worlds; the others are asked for nothing."""
        steer, acceleration = np.zeros(worlds, np.float32), np.zeros(worlds, np.float32)
        steer[slots], acceleration[slots] = self.steer, self.acceleration
        reverse = None
        if self.reverse is not None:
            reverse = np.zeros(worlds, bool)
            reverse[slots] = self.reverse
        return Action(steer, acceleration, reverse)
