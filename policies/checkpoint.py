"""Checkpoints: folders with tensors (safetensors) and metadata (JSON); reading one never runs code.

The same content gives the same bytes: keys are sorted, and no time, path or host name is stored.  A folder is written
beside its destination, flushed, and renamed; a folder that it replaces is moved aside first, and reading falls back on
that.  So a process killed at any instant leaves one whole checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from policies.learner import Learner, LearnerSettings, build

VERSION = 1
POLICY = ("weights.safetensors", "policy.json")
TRAINING = ("tensors.safetensors", "training.json")


class CheckpointError(ValueError):
    """A checkpoint is missing, corrupt, of another version or of another shape."""


# ------------------------------------------------------------------------------------------------- two files
def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _write_file(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "posix":  # other systems cannot open a folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _save(path: Path, names: tuple[str, str], tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
    """Write the folder `path` atomically, replacing an old one."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    content = safetensors.torch.save(plain)
    facts = {"version": VERSION, "sha256": hashlib.sha256(content).hexdigest(), **facts}
    text = json.dumps(facts, sort_keys=True, indent=1, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = path.with_name(f".{path.name}.new"), _aside(path)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    _write_file(fresh / names[0], content)
    _write_file(fresh / names[1], text.encode())
    _sync_folder(fresh)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(path, old)
    os.replace(fresh, path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _load(path: Path, names: tuple[str, str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a folder written by `_save`.

    Raises:
        CheckpointError: with a one-sentence message.
    """
    folder = _aside(path) if not path.exists() and _aside(path).exists() else path
    contents = []
    for name in names:
        try:
            contents.append((folder / name).read_bytes())
        except OSError as error:
            raise CheckpointError(f"checkpoint {path} has no readable {name}: {error.strerror}") from error
    try:
        facts = json.loads(contents[1])
    except ValueError as error:
        raise CheckpointError(f"checkpoint {path}: {names[1]} is not JSON ({error})") from error
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        found = facts.get("version") if isinstance(facts, dict) else None
        raise CheckpointError(f"checkpoint {path} has version {found!r}; this program reads version {VERSION}")
    if hashlib.sha256(contents[0]).hexdigest() != facts.get("sha256"):
        raise CheckpointError(
            f"checkpoint {path}: {names[0]} ({len(contents[0])} bytes) is truncated or altered;"
            f" its SHA-256 is not the one in {names[1]}"
        )
    try:
        return safetensors.torch.load(contents[0]), facts
    except SafetensorError as error:
        raise CheckpointError(f"checkpoint {path}: {names[0]} is not safetensors ({error})") from error


# ---------------------------------------------------------------------------------------------------- policies
_LATER = (
    "can_reverse",
    "futures",
)  # settings added later: omitted when off, so that older checkpoints keep their bytes


def save_policy(path: str | Path, learner: Learner, about: Mapping[str, Any]) -> None:
    """Write a learner to the folder `path`, replacing an old one.

    Args:
        about: its provenance (scenario, rule, seed, round, ...) as plain JSON. It must not contain times or absolute
            paths, or identical runs no longer give identical bytes.
    """
    settings = {k: v for k, v in asdict(learner.settings).items() if k not in _LATER or v}
    facts = {"settings": settings, "about": dict(about)}
    _save(Path(path), POLICY, learner.state_dict(), facts)


def load_policy(path: str | Path) -> tuple[Learner, dict[str, Any]]:
    """Load the learner from the folder `path`, in evaluation mode on the CPU, and its `about` data.

    Raises:
        CheckpointError: missing, corrupt, of another version, or with weights of another shape.
    """
    path = Path(path)
    tensors, facts = _load(path, POLICY)
    given, known = facts.get("settings"), [f.name for f in fields(LearnerSettings)]
    if not isinstance(given, dict) or not set(known) - set(_LATER) <= set(given) <= set(known):
        found = sorted(given) if isinstance(given, dict) else given
        raise CheckpointError(f"checkpoint {path} has settings {found}; wanted {sorted(known)}")
    try:
        learner = build(LearnerSettings(**given), seed=0)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from error
    wanted = learner.state_dict()
    if missing := sorted(set(wanted) ^ set(tensors)):
        raise CheckpointError(f"checkpoint {path}: weights {missing} are missing or superfluous for {given}")
    for name, tensor in wanted.items():
        if tensors[name].shape != tensor.shape or tensors[name].dtype != tensor.dtype:
            raise CheckpointError(
                f"checkpoint {path}: {name} is {tensors[name].dtype} {tuple(tensors[name].shape)};"
                f" wanted {tensor.dtype} {tuple(tensor.shape)}"
            )
    learner.load_state_dict(tensors)
    return learner.eval(), dict(facts.get("about", {}))


# ---------------------------------------------------------------------------------------------------- training
def save_training(path: str | Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write the training state needed to resume: tensors (optimiser, generators) and JSON (sampler, counters)."""
    _save(Path(path), TRAINING, tensors, {"state": dict(state)})


def load_training(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the training state that `save_training` wrote.

    Raises:
        CheckpointError: missing, corrupt or of another version.
    """
    tensors, facts = _load(Path(path), TRAINING)
    return tensors, dict(facts.get("state", {}))


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an Adam-like optimiser as flat tensors, "group.parameter.key"; without learning rates."""
    flat: dict[str, Tensor] = {}
    for g, group in enumerate(optimiser.param_groups):
        for p, parameter in enumerate(group["params"]):
            for key, value in optimiser.state.get(parameter, {}).items():
                flat[f"{g}.{p}.{key}"] = torch.as_tensor(value).detach().clone()
    return flat


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the result of `optimiser_tensors` into an optimiser over parameters of the same shapes.

    Raises:
        CheckpointError: for a name or a shape that does not fit; the optimiser is then unchanged.
    """
    groups = enumerate(optimiser.param_groups)
    parameters = {f"{g}.{p}": parameter for g, group in groups for p, parameter in enumerate(group["params"])}
    states: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        place, _, key = name.rpartition(".")
        if place not in parameters:
            raise CheckpointError(f"optimiser state {name!r} fits none of the {len(parameters)} parameters")
        parameter = parameters[place]
        if key == "step":  # Adam counts on the CPU, in a tensor without axes
            states.setdefault(place, {})[key] = tensor.clone()
        elif tensor.shape == parameter.shape:
            # In the parameter's own memory layout, as the optimiser creates it.
            states.setdefault(place, {})[key] = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        else:
            raise CheckpointError(
                f"optimiser state {name!r} has shape {tuple(tensor.shape)}; wanted {tuple(parameter.shape)}"
            )
    optimiser.state.clear()
    for place, state in states.items():
        optimiser.state[parameters[place]] = state
