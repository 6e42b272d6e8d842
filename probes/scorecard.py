"""The scorecard: levels of evidence about one policy, reported separately and never as one number.

imitates     decides as the rule in every cell of the training split
generalises  also in held-out combinations, and flips on twins exactly where the rule does
encodes      a latent predicts the rule better than any other formula, and better than without training
uses         swapping one premise's latent changes the decision as the rule says
recovered    interventions on the world give a complete truth table, equivalent to the rule

Each level is a file in `probes/levels`. A level that does not apply to a scenario (`probes.applicability`) is neither
passed nor failed: it reports the reason.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import NotApplicable, control, place, question
from probes.behaviour import table_rows
from probes.levels.base import Level
from probes.levels.registry import levels
from probes.premise_swaps import Question, study
from probes.results import LevelResult
from probes.study import SEEDS, ProbeSettings, Study
from probes.trace import STATIONS
from probes.twin_recording import record_twins as _record
from scenarios.scenario import Scenario
from sim.datatypes.camera import Camera
from sim.world.context import RunContext


def measured(level: Level, of: Study) -> LevelResult:
    """The result of a level, or the reason why it does not apply."""
    try:
        return level.measure(of)
    except NotApplicable as reason:
        return LevelResult.without_answer(str(reason))


def card(of: Study, checkpoint: str) -> dict[str, Any]:
    """Measure every level in its order; returns the scorecard as plain data."""
    results: dict[str, LevelResult] = {}
    durations: dict[str, float] = {}
    for level in levels():
        begun = time.perf_counter()
        results[level.name] = measured(level, of)
        durations[level.name] = round(time.perf_counter() - begun, 1)
    found = of.findings
    table, held, swaps = found.recovered, found.held, found.swaps
    return {
        "scenario": of.scenario.name,
        "rule": str(of.scenario.rule),
        "checkpoint": checkpoint,
        "expected_levels": [level.name for level in levels()],
        "verdict": [name for name, result in results.items() if result.passed],
        "levels": {
            level.name: results[level.name].to_dict() | {"brief": level.brief, "question": level.question}
            for level in levels()
        },
        "recovered_rule": None if table is None or table.rule is None else str(table.rule),
        "forms": {} if table is None else {"sop": table.sop, "anf": table.anf},
        "equivalent": None if table is None else table.same_as(of.scenario.rule),
        "fused": None if swaps is None else swaps.fused,
        "swapped_at": {} if swaps is None else {p: list(sites) for p, sites in swaps.places.items()},
        "truth_table": {} if table is None else {
            "names": list(table.propositions), "rows": table_rows(of.scenario, table),
        },
        "league": found.league,
        "random_compression": found.random,
        "maps": {
            "sites": list(of.policy.sites), "stations": list(STATIONS),
            "readable": None if held is None else held.conclusion.tolist(),
            "readable_threshold": None if held is None else held.threshold,
            "held": None if held is None else held.to_dict(),
            "used": found.used[1], "proposition": found.used[0], "control": control(of.scenario),
        },
        "question": _question(of.scenario), "place": place(of.scenario),
        "interchange": [] if swaps is None else [s.to_dict() for s in swaps.all],
        "settings": asdict(of.settings),
        "seed": of.seed,
        "durations": durations,
    }  # fmt: skip


def _question(scenario: Scenario) -> str | None:
    try:
        return question(scenario)
    except NotApplicable:
        return None


def score(
    policy: IntervenablePolicy,
    scenario: Scenario,
    settings: ProbeSettings,
    camera: Camera,
    *,
    checkpoint: str,
    frames: tuple[np.ndarray, ...] | None = None,
    untrained: IntervenablePolicy | None = None,
    seed: int = 0,
    context: RunContext | None = None,
    twins: Path | None = None,
) -> dict[str, Any]:
    """Compute the scorecard of a policy as plain, JSON-able data.

    Args:
        checkpoint: its name in the scorecard.
        frames: see `frames_of`; without it there is no nearest-neighbour baseline.
        context: as for `Study`.
        twins: file for the recording of a pair of twins, see `record_twins`; None for no recording.
    """
    of = Study(policy, scenario, settings, camera, untrained, frames, seed, context)
    found = card(of, checkpoint)
    if twins is not None and of.findings.latents:  # nothing where the scenario has no such twins
        asked = Question.of(scenario, camera, of.context)
        _record(policy, asked, of.findings.latents, twins, of.first + 950_000)
    return found


def record_twins(
    policy: IntervenablePolicy,
    scenario: Scenario,
    camera: Camera,
    path: Path,
    seed: int = 0,
    context: RunContext | None = None,
    draws: int = 16,
) -> None:
    """Write twins.npz: a draw, its twin in one premise, and the draw with that premise's latent swapped in.

    Args:
        context: where the worlds run; by default `RunContext()`.

    Raises:
        NotApplicable: if the scenario has no such twins.
    """
    asked = Question.of(scenario, camera, context)
    first = seed * 10_000_000 + SEEDS + 900_000
    latents = study(policy, asked, draws, first)
    _record(policy, asked, latents, path, first + 50_000)
