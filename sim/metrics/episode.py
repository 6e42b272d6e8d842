"""Driving metrics of a trajectory (safety, comfort, progress) and the CARLA Leaderboard and Bench2Drive scores.

Every metric is a value with a mask and a direction. The scores are pure functions of the events of one episode; each
docstring gives the source of the definition and the differences in this world.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sim.actors.registry import KIND, VEHICLES
from sim.datatypes.vocabulary import OUTCOME
from sim.world.rollout import Trajectory


@dataclass(frozen=True)
class Metric:
    """One number per episode.

    Args:
        value: (B,) float64; valid: (B,) bool, where the value is meaningful.
        better: "higher" or "lower".
        unit: of the value.
    """

    value: np.ndarray
    valid: np.ndarray
    better: str
    unit: str

    @property
    def mean(self) -> float:
        """Mean over the valid episodes; nan when there is none."""
        return float(self.value[self.valid].mean()) if self.valid.any() else float("nan")


def measure(trajectory: Trajectory, tick: float) -> dict[str, Metric]:
    """Compute all metrics of a trajectory with ticks of `tick` [s].

    jerk and lateral_acceleration are the largest absolute values of an episode; lateral acceleration is
    speed^2 * tan(steer) / wheelbase of the kinematic bicycle, jerk the difference of accelerations. comfort and
    efficiency are Bench2Drive's, see the functions below.
    """
    everyone = np.ones(len(trajectory.outcome), bool)
    lived = trajectory.valid
    speed = trajectory.moving["speed"][:, 1:, 0].astype(np.float64)
    acceleration = trajectory.moving["acceleration"][:, :, 0].astype(np.float64)
    yaw = trajectory.moving["yaw"][:, :, 0].astype(np.float64)
    turned = np.angle(np.exp(1j * np.diff(yaw, axis=1)))
    lateral = np.where(lived, np.abs(speed * turned / tick), 0.0)
    jerk = np.where(lived[:, 1:], np.abs(np.diff(acceleration[:, 1:], axis=1)) / tick, 0.0)
    metrics = {
        name: Metric((trajectory.outcome == OUTCOME[name]).astype(np.float64), everyone, better, "share")
        for name, better in (("arrived", "higher"), ("collision", "lower"), ("off_road", "lower"), ("timeout", "lower"))
    }
    metrics["progress"] = Metric(trajectory.progress.astype(np.float64), everyone, "higher", "share")
    metrics["duration"] = Metric(trajectory.ticks * tick, everyone, "lower", "s")
    metrics["lateral_acceleration"] = Metric(lateral.max(1), everyone, "lower", "m/s^2")
    hardest = jerk.max(1) if jerk.shape[1] else np.zeros(len(everyone))
    metrics["jerk"] = Metric(hardest, trajectory.ticks > 1, "lower", "m/s^3")
    smooth, brisk = np.zeros((2, len(everyone)))
    for w, ticks in enumerate(trajectory.ticks):
        smooth[w] = comfort(acceleration[w, 1 : ticks + 1], speed[w, :ticks], yaw[w, : ticks + 1], tick)
        brisk[w] = efficiency(speed[w, :ticks], trajectory.moving["speed"][w, 1 : ticks + 1, 1:].astype(np.float64))
    metrics["comfort"] = Metric(smooth, np.isfinite(smooth), "higher", "share")
    metrics["efficiency"] = Metric(brisk, np.isfinite(brisk), "higher", "percent")
    return metrics


# --------------------------------------------------------------------------------------- CARLA Leaderboard scores
# Infractions counted in a CARLA Leaderboard record, by its names. `KINDS_HERE` are those that this world can detect: it
# has no emergency vehicles, no sub-scenarios with their own timeouts, and no test for a blocked ego.
INFRACTIONS: tuple[str, ...] = (
    "collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction",
    "outside_route_lanes", "min_speed_infractions", "yield_emergency_vehicle_infractions", "scenario_timeouts",
    "route_dev", "vehicle_blocked", "route_timeout",
)  # fmt: skip
KINDS_HERE: tuple[str, ...] = (
    "collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction",
    "outside_route_lanes", "route_dev", "route_timeout",
)  # fmt: skip
_VEHICLES = {KIND[name] for name in VEHICLES}

# 2.0: each event multiplies the penalty (`statistics_manager.py` of the leaderboard's repository, branch
# leaderboard-2.0; Bench2Drive's copy has the same numbers).
FACTORS_2_0: dict[str, float] = {
    "collisions_pedestrian": 0.50, "collisions_vehicle": 0.60, "collisions_layout": 0.65, "red_light": 0.70,
    "scenario_timeouts": 0.70, "yield_emergency_vehicle_infractions": 0.70, "stop_infraction": 0.80,
}  # fmt: skip
# 2.1: coefficients of a sum. They are quoted at second hand from descriptions of leaderboard.carla.org/evaluation_v2_1
# and agree with its announcement of the change; UNSURE until they are compared with that page itself.
COEFFICIENTS_2_1: dict[str, float] = {
    "collisions_pedestrian": 1.00, "collisions_vehicle": 0.70, "collisions_layout": 0.60, "red_light": 0.40,
    "scenario_timeouts": 0.40, "yield_emergency_vehicle_infractions": 0.40, "stop_infraction": 0.25,
}  # fmt: skip


def infractions_of(
    outcome: str, deviated: bool, collided_with: int = KIND["car"], red_lights: int = 0, stop_signs: int = 0
) -> dict[str, int]:
    """Count the infractions of an episode, by the names in KINDS_HERE.

    On the Leaderboard neither a collision nor leaving the road ends a route; here both do. An episode that took another
    exit than its rule's has deviated from its route; one along keypoints that was more than
    `sim.road.graph.keypoint_route.DEVIATION` away from its route has ended "deviated", as on the Leaderboard. Walkers
    are pedestrians, anything with wheels is a vehicle, and signs, cones, poles and houses are the layout.

    Args:
        outcome: one of `sim.datatypes.vocabulary.OUTCOMES`; deviated: whether ego left the junction by another exit.
        collided_with: the kind of object that ego hit where the outcome is a collision (`World.collided_with`).
        red_lights, stop_signs: numbers of red lights and stop signs violated.
    """
    hit = "collisions_vehicle" if collided_with in _VEHICLES else "collisions_layout"
    kinds = {
        "collision": "collisions_pedestrian" if collided_with == KIND["walker"] else hit,
        "off_road": "outside_route_lanes", "timeout": "route_timeout", "deviated": "route_dev",
    }  # fmt: skip
    counts = dict.fromkeys(KINDS_HERE, 0) | {"red_light": red_lights, "stop_infraction": stop_signs}
    if outcome in kinds:
        counts[kinds[outcome]] = 1
    if deviated:
        counts["route_dev"] = 1
    return counts


def route_completion(progress: float, deviated: bool, before: float, whole: float) -> float:
    """Share of the route covered, in percent (CARLA Leaderboard: `score_route`).

    The route is the one that the rule decides. An ego on another route has completed the part before the junction,
    which the two share. On a route along keypoints, which has no alternatives, it is progress alone.

    Args:
        progress: share of the route taken [0..1]; before: metres from the start to the junction; whole: length of the
            route [m].
    """
    return 100.0 * (min(before / whole, 1.0) if deviated else min(max(progress, 0.0), 1.0))


def penalty_2_0(counts: Mapping[str, int], outside: float = 0.0) -> float:
    """Infraction penalty of the CARLA Leaderboard 2.0, in 0..1: the product of a factor per event.

    Route deviations, timeouts and being blocked have no factor: they cost the rest of the route. The factor for low
    speed is left out, as in Bench2Drive: it needs traffic along the whole route.

    Args:
        counts: infraction -> number; outside: share of the route driven outside its lanes [0..1].
    """
    product = 1.0 - outside
    for kind, factor in FACTORS_2_0.items():
        product *= factor ** counts.get(kind, 0)
    return product


def penalty_2_1(counts: Mapping[str, int], outside: float = 0.0) -> float:
    """Infraction penalty of the CARLA Leaderboard 2.1, in 0..1: 1 / (1 + sum of coefficient times count).

    Every further event has a comparable cost, so that stopping early no longer pays off. See COEFFICIENTS_2_1 for the
    reliability of the coefficients; low speed (0.4 times the share lacking) is left out as in `penalty_2_0`.

    Args:
        counts: infraction -> number; outside: share of the route driven outside its lanes [0..1].
    """
    return (1.0 - outside) / (1.0 + sum(c * counts.get(kind, 0) for kind, c in COEFFICIENTS_2_1.items()))


def driving_score(completion: float, penalty: float) -> float:
    """Route completion [percent] times infraction penalty, in 0..100 (CARLA Leaderboard: `score_composed`)."""
    return max(completion * penalty, 0.0)


def per_km(count: float, metres: float) -> float:
    """Events per kilometre of route covered; the distance is at least one metre, as in the CARLA Leaderboard."""
    return 1000.0 * count / max(metres, 1.0)


def succeeded(completion: float, counts: Mapping[str, int]) -> bool:
    """Bench2Drive's success: the route is complete and there was no infraction but low speed (arXiv 2406.03877).

    Differs: arrival is passing the finish behind the junction on the rule's route within this world's time limit.
    """
    return completion >= 100.0 and not any(n for kind, n in counts.items() if kind != "min_speed_infractions")


# ------------------------------------------------------------------------------- Bench2Drive comfort and efficiency
# nuPlan's bounds of comfortable driving, as Bench2Drive uses them: smoothed longitudinal and lateral acceleration,
# magnitude of the jerk, longitudinal jerk [m/s^2, m/s^3], yaw acceleration and yaw rate [rad/s^2, rad/s].
COMFORTABLE: tuple[tuple[float, float], ...] = (
    (-4.05, 2.40), (-4.89, 4.89), (-8.37, 8.37), (-4.13, 4.13), (-1.93, 1.93), (-0.95, 0.95),
)  # fmt: skip
SEGMENT, WINDOW = 20, 7  # ticks of a segment; of the Savitzky-Golay window that smooths it
MOST_EFFICIENCY = 1000.0  # percent; Bench2Drive discards larger values: the others almost stood still


@functools.lru_cache(maxsize=32)
def _savitzky_golay(ticks: int, derivative: int, tick: float) -> np.ndarray:
    """(ticks, ticks) matrix that smooths or differentiates a signal with parabolas over WINDOW ticks.

    Source: Savitzky and Golay (1964); at the ends the parabola of the last whole window is extrapolated, as in SciPy.
    """
    from scipy.signal import savgol_filter  # half a second to import, and only suites measure comfort

    made: np.ndarray = savgol_filter(
        np.eye(ticks), min(WINDOW, ticks), 2, deriv=derivative, delta=tick, axis=0, mode="interp"
    )
    return made


def comfort(acceleration: np.ndarray, speed: np.ndarray, yaw: np.ndarray, tick: float) -> float:
    """Bench2Drive's smoothness: share of segments of SEGMENT ticks in which all six quantities stay in COMFORTABLE.

    A shorter episode is one segment, and the remainder after the last whole segment does not count, as in Bench2Drive.
    Differs: motion is that of the rear axle and of a kinematic bicycle, without slip; and yaw acceleration is the
    derivative of the yaw rate, as nuPlan defines it (Bench2Drive's script applies that bound to the rate itself).

    Args:
        acceleration: (T,) longitudinal, of ego [m/s^2]; speed: (T,) [m/s]; yaw: (T + 1,) [rad]; tick: [s].

    Returns:
        The share; nan for fewer than three ticks, which do not determine a parabola.
    """
    ticks = len(acceleration)
    if ticks < 3:
        return float("nan")
    rate = np.angle(np.exp(1j * np.diff(yaw))) / tick
    lateral = speed * rate
    size = min(SEGMENT, ticks)
    smooth, slope = _savitzky_golay(size, 0, tick), _savitzky_golay(size, 1, tick)
    good = []
    for start in range(0, ticks - size + 1, size):
        here = slice(start, start + size)
        along, across, turning = smooth @ acceleration[here], smooth @ lateral[here], smooth @ rate[here]
        both = smooth @ np.hypot(acceleration[here], lateral[here])
        signals = (along, across, slope @ both, slope @ along, slope @ turning, turning)
        good.append(all((low < s).all() and (s < high).all() for s, (low, high) in zip(signals, COMFORTABLE)))
    return float(np.mean(good))


def efficiency(ego: np.ndarray, others: np.ndarray) -> float:
    """Bench2Drive's driving efficiency: ego's speed in percent of that of the traffic around it.

    Differs: mean over ticks instead of twenty checkpoints, and over all moving actors of the world instead of those
    near by. Values above MOST_EFFICIENCY are discarded, as in Bench2Drive.

    Args:
        ego: (T,) [m/s]; others: (T, M) [m/s], 0 for parked or absent actors.

    Returns:
        Percent; nan where no other actor moves.
    """
    moving = others[:, (others > 0.0).any(0)]
    if moving.size == 0 or moving.mean() <= 0.0:
        return float("nan")
    found = 100.0 * float(ego.mean()) / float(moving.mean())
    return found if found <= MOST_EFFICIENCY else float("nan")
