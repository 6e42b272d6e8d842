"""What a trajectory was like: safety, comfort, progress. Every metric is a value with a mask and a direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.rollout import Trajectory
from sim.types import OUTCOME


@dataclass(frozen=True)
class Metric:
    """One number per episode.

    Args:
        value: (B,) float64; valid: (B,) bool, where it means something.
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
    """All metrics of a trajectory of ticks of `tick` [s].

    jerk and lateral_acceleration are the largest absolute values of an episode; lateral acceleration is
    speed^2 * tan(steer) / wheelbase of the kinematic bicycle, jerk the difference of accelerations.
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
    return metrics
