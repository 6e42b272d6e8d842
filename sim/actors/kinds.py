"""Bodies of actors: their sizes and limits, and the car that ego drives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vehicle:
    """Size and limits of an actor's body.

    Args:
        length, width, height: of the box [m].
        wheelbase: between the axles; overhang: rear axle to rear bumper [m].
        max_steer: front wheel angle [rad]; steer_rate: how fast it turns [rad/s].
        max_acceleration, max_braking: [m/s^2], both positive; max_speed [m/s].
        max_reverse_speed: backwards [m/s], positive.
        lag: time constant with which engine and brakes follow the requested acceleration [s]. 0.1 is
            scenario_simulator_v2's default for a car (its DELAY_STEER_ACC model, acc_time_constant).
    """

    length: float = 4.4
    width: float = 1.82
    height: float = 1.5
    wheelbase: float = 2.65
    overhang: float = 0.85
    max_steer: float = 0.6
    steer_rate: float = 1.6
    max_acceleration: float = 3.0
    max_braking: float = 7.0
    max_speed: float = 20.0
    max_reverse_speed: float = 5.0
    lag: float = 0.1


VEHICLES: dict[str, Vehicle] = {
    "car": Vehicle(),
    "van": Vehicle(length=5.2, width=2.0, height=2.3, wheelbase=3.2, overhang=1.0),
    "truck": Vehicle(length=8.2, width=2.4, height=3.2, wheelbase=4.6, overhang=2.0),
    # including the rider
    "bicycle": Vehicle(length=1.8, width=0.6, height=1.7, wheelbase=1.1, overhang=0.35, max_acceleration=1.5,
                       max_braking=4.0, max_speed=8.0),
}  # fmt: skip
# Bodies of every kind of actor; those that are no vehicles have "axles" so close together that they turn on the spot.
BODIES: dict[str, Vehicle] = {
    **VEHICLES,
    "walker": Vehicle(length=0.5, width=0.6, height=1.75, wheelbase=0.25, overhang=0.125, max_acceleration=2.0,
                      max_braking=4.0, max_speed=3.0),
    "cone": Vehicle(length=0.4, width=0.4, height=0.75, wheelbase=0.2, overhang=0.1, max_acceleration=1.0,
                    max_braking=1.0, max_speed=1.0),
    # a boom barrier: a boom across its lane on a post at the right; with the boom raised only the post is left, see
    # `sim.road.graph.placement`
    "barrier": Vehicle(length=0.3, width=3.5, height=1.1, wheelbase=0.15, overhang=0.15, max_acceleration=1.0,
                       max_braking=1.0, max_speed=1.0),
    "raised_barrier": Vehicle(length=0.3, width=0.2, height=4.2, wheelbase=0.15, overhang=0.15, max_acceleration=1.0,
                              max_braking=1.0, max_speed=1.0),
    "ball": Vehicle(length=0.5, width=0.5, height=0.5, wheelbase=0.2, overhang=0.25, max_acceleration=1.0,
                    max_braking=1.0, max_speed=10.0),
}  # fmt: skip
BOOM_POST = 1.65  # [m] from a barrier's middle to its post at the right
EGO = VEHICLES["car"]
