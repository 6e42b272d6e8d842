"""Level `generalises`: agreement in held-out combinations, and twins that flip exactly where the rule does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from policies.evaluate import EvaluationResult
from probes.applicability import NotApplicable, question, turns
from probes.behaviour import Twins, agreement, by_cells, held_out, per_base, relevant, test_split
from probes.levels.base import Level, register
from probes.results import FALSE_FLIPS, NEEDED, LevelResult, Proportion
from probes.study import Study
from scenarios.scenario import Scenario


def generalises(
    scenario: Scenario, tally: EvaluationResult, twins: Twins, baselines: dict[str, dict[str, Any]]
) -> LevelResult:
    """Level `generalises`: agreement in the worst test cell, and twins that flip exactly where the rule does.

    If no combination is held out, the level does not apply; the results of the twins are reported all the same.

    Raises:
        NotApplicable: if the rule has a single decision, or no twins can be drawn on which its decisions differ.
    """
    question(scenario)
    unseen = held_out(scenario)
    act = "turn" if turns(scenario) else "decide otherwise"
    found = agreement(scenario, tally)
    name, share = found.worst
    pairs = [twins.flips(p) for p in range(len(twins.names))]
    flips = [f for f, _ in pairs if not np.isnan(f).all()]
    holds = [h for _, h in pairs if not np.isnan(h).all()]
    # A base draw is one episode, however many twins it has: its shares are averaged first.
    flip = Proportion.of(per_base(flips))
    false = Proportion.of(per_base(holds))
    if not flip.n:
        raise NotApplicable("no twins can be made in which one fact alone changes what the rule wants")
    passed = share.interval[0] >= NEEDED and flip.value >= NEEDED and not false.value > FALSE_FLIPS
    level = LevelResult(
        value=share.value,
        interval=share.interval,
        passed=bool(passed),
        what=f"share driven the rule's way in the test split's worst cell, held-out combinations included ({name})",
        threshold=NEEDED,
        baselines=baselines,
        details={
            f"twins that {act} where the rule flips": flip.to_dict(),
            f"twins that {act} where the rule holds": false.to_dict(),
            "held-out cells": [c for c in found.cells if c in unseen],
            "cells": {k: v.to_dict() for k, v in found.cells.items()},
            "twins by proposition": {
                n: {
                    "flips": Proportion.of(f[~np.isnan(f)]).to_dict(),
                    "false flips": Proportion.of(h[~np.isnan(h)]).to_dict(),
                }
                for n, (f, h) in zip(twins.names, pairs)
            },
        },
    )
    if unseen:
        return level
    known = ", ".join(relevant(scenario))
    reason = f"nothing is held out: training shows whatever can happen{f' of {known}' if known else ''}"
    return replace(LevelResult.without_answer(reason), details=level.details)


def measure(study: Study) -> LevelResult:
    """Drive the test split, its baselines, and the twins, which `recovered` needs as well."""
    study.twin_groups()  # raises before any rollout where no twins can be drawn
    split = test_split(study.scenario)
    episodes = by_cells(study.scenario, split, study.settings.per_cell, study.first + 200_000)
    tally = study.drive(study.policy, episodes, "generalises: driving the test split")
    return generalises(study.scenario, tally, study.twins(), study.baselines(split, study.first + 400_000))


GENERALISES = register(Level("generalises", 2, "also in conditions it was never shown", (
    "When one fact of the world is flipped and nothing else changes, does the decision change exactly "
    "when the rule says so, under conditions never demonstrated too? The share is the worst cell’s; the "
    "twins must also change where the rule does (flips), and hardly ever where it does not (false flips)."
), measure))  # fmt: skip
