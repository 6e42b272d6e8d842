"""Drivers by name: the expert, constant decisions, baselines, checkpoints, and callables of the user."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagger.options import UsageError
from policies.base import Policy
from scenarios.scenario import Scenario
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISIONS

BASELINES = ("leak-only", "best-single")
RULED = ("expert", "idle", *BASELINES, *DECISIONS)
WANTED = f"{known_names(RULED)}, a checkpoint or run folder, or module:callable"


@dataclass(frozen=True)
class DriverChoice:
    """A driver that the command line names.

    Args:
        name: as given.
        version: digest of a checkpoint's weights, else the name.
        camera: camera that it was trained with, else the default.
        about: metadata of its checkpoint.
        of: scenario and split -> the policy. An expert follows the scenario's rule, and without a scenario a route. A
            baseline is fitted to the split that it drives.
    """

    name: str
    version: str
    camera: Camera
    about: dict[str, Any]
    of: Callable[[Scenario | None, str], Policy]


def choose_driver(name: str) -> DriverChoice:
    """The driver of this name.

    Raises:
        UsageError: naming the known ones; CheckpointError: for a torn checkpoint.
    """
    if name in RULED:
        return DriverChoice(name, name, Camera(), {}, functools.partial(_ruled, name))
    if re.fullmatch(r"[\w.]+:\w+", name):
        policy = _called(name)
        return DriverChoice(name, name, Camera(), {}, lambda scenario, split: policy)
    if not Path(name).is_dir():
        raise UsageError(f"unknown driver '{name}'; known are {WANTED}{did_you_mean(name, RULED)}")
    from dagger.training.trainer import digest_of
    from policies.checkpoint import load_policy

    learner, about = load_policy(find_checkpoint(Path(name)))
    return DriverChoice(name, digest_of(learner)[:16], camera_of(about), about, lambda scenario, split: learner)


def camera_of(about: dict[str, Any]) -> Camera:
    """The camera that a checkpoint was trained with.

    Raises:
        UsageError: if the checkpoint has no camera, or one with other fields.
    """
    try:
        return Camera(**about["camera"])
    except (KeyError, TypeError):
        raise UsageError(
            f"the checkpoint says of its camera {about.get('camera')!r}; wanted width, height, fov and mount"
        ) from None


def find_checkpoint(path: Path) -> Path:
    """The checkpoint folder of a path: the path itself, or the last DAgger round of a run folder.

    Raises:
        UsageError: when it is neither.
    """
    if (path / "policy.json").is_file():
        return path
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    found = sorted(p.parent.name for p in folder.glob("*/policy.json"))
    rounds = sorted((int(n.removeprefix("dagger-")), n) for n in found if re.fullmatch(r"dagger-\d+", n))
    if rounds:
        return folder / rounds[-1][1]
    if "round-0" in found:
        return folder / "round-0"
    raise UsageError(f"{path} is no checkpoint and holds none; wanted a folder with policy.json, or a run folder")


def one_thread() -> None:
    """Give networks one thread, if torch is loaded: their arithmetic must not depend on the number of workers."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def code_version() -> str:
    """Digest of the source files that a drive depends on; it needs no git checkout and sees uncommitted changes."""
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for package in ("sim", "scenarios", "policies"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _ruled(name: str, scenario: Scenario | None, split: str) -> Policy:
    from policies.expert.expert import Expert, Fixed, Idle

    if name == "expert":
        return Expert.of_route() if scenario is None else Expert.of(scenario)
    if scenario is None and name != "idle":
        what = "guesses a rule's decision" if name in BASELINES else "is a decision at a junction"
        raise UsageError(f"'{name}' {what} and drives no route; wanted expert, idle or a policy")
    if scenario is not None and name in BASELINES:
        from policies.baselines import ContextBaseline

        return (
            ContextBaseline.leak_only(scenario) if name == "leak-only" else ContextBaseline.best_single(scenario, split)
        )
    return Idle() if name == "idle" else Fixed(name, decision_spec=scenario.decision_spec if scenario else None)


def _called(name: str) -> Policy:
    """The policy that module:callable returns; this runs the code of the module that the user named."""
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"driver '{name}' cannot be loaded: {error}; wanted module:callable, or {WANTED}") from None
    policy = make()
    if not isinstance(policy, Policy) or getattr(policy, "needs", None) not in ("camera", "state"):
        raise UsageError(
            f"driver '{name}' returned {type(policy).__name__}; wanted a policy with needs ('camera' or 'state'), "
            "begin(worlds) and act(seen, memory)"
        )
    return policy
