"""Level `recovered`: the truth table that interventions on the world give, compared with the expert's rule."""

from __future__ import annotations

import numpy as np

from probes.behaviour import table_rows, truth_table_of
from probes.levels.base import Level, register
from probes.results import LevelResult
from probes.rule_recovery import Recovered
from probes.study import Study
from scenarios.scenario import Scenario


def recovered(scenario: Scenario, found: Recovered) -> LevelResult:
    """Level `recovered`: whether the recovered rule is SAT-equivalent to the expert's."""
    same = found.same_as(scenario.rule)
    rows = table_rows(scenario, found)
    right = np.array([r["decided"] == r["expert"] for r in rows], float)
    undecided = [r for r in rows if r["decided"] is None]
    return LevelResult(
        value=float(right.mean()),
        interval=None,
        passed=bool(same),
        what="share of the truth table's cells that interventions decide as the expert does; all must, so that the "
        "recovered rule is SAT-equivalent to the expert's",
        threshold=1.0,
        baselines={},
        details={
            "rule": None if found.rule is None else str(found.rule),
            "cells": len(rows),
            "undecided cells": len(undecided), "propositions that it needs": list(found.used),
        },
    )  # fmt: skip


def measure(study: Study) -> LevelResult:
    """Recover the rule from the twins that `generalises` drove."""
    found = truth_table_of(study.twins())
    study.findings.recovered = found
    return recovered(study.scenario, found)


RECOVERED = register(Level("recovered", 5, "and the rule can be recovered from it", (
    "Is the rule that is recovered from twin worlds logically equivalent to the expert's, in every "
    "combination of facts (a cell of the truth table)?"
), measure))  # fmt: skip
