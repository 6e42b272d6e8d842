"""Level `imitates`: agreement with the rule in every cell of the training split, on new episodes."""

from __future__ import annotations

from typing import Any

from policies.evaluate import EvaluationResult
from probes.behaviour import agreement, by_cells, train_split
from probes.levels.base import Level, register
from probes.results import NEEDED, LevelResult
from probes.study import Study
from scenarios.scenario import Scenario


def imitates(scenario: Scenario, tally: EvaluationResult, baselines: dict[str, dict[str, Any]]) -> LevelResult:
    """Level `imitates`: agreement in the worst cell of the training split, on new episodes."""
    found = agreement(scenario, tally)
    name, share = found.worst
    return LevelResult(
        value=share.value,
        interval=share.interval,
        passed=share.interval[0] >= NEEDED,
        what=f"share of fresh training-split episodes driven the rule's way in the worst cell ({name})",
        threshold=NEEDED,
        baselines=baselines,
        details={"cells": {k: v.to_dict() for k, v in found.cells.items()}},
    )


def measure(study: Study) -> LevelResult:
    """Drive new episodes of the training split, and the baselines beside them."""
    split = train_split(study.scenario)
    episodes = by_cells(study.scenario, split, study.settings.per_cell, study.first)
    tally = study.drive(study.policy, episodes, "imitates: driving the training split")
    return imitates(study.scenario, tally, study.baselines(split, study.first + 100_000))


IMITATES = register(Level("imitates", 1, "drives as the rule says", (
    "Does the car do what the rule says, in every combination of conditions (a cell)? The worst cell "
    "counts, so that common cells cannot mask a rare one."
), measure))  # fmt: skip
