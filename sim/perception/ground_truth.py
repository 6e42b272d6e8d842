"""Ground truth (privileged state) of B worlds in ego's frame: typed arrays for planners, critics and probes.

`World` holds the kernels' arrays; a `GroundTruth` is computed from it and shares no array that changes later.  Ego's
frame: origin on the rear axle, x forward, y left, SI and radians.  Axes: B worlds, N actors with ego (so N - 1 others,
slot i + 1 of the world at index i), R routes of ego, C samples ahead.  A value is valid where the mask that its column
names is True, and is 0 elsewhere; all values are finite.  The package `scenarios` computes propositions from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple, TypeVar, get_type_hints

import numpy as np

from sim.actors.signs import SIGN, SIGN_KINDS, SignDesign, visible_text
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DRIVABLE, ROUTE_SPACING, WEATHER_FIELDS
from sim.datatypes.world_state import World
from sim.perception.ego_relative import CURVE_STEP, CURVES, Relative, RouteRelation, relative, route_relations
from sim.perception.visibility import Sight, focal_of, visible_actors
from sim.render.assets.sign_art import letter_height
from sim.road.map.lane_arrays import GATE
from sim.road.map.map_batch import MapBatch
from sim.sensors.imu import IMU, imu

CURVE_AT: tuple[float, ...] = tuple(CURVE_STEP * n for n in range(CURVES))  # [m] ahead at which curvature is sampled
LEGIBLE = 1.2  # [px] height of capitals at which nine of ten boards are legible (docs/reference/signs.md)
T = TypeVar("T")


class Column(NamedTuple):
    """The type of one array of a `GroundTruth`: letters of its axes, dtype, unit, and the mask of valid values."""

    axes: str
    dtype: type
    unit: str
    where: str


def _number(axes: str, unit: str, where: str = "valid") -> Column:
    return Column(axes, np.float32, unit, where)


def _index(axes: str, where: str = "valid") -> Column:
    return Column(axes, np.int32, "", where)


def _mask(axes: str, where: str = "valid") -> Column:
    return Column(axes, np.bool_, "", where)


@dataclass(frozen=True)
class EgoState:
    """Ego's state: pose of the rear axle in the world, motion, size, surface below it.

    Args:
        yaw_rate: as the IMU measures it, limited by the tyres' grip; wheel_angle: of the front wheels, left positive.
        surface: under the centre of its box, an index into `sim.datatypes.vocabulary.SURFACES`; wheels_off: how many
            of the four wheels are off the road.
        speed_limit: of the lane that the nearest of its routes follows, where `limited`.
    """

    x: Annotated[np.ndarray, _number("B", "m", "")]
    y: Annotated[np.ndarray, _number("B", "m", "")]
    yaw: Annotated[np.ndarray, _number("B", "rad", "")]
    speed: Annotated[np.ndarray, _number("B", "m/s", "")]
    acceleration: Annotated[np.ndarray, _number("B", "m/s^2", "")]
    yaw_rate: Annotated[np.ndarray, _number("B", "rad/s", "")]
    wheel_angle: Annotated[np.ndarray, _number("B", "rad", "")]
    length: Annotated[np.ndarray, _number("B", "m", "")]
    width: Annotated[np.ndarray, _number("B", "m", "")]
    surface: Annotated[np.ndarray, _index("B", "")]
    wheels_off: Annotated[np.ndarray, _index("B", "")]
    limited: Annotated[np.ndarray, _mask("B", "")]
    speed_limit: Annotated[np.ndarray, _number("B", "m/s", "limited")]

    @property
    def off_road(self) -> np.ndarray:
        """(B,) bool: the centre of its box is off the drivable surface. An episode ends when two wheels are."""
        return ~np.isin(self.surface, DRIVABLE)


@dataclass(frozen=True)
class ActorStates:
    """The states of the other actors, by slot; an empty slot and the slot of a sign are not valid.

    Args:
        kind: an index into `sim.actors.registry.KINDS`.
        x, y, heading: of the box's centre, in ego's frame; vx, vy: over the ground, in ego's axes.
        speed: below 0 in reverse. distance: between the centres of its box and ego's.
        visible: the line of sight from ego's camera mount to it is free, in any direction; pictured: visible and within
            the camera's image. An object smaller than a pixel is neither.
        on_route: it is ahead on a route of ego, within `ego_relative.AHEAD`; gap: along that route from ego's front
            bumper to where a car as wide as ego would touch it, down to minus half ego's length beside ego itself;
            pace: its speed along the route there.
        collides: its box would touch ego's within `ego_relative.HORIZON` at constant velocities and headings, after
            `ttc`, the time to collision.
    """

    valid: Annotated[np.ndarray, _mask("BN", "")]
    kind: Annotated[np.ndarray, _index("BN")]
    x: Annotated[np.ndarray, _number("BN", "m")]
    y: Annotated[np.ndarray, _number("BN", "m")]
    heading: Annotated[np.ndarray, _number("BN", "rad")]
    speed: Annotated[np.ndarray, _number("BN", "m/s")]
    vx: Annotated[np.ndarray, _number("BN", "m/s")]
    vy: Annotated[np.ndarray, _number("BN", "m/s")]
    length: Annotated[np.ndarray, _number("BN", "m")]
    width: Annotated[np.ndarray, _number("BN", "m")]
    height: Annotated[np.ndarray, _number("BN", "m")]
    distance: Annotated[np.ndarray, _number("BN", "m")]
    visible: Annotated[np.ndarray, _mask("BN")]
    pictured: Annotated[np.ndarray, _mask("BN", "visible")]
    on_route: Annotated[np.ndarray, _mask("BNR")]
    gap: Annotated[np.ndarray, _number("BNR", "m", "on_route")]
    pace: Annotated[np.ndarray, _number("BNR", "m/s", "on_route")]
    collides: Annotated[np.ndarray, _mask("BN")]
    ttc: Annotated[np.ndarray, _number("BN", "s", "collides")]


@dataclass(frozen=True)
class SignStates:
    """The states of the scenario's signs, by slot as for actors.

    Args:
        kind: an index into `sim.actors.signs.SIGN_KINDS`; text: an index into `texts`, whose first entry is "".
        x, y: of the post in ego's frame; heading: of its face in ego's frame, pi where it faces ego.
        distance: from the centre of ego's box. visible, pictured: as for actors, of its panel.
        readable: it is pictured, faces the camera, and its letters are LEGIBLE.
        ahead: it stands beside a route, ahead of ego; gap: along that route from ego's front bumper.
    """

    valid: Annotated[np.ndarray, _mask("BN", "")]
    kind: Annotated[np.ndarray, _index("BN")]
    text: Annotated[np.ndarray, _index("BN")]
    x: Annotated[np.ndarray, _number("BN", "m")]
    y: Annotated[np.ndarray, _number("BN", "m")]
    heading: Annotated[np.ndarray, _number("BN", "rad")]
    distance: Annotated[np.ndarray, _number("BN", "m")]
    visible: Annotated[np.ndarray, _mask("BN")]
    pictured: Annotated[np.ndarray, _mask("BN", "visible")]
    readable: Annotated[np.ndarray, _mask("BN", "pictured")]
    ahead: Annotated[np.ndarray, _mask("BNR")]
    gap: Annotated[np.ndarray, _number("BNR", "m", "ahead")]
    texts: tuple[str, ...] = ("",)

    @property
    def words(self) -> np.ndarray:
        """(B, N - 1) str: the text of every sign; "" for traffic signs and in slots without a sign."""
        return np.array(self.texts)[self.text]


@dataclass(frozen=True)
class LineStates:
    """The next stop or yield line on each route of ego; distance: from its front bumper until the front wheels pass."""

    valid: Annotated[np.ndarray, _mask("BR", "")]
    distance: Annotated[np.ndarray, _number("BR", "m")]


@dataclass(frozen=True)
class LightStates:
    """The next traffic light on each route of ego.

    Args:
        distance: from ego's front bumper to the light's line, which ego has passed when its front wheels have.
        state: an index into `sim.road.graph.traffic_lights.SIGNAL_STATES`. visible, pictured: as for actors, of a lamp
            that faces ego.
    """

    valid: Annotated[np.ndarray, _mask("BR", "")]
    distance: Annotated[np.ndarray, _number("BR", "m")]
    state: Annotated[np.ndarray, _index("BR")]
    visible: Annotated[np.ndarray, _mask("BR")]
    pictured: Annotated[np.ndarray, _mask("BR", "visible")]


@dataclass(frozen=True)
class RouteStates:
    """Ego's candidate routes. Lengths are those of the rear axle along the route.

    Args:
        progress: from the route's start; offset: of ego to its left; heading_error: of ego against it, left positive.
        to_junction, to_junction_end: below 0 once passed; to_end: to the end of the route's line.
        decision: an index into `sim.datatypes.vocabulary.DECISIONS`.
        curvature: left positive, at CURVE_AT metres ahead where the route `reaches` that far.
        speed_limit: at ego's position along the route, where `limited`, which needs a map with a lane graph.
    """

    valid: Annotated[np.ndarray, _mask("BR", "")]
    progress: Annotated[np.ndarray, _number("BR", "m")]
    offset: Annotated[np.ndarray, _number("BR", "m")]
    heading_error: Annotated[np.ndarray, _number("BR", "rad")]
    to_junction: Annotated[np.ndarray, _number("BR", "m")]
    to_junction_end: Annotated[np.ndarray, _number("BR", "m")]
    to_end: Annotated[np.ndarray, _number("BR", "m")]
    decision: Annotated[np.ndarray, _index("BR")]
    reaches: Annotated[np.ndarray, _mask("BRC")]
    curvature: Annotated[np.ndarray, _number("BRC", "1/m", "reaches")]
    limited: Annotated[np.ndarray, _mask("BR")]
    speed_limit: Annotated[np.ndarray, _number("BR", "m/s", "limited")]


@dataclass(frozen=True)
class GroundTruth:
    """The ground truth of B worlds, in parts: ego, actors, signs, lights, lines, routes, weather.

    Args:
        stops, yields: lines of the map's stop and yield signs. Cameras show the lines but not those signs.
        weather: (B, 14) f32 in `sim.datatypes.vocabulary.WEATHER_FIELDS` order; tick, outcome (OUTCOMES),
            shown_decision (DECISIONS, -1 before one is taken): (B,) i32.
    """

    ego: EgoState
    actors: ActorStates
    signs: SignStates
    lights: LightStates
    stops: LineStates
    yields: LineStates
    routes: RouteStates
    weather: Annotated[np.ndarray, _number("BW", "CARLA's", "")]
    tick: Annotated[np.ndarray, _index("B", "")]
    outcome: Annotated[np.ndarray, _index("B", "")]
    shown_decision: Annotated[np.ndarray, _index("B", "")]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by its name, such as "actors.ttc"; COLUMNS describes each. Texts of signs are not included."""
        return {name: _get(self, name) for name in COLUMNS}

    def visible_only(self, pictured: bool = False) -> GroundTruth:
        """The same state without occluded actors, signs and lights, which ego's camera cannot see.

        A sign that is visible but not readable has kind 0 and no text. Map data (routes, limits, lines of stop and
        yield signs) stays.

        Args:
            pictured: keep only what is within the image; otherwise what is visible in any direction.
        """
        how = "pictured" if pictured else "visible"
        signs = _kept(self.signs, getattr(self.signs, how))
        kind, text = (_where(self.signs.readable, array) for array in (signs.kind, signs.text))
        return replace(
            self,
            actors=_kept(self.actors, getattr(self.actors, how)),
            signs=replace(signs, kind=kind, text=text),
            lights=_kept(self.lights, getattr(self.lights, how)),
        )

    def validate(self) -> GroundTruth:
        """Check shapes, types and masks, and return the state itself.

        Raises:
            ValueError: names the first array that is wrong.
        """
        (worlds, others), routes = self.actors.valid.shape, self.routes.valid.shape[1]
        sizes = {"B": worlds, "N": others, "R": routes, "C": CURVES, "W": len(WEATHER_FIELDS)}
        for name, column in COLUMNS.items():
            array, wanted = _get(self, name), tuple(sizes[axis] for axis in column.axes)
            if array.shape != wanted or array.dtype != column.dtype:
                raise ValueError(
                    f"state: {name} is {array.dtype} of shape {array.shape}, wanted {column.dtype.__name__} {wanted}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"state: {name} is not finite everywhere")
            if column.where:
                mask = _get(self, f"{name.partition('.')[0]}.{column.where}")
                if array[~mask].any():
                    raise ValueError(f"state: {name} is not 0 everywhere where {column.where} does not hold")
        if self.signs.text.size and not 0 <= self.signs.text.min() <= self.signs.text.max() < len(self.signs.texts):
            raise ValueError(f"state: signs.text goes beyond 0 to {len(self.signs.texts) - 1}")
        return self


_PARTS: dict[str, type] = {
    "ego": EgoState, "actors": ActorStates, "signs": SignStates, "lights": LightStates, "stops": LineStates,
    "yields": LineStates, "routes": RouteStates,
}  # fmt: skip


def _columns_of(part: type, prefix: str = "") -> dict[str, Column]:
    kinds = get_type_hints(part, include_extras=True)
    return {prefix + name: kind.__metadata__[0] for name, kind in kinds.items() if hasattr(kind, "__metadata__")}


# Every array of a GroundTruth by its name, in the order of `GroundTruth.arrays`.
COLUMNS: dict[str, Column] = {
    **{name: column for part, of in _PARTS.items() for name, column in _columns_of(of, f"{part}.").items()},
    **_columns_of(GroundTruth),
}


def _get(state: GroundTruth, name: str) -> np.ndarray:
    part, _, rest = name.rpartition(".")
    return getattr(getattr(state, part) if part else state, rest)


def _where(mask: np.ndarray, array: np.ndarray) -> np.ndarray:
    """`array` where a mask over its first axes is True, else 0."""
    return np.where(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array, array.dtype.type(0))


def _kept(part: T, mask: np.ndarray) -> T:
    """A part of a GroundTruth with the entries outside a mask set to 0."""
    return replace(part, **{name: _where(mask, getattr(part, name)) for name in _columns_of(type(part))})  # type: ignore[type-var]


# ---------------------------------------------------------------------------------------------------- from a world
def ground_truth(world: World, maps: MapBatch, camera: Camera | None = None, threads: int = 1) -> GroundTruth:
    """Compute the ground truth of every row of `world` now.

    The first call on a new path looks up its lights, lines and limits on the map, which may compile the map's lane
    graph (a tenth of a second, cached on disk). Without a lane graph the masks of lights, lines and limits are False.

    Args:
        camera: its mount is the origin of all lines of sight; CARLA's usual place by default.
    """
    camera = camera or Camera()
    gates = maps.route_controls(world.route)
    near, along = relative(world, maps, threads), route_relations(world, maps, gates, threads)
    sight = visible_actors(world, maps, camera, along.plan, threads)
    routes = _routes(world, maps, along)
    lines = {kind: (along.meets[..., g].copy(), along.line[..., g].copy()) for kind, g in GATE.items()}
    return GroundTruth(
        ego=_ego(world, near, routes),
        actors=_actors(world, near, along, sight),
        signs=_signs(world, near, along, sight, camera),
        lights=LightStates(lines["light"][0], lines["light"][1], along.state, sight.lamp, sight.lamp_pictured),
        stops=LineStates(*lines["stop"]),
        yields=LineStates(*lines["yield"]),
        routes=routes,
        **{name: getattr(world, name).copy() for name in ("weather", "tick", "outcome", "shown_decision")},
    )


def _ego(world: World, near: Relative, routes: RouteStates) -> EgoState:
    # the nearest of the routes with a limit; a large offset stands for "none"
    nearest = np.where(routes.limited, np.abs(routes.offset), np.float32(1e9)).argmin(1)
    rows = np.arange(len(nearest))
    own = {name: getattr(world, name)[:, 0].copy() for name in ("x", "y", "yaw", "speed", "acceleration")}
    return EgoState(
        **own, yaw_rate=imu(world)[:, IMU.index("gyroscope_z")].copy(), wheel_angle=world.steer[:, 0].copy(),
        length=world.length[:, 0].copy(), width=world.width[:, 0].copy(), surface=near.surface, wheels_off=near.wheels,
        limited=routes.limited[rows, nearest], speed_limit=routes.speed_limit[rows, nearest],
    )  # fmt: skip


def _actors(world: World, near: Relative, along: RouteRelation, sight: Sight) -> ActorStates:
    valid = (world.kind[:, 1:] != 0) & (world.kind[:, 1:] != SIGN)
    found = {name: getattr(near, name) for name in ("x", "y", "heading", "vx", "vy", "distance", "ttc")}
    found |= {name: getattr(world, name)[:, 1:] for name in ("kind", "speed", "length", "width", "height")}
    found |= {"visible": sight.seen, "pictured": sight.pictured, "collides": near.touches}
    found |= {"on_route": along.on, "gap": along.gap, "pace": along.pace}
    return ActorStates(valid, **{name: _where(valid, array) for name, array in found.items()})


def _signs(world: World, near: Relative, along: RouteRelation, sight: Sight, camera: Camera) -> SignStates:
    valid = world.kind[:, 1:] == SIGN
    kind, text = np.zeros(valid.shape, np.int32), np.zeros(valid.shape, np.int32)
    tall = np.zeros(valid.shape, np.float32)
    looks, rows = np.unique(world.appearance[:, 1:][valid], return_inverse=True)
    faces: list[SignDesign] = [visible_text(look)[0] for look in looks.tolist()]
    texts = ("", *sorted({face.text for face in faces} - {""}))
    if faces:
        kind[valid] = np.array([SIGN_KINDS.index(face.kind) for face in faces], np.int32)[rows]
        text[valid] = np.array([texts.index(face.text) for face in faces], np.int32)[rows]
        tall[valid] = np.array([letter_height(face) for face in faces], np.float32)[rows]
    # cosine between the sign's heading and the view: it foreshortens the letters
    x, y = near.x - np.float32(camera.forward), near.y - np.float32(camera.left)
    away = np.maximum(np.hypot(x, y), np.float32(1e-3))
    square = -(x * np.cos(near.heading) + y * np.sin(near.heading)) / away
    readable = sight.pictured & (tall * square * np.float32(focal_of(camera)) >= np.float32(LEGIBLE) * away)
    found = {"kind": kind, "text": text, "x": near.x, "y": near.y, "heading": near.heading, "distance": near.distance}
    found |= {"visible": sight.seen, "pictured": sight.pictured, "readable": readable}
    found |= {"ahead": along.on, "gap": along.gap}
    return SignStates(valid, **{name: _where(valid, array) for name, array in found.items()}, texts=texts)


def _routes(world: World, maps: MapBatch, along: RouteRelation) -> RouteStates:
    bank, valid, s = maps.arrays, world.route >= 0, world.route_s
    ends = np.diff(bank.path_start).astype(np.float32) * ROUTE_SPACING - ROUTE_SPACING
    # -1 (no route) indexes the last row, which is appended here
    begin, end, whole, way = (
        np.append(a, a.dtype.type(0))[world.route] for a in (bank.junction_in, bank.junction_out, ends, bank.decision)
    )
    found = {
        "progress": s, "offset": world.route_offset, "heading_error": along.heading, "to_junction": begin - s,
        "to_junction_end": end - s, "to_end": whole - s, "decision": way, "reaches": along.reaches,
        "curvature": along.curvature, "limited": along.limited, "speed_limit": along.limit,
    }  # fmt: skip
    return RouteStates(valid, **{name: _where(valid, array) for name, array in found.items()})
