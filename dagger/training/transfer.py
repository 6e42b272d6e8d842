"""Transfer: the same policy, without further training, at the T-junctions of an unseen town of CARLA."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policies.base import Policy
from policies.evaluate import evaluate
from scenarios.rules.logic import describe_cell
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import Scenario
from sim.core.statistics import wilson_interval
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISIONS
from sim.road.map.loading import find_file
from sim.world.context import RunContext

TOWN = "Town02.xodr"
SEEDS = 5_000_000  # first seed; disjoint from the seeds of training, evaluation and probes


def transfer(
    policy: Policy,
    scenario: Scenario,
    camera: Camera,
    episodes: int,
    seed: int,
    context: RunContext,
    town: str = TOWN,
) -> dict[str, Any]:
    """Drive `policy` at a town's T-junctions in all conditions.

    Args:
        context: where the worlds run, and where the town's file is looked for.

    Returns:
        {"transfer": [row], "transfer_note": a remark}; no rows if the town's file is missing.
    """
    try:
        find_file(town, context.map_search)
    except FileNotFoundError:
        note = f"{town} was not found: name its folder with --maps, or in HOMUNCULUS_MAPS, to try the policy there."
        return {"transfer": [], "transfer_note": note}
    if scenario.map.file == town:
        return {"transfer": [], "transfer_note": f"The scenario itself is in {town}; there is nowhere to transfer to."}
    said = {DECISIONS[d] for d in plan(scenario).decision.values()}
    if scenario.map.kind != "t_junction" or not said <= {"left", "right"}:
        note = f"Not asked: {town} has T-junctions only, and this rule decides at another kind of place."
        return {"transfer": [], "transfer_note": note}
    context.progress.stage(f"{town}: driving {episodes} episodes elsewhere", episodes)
    there = scenario.with_map({"file": town, "junction": "t_junction"})
    elsewhere = replace(there, map_search=context.map_search)
    first = seed * 10_000_000 + SEEDS
    drawn = balanced_batch(elsewhere, range(first, first + episodes), "every")
    tally = evaluate(policy, elsewhere, drawn, camera, context)
    agrees = int(tally.agrees.sum())
    row = {
        "where": town,
        "value": agrees / episodes,
        "interval": list(wilson_interval(agrees, episodes)),
        "episodes": episodes,
        "arrived": float(tally.arrived.mean()),
        "cells": {
            describe_cell(tally.names, cell): float(tally.agrees[rows].mean()) for cell, rows in tally.by_cell().items()
        },
    }
    return {"transfer": [row], "transfer_note": "Agreement with the rule in closed loop; crashes count against it."}
