"""The slow twin of the embedded world's step: one world, plain Python numbers, written from the same papers.

Paths are searched from end to end instead of onwards from where one was, boxes are compared by corners and edges, and
everything is in double precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.actors.registry import EGO
from sim.datatypes.vocabulary import DRIVABLE, OUTCOMES, WEATHER_FIELDS
from sim.datatypes.world_state import World
from sim.road.map.map_batch import MapBatch, path_points
from tests.reference.geometry import boxes_touch

SPACING = 0.5  # [m]


@dataclass
class Car:
    """A vehicle: pose of its rear axle, motion, size, and the path it follows (-1 for none)."""

    x: float
    y: float
    yaw: float
    speed: float
    steer: float
    acceleration: float
    length: float
    width: float
    wheelbase: float
    overhang: float
    kind: int
    path: int
    path_s: float
    target_speed: float

    def box(self) -> tuple[float, float, float, float, float]:
        """x, y of the centre, yaw, length, width."""
        middle = self.length / 2 - self.overhang
        return (
            self.x + middle * math.cos(self.yaw),
            self.y + middle * math.sin(self.yaw),
            self.yaw,
            self.length,
            self.width,
        )

    def ahead_and_left(self, x: float, y: float) -> tuple[float, float]:
        """A point in the vehicle's own frame [m]."""
        dx, dy, c, s = x - self.x, y - self.y, math.cos(self.yaw), math.sin(self.yaw)
        return dx * c + dy * s, dy * c - dx * s

    def roll(self, steer: float, acceleration: float, dt: float) -> None:
        """One step of the bicycle that never rolls backwards."""
        self.arc(max(self.speed + acceleration * dt, 0.0), math.tan(steer) / self.wheelbase, dt)

    def arc(self, after: float, curvature: float, dt: float) -> None:
        """Reach a speed along an arc, taken along its chord's middle yaw."""
        way = (self.speed + after) / 2 * dt
        turn = way * curvature
        self.x += way * math.cos(self.yaw + turn / 2)
        self.y += way * math.sin(self.yaw + turn / 2)
        self.yaw += turn
        self.speed = after


@dataclass
class Scene:
    """One world: cars (ego first), routes of ego as (path number, s, offset), and how it stands."""

    cars: list[Car]
    routes: list[list[float]]
    maps: MapBatch
    map: int
    tick: int
    time_limit: int
    goal: float
    shown_decision: int
    grip: float
    outcome: str = "running"
    notes: dict[str, Any] = field(default_factory=dict)


def grip(weather: dict[str, float]) -> float:
    """Friction of a road that is wet by what lies on it and by rain: 0.85 dry (Wong), 0.6 soaked."""
    wet = max(weather["wetness"], weather["precipitation_deposits"], 85 * min(1, 1.4 * weather["precipitation"] / 100))
    return 0.85 - 0.25 * max(0.0, min(1.0, wet / 100))


def scene(world: World, maps: MapBatch, w: int, goal: float) -> Scene:
    """Row w of a world as a scene."""
    names = Car.__dataclass_fields__
    cars = [Car(**{n: getattr(world, n)[w, i].item() for n in names}) for i in range(world.x.shape[1])]
    routes = [[int(q), float(s), float(o)] for q, s, o in zip(world.route[w], world.route_s[w], world.route_offset[w])]
    return Scene(
        cars, routes, maps, int(world.map[w]), int(world.tick[w]), int(world.time_limit[w]), goal,
        int(world.shown_decision[w]), grip(dict(zip(WEATHER_FIELDS, world.weather[w].tolist()))),
        OUTCOMES[world.outcome[w]],
    )  # fmt: skip


def project(points: np.ndarray, x: float, y: float) -> tuple[float, float, float]:
    """s [m] and offset to the left [m] of the nearest point of a path, and the path's yaw there."""
    k = min(range(len(points)), key=lambda i: (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2)
    px, py, yaw, _ = (float(v) for v in points[k])
    along = (x - px) * math.cos(yaw) + (y - py) * math.sin(yaw)
    left = (y - py) * math.cos(yaw) - (x - px) * math.sin(yaw)
    return k * SPACING + max(-SPACING, min(SPACING, along)), left, yaw


def idm(speed: float, wanted: float, gap: float, closing: float) -> float:
    """Treiber, Hennecke, Helbing (2000): a = 1.5, b = 2.5, at most 7 m/s^2; T = 1.2 s, s0 = 2 m, delta = 4."""
    desired = 2.0 + max(0.0, speed * 1.2 + speed * closing / (2 * math.sqrt(1.5 * 2.5)))
    return max(1.5 * (1 - (speed / max(wanted, 0.1)) ** 4 - (desired / max(gap, 0.1)) ** 2), -7.0)


def _gap(cars: list[Car], i: int) -> tuple[float, float]:
    me, best = cars[i], (1e6, 0.0)
    for j, other in enumerate(cars):
        if j == i or other.kind == 0:
            continue
        ox, oy, yaw, length, width = other.box()
        ahead, left = me.ahead_and_left(ox, oy)
        c, s = abs(math.cos(yaw - me.yaw)), abs(math.sin(yaw - me.yaw))
        if ahead <= 0 or abs(left) > me.width / 2 + (length * s + width * c) / 2 + 0.3:
            continue
        gap = ahead - (length * c + width * s) / 2 - (me.length - me.overhang)
        if gap < best[0]:
            best = gap, me.speed - other.speed * math.cos(yaw - me.yaw)
    return best


def _follow(here: Scene, i: int, dt: float) -> None:
    me = here.cars[i]
    points = path_points(here.maps.arrays, me.path)
    gap, closing = _gap(here.cars, i)
    to_end = (len(points) - 1) * SPACING - me.path_s
    if to_end < gap:
        gap, closing = to_end, me.speed
    a = idm(me.speed, me.target_speed, gap, closing)
    look = max(3.0, min(12.0, 0.9 * me.speed))
    goal = points[min(int((me.path_s + look) / SPACING), len(points) - 1)]
    ahead, left = me.ahead_and_left(float(goal[0]), float(goal[1]))
    steer = math.atan(2 * me.wheelbase * left / max(ahead**2 + left**2, 1.0))
    before = me.speed
    me.steer = max(-0.6, min(0.6, steer))
    me.roll(me.steer, a, dt)
    me.acceleration = (me.speed - before) / dt
    me.path_s = project(points, me.x, me.y)[0]


def _tyres(curvature: float, before: float, after: float, h: float, hold: float) -> tuple[float, float]:
    """Curvature and speed afterwards that a circle of `hold` [m/s^2] allows: the bend first, 0.4 kept for brakes."""
    square = max(before**2, after**2)
    braking = min(max(abs(before) - abs(after), 0.0) / h, 0.4 * hold)
    sideways = min(square * abs(curvature), math.sqrt(hold**2 - braking**2))
    left = math.sqrt(hold**2 - sideways**2)
    if square > 0:
        curvature = math.copysign(sideways / square, curvature)
    return curvature, max(before - left * h, min(before + left * h, after))


def _drive(ego: Car, steer: float, pedal: float, reverse: bool, grip: float, dt: float, substeps: int) -> None:
    want = max(-EGO.max_steer, min(EGO.max_steer, steer))
    pedal = max(-EGO.max_braking, min(EGO.max_acceleration, pedal))
    before, h, gear = ego.speed, dt / substeps, -1 if reverse else 1
    standing = ego.speed == 0
    asked = gear * pedal if pedal >= 0 else 0.0 if standing else math.copysign(pedal, -ego.speed)
    a = 0.0 if standing else ego.acceleration
    a += (asked - a) * dt / (EGO.lag + dt)
    for _ in range(substeps):
        ego.steer += max(-EGO.steer_rate * h, min(EGO.steer_rate * h, want - ego.steer))
        if ego.speed == 0:
            a = gear * min(max(gear * a, 0.0), max(pedal, 0.0))
        after = max(-EGO.max_reverse_speed, min(EGO.max_speed, ego.speed + a * h))
        if after * ego.speed < 0:
            after = 0.0
        curvature, after = _tyres(math.tan(ego.steer) / ego.wheelbase, ego.speed, after, h, grip * 9.81)
        ego.arc(after, curvature, h)
    ego.yaw = math.remainder(ego.yaw, 2 * math.pi)
    ego.acceleration = (ego.speed - before) / dt


def wheels_off(here: Scene) -> int:
    """How many of ego's wheels stand where no wheel may."""
    ego, ground = here.cars[0], here.maps.maps[here.map].ground
    off = 0
    for ahead in (0.0, ego.wheelbase):
        for left in (0.45 * ego.width, -0.45 * ego.width):
            x = ego.x + ahead * math.cos(ego.yaw) - left * math.sin(ego.yaw)
            y = ego.y + ahead * math.sin(ego.yaw) + left * math.cos(ego.yaw)
            row = math.floor((y - ground.origin[1]) / ground.surface_texel)
            column = math.floor((x - ground.origin[0]) / ground.surface_texel)
            on_map = 0 <= row < ground.surface.shape[0] and 0 <= column < ground.surface.shape[1]
            off += not (on_map and ground.surface[row, column] in DRIVABLE)
    return off


def step(
    here: Scene, steer: float, acceleration: float, reverse: bool = False, dt: float = 0.1, substeps: int = 2
) -> None:
    """Advance one tick, in place."""
    if here.outcome != "running":
        return
    for i, car in enumerate(here.cars[1:], 1):
        if car.kind and car.path >= 0:
            _follow(here, i, dt)
    ego = here.cars[0]
    _drive(ego, steer, acceleration, reverse, here.grip, dt, substeps)
    here.tick += 1
    bank, arrived = here.maps.arrays, False
    for route in here.routes:
        if (q := int(route[0])) < 0:
            continue
        route[1], route[2], yaw = project(path_points(bank, q), ego.x, ego.y)
        beyond = route[1] - float(bank.junction_out[q])
        if beyond > 0 and abs(route[2]) < 5.5 and abs(math.remainder(ego.yaw - yaw, 2 * math.pi)) < math.pi / 3:
            here.shown_decision = int(bank.decision[q])
            arrived = arrived or beyond > here.goal
    if any(boxes_touch(ego.box(), other.box()) for other in here.cars[1:] if other.kind):
        here.outcome = "collision"
    elif wheels_off(here) >= 2:
        here.outcome = "off_road"
    elif arrived:
        here.outcome = "arrived"
    elif here.tick >= here.time_limit:
        here.outcome = "timeout"
