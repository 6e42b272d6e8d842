"""A scorecard that costs nothing, so that the command line can be tried without its probes."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np


def score(policy: Any, scenario: Any, settings: Any, camera: Any, **more: Any) -> dict[str, Any]:
    """Five levels, of which one is passed."""
    more["context"].progress.stage("probing", 1)
    more["context"].progress.advance(1)
    levels = {
        name: {"value": np.float64(0.9), "interval": [0.8, 0.95], "passed": name == "imitates", "threshold": 0.9,
               "what": "nothing", "details": {}, "baselines": {"untrained": {"value": 0.1, "interval": [0, 0.2]}}}
        for name in ("imitates", "generalises", "encodes", "uses", "recovered")
    }  # fmt: skip
    return {
        "scenario": scenario.name, "rule": str(scenario.rule), "checkpoint": more["checkpoint"], "levels": levels,
        "verdict": ["imitates"], "recovered_rule": None, "settings": {"pairs": settings.pairs}, "seed": more["seed"],
        "shown": len(more["frames"][0]),
    }  # fmt: skip


def frames_of(shown: Any, images: Any, most: int, seed: int) -> tuple[np.ndarray, ...]:
    """The first frame of every episode."""
    return (images(np.arange(len(shown)), np.zeros(len(shown), int)),)


def record_twins(policy: Any, scenario: Any, camera: Any, path: Path, seed: int, context: Any) -> None:
    """No twins at all."""
    with path.open("wb") as stream:
        np.savez(stream)


def install() -> types.ModuleType:
    """Put the stand-in where `probes.scorecard` is looked for."""
    made = types.ModuleType("probes.scorecard")
    vars(made).update(score=score, record_twins=record_twins)
    sys.modules["probes.scorecard"] = made
    return made


# Constants of a run and how small a test wants them: episodes that no option names, of the pilot and of copying.
SMALLER = {"dagger.training.trainer.PILOT": 16, "dagger.commands.run.COPYING": 8}


if __name__ == "__main__":  # a process that can be killed: `python scoring.py run ...` is `dagger run ...`
    install()
    from importlib import import_module

    from dagger.cli import main

    for place, value in SMALLER.items():
        module, _, name = place.rpartition(".")
        setattr(import_module(module), name, value)
    sys.exit(main(sys.argv[1:]))
