"""Body arrays: every physical actor is a row of one `World`, which kernels step and render.

Row 0 carries cameras and belongs to no actor; rows are reused. Arrays are in the frame of
`sim.datatypes.world_state`: rear axles, radians, right-handed; `put` and `places` convert to and from CARLA's frame.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from sim.actors.base import Vehicle
from sim.actors.registry import BODIES, KIND, VEHICLES
from sim.actors.signs import SIGN
from sim.carla.control import action_of
from sim.carla.server.collisions import overlaps, resolve_collisions
from sim.carla.server.rpc import Refused
from sim.carla.server.snapshot import turned
from sim.core.geometry import wrap
from sim.core.kernel import kernel
from sim.core.tables import enlarged
from sim.datatypes.action import Action
from sim.datatypes.road_map import MapArrays
from sim.dynamics.bicycle import drive, grip_of, limits_of
from sim.dynamics.friction import wetness_of
from sim.world.initial_state import empty_world

ROWS = 16
FASTEST = 1e4  # [m/s] limit of a velocity that a client sets
CONTROLS = {
    "throttle": np.float32, "steer": np.float32, "brake": np.float32, "hand_brake": np.bool_, "reverse": np.bool_,
    "manual": np.bool_, "gear": np.int32,
}  # fmt: skip
# in the order of a VehicleControl


@kernel
def move(moving, x, y, yaw, speed, steer, acceleration, wheelbase, weather, steer_asked, pedal, reverse, limits, dt,
         substeps):  # fmt: skip
    """Step the vehicles in rows `moving` by a tick of `dt` [s]; all other rows stay."""
    grip = grip_of(wetness_of(weather))
    for k in range(moving.shape[0]):
        i = moving[k]
        before = speed[i]
        x[i], y[i], turned, speed[i], steer[i] = drive(
            x[i], y[i], yaw[i], before, steer[i], acceleration[i], steer_asked[i], pedal[i], reverse[i], grip,
            limits[i], wheelbase[i], dt, substeps,
        )  # fmt: skip
        yaw[i] = wrap(turned)
        acceleration[i] = (speed[i] - before) / dt


class Bodies:
    """The bodies of a served world.

    Attributes:
        world: B = 1, N rows, see `sim.datatypes.world_state.World`.
        middle: (N,) from the rear axle to the centre of the box [m].
        controls: CONTROLS name -> (N,), the latest controls.
        physical: (N,) bool, whether physics moves it; vehicle: (N,) bool.
        solid: (N,) bool, whether it collides with others.
        limits: (N, ...) float32, `sim.dynamics.bicycle.limits_of` each.
        bodies: row -> its `Vehicle`.
        contacts: rows that began to touch in the last tick, -1 for scenery, and the speed lost there [m/s].
    """

    def __init__(self) -> None:
        self.contacts: list[tuple[int, int, float]] = []
        self._hits = np.zeros((64, 3))
        self.world = empty_world(1, ROWS)
        self._free: list[int] = []
        self._used = 1
        self.middle = np.zeros(ROWS, np.float32)
        self.controls: dict[str, np.ndarray] = {name: np.zeros(ROWS, kind) for name, kind in CONTROLS.items()}
        self.physical, self.vehicle = np.zeros(ROWS, bool), np.zeros(ROWS, bool)
        self.solid = np.ones(ROWS, bool)
        self.limits = np.tile(limits_of(VEHICLES["car"]), (ROWS, 1))
        self.most = np.zeros((3, ROWS), np.float32)  # limits of acceleration, braking and steering
        self.pushed = np.full((2, ROWS), np.nan, np.float32)  # requested velocities, in the world [m/s]
        self.turning = np.zeros(ROWS, np.float32)  # latest measured or requested yaw rate [rad/s]
        self.bodies: dict[int, Vehicle] = {}
        self._moving: np.ndarray | None = None
        self._answer: Action | None = None
        self._ways = np.zeros(0, np.float32)
        self.changes = 0  # counts changes of controls and limits
        self._answered = -1
        self._pushes = False  # whether a velocity was requested
        self._before = np.zeros((3, ROWS), np.float32)

    def add(self, body: str, appearance: int) -> int:
        """Return the row of a new body; `put` sets its place.

        Args:
            body: one of BODIES. appearance: packed 0xRRGGBB.
        """
        vehicle = BODIES[body]
        i = self._row()
        world = self.world
        for name in ("speed", "steer", "acceleration", "x", "y", "yaw"):
            getattr(world, name)[0, i] = 0.0
        for name in ("length", "width", "height", "wheelbase", "overhang"):
            getattr(world, name)[0, i] = getattr(vehicle, name)
        world.kind[0, i], world.appearance[0, i] = KIND[body], appearance
        self.middle[i] = vehicle.length / 2.0 - vehicle.overhang
        self.vehicle[i] = self.physical[i] = body in VEHICLES
        self.bodies[i] = vehicle
        self.set_limits(i, vehicle)
        return i

    def add_board(self, appearance: int, height: float, post: float) -> int:
        """Return the row of a new sign on its post, see `sim.render.signs`."""
        i = self._row()
        world = self.world
        world.kind[0, i], world.appearance[0, i] = SIGN, appearance
        world.length[0, i] = world.width[0, i] = post
        world.height[0, i], world.overhang[0, i] = height, post / 2.0
        self.middle[i] = 0.0
        self.vehicle[i] = self.physical[i] = False
        return i

    def set_limits(self, i: int, vehicle: Vehicle) -> None:
        """Set the limits of a row."""
        self.bodies[i] = vehicle
        self.limits[i] = limits_of(vehicle)
        self.changes += 1
        self.most[:, i] = vehicle.max_acceleration, vehicle.max_braking, vehicle.max_steer

    def remove(self, i: int) -> None:
        """Free a row."""
        self.world.kind[0, i] = 0
        self.physical[i] = self.vehicle[i] = False
        self.bodies.pop(i, None)
        self._free.append(i)
        self._moving = None

    def _row(self) -> int:
        # the lowest free row: rows are rendered in the order of spawning, as in an embedded world
        if self._free:
            self._free.sort()
            i = self._free.pop(0)
        else:
            i, self._used = self._used, self._used + 1
        if i >= self.world.kind.shape[1]:
            self._grow()
        for array in self.controls.values():
            array[i] = 0
        self.changes, self.solid[i] = self.changes + 1, True
        self.pushed[:, i], self.turning[i] = np.nan, 0.0
        self._moving = None
        return i

    def _grow(self) -> None:
        n = self.world.kind.shape[1]
        self.world = enlarged(self.world, empty_world(1, 2 * n))
        self.middle, self.turning = np.pad(self.middle, (0, n)), np.pad(self.turning, (0, n))
        self.physical, self.vehicle = np.pad(self.physical, (0, n)), np.pad(self.vehicle, (0, n))
        self.solid = np.pad(self.solid, (0, n), constant_values=True)
        self.controls = {k: np.pad(a, (0, n)) for k, a in self.controls.items()}
        self.limits, self.most = np.pad(self.limits, ((0, n), (0, 0))), np.pad(self.most, ((0, 0), (0, n)))
        self.pushed = np.pad(self.pushed, ((0, 0), (0, n)), constant_values=np.nan)
        self._before = np.zeros((3, 2 * n), np.float32)

    def set_physical(self, i: int, on: bool) -> None:
        """Set whether physics moves a row; only vehicles can be moved."""
        self.physical[i] = on and self.vehicle[i]
        self._moving = None

    def put(self, i: int, place: list[Any]) -> None:
        """Put a body at a CARLA transform: on the ground, upright."""
        (x, y, _), (_, degrees, _) = place
        yaw = math.remainder(-math.radians(degrees), 2.0 * math.pi)
        middle = float(self.middle[i])
        world = self.world
        world.x[0, i], world.y[0, i] = x - middle * math.cos(yaw), -y - middle * math.sin(yaw)
        world.yaw[0, i] = yaw

    def met(self, i: int) -> int:
        """Return a solid row that row i touches at its place, -1 for none."""
        world = self.world
        yaw, middle = float(world.yaw[0, i]), float(self.middle[i])
        x, y = float(world.x[0, i]) + middle * math.cos(yaw), float(world.y[0, i]) + middle * math.sin(yaw)
        return self.occupant(x, y, yaw, float(world.length[0, i]), float(world.width[0, i]), i)

    def occupant(self, x: float, y: float, yaw: float, length: float, width: float, but: int = -1) -> int:
        """Return a solid row other than `but` that touches a box centred at x, y [m]; -1 for none."""
        w = self.world
        arrays = w.x[0], w.y[0], w.yaw[0], w.length[0], w.width[0], w.overhang[0], w.kind[0], self.solid
        return int(overlaps(but, x, y, yaw, length, width, *arrays))

    def push(self, i: int, velocity: list[float]) -> None:
        """Set the velocity of a body from the next tick on, in CARLA's frame [m/s].

        Raises:
            Refused: for an invalid velocity.
        """
        if not all(math.isfinite(v) and abs(v) < FASTEST for v in velocity):
            raise Refused(f"the velocity {velocity} was asked for; wanted three numbers below {FASTEST:g} m/s")
        self.pushed[:, i] = velocity[0], -velocity[1]
        self._pushes = True

    def step(self, dt: float, bank: MapArrays, substeps: int) -> None:
        """Step all bodies by a tick of `dt` [s], in `substeps` steps, on the first map of `bank`."""
        self.contacts = []
        if self._moving is None:
            self._moving = np.flatnonzero(self.physical).astype(np.int64)
        world = self.world
        if self._pushes:  # along its own axis only: the tyres absorb sideways velocity
            pushed = np.flatnonzero(~np.isnan(self.pushed[0]))
            yaw = world.yaw[0, pushed]
            world.speed[0, pushed] = self.pushed[0, pushed] * np.cos(yaw) + self.pushed[1, pushed] * np.sin(yaw)
            world.acceleration[0, pushed] = 0.0
            self.pushed[:, pushed], self._pushes = np.nan, False
        if not len(self._moving):
            return
        asked = self._asked()
        before = self._before
        before[0], before[1], before[2] = world.x[0], world.y[0], world.yaw[0]
        move(
            self._moving, world.x[0], world.y[0], world.yaw[0], world.speed[0], world.steer[0], world.acceleration[0],
            world.wheelbase[0], world.weather[0], asked.steer, asked.acceleration, asked.reverse, self.limits,
            np.float32(dt), substeps,
        )  # fmt: skip
        n = resolve_collisions(
            self._moving, before, world.x[0], world.y[0], world.yaw[0], world.speed[0], world.length[0],
            world.width[0], world.overhang[0], world.kind[0], self.physical, self.solid, bank,
            np.float32(dt), self._hits,
        )  # fmt: skip
        self.contacts = [(int(i), int(j), float(v)) for i, j, v in self._hits[:n]]
        turned(self._moving, before[2], world.yaw[0], np.float32(dt), self.turning)

    def _asked(self) -> Action:
        """Return the action of all controls; recomputed when controls or directions of travel have changed."""
        ways = np.sign(self.world.speed[0])
        if self._answer is None or self._answered != self.changes or (ways != self._ways).any():
            c = self.controls
            able = replace(
                VEHICLES["car"], max_acceleration=self.most[0], max_braking=self.most[1], max_steer=self.most[2]
            )  # type: ignore[arg-type]
            pedals = c["throttle"], c["brake"], c["steer"], c["hand_brake"], c["reverse"]
            self._answer, self._ways = action_of(*pedals, able, self.world.speed[0]), ways
            self._answered = self.changes
        return self._answer

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for rows, in CARLA's frame: location (K, 3) [m], yaw (K,) [deg], centre velocity (K, 3) [m/s]."""
        world = self.world
        yaw, middle, speed = world.yaw[0, rows], self.middle[rows], world.speed[0, rows]
        cos, sin = np.cos(yaw), np.sin(yaw)
        at, velocity = np.zeros((2, len(rows), 3), np.float32)
        at[:, 0], at[:, 1] = world.x[0, rows] + middle * cos, -(world.y[0, rows] + middle * sin)
        sideways = np.where(self.physical[rows], self.turning[rows] * middle, 0.0)
        velocity[:, 0] = speed * cos - sideways * sin
        velocity[:, 1] = -(speed * sin + sideways * cos)
        return at, np.degrees(-yaw), velocity
