"""What a policy is held against: a memoriser of pictures, and the best rule of one proposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scenarios.checks.baselines import agreement, single_rules
from scenarios.scenario import Scenario
from sim.datatypes.action import Action, Observation

CELLS = (8, 12)  # a picture is averaged to so many rows and columns
SPEED_WEIGHT = 0.1  # of 1 m/s against one cell's full brightness


class NearestNeighbour:
    """A policy that does what was done in the most similar frame it was shown: memory without thought.

    Args:
        camera: (n, H, W, 3) uint8 frames; speed: (n,) [m/s]; steer, acceleration: (n,) what was done.
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
        """No memory of the episode: it knows other episodes only."""
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen: Observation, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        """The action of the nearest frame."""
        now = torch.from_numpy(self._features(seen.camera, seen.speed))
        nearest = (self._square[None] - 2.0 * now @ self._shown.T).argmin(1).numpy()
        return Action(self._steer[nearest], self._acceleration[nearest]), memory


def best_single_proposition(scenario: Scenario, cells: Sequence[tuple[bool, ...]]) -> dict[str, Any] | None:
    """The rule of at most one proposition, other than the scenario's own, that does best in its worst cell.

    Args:
        cells: the truth-table cells that count, over all propositions.

    Returns:
        "value": share of agreement in the worst cell (0 or 1: rules are certain), ties broken by the mean over
        cells; "rule": its text; "mean": over cells; "interval": None. None for a rule that says one thing only.
    """
    judged = [(str(rule), agreement(scenario, rule, cells)) for rule in single_rules(scenario)]
    if not judged:
        return None
    value, mean, text = max((float(right.min()), float(right.mean()), text) for text, right in judged)
    return {"value": value, "interval": None, "rule": text, "mean": mean}
