"""The learner: gradients, sites, edits, and the same outputs however it is run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from policies.encoders.convnet import jitter, to_pixels
from policies.heads.mixture import HIGHEST, LOWEST, Mixture
from policies.learner import Learner, LearnerSettings, build, untrained_twin
from sim.datatypes.action import Observation

SMALL = LearnerSettings(image=(32, 48), width=24, memory_width=10, head_width=12)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def sequences(rng: np.random.Generator, worlds: int = 3, ticks: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    camera = torch.from_numpy(rng.integers(0, 256, (worlds, ticks, 32, 48, 3), dtype=np.uint8))
    return camera, torch.from_numpy(rng.uniform(0, 10, (worlds, ticks)).astype(np.float32))


def drive(learner: Learner, camera: torch.Tensor, speed: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """Controls (B, T, 2) from `act`, tick by tick, and the last state."""
    memory, out = learner.begin(len(camera)), []
    for tick in range(camera.shape[1]):
        action, memory = learner.act(Observation(camera[:, tick].numpy(), speed[:, tick].numpy()), memory)
        out.append(np.stack((action.steer, action.acceleration), -1))
    return np.stack(out, 1), memory


def test_the_learner_does_not_import_scenarios() -> None:
    code = (
        "import sys, policies.learner, policies.checkpoint;"
        "print([m for m in sys.modules if m.split('.')[0] in ('scenarios', 'dagger', 'probes')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("memory", ["none", "gru"])
def test_fused_and_tick_by_tick_give_the_same_controls_and_state(memory: str, rng: np.random.Generator) -> None:
    learner = build(replace(SMALL, memory=memory), seed=1)
    camera, speed = sequences(rng)
    with torch.no_grad():
        mixture, state = learner(camera, speed)
    controls, last = drive(learner, camera, speed)
    # float32 sums of up to 200 terms in another order: a few units of 1e-7
    np.testing.assert_allclose(mixture.controls().numpy(), controls, atol=1e-5)
    torch.testing.assert_close(state, last, atol=1e-5, rtol=0)


def test_one_world_drives_as_it_does_among_others(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng, worlds=9)
    together, _ = drive(learner, camera, speed)
    alone, _ = drive(learner, camera[4:5], speed[4:5])
    np.testing.assert_allclose(together[4:5], alone, atol=1e-5)  # another blocking of the same sums


def test_reset_starts_only_the_masked_worlds_afresh(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    _, memory = drive(learner, *sequences(rng))
    before = memory.clone()
    after = learner.reset(memory, np.array([False, True, False]))
    assert torch.equal(memory, before) and before[1].abs().sum() > 0
    assert torch.equal(after[1], torch.zeros(10))
    assert torch.equal(after[[0, 2]], before[[0, 2]])


def test_invalid_ticks_do_not_count_even_when_they_hold_nan(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng)
    steer, acceleration = torch.full((3, 5), 0.1), torch.full((3, 5), -1.0)
    valid = torch.ones(3, 5, dtype=torch.bool)
    valid[:, 3:] = False
    short = learner.loss(camera[:, :3], speed[:, :3], steer[:, :3], acceleration[:, :3], valid[:, :3])[0]
    steer[:, 3:] = torch.nan
    masked = learner.loss(camera, speed, steer, acceleration, valid)[0]
    torch.testing.assert_close(masked, short, atol=1e-5, rtol=1e-5)
    masked.backward()
    assert all(torch.isfinite(p.grad).all() for p in learner.parameters() if p.grad is not None)
    with pytest.raises(ValueError, match="none of the 15 ticks is valid"):
        learner.loss(camera, speed, steer, acceleration, torch.zeros_like(valid))


def test_the_likelihood_of_one_component_is_the_textbook_normal() -> None:
    mixture = Mixture(torch.zeros(1), torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2, 0.4]]))
    controls = torch.tensor([0.36, -2.4])  # 0.6 rad and 3 m/s^2 to one: 0.6, -0.8
    normal = torch.distributions.Normal(torch.tensor([0.5, -1.0]), torch.tensor([0.2, 0.4]))
    expected = -normal.log_prob(torch.tensor([0.6, -0.8])).sum()
    torch.testing.assert_close(mixture.nll(controls), expected)


def test_the_action_is_the_likeliest_mean_within_limits() -> None:
    mean = torch.tensor([[[0.5, 0.5], [-9.0, -9.0]]])
    mixture = Mixture(torch.log(torch.tensor([[0.4, 0.6]])), mean, torch.ones(1, 2, 2))
    assert mixture.controls()[0].tolist() == pytest.approx(list(LOWEST))
    flipped = Mixture(torch.log(torch.tensor([[0.6, 0.4]])), mean, torch.ones(1, 2, 2))
    assert flipped.controls()[0].tolist() == pytest.approx([0.3, 1.5])
    assert HIGHEST[0] == -LOWEST[0]


def test_an_edit_of_the_memory_is_carried_on_and_gone_afterwards(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng)
    plain, plain_state = drive(learner, camera, speed)
    with learner.edit({"memory": lambda latent: latent + 1.0}), learner.record() as tape:
        action, memory = learner.act(Observation(camera[:, 0].numpy(), speed[:, 0].numpy()), learner.begin(3))
    assert np.array_equal(tape.stack("memory")[0], memory.numpy())
    unedited = learner.act(Observation(camera[:, 0].numpy(), speed[:, 0].numpy()), learner.begin(3))[1]
    torch.testing.assert_close(memory, unedited + 1.0)
    assert not np.allclose(action.steer, plain[:, 0, 0])
    again, again_state = drive(learner, camera, speed)
    assert np.array_equal(again, plain) and torch.equal(again_state, plain_state)


def test_an_exception_inside_an_edit_leaves_the_learner_as_it_was(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng)
    plain, _ = drive(learner, camera, speed)
    with pytest.raises(ZeroDivisionError), learner.edit({"head": torch.zeros_like}), learner.record():
        raise ZeroDivisionError
    assert np.array_equal(drive(learner, camera, speed)[0], plain)


def test_nested_edits_compose_outer_first(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng, ticks=1)
    outer, inner = {"encoder": lambda latent: latent + 1.0}, {"encoder": lambda latent: latent * 2.0}
    with learner.record() as tape:
        drive(learner, camera, speed)
        with learner.edit(outer), learner.edit(inner):
            drive(learner, camera, speed)
        with learner.edit(outer):
            drive(learner, camera, speed)
    plain, both, one = tape.stack("encoder")
    np.testing.assert_allclose(both, (plain + 1.0) * 2.0, rtol=1e-6)
    np.testing.assert_allclose(one, plain + 1.0, rtol=1e-6)


def test_an_edit_that_changes_nothing_changes_nothing(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    camera, speed = sequences(rng)
    with torch.no_grad():
        fused = learner(camera, speed)[0].mean
        with learner.edit({site: lambda latent: latent for site in learner.sites}):
            edited = learner(camera, speed)[0].mean
    torch.testing.assert_close(fused, edited, atol=1e-5, rtol=0)


def test_record_gives_every_site_its_width(rng: np.random.Generator) -> None:
    for memory, sites in (("gru", {"encoder": 24, "memory": 10, "head": 12}), ("none", {"encoder": 24, "head": 12})):
        learner = build(replace(SMALL, memory=memory), seed=1)
        assert learner.sites == sites
        assert learner.recurrent_sites == (("memory",) if memory == "gru" else ())
        with learner.record() as tape:
            drive(learner, *sequences(rng))
        assert {site: tape.stack(site).shape for site in sites} == {s: (5, 3, w) for s, w in sites.items()}


def test_gradients_flow_through_an_edit(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    offset = torch.zeros(10, requires_grad=True)
    with learner.edit({"memory": lambda latent: latent + offset}):
        learner(*sequences(rng))[0].mean.sum().backward()
    assert offset.grad is not None and offset.grad.abs().sum() > 0


def test_unknown_names_and_wrong_shapes_are_refused_with_the_known_ones(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1)
    with pytest.raises(ValueError, match=r"unknown site 'brain'; known are \['encoder', 'memory', 'head'\]"):
        with learner.edit({"brain": lambda latent: latent}):
            pass
    with (
        pytest.raises(ValueError, match="unknown site 'memory'"),
        build(replace(SMALL, memory="none"), 0).record(("memory",)),
    ):
        pass
    with pytest.raises(ValueError, match=r"edit at 'head' returned shape \(3, 5\); wanted \(3, 12\)"):
        with learner.edit({"head": lambda latent: latent[:, :5]}):
            drive(learner, *sequences(rng))
    with pytest.raises(ValueError, match=r"wanted \(64, 96, 3\)"):
        drive(build(LearnerSettings(), 0), *sequences(rng))
    with pytest.raises(ValueError, match=r"memory is 'hippocampus'; wanted one of none, gru"):
        LearnerSettings(memory="hippocampus")
    with pytest.raises(ValueError, match=r"width is 0; wanted a whole number of 1 to 4096"):
        LearnerSettings(width=0)


def test_the_seed_alone_decides_the_weights_and_global_chance_is_untouched() -> None:
    before = torch.get_rng_state()
    one = build(SMALL, seed=3)
    torch.rand(3)
    two, other = untrained_twin(one, seed=3), untrained_twin(SMALL, seed=4)
    torch.set_rng_state(before)
    build(SMALL, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.head.outer.weight, other.head.outer.weight)


def test_act_keeps_the_training_mode_and_makes_no_graph(rng: np.random.Generator) -> None:
    learner = build(SMALL, seed=1).train()
    _, memory = drive(learner, *sequences(rng))
    assert learner.training and not memory.requires_grad


def test_jitter_is_constant_over_time_and_differs_between_sequences() -> None:
    camera = torch.full((4, 3, 8, 8, 3), 128, dtype=torch.uint8)
    changed = jitter(camera, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(changed[:, 0], changed[:, 2])
    assert len(changed[:, 0, 0, 0, 0].unique()) == 4
    assert changed.min() >= -0.5 and changed.max() <= 0.5
    still = jitter(camera, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_pixels(still.flatten(0, 1)), to_pixels(camera.flatten(0, 1)), atol=1e-6, rtol=0)


def test_a_rule_seen_early_is_learned_and_remembered(rng: np.random.Generator) -> None:
    """A thin bright line on the first tick decides the steer on the last one, three dark ticks later.

    How long it gropes before the loss falls hangs on the last bits of the processor's arithmetic (100 to 400 steps in
    six trials), so it may try until it can, within a bound.
    """
    # One component: with several and a sharp floor the weights settle much later (docs/explanation/log.md).
    learner = build(replace(SMALL, mixtures=1), seed=1)
    optimiser = torch.optim.Adam(learner.parameters(), 1e-3)

    def right(count: int) -> float:
        camera, speed, steer = flashes(rng, count)
        controls, _ = drive(learner, camera, speed)
        return float(np.mean(np.sign(controls[:, -1, 0]) == np.sign(steer[:, -1].numpy())))

    for step in range(1000):
        if step % 50 == 0 and right(64) > 0.98:
            break
        camera, speed, steer = flashes(rng, 32)
        loss = learner.loss(camera, speed, steer, torch.zeros_like(steer), last_tick(steer))[0]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
    assert right(256) > 0.95


def flashes(rng: np.random.Generator, worlds: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise; on the first tick half of the worlds have a line of one pixel's width somewhere."""
    camera = rng.integers(80, 100, (worlds, 4, 32, 48, 3)).astype(np.uint8)
    flash = rng.random(worlds) < 0.5
    for world in np.flatnonzero(flash):
        camera[world, 0, 4:28, rng.integers(48)] = 220
    steer = np.where(flash, 0.3, -0.3).astype(np.float32)
    return torch.from_numpy(camera), torch.zeros(worlds, 4), torch.from_numpy(steer)[:, None].expand(-1, 4)


def last_tick(steer: torch.Tensor) -> torch.Tensor:
    valid = torch.zeros(steer.shape, dtype=torch.bool)
    valid[:, -1] = True
    return valid
