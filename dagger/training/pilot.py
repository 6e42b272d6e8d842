"""The pilot: test drives that find the strongest perturbation with which a scenario's expert succeeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.perturbation import Offsets
from policies.expert.expert import Expert
from scenarios.sampling.sample import decision, slots_needed
from scenarios.scenario import Scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.world.context import RunContext

LEAST = 0.98  # share of perturbed drives that must arrive, and decide as the rule does
WEAKER = (1.0, 0.5, 0.25, 0.0)  # strengths that are tried, as shares of the requested one


def bounded(
    expert: Expert, scenario: Scenario, episodes: Sequence[Episode], strength: float, camera: Camera,
    context: RunContext,
) -> dict[str, Any]:  # fmt: skip
    """The greatest strength at which the expert still arrives and decides as the rule does in LEAST of `episodes`.

    The expert's knowledge depends on the camera. A perturbation that pushes a sign out of sight before it is read shows
    as a wrong decision.

    Returns:
        {"asked", "strength", "tried": [{"strength", "right", "episodes"}]}; the strength is 0 if none suffices.
    """
    tried: list[dict[str, Any]] = []
    wanted = np.array([decision(scenario, e) for e in episodes])
    for share in WEAKER[:-1]:
        context.progress.stage(f"testing the expert at perturbation strength {strength * share:g}", len(episodes))
        with context.backend(context.at_once(len(episodes)), camera, slots_needed(scenario)) as backend:
            found = collect(
                backend, expert, None, episodes, BetaSchedule(), 0, "expert", on_done=context.progress.advance,
                offsets=Offsets().scaled(strength * share),
            )  # fmt: skip
        shown_decision, outcome = (
            np.array([getattr(d, name) for d in found]) for name in ("shown_decision", "outcome")
        )
        right = float(np.mean((shown_decision == wanted) & (outcome == OUTCOME["arrived"])))
        tried.append({"strength": strength * share, "right": right, "episodes": len(episodes)})
        if right >= LEAST:
            break
    passed = tried[-1]["right"] >= LEAST
    return {"asked": strength, "strength": tried[-1]["strength"] if passed else 0.0, "tried": tried}
