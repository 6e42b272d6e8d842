"""A run folder: settings, manifest, metrics, checkpoints, demonstrations; each file is written atomically."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from dagger.runs.jsonl import KeyedLog
from sim.core.files import write_atomically

PACKAGES = ("homunculus", "numba", "numpy", "torch", "carla", "gymnasium", "opencv-python-headless", "pyarrow")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def commit() -> str:
    """The source's git commit, with "+changes" when the tree differs from it; "unknown" outside a checkout."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return "unknown"
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


class RunFolder:
    """A run's folder.

    Args:
        path: the folder; created if absent.
        settings: everything that the results depend on; plain data.
        resume: continue the run that the folder holds.

    Raises:
        FileExistsError: when the folder holds a run and `resume` is off.
        ValueError: when it holds a run with other settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any], resume: bool) -> None:
        self.path = Path(path)
        config = self.path / "config.yaml"
        wanted = yaml.safe_dump(settings, sort_keys=True)
        if config.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.path} already holds a run; give --resume to go on with it, or another --out"
                )
            before = yaml.safe_load(config.read_text())
            after = yaml.safe_load(wanted)
            if before != after:
                changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
                raise ValueError(
                    f"{self.path} was begun with other settings for {', '.join(changed)}; resume it with those it was "
                    f"begun with (they stand in {config}), or give another --out"
                )
        self.path.mkdir(parents=True, exist_ok=True)
        for name in ("checkpoints", "demonstrations", "training"):
            (self.path / name).mkdir(exist_ok=True)
        if not (self.path / "manifest.json").exists():
            manifest = {
                "commit": commit(),
                "versions": versions(),
                "cores": os.cpu_count(),
                "machine": platform.machine(),
            }
            write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        if not config.exists():
            write_atomically(config, wanted)

    @property
    def metrics(self) -> KeyedLog:
        """metrics.jsonl of this run."""
        return KeyedLog(self.path / "metrics.jsonl")

    def checkpoint(self, name: str) -> Path:
        """The folder of the checkpoint of this name."""
        return self.path / "checkpoints" / name


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass as plain data for YAML."""
    return json.loads(json.dumps(asdict(settings), default=str))


def training_parts(train: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The parts of training that a run used (hindsight, takeovers, perturbation), in words.

    Args:
        train: the run's settings of training; rows: of its metrics.
    """
    if "hindsight" not in train:
        return {}
    on = train["hindsight"] == "on"
    fit = train.get("fit") or {}
    found = {"hindsight": f"on: a choice among {train.get('futures')} futures" if on else "off"}
    if on:
        found["stages of the first fit"] = (
            f"encoder {fit.get('encoder_steps')} steps, memory {fit.get('memory_epochs')} passes, joint "
            f"{train.get('epochs')} passes"
        )
        found["takeovers in a DAgger drive"] = str(train.get("takeovers"))
    tried = next((r for r in rows if r.get("key") == "perturb"), None)
    asked = train.get("perturb")
    used = asked if tried is None else tried["strength"]
    less = "" if used == asked else f" (of {asked:g}, with which the expert succeeded in fewer than .98 of drives)"
    found["demonstrations perturbed"] = f"at strength {used:g}{less}" if used else f"no{less}"
    return found
