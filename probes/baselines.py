"""Behavioural baselines of a policy: nearest-neighbour control, and the best rule of one proposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scenarios.checks.baselines import agreement, single_rules
from scenarios.scenario import Scenario
from sim.datatypes.action import Action, Observation

CELLS = (8, 12)  # rows and columns to which a picture is averaged
SPEED_WEIGHT = 0.1  # of 1 m/s relative to one cell's full brightness


class NearestNeighbour:
    """A policy that repeats the action of the most similar training frame: memory without generalisation.

    Args:
        camera: (n, H, W, 3) uint8 frames; speed: (n,) [m/s]; steer, acceleration: (n,) the actions.
    """

    needs = "camera"

    def __init__(self, camera: np.ndarray, speed: np.ndarray, steer: np.ndarray, acceleration: np.ndarray) -> None:
        if not len(camera):
            raise ValueError("a nearest neighbour was given no frames to remember")
        self._shown = torch.from_numpy(self._features(camera, speed))
        self._square = self._shown.square().sum(1)
        self._steer, self._acceleration = steer.astype(np.float32), acceleration.astype(np.float32)

    @staticmethod
    def _features(camera: np.ndarray, speed: np.ndarray) -> np.ndarray:
        n, height, width, _ = camera.shape
        rows, columns = height // CELLS[0], width // CELLS[1]
        cut = camera[:, : rows * CELLS[0], : columns * CELLS[1]]
        small = cut.reshape(n, CELLS[0], rows, CELLS[1], columns, 3).mean((2, 4), dtype=np.float32) / 255.0
        return np.concatenate([small.reshape(n, -1), SPEED_WEIGHT * speed[:, None]], 1).astype(np.float32)

    def begin(self, worlds: int) -> np.ndarray:
        """Return an empty memory."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Observation, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """Return the action of the nearest frame."""
        now = torch.from_numpy(self._features(seen.camera, seen.speed))
        nearest = (self._square[None] - 2.0 * now @ self._shown.T).argmin(1).numpy()
        return Action(self._steer[nearest], self._acceleration[nearest]), memory


def best_single_proposition(scenario: Scenario, cells: Sequence[tuple[bool, ...]]) -> dict[str, Any] | None:
    """Find the rule of at most one proposition, other than the scenario's own, with the best worst-cell agreement.

    Args:
        cells: the truth-table cells to compare in, over all propositions.

    Returns:
        "value": share of agreement in the worst cell (0 or 1: rules are deterministic), ties broken by the mean over
        cells; "rule": its text; "mean": over cells; "interval": None. None for a rule with a single decision.
    """
    judged = [(str(rule), agreement(scenario, rule, cells)) for rule in single_rules(scenario)]
    if not judged:
        return None
    value, mean, text = max((float(right.min()), float(right.mean()), text) for text, right in judged)
    return {"value": value, "interval": None, "rule": text, "mean": mean}
