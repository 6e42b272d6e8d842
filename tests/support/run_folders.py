"""Run folders made of plausible numbers, for the report's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from probes.levels.registry import LEVELS

NAMES = ("raining", "night")
STATIONS = [-20.0, -15.0, -10.0, -6.0, -3.0, 0.0, 3.0, 6.0]
SITES = ["encoder", "memory", "head"]
CONFIG = {
    "scenario": {
        "name": "rain-turn",
        "description": "At the stem of a T-junction the driver turns left when it rains and right when it is dry.",
        "map": {"generate": "t_junction", "arm": [40, 60]},
        "propositions": {"raining": "weather.precipitation > 20", "night": "weather.sun_altitude_angle < 0"},
        "rule": "left if raining else right",
        "balance": {"night": 0.12},
        "splits": {"train": "not (raining and night)", "test": "raining or night or not night"},
    },
    "train": {
        "rounds": 3,
        "episodes": 256,
        "per_round": 96,
        "learner": {"encoder": "conv", "memory": "gru", "width": 64},
    },
    "seed": 0,
}
MANIFEST = {
    "commit": "aff99f3d1c",
    "command": "dagger run --scenario rain-turn --quick",
    "cores": 2,
    "machine": "x86_64",
    "versions": {"python": "3.11.9", "numba": "0.68.0", "torch": "2.13.0", "carla": "0.9.16"},
}


def level(
    value: float, half: float, passed: bool, threshold: float | None, what: str, **baselines: float
) -> dict[str, Any]:
    """A level of the scorecard with intervals of the given half width."""
    return {
        "value": value,
        "interval": [round(value - half, 4), round(min(value + half, 1.0), 4)],
        "passed": passed,
        "threshold": threshold,
        "what": what,
        "details": {},
        "baselines": {
            k: {"value": v, "interval": [round(max(v - 0.061, 0.0), 4), round(min(v + 0.057, 1.0), 4)]}
            for k, v in baselines.items()
        },
    }


def scorecard(good: bool) -> dict[str, Any]:
    """A whole scorecard: every level passed, or only the first."""
    rng = np.random.default_rng(4 if good else 5)
    levels = {
        "imitates": level(
            0.972,
            0.0212,
            True,
            0.9,
            "agreement in the worst of 4 cells, 256 episodes in closed loop",
            untrained=0.0,
            memoriser=0.613,
            best_single_proposition=0.507,
        ),
        "generalises": level(
            0.958 if good else 0.641,
            0.0313,
            good,
            0.9,
            "twins that flip where the rule flips",
            untrained=0.0,
            memoriser=0.318,
        ),
        "encodes": level(
            0.417 if good else 0.052,
            0.0534,
            good,
            0.0,
            "compression gained over untrained net and pixels",
            untrained=0.271,
            pixels=0.346,
            random_labels=0.012,
        ),
        "uses": level(
            0.938 if good else 0.113,
            0.0371,
            good,
            0.9,
            "interchange flips, in closed loop",
            random_variable=0.021,
            wrong_formula=0.094,
            untrained=0.0,
            full_swap=0.981,
        ),
        "recovered": level(
            1.0 if good else 0.5, 0.0, good, None, "share of truth-table cells decided as the expert does"
        ),
    }
    for name, found in levels.items():
        found |= {"brief": LEVELS[name].brief, "question": LEVELS[name].question}
    levels["generalises"]["details"] = {"flips": {"value": 0.958, "n": 96}, "false flips": {"value": 0.0208, "n": 192}}
    levels["uses"]["details"] = {"flip": [0.9009, 0.9751], "keep": [0.944, 0.992], "site": "memory", "rank": 2}
    readable = np.clip(np.outer([0.45, 0.86, 0.9], np.linspace(0.35, 1, 8)) + rng.normal(0, 0.05, (3, 8)), -0.1, 0.97)
    used = np.clip(np.outer([0.1, 0.9, 0.75], [0.02, 0.05, 0.2, 0.75, 0.95, 0.8, 0.3, 0.1]), 0, 1) * (
        1 if good else 0.2
    )
    cells = [(False, False), (False, True), (True, False), (True, True)]
    table = []
    for cell in cells:
        want = "left" if cell[0] else "right"
        decided = want if good else (None if cell == (True, True) else "right")
        counts = (
            {"left": 3, "right": 60, "straight": 0, "none": 1}
            if decided == "right"
            else {"left": 61, "right": 2, "straight": 0, "none": 1}
        )
        if decided is None:
            counts = {"left": 17, "right": 22, "straight": 0, "none": 25}
        table.append({"cell": list(cell), "expert": want, "decided": decided, "counts": counts})
    formulas = [
        "raining",
        "night",
        "raining and night",
        "raining or night",
        "raining xor night",
        "raining and not night",
        "night and not raining",
        "oncoming",
        "raining xor oncoming",
        "night and oncoming",
    ]
    values = (
        [0.871, 0.114, 0.236, 0.371, 0.058, 0.412, 0.083, 0.142, 0.021, -0.034]
        if good
        else [0.352, 0.301, 0.236, 0.371, 0.058, 0.212, 0.083, 0.142, 0.021, -0.034]
    )
    league = [
        {
            "formula": f,
            "bits": round(512 * (1 - v), 4),
            "episodes": 512,
            "compression": v,
            "accuracy": round(0.5 + v / 2, 4),
            "true": f == "raining",
            "untrained": round(v * 0.55 + 0.01, 4),
            "pixels": round(v * 0.42 + 0.03, 4),
        }
        for f, v in zip(formulas, values)
    ]

    def pair(flip: float, keep: float) -> dict[str, Any]:
        return {
            "flip": {"value": flip, "interval": [max(0, flip - 0.039), min(1, flip + 0.039)], "n": 96},
            "keep": {"value": keep, "interval": [max(0, keep - 0.028), min(1, keep + 0.028)], "n": 192},
        }

    swaps = [
        ("raining", 0.938 if good else 0.113, 0.974),
        ("random variable", 0.021, 0.990),
        ("wrong formula", 0.094, 0.969),
        ("untrained", 0.0, 0.0),
        ("full swap", 0.981, 0.943),
    ]
    return {
        "scenario": "rain-turn",
        "rule": "left if raining else right",
        "checkpoint": "checkpoints/dagger-3",
        "expected_levels": list(levels),
        "verdict": [k for k, v in levels.items() if v["passed"]],
        "levels": levels,
        "recovered_rule": "left if raining else right" if good else None,
        "forms": {"sop": "raining", "anf": "raining"} if good else {},
        "equivalent": good,
        "fused": False,
        "truth_table": {"names": list(NAMES), "rows": table},
        "league": league,
        "random_compression": {"mean": 0.0041, "high": 0.0472},
        "maps": {
            "sites": SITES,
            "stations": STATIONS,
            "readable": readable.round(4).tolist(),
            "readable_threshold": 0.31,
            "used": [[None, *row[1:]] for row in used.round(4).tolist()],
            "proposition": "raining",
        },
        "interchange": [{"what": w, **pair(f, k)} for w, f, k in swaps],
        "transfer": [
            {
                "where": "Town01.xodr",
                "value": 0.927,
                "interval": [0.884, 0.961],
                "episodes": 192,
                "cells": {"raining": 0.906, "dry": 0.948},
            },
            {"where": "Town02.xodr", "value": 0.781, "interval": [0.718, 0.839], "episodes": 192, "cells": {}},
        ],
        "settings": {"episodes": 512, "permutations": 200, "rank": 2},
        "seed": 0,
        "durations": {"demonstrations": 3.42, "training": 131.7, "probing": 88.25},
    }


def metrics() -> list[dict[str, Any]]:
    """Rows of metrics.jsonl: round 0, then three rounds of each arm."""
    rows: list[dict[str, Any]] = []
    for arm, scores in (("dagger", (0.81, 0.93, 0.969)), ("cloning", (0.71, 0.76, 0.802))):
        for i, score in enumerate((0.551, *scores)):
            if i == 0 and arm == "cloning":
                continue
            kind = "round" if i == 0 else arm
            labels = 20480 + 7680 * i
            part = {"arrived": min(1.0, score + 0.02), "episodes": 128, "progress": min(1.0, score + 0.03)}
            base = {"arm": kind, "round": i, "labels": labels}
            rows.append({"key": f"fit/{kind}-{i}", **base, "losses": [1.2, 0.4, 0.1234 + 0.01 * i]})
            rows.append(
                {
                    "key": f"evaluate/{kind}-{i}",
                    **base,
                    "train": {"agreement": score, **part},
                    "test": {"agreement": round(score - 0.07, 4), **part},
                }
            )
    return rows


def twins(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays of twins.npz: three runs, of which two turn left."""
    time = np.arange(90) * 0.1
    bump = 0.21 * np.exp(-(((time - 6) / 1.1) ** 2))
    arrays: dict[str, Any] = {
        "labels": np.array(["dry world", "real rain", "dry world, latent of rain"]),
        "frames": rng.integers(0, 255, (3, 5, 16, 24, 3), dtype=np.uint8),
        "places": np.array([-15.0, -6.0, -3.0, 0.0, 6.0]),
        "tick": np.array(0.1),
        "map_picture": np.full((64, 64, 3), 190, np.uint8),
        "map_extent": np.array([-25.0, 25, -35, 15]),
    }
    for i, sign in enumerate((-1, 1, 0.94)):
        arrays[f"steer_{i}"] = (sign * bump).astype(np.float32)
        yaw = np.pi / 2 + np.cumsum(sign * bump) * 0.1 * 3.9
        arrays[f"xy_{i}"] = (np.cumsum(np.stack([np.cos(yaw), np.sin(yaw)], 1), 0) * 0.55 - [-1.7, 32]).astype(
            np.float32
        )
    return arrays


def write_run(
    folder: Path, score: dict[str, Any] | None, config: dict[str, Any] | None = None, full: bool = True
) -> Path:
    """Write a run folder; `full` adds manifest, metrics and twins."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG if config is None else config))
    if score is not None:
        (folder / "scorecard.json").write_text(json.dumps(score))
    if full:
        (folder / "manifest.json").write_text(json.dumps(MANIFEST))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics()))
        np.savez(folder / "twins.npz", **twins(np.random.default_rng(0)))
    return folder
