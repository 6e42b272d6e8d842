"""RPC methods about vehicles: physics, lamps, doors, Ackermann control, forces and constant velocity."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from sim.actors.base import Vehicle
from sim.actors.registry import ACTOR_KINDS
from sim.carla.server import wire
from sim.carla.server.actors import Actor
from sim.carla.server.bodies import FASTEST
from sim.carla.server.registry import ignored, refused, served
from sim.carla.server.rpc import Refused
from sim.carla.server.vehicle_control import FINAL_RATIO, mass_of

# Indices into a vehicle's physics, and into a wheel's.
_CURVE, _FINAL, _GEARS, _MASS, _WHEELS = 0, 9, 10, 11, 15
_STEER, _RADIUS, _BRAKE = 2, 3, 4
_SAME = 1e-4  # relative difference of two limits up to which they differ only by rounding on the wire


def _vehicle(server: Any, number: int) -> Actor:
    actor: Actor = server.world.body(number)
    if not actor.type.startswith("vehicle."):
        raise Refused(f"actor {number} is a {actor.type}; wanted a vehicle")
    return actor


def physics_of(server: Any, actor: Actor) -> list[Any]:
    """Return a VehiclePhysicsControl that describes the limits of a vehicle of this world."""
    if "physics" in actor.facts:
        return list(actor.facts["physics"])
    vehicle: Vehicle = server.world.fleet.bodies[actor.row]
    radius, mass = ACTOR_KINDS[actor.body].wheel, mass_of(actor)
    wheels = 2 if actor.attributes.get("number_of_wheels") == "2" else 4
    torque = mass * vehicle.max_acceleration * radius / FINAL_RATIO
    brake = mass * vehicle.max_braking * radius / wheels
    axles = (vehicle.wheelbase, 0.0)
    made = []
    for k in range(wheels):
        front = k < wheels // 2
        side = 0.0 if wheels == 2 else (-0.5 if k % 2 == 0 else 0.5) * 0.85 * vehicle.width
        cx, cy, degrees = _rear(server, actor)
        ahead = axles[0] if front else axles[1]
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        at = [100.0 * (cx + ahead * cos - side * sin), 100.0 * (cy + ahead * sin + side * cos), 100.0 * radius]
        steer = math.degrees(vehicle.max_steer) if front else 0.0
        made.append([1.0, 0.25, steer, 100.0 * radius, brake, 0.0 if front else 2.0 * brake, 2.0, 17.0, 1000.0, at])
    return [
        [[0.0, torque], [5000.0, torque]], 5000.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, FINAL_RATIO,
        [[1.0, 0.5, 0.65]], mass, 0.3, [vehicle.wheelbase / 2.0 - _middle(vehicle), 0.0, 0.3],
        [[0.0, 1.0], [100.0, 1.0]], made, True,
    ]  # fmt: skip


def _middle(vehicle: Vehicle) -> float:
    return vehicle.length / 2.0 - vehicle.overhang


def _rear(server: Any, actor: Actor) -> tuple[float, float, float]:
    """Return the rear axle in CARLA's frame: x, y [m], yaw [deg]."""
    world = server.world.fleet.world
    return float(world.x[0, actor.row]), -float(world.y[0, actor.row]), -math.degrees(world.yaw[0, actor.row])


@served("get_physics_control", "value")
def get_physics_control(server: Any, number: int) -> list[Any]:
    """Return a vehicle's mass, steering limit, and engine and brake torques."""
    return physics_of(server, _vehicle(server, number))


@served("apply_physics_control")
def apply_physics_control(server: Any, number: int, control: list[Any]) -> None:
    """Set a vehicle's mass and steering limit, and its acceleration and braking by the torques.

    The greatest torque, through the first gear, is the pull of full throttle at any speed; the brakes of all wheels
    together are full brake. All other values are stored without effect.
    """
    actor = _vehicle(server, number)
    if not wire.alike(control, physics_of(server, actor)):
        raise Refused(f"the physics of vehicle {number} are no VehiclePhysicsControl; get_physics_control() shows one")
    limits = limits_from(number, control, server.world.fleet.bodies[actor.row])
    actor.facts["physics"], actor.facts["mass"] = list(control), float(control[_MASS])
    server.world.fleet.set_limits(actor.row, limits)


def limits_from(number: int, control: list[Any], now: Vehicle) -> Vehicle:
    """Return a vehicle with the limits of a physics control; limits that differ only by rounding stay as they were.

    Raises:
        Refused: for invalid physics.
    """
    if len(control) <= _WHEELS or not control[_WHEELS] or not control[_CURVE] or not control[_GEARS]:
        raise Refused(f"the physics of vehicle {number} lack wheels, gears or a torque curve; wanted at least one each")
    wheels, mass = control[_WHEELS], float(control[_MASS])
    steer = max(float(wheel[_STEER]) for wheel in wheels)
    radius = sum(float(wheel[_RADIUS]) for wheel in wheels) / len(wheels) / 100.0
    engine = max(float(torque) for _, torque in control[_CURVE]) * float(control[_GEARS][0][0]) * float(control[_FINAL])
    brakes = sum(float(wheel[_BRAKE]) for wheel in wheels)
    if not (0.0 <= steer <= 80.0 and 0.0 < mass < math.inf and 0.0 < radius < math.inf):
        raise Refused(
            f"vehicle {number} was given max_steer_angle {steer:g}, mass {mass:g} and wheels of {radius:g} m; "
            "wanted 0 to 80 degrees, above 0 kg and above 0 m"
        )
    if not (0.0 < engine < math.inf and 0.0 < brakes < math.inf):
        raise Refused(f"vehicle {number} was given torques of {engine:g} and {brakes:g} N m; wanted more than 0")
    wanted = {
        "max_steer": math.radians(steer), "max_acceleration": engine / (mass * radius),
        "max_braking": brakes / (mass * radius),
    }  # fmt: skip
    return replace(now, **{k: v for k, v in wanted.items() if abs(v - getattr(now, k)) > _SAME * v})


@served("get_vehicle_light_state", "value")
def get_vehicle_light_state(server: Any, number: int) -> list[int]:
    """Return which lamps of a vehicle are on."""
    return [int(_vehicle(server, number).facts.get("lamps", 0))]


@served("set_vehicle_light_state")
def set_vehicle_light_state(server: Any, number: int, flags: list[int]) -> None:
    """Switch a vehicle's lamps; the state is stored, and pictures do not show it."""
    _vehicle(server, number).facts["lamps"] = int(flags[0]) & 0xFFFFFFFF


@served("get_vehicle_light_states", "value")
def get_vehicle_light_states(server: Any) -> list[list[int]]:
    """Return the lamps of all vehicles."""
    return [
        [a.id, int(a.facts.get("lamps", 0))] for a in server.world.table.by_id.values() if a.type.startswith("vehicle.")
    ]


@served("get_wheel_steer_angle", "value")
def get_wheel_steer_angle(server: Any, number: int, wheel: int) -> float:
    """Return the angle of a front wheel [deg], positive to the right; 0 of a rear one."""
    actor = _vehicle(server, number)
    return -math.degrees(float(server.world.fleet.world.steer[0, actor.row])) if wheel in (0, 1) else 0.0


@served("get_telemetry_data", "value")
def get_telemetry_data(server: Any, number: int) -> list[Any]:
    """Return speed, pedals and steer; engine and tyre values are 0."""
    actor = _vehicle(server, number)
    fleet = server.world.fleet
    steer, throttle, brake = (float(fleet.controls[n][actor.row]) for n in ("steer", "throttle", "brake"))
    speed = float(fleet.world.speed[0, actor.row])
    return [speed, steer, throttle, brake, 0.0, -1 if speed < 0 else 1, 0.0, [[0.0] * 11 for _ in range(4)]]


# ---------------------------------------------------------------------------------------------- ackermann control
_GAINS = [0.15, 0.0, 0.25, 0.01, 0.0, 0.01]


@served("apply_ackermann_control_to_vehicle")
def apply_ackermann_control_to_vehicle(server: Any, number: int, control: list[float]) -> None:
    """Set wheel angle, speed and acceleration until pedals are pressed; jerk and the wheel's speed have no effect."""
    actor = _vehicle(server, number)
    if not wire.alike(control, [0.0] * 5) or not all(abs(v) < FASTEST for v in control):
        raise Refused(f"vehicle {number} was given the Ackermann control {control!r:.200}; wanted five finite numbers")
    actor.facts["ackermann"] = [float(v) for v in control]
    server.world.ackermann.add(number)


@served("get_ackermann_controller_settings", "value")
def get_ackermann_controller_settings(server: Any, number: int) -> list[float]:
    """Return the controller gains, as they were set."""
    return list(_vehicle(server, number).facts.get("gains", _GAINS))


@served("apply_ackermann_controller_settings")
def apply_ackermann_controller_settings(server: Any, number: int, gains: list[float]) -> None:
    """Store controller gains without effect: Ackermann targets are reached without a controller."""
    actor = _vehicle(server, number)
    if not wire.alike(gains, _GAINS):
        raise Refused(f"vehicle {number} was given the gains {gains!r:.200}; wanted six finite numbers")
    actor.facts["gains"] = [float(v) for v in gains]


# -------------------------------------------------------------------------------------------- forces, velocities
@served("enable_actor_constant_velocity")
def enable_actor_constant_velocity(server: Any, number: int, velocity: list[float]) -> None:
    """Hold a vehicle at a speed along its own axis, whatever its pedals are."""
    actor = server.world.body(number)
    if not wire.alike(velocity, [0.0] * 3) or not abs(velocity[0]) < FASTEST:
        raise Refused(f"actor {number} is to keep {velocity!r:.200}; wanted three numbers below {FASTEST:g}")
    actor.facts["constant"] = float(velocity[0])
    server.world.constant.add(number)


@served("disable_actor_constant_velocity")
def disable_actor_constant_velocity(server: Any, number: int) -> None:
    """Give a vehicle back to its pedals."""
    server.world.constant.discard(number)


@served("add_actor_impulse")
def add_actor_impulse(server: Any, number: int, impulse: list[float]) -> None:
    """Change a body's speed by an impulse [N s]; the tyres absorb its sideways part."""
    actor = server.world.body(number)
    fleet = server.world.fleet
    _, _, now = fleet.places(np.array([actor.row]))
    fleet.push(actor.row, [float(v) + float(i) / mass_of(actor) for v, i in zip(now[0], impulse)])


@served("add_actor_force")
def add_actor_force(server: Any, number: int, force: list[float]) -> None:
    """Apply a force to a body for one tick [N]."""
    add_actor_impulse(server, number, [float(f) * server.world.step_length for f in force])


for _name in ("add_actor_impulse_at_location", "add_actor_force_at_location", "add_actor_angular_impulse",
              "add_actor_torque"):  # fmt: skip
    ignored(_name, "bodies stay upright and turn by steering only")
for _name in ("set_actor_enable_gravity", "set_actor_dead"):
    ignored(_name, "the world is flat: no actor falls")
for _name in ("open_vehicle_door", "close_vehicle_door", "show_vehicle_debug_telemetry", "set_wheel_steer_direction",
              "set_wheel_pitch_angle"):  # fmt: skip
    ignored(_name, "pictures do not show it")
ignored("get_wheel_pitch_angle", "wheels do not pitch", "value", 0.0)
for _name in ("enable_carsim", "use_carsim_road", "enable_chrono_physics", "restore_physx_physics"):
    refused(_name, "there is one kind of physics, the kinematic bicycle")
