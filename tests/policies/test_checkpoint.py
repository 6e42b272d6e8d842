"""Checkpoints: same content, same bytes; whole or not at all; training goes on bit for bit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from policies import checkpoint
from policies.checkpoint import (
    CheckpointError,
    load_policy,
    load_training,
    optimiser_tensors,
    restore_optimiser,
    save_policy,
    save_training,
)
from policies.learner import Learner, LearnerSettings, build

SMALL = LearnerSettings(image=(32, 48), width=24, memory_width=10, head_width=12)
ABOUT = {"scenario": "rain-turn", "rule": "left if raining else right", "seed": 3, "round": 2}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def train(learner: Learner, optimiser: torch.optim.Optimizer, steps: int, chance: torch.Generator) -> None:
    for _ in range(steps):
        camera = torch.randint(0, 256, (4, 3, 32, 48, 3), dtype=torch.uint8, generator=chance)
        speed = torch.rand((4, 3), generator=chance)
        loss = learner.loss(camera, speed, speed - 0.5, -speed, torch.ones(4, 3, dtype=torch.bool))[0]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    learner = build(SMALL, seed=1)
    save_policy(tmp_path / "a", learner, ABOUT)
    loaded, about = load_policy(tmp_path / "a")
    assert about == ABOUT and loaded.settings == SMALL and not loaded.training
    assert all(torch.equal(a, b) for a, b in zip(learner.parameters(), loaded.parameters(), strict=True))


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    save_policy(tmp_path / "a", build(SMALL, seed=1), ABOUT)
    save_policy(tmp_path / "b", build(SMALL, seed=1), dict(reversed(ABOUT.items())))
    loaded, about = load_policy(tmp_path / "a")
    save_policy(tmp_path / "c", loaded, about)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    save_policy(tmp_path / "d", build(SMALL, seed=2), ABOUT)
    assert contents(tmp_path / "a") != contents(tmp_path / "d")


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_training_goes_on_bit_for_bit_after_a_checkpoint(tmp_path: Path, kind: type[torch.optim.Adam]) -> None:
    whole = build(SMALL, seed=1)
    optimiser, chance = kind(whole.parameters(), 1e-2), torch.Generator().manual_seed(5)
    train(whole, optimiser, 3, chance)
    save_policy(tmp_path / "policy", whole, ABOUT)
    save_training(tmp_path / "training", optimiser_tensors(optimiser) | {"chance": chance.get_state()}, {"step": 3})
    train(whole, optimiser, 3, chance)

    resumed, _ = load_policy(tmp_path / "policy")
    tensors, state = load_training(tmp_path / "training")
    again = torch.Generator()
    again.set_state(tensors.pop("chance"))
    fresh = kind(resumed.parameters(), 1e-2)
    restore_optimiser(fresh, tensors)
    train(resumed, fresh, 3, again)
    assert state == {"step": 3}
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_without_the_optimiser_training_goes_elsewhere(tmp_path: Path) -> None:
    """The control of the test above: that comparison can fail."""
    whole, resumed = build(SMALL, seed=1), build(SMALL, seed=1)
    optimiser, chance = torch.optim.Adam(whole.parameters(), 1e-2), torch.Generator().manual_seed(5)
    train(whole, optimiser, 3, chance)
    resumed.load_state_dict(whole.state_dict())
    state = chance.get_state()
    train(whole, optimiser, 1, chance)
    chance.set_state(state)
    train(resumed, torch.optim.Adam(resumed.parameters(), 1e-2), 1, chance)
    assert not torch.equal(whole.embedding.weight, resumed.embedding.weight)


def test_restoring_removes_the_state_that_is_not_among_the_tensors() -> None:
    """An optimiser that has made steps, restored to the state of one that has made none, goes on as that one does."""
    whole, other = build(SMALL, seed=1), build(SMALL, seed=1)
    none, used = torch.optim.Adam(whole.parameters(), 1e-2), torch.optim.Adam(other.parameters(), 1e-2)
    before = optimiser_tensors(none)
    train(other, used, 2, torch.Generator().manual_seed(5))
    other.load_state_dict(whole.state_dict())
    restore_optimiser(used, before)
    assert not optimiser_tensors(used)
    train(whole, none, 1, torch.Generator().manual_seed(6))
    train(other, used, 1, torch.Generator().manual_seed(6))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("break_at", range(4))
def test_a_process_killed_while_replacing_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_at: int
) -> None:
    save_policy(tmp_path / "a", build(SMALL, seed=1), {"round": 1})
    calls = []

    def die(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    def stop_at(name: str, real: object) -> object:
        def stand_in(*arguments: object) -> object:
            calls.append(name)
            return die() if len(calls) == break_at + 1 else real(*arguments)  # type: ignore[operator]

        return stand_in

    # Both files, then both renames: each in turn is the one that never happens.
    monkeypatch.setattr(checkpoint, "_write_file", stop_at("write", checkpoint._write_file))
    monkeypatch.setattr(checkpoint.os, "replace", stop_at("rename", os.replace))
    with pytest.raises(KeyboardInterrupt):
        save_policy(tmp_path / "a", build(SMALL, seed=2), {"round": 2})
    monkeypatch.undo()
    assert load_policy(tmp_path / "a")[1] == {"round": 1}
    save_policy(tmp_path / "a", build(SMALL, seed=2), {"round": 2})
    assert load_policy(tmp_path / "a")[1] == {"round": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_what_is_missing_torn_or_of_another_kind_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no readable weights\.safetensors"):
        load_policy(tmp_path / "nowhere")

    place = tmp_path / "a"
    weights, facts = place / "weights.safetensors", place / "policy.json"
    save_policy(place, build(SMALL, seed=1), ABOUT)
    whole, text = weights.read_bytes(), facts.read_text()

    weights.write_bytes(whole[:-5])
    with pytest.raises(CheckpointError, match="truncated or altered"):
        load_policy(place)
    weights.write_bytes(whole)

    facts.write_text(text[:-20])
    with pytest.raises(CheckpointError, match=r"policy\.json is not JSON"):
        load_policy(place)

    for change, message in (
        ({"version": 99}, "has version 99; this program reads version 1"),
        ({"settings": {"width": 3}}, r"has settings \['width'\]"),
        ({"settings": {**json.loads(text)["settings"], "memory": "elephant"}}, "memory is 'elephant'"),
        ({"settings": {**json.loads(text)["settings"], "width": 25}}, r"embedding\.weight .*\(24, 384\); wanted"),
        ({"settings": {**json.loads(text)["settings"], "memory": "none"}}, "are missing or superfluous"),
    ):
        facts.write_text(json.dumps(json.loads(text) | change))
        with pytest.raises(CheckpointError, match=message):
            load_policy(place)


def test_an_optimiser_refuses_the_state_of_another_network() -> None:
    optimiser = torch.optim.Adam(build(SMALL, seed=1).parameters())
    with pytest.raises(CheckpointError, match="fits none of"):
        restore_optimiser(optimiser, {"0.99.exp_avg": torch.zeros(3)})
    with pytest.raises(CheckpointError, match=r"has shape \(3,\); wanted \(16, 3, 6, 6\)"):
        restore_optimiser(optimiser, {"0.0.exp_avg": torch.zeros(3)})
    assert not optimiser.state
