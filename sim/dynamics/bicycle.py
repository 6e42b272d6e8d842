"""The kinematic bicycle model, with actuator lag, tyre friction and a reverse gear for ego.

The pose is that of the rear axle (Rajamani, Vehicle Dynamics and Control, 2.2, with the reference point moved to the
rear axle, where the slip angle is zero).  A step uses the midpoint yaw, second order in the tick.  `bicycle` moves the
other actors, without lag and friction; `drive` moves ego.  Speed and acceleration are along the vehicle's own axis: a
speed below 0 is backwards.
"""

from __future__ import annotations

import numpy as np

from sim.actors.base import Vehicle
from sim.core.constants import GRAVITY
from sim.core.geometry import clamp
from sim.core.kernel import kernel

ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)
TWO = np.float32(2.0)
G = np.float32(GRAVITY)

# Peak friction of tyres: the middle of the ranges that Wong (Theory of Ground Vehicles, average values of the
# coefficient of road adhesion, after Taborek, 1957) gives for dry asphalt, 0.8 to 0.9, and for wet asphalt, 0.5 to 0.7.
DRY_GRIP = np.float32(0.85)
WET_GRIP = np.float32(0.6)
# Share of grip * g that a bend always leaves for braking: with nothing left, a car that brakes with the wheel turned
# too far would slide on for ever at full speed. Chosen, not measured; a bend still gets 92 % of the grip.
BRAKES_SHARE = np.float32(0.4)

# Columns of `limits_of`.
MAX_STEER, STEER_RATE, MAX_ACCELERATION, MAX_BRAKING, MAX_SPEED, MAX_REVERSE, LAG = range(7)


def limits_of(vehicle: Vehicle) -> np.ndarray:
    """(7,) float32: the limits of a vehicle, as `drive` reads them."""
    return np.array(
        [vehicle.max_steer, vehicle.steer_rate, vehicle.max_acceleration, vehicle.max_braking, vehicle.max_speed,
         vehicle.max_reverse_speed, vehicle.lag], np.float32,
    )  # fmt: skip


@kernel(inline=True)
def stopping_speed(speed, left, braking, dt):  # type: ignore[no-untyped-def]
    """The highest speed [m/s] after one tick at which `braking` [m/s^2] still stops the vehicle within `left` [m]."""
    half = HALF * braking * dt
    return max(np.sqrt(max(half * half + TWO * (braking * left - half * speed), ZERO)) - half, ZERO)


@kernel(inline=True)
def advance_on_arc(x, y, yaw, speed, speed_after, curvature, dt):  # type: ignore[no-untyped-def]
    """Move for `dt` [s] on a circle of this curvature [1/m] while the speed changes linearly, forwards or backwards.

    Returns:
        x, y [m], yaw [rad] afterwards.
    """
    travelled = HALF * (speed + speed_after) * dt
    turned = travelled * curvature
    middle = yaw + HALF * turned
    return x + travelled * np.cos(middle), y + travelled * np.sin(middle), yaw + turned


@kernel(inline=True)
def bicycle(x, y, yaw, speed, steer, acceleration, wheelbase, dt):  # type: ignore[no-untyped-def]
    """Move one vehicle by `dt` [s]; it never moves backwards.

    Returns:
        x, y [m], yaw [rad], speed [m/s] afterwards.
    """
    speed_after = max(speed + acceleration * dt, ZERO)
    x, y, yaw = advance_on_arc(x, y, yaw, speed, speed_after, np.tan(steer) / wheelbase, dt)
    return x, y, yaw, speed_after


@kernel(inline=True)
def grip_of(wetness):  # type: ignore[no-untyped-def]
    """Coefficient of friction between tyre and road, from its wetness 0..1 (`sim.dynamics.friction.wetness_of`)."""
    return DRY_GRIP + (WET_GRIP - DRY_GRIP) * wetness


@kernel(inline=True)
def friction_circle(sideways, along):  # type: ignore[no-untyped-def]
    """Share the friction circle between a bend and the brakes (Rajamani, chapter 13).

    All values are in units of grip * g and at least 0. The bend gets what it needs, up to the circle less the share
    reserved for braking; the rest is left along the car.

    Args:
        sideways: acceleration that the wheel's angle needs at this speed; along: acceleration that the brakes request.

    Returns:
        The acceleration granted sideways, and the one left along the car: their squares sum to 1 at most.
    """
    kept = min(along, BRAKES_SHARE)
    most = np.sqrt((ONE - kept) * (ONE + kept))
    if sideways > most:
        return most, kept
    return sideways, np.sqrt((ONE - sideways) * (ONE + sideways))


@kernel(inline=True)
def grip_limited(curvature, speed, along, hold):  # type: ignore[no-untyped-def]
    """The curvature that the tyres can hold at a speed, and the acceleration that they have left along the car.

    Args:
        curvature: of the wheel's angle [1/m]; speed [m/s]; along: requested braking [m/s^2], not below 0.
        hold: grip * g [m/s^2].
    """
    wanted = speed * speed * abs(curvature) / hold
    given, left = friction_circle(wanted, along / hold)
    if given < wanted:
        curvature *= given / wanted
    return curvature, left * hold


@kernel(inline=True)
def longitudinal_step(speed, acceleration, gear, pedal, curvature, hold, limits, h):  # type: ignore[no-untyped-def]
    """Speed after one step of `h` [s], and the curvature driven.

    Args:
        acceleration: delivered by engine and brakes [m/s^2]; gear: 1 or -1; pedal: requested, below 0 brakes [m/s^2].
    """
    if speed == ZERO:  # only the engine moves a standing car, in the gear's direction, at most as hard as requested
        acceleration = gear * clamp(gear * acceleration, ZERO, max(pedal, ZERO))
    after = clamp(speed + acceleration * h, -limits[MAX_REVERSE], limits[MAX_SPEED])
    if (speed > ZERO and after < ZERO) or (speed < ZERO and after > ZERO):
        after = ZERO  # the car stops before it reverses its direction: brakes cannot move a standing car
    fastest = max(abs(speed), abs(after))
    curvature, left = grip_limited(curvature, fastest, max(abs(speed) - abs(after), ZERO) / h, hold)
    return clamp(after, speed - left * h, speed + left * h), curvature


@kernel(inline=True)
def drive(x, y, yaw, speed, steer, acceleration, steer_asked, pedal, reverse, grip, limits, wheelbase,  # type: ignore[no-untyped-def]
          dt, substeps):  # fmt: skip
    """Move ego's car by one tick of `dt` [s].

    Gears: a pedal above 0 accelerates in the gear's direction: forwards, or in reverse backwards; a car that still
    moves the other way brakes first. A pedal below 0 brakes to a standstill in either direction and holds the car
    there. The wheel turns towards the requested angle at the steering rate. Where that angle needs a narrower bend than
    the tyres hold, the car goes straighter; it never spins.

    The lag is first order, applied once a tick by backward Euler: a += (asked - a) dt / (lag + dt). For any length of
    the tick, a step of the pedal by a leaves the speed lag * a behind the speed without lag, as in continuous time.
    The delivered acceleration is the mean over the tick, so the only state of the lag is the last acceleration.

    Args:
        x, y [m], yaw [rad], speed [m/s], steer [rad]; acceleration: mean over the last tick [m/s^2].
        steer_asked [rad], pedal [m/s^2]: clipped to the limits; reverse: the gear.
        grip: coefficient of friction; limits: `limits_of`; substeps: of the tick.

    Returns:
        x, y, yaw, speed, steer afterwards.
    """
    h = dt / np.float32(substeps)
    want = clamp(steer_asked, -limits[MAX_STEER], limits[MAX_STEER])
    pedal = clamp(pedal, -limits[MAX_BRAKING], limits[MAX_ACCELERATION])
    gear = -ONE if reverse else ONE
    asked = gear * pedal
    if pedal < ZERO:
        asked = pedal if speed > ZERO else (-pedal if speed < ZERO else ZERO)
    delivered = acceleration if speed != ZERO else ZERO  # the braking that stopped the car is over
    delivered += (asked - delivered) * (dt / (limits[LAG] + dt))
    for _ in range(substeps):
        steer += clamp(want - steer, -limits[STEER_RATE] * h, limits[STEER_RATE] * h)
        after, curvature = longitudinal_step(
            speed, delivered, gear, pedal, np.tan(steer) / wheelbase, grip * G, limits, h
        )
        x, y, yaw = advance_on_arc(x, y, yaw, speed, after, curvature, h)
        speed = after
    return x, y, yaw, speed, steer


@kernel
def _forward(pose, speed, steer, acceleration, least, wheelbase, dt):  # type: ignore[no-untyped-def]
    for i in range(pose.shape[0]):
        after = max(speed[i] + acceleration[i] * dt, least[i])
        curvature = np.tan(steer[i]) / wheelbase
        pose[i, 0], pose[i, 1], pose[i, 2] = advance_on_arc(
            pose[i, 0], pose[i, 1], pose[i, 2], speed[i], after, curvature, dt
        )
        speed[i] = after


@kernel
def _drive(pose, speed, steer, acceleration, steer_asked, pedal, reverse, grip, limits, wheelbase, dt, substeps):  # type: ignore[no-untyped-def]
    for i in range(pose.shape[0]):
        before = speed[i]
        pose[i, 0], pose[i, 1], pose[i, 2], speed[i], steer[i] = drive(
            pose[i, 0], pose[i, 1], pose[i, 2], before, steer[i], acceleration[i], steer_asked[i], pedal[i],
            reverse[i], grip[i], limits, wheelbase, dt, substeps,
        )  # fmt: skip
        acceleration[i] = (speed[i] - before) / dt


def forward(
    pose: np.ndarray, speed: np.ndarray, steer: np.ndarray, acceleration: np.ndarray, dt: float, vehicle: Vehicle,
    reverse: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Advance n vehicles one step of `dt` [s] with constant steer and acceleration, without lag and friction.

    Args:
        pose: (n, 3) x, y [m], yaw [rad] of the rear axles; speed: (n,) [m/s].
        steer: (n,) front wheel angle [rad]; acceleration: (n,) [m/s^2], of speed: below 0 it slows a car that moves
            forwards and accelerates one that moves backwards.
        reverse: (n,) bool, which vehicles may move backwards, up to their limit; None: none may, they stop at speed 0.

    Returns:
        pose, speed afterwards, new arrays of the same shapes, float32.
    """
    pose, speed = np.array(pose, np.float32), np.array(speed, np.float32)
    steer, acceleration = np.asarray(steer, np.float32), np.asarray(acceleration, np.float32)
    may = np.zeros(len(speed), bool) if reverse is None else np.asarray(reverse, bool)
    least = np.where(may, -vehicle.max_reverse_speed, 0.0).astype(np.float32)
    _forward(pose, speed, steer, acceleration, least, np.float32(vehicle.wheelbase), np.float32(dt))
    return pose, speed


def inverse(
    pose: np.ndarray, speed: np.ndarray, pose_after: np.ndarray, speed_after: np.ndarray, dt: float, vehicle: Vehicle
) -> tuple[np.ndarray, np.ndarray]:
    """The steer [rad] and acceleration [m/s^2] with which `forward` gives this motion, forwards or backwards.

    The steer of a vehicle that has not moved is unknown and returned as 0.
    """
    acceleration = (np.asarray(speed_after, np.float64) - speed) / dt
    travelled = 0.5 * (np.asarray(speed, np.float64) + speed_after) * dt
    turned = np.asarray(pose_after, np.float64)[:, 2] - np.asarray(pose, np.float64)[:, 2]
    moving = np.abs(travelled) > 1e-6
    steer = np.arctan(np.where(moving, turned * vehicle.wheelbase / np.where(moving, travelled, 1.0), 0.0))
    return steer.astype(np.float32), acceleration.astype(np.float32)


def drive_batch(
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], steer: np.ndarray, acceleration: np.ndarray,
    grip: np.ndarray, dt: float, vehicle: Vehicle, reverse: np.ndarray | None = None, substeps: int = 2,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Advance n cars one tick of `dt` [s] with ego's dynamics: `drive` for arrays.

    Args:
        state: pose (n, 3) x, y [m], yaw [rad] of the rear axles; speed [m/s], steer [rad] and the last tick's
            acceleration [m/s^2], (n,) each.
        steer: (n,) requested [rad]; acceleration: (n,) requested in the gear's direction, below 0 brakes [m/s^2].
        grip: (n,) coefficients of friction, above 0; reverse: (n,) bool, the gears; None is forwards for all.

    Returns:
        The state afterwards: new arrays of the same shapes, float32.
    """
    pose, speed, wheel, delivered = (np.array(a, np.float32) for a in state)
    asked, pedal, friction = (np.ascontiguousarray(a, np.float32) for a in (steer, acceleration, grip))
    gears = np.zeros(len(speed), bool) if reverse is None else np.ascontiguousarray(reverse, bool)
    _drive(
        pose, speed, wheel, delivered, asked, pedal, gears, friction, limits_of(vehicle),
        np.float32(vehicle.wheelbase), np.float32(dt), substeps,
    )  # fmt: skip
    return pose, speed, wheel, delivered
