"""Fitting: it learns, it repeats to the byte, and a killed fit goes on to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.fit import OnStep, fit
from dagger.training.futures import clustered
from dagger.training.loader import RenderingLoader, Windows
from dagger.training.steps import FitSettings, Fitter, Optimisers
from policies.checkpoint import load_training
from policies.expert.expert import Fixed
from policies.learner import Learner, LearnerSettings, build
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import OUTCOME
from tests.support.worlds import episode, started

CAMERA = Camera(width=32, height=24)
LEARNER = LearnerSettings(image=(24, 32), width=16, memory_width=8, head_width=8, mixtures=2, futures=4)
SETTINGS = FitSettings(
    window=8, sequences=2, learning_rate=3e-3, encoder_rate=3e-3, encoder_steps=6, encoder_batch=16, memory_epochs=2,
    memory_batch=2, frames=16, encoder_gain=-1.0,
)  # fmt: skip
PLAIN = replace(LEARNER, futures=0)


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


@pytest.fixture(scope="module")
def loader() -> RenderingLoader:
    episodes = [episode(i, time_limit=3.0, speed=4.0 + i) for i in range(4)]
    found = collect(
        started(episodes, CAMERA),
        Fixed("left"),
        None,
        episodes,
        BetaSchedule(),
        0,
        "expert",
    )
    # As if they had arrived, so that their futures are known.
    found = [replace(d, outcome=OUTCOME["arrived"]) for d in found]
    return RenderingLoader(found, CAMERA, cache_bytes=10**8)


def fitted(
    loader: RenderingLoader, epochs: int, state: Path | None = None, seed: int = 1, on_step: OnStep | None = None,
    settings: FitSettings = SETTINGS, abreast: bool = False, first: bool = True, learner: LearnerSettings = LEARNER,
) -> tuple[Learner, list[float]]:  # fmt: skip
    made = build(learner, seed=0)
    if made.hindsight is not None:
        anchors = clustered(loader.futures, learner.futures, 0)
        made.hindsight.set_anchors(torch.from_numpy(anchors.path), torch.from_numpy(anchors.progress))
    return made, fit(made, loader, settings, epochs, (seed, 0), state, on_step, abreast=abreast, first=first)


def weights(learner: Learner) -> bytes:
    return b"".join(t.numpy().tobytes() for _, t in sorted(learner.state_dict().items()))


def test_the_loss_falls(loader: RenderingLoader) -> None:
    learner, losses = fitted(loader, 8, learner=PLAIN)
    assert len(losses) == 8 and losses[-1] < losses[0] - 0.3
    assert not learner.training


def test_a_first_fit_has_three_stages_a_later_one_two_and_one_without_hindsight_one(loader: RenderingLoader) -> None:
    def stages(**more: Any) -> list[str]:
        found: list[str] = []
        _, losses = fitted(loader, 2, on_step=lambda stage, *a: found.append(stage), **more)
        names = list(dict.fromkeys(found))
        assert len(losses) == 2 + ("memory" in names) * (2 if more.get("first", True) else 1)
        return names

    few = replace(SETTINGS, memory_again=1)
    assert stages(settings=few) == ["encoder", "memory", "joint"]
    assert stages(settings=few, first=False) == ["memory", "joint"]
    assert stages(learner=PLAIN) == ["joint"]


def test_the_share_that_is_done_only_rises(loader: RenderingLoader) -> None:
    shares: list[float] = []
    fitted(loader, 2, on_step=lambda stage, share, *a: shares.append(share))
    assert shares == sorted(shares) and 0.0 < shares[0] < 0.3 and shares[-1] == 1.0


def test_a_fit_repeats_to_the_byte_and_hangs_on_its_seed(loader: RenderingLoader) -> None:
    first, losses = fitted(loader, 2)
    again, losses_again = fitted(loader, 2)
    other, _ = fitted(loader, 2, seed=2)
    assert weights(first) == weights(again) and losses == losses_again
    assert weights(first) != weights(other)


@pytest.mark.parametrize("kill_at", [1, 3, 9, 12, 25])
def test_a_killed_fit_goes_on_to_the_same_bytes(
    loader: RenderingLoader, tmp_path: Path, kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def killer(stage: str, *rest: float) -> None:
        steps.append(stage)
        if len(steps) == kill_at:
            raise Killed

    short = replace(SETTINGS, encoder_steps=4)
    monkeypatch.setattr("dagger.training.fit.ENCODER_PASS", 2)
    whole, losses = fitted(loader, 2, settings=short)
    with pytest.raises(Killed):
        fitted(loader, 2, tmp_path / "state", on_step=killer, settings=short)
    assert len(steps) == kill_at
    resumed, resumed_losses = fitted(loader, 2, tmp_path / "state", settings=short)
    assert weights(resumed) == weights(whole)
    assert resumed_losses == losses


def test_a_finished_fit_is_not_repeated(loader: RenderingLoader, tmp_path: Path) -> None:
    whole, losses = fitted(loader, 2, tmp_path / "state")
    steps: list[str] = []
    again, losses_again = fitted(loader, 2, tmp_path / "state", on_step=lambda stage, *a: steps.append(stage))
    assert steps == [] and losses == losses_again and weights(again) == weights(whole)


def test_every_epoch_has_an_order_of_its_own(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[bytes] = []
    original = RenderingLoader.plan

    def watched(self: RenderingLoader, *args: Any) -> list[Windows]:
        found = original(self, *args)
        orders.append(b"".join(w.episode.tobytes() + w.stop.tobytes() for w in found))
        return found

    monkeypatch.setattr(RenderingLoader, "plan", watched)
    fitted(loader, 4, learner=PLAIN)
    assert len(orders) == len(set(orders)) == 4


def test_the_learning_rate_falls_along_a_cosine_in_every_stage(
    loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: dict[str, list[float]] = {"encoder": [], "controls": [], "memory": []}
    original = Optimisers.step

    def watched(self: Optimisers, name: str, gradients: Any, rate: float, done: float) -> None:
        original(self, name, gradients, rate, done)
        rates[name].append(float(self._optimisers[name].param_groups[0]["lr"]))

    monkeypatch.setattr(Optimisers, "step", watched)
    settings = replace(SETTINGS, encoder_steps=40, memory_rate=5e-3, memory_epochs=4)
    fitted(loader, 4, settings=settings)
    looks, recalls = rates["encoder"][:40], rates["memory"][:8]
    joint = rates["controls"][8:]
    for found, first in ((looks, 3e-3), (recalls, 5e-3), (joint, 3e-3)):
        assert found[0] == pytest.approx(first) and found == sorted(found, reverse=True)
        assert first * settings.last_rate <= found[-1] < first * 0.35
    # A quarter, a half and three quarters of a stage: (1 + cos) / 2 of what lies above the last twentieth.
    assert [looks[k] / 3e-3 for k in (10, 20, 30)] == pytest.approx([0.860876, 0.525, 0.189124], rel=1e-5)
    assert [recalls[k] / 5e-3 for k in (2, 4, 6)] == pytest.approx([0.860876, 0.525, 0.189124], rel=1e-5)
    rates["controls"].clear()
    fitted(loader, 1, settings=replace(settings, again_rate=1e-3, memory_again=0), first=False)
    assert rates["controls"][0] == pytest.approx(1e-3)


def test_no_gradient_is_longer_than_the_clip_after_a_large_loss(
    loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Learner.loss

    def large(self: Learner, *args: Any) -> Any:
        loss, behind, state = original(self, *args)
        return 1e4 * loss, 1e4 * behind, state

    def norms(clip: float) -> list[float]:
        found: list[float] = []

        def look(optimiser: torch.optim.Optimizer, *args: Any) -> None:
            gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
            found.append(float(torch.nn.utils.get_total_norm(gradients)))

        hook = register_optimizer_step_pre_hook(look)
        try:
            fitted(loader, 1, settings=replace(SETTINGS, clip=clip))
        finally:
            hook.remove()
        return found

    monkeypatch.setattr(Learner, "loss", large)
    clipped, free = norms(0.5), norms(1e9)
    assert max(free) > 100.0, "the loss is not large: nothing is clipped"
    assert len(clipped) == len(free) and max(clipped) == pytest.approx(0.5, rel=1e-4)


def test_a_loss_that_is_no_number_ends_the_fit(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    nan = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(Learner, "loss", lambda self, camera, *a: (nan, nan, self.begin(len(camera))))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fitted(loader, 1)


def test_a_hindsight_loss_that_is_no_number_ends_the_fit(
    loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "frame_losses", lambda self, camera, *a: camera.flatten(1).sum(1) * float("nan"))
    with pytest.raises(FloatingPointError, match=r"hindsight loss became nan; lower .* \(--train\.fit\.encoder_rate"):
        fitted(loader, 1)


def test_both_gradients_side_by_side_give_the_bytes_of_one_after_the_other(loader: RenderingLoader) -> None:
    alone, losses = fitted(loader, 2)
    abreast, losses_abreast = fitted(loader, 2, abreast=True)
    assert weights(alone) == weights(abreast) and losses == losses_abreast


def test_the_encoder_learns_hindsight_from_single_pictures_and_the_memory_from_whole_drives(
    loader: RenderingLoader,
) -> None:
    behind: list[float] = []
    looks = replace(SETTINGS, encoder_steps=60, memory_epochs=0)
    learner, _ = fitted(loader, 0, settings=looks, on_step=lambda stage, share, loss, x: behind.append(x))
    assert len(behind) == 60 and np.mean(behind[-5:]) < np.mean(behind[:5]) - 0.3
    fresh = build(LEARNER, seed=0)
    assert learner.hindsight is not None and fresh.hindsight is not None
    assert torch.equal(learner.hindsight.remembered.outer.weight, fresh.hindsight.remembered.outer.weight)
    assert torch.equal(learner.memory.core.weight_hh_l0, fresh.memory.core.weight_hh_l0)
    recalls, losses = fitted(loader, 0, settings=replace(SETTINGS, encoder_steps=0, memory_epochs=30, memory_rate=1e-2))
    assert recalls.hindsight is not None and losses[-1] < losses[0] - 0.3
    assert torch.equal(recalls.encoder.layers[0].weight, fresh.encoder.layers[0].weight), "pictures are not looked at"
    assert not torch.equal(recalls.hindsight.remembered.outer.weight, fresh.hindsight.remembered.outer.weight)


def test_an_encoder_that_gains_too_little_has_no_more_passes(
    loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dagger.training.fit.ENCODER_PASS", 2)
    stages: list[str] = []
    few = replace(SETTINGS, encoder_steps=20, encoder_gain=1.0)  # nothing gains as much
    _, losses = fitted(loader, 1, tmp_path / "state", settings=few, on_step=lambda stage, *a: stages.append(stage))
    assert stages.count("encoder") == 4 and len(losses) == 3
    assert load_training(tmp_path / "state")[1]["passes"] == 13, "the passes that were left out count as done"
    stages.clear()
    fitted(loader, 1, settings=replace(few, encoder_gain=-1.0), on_step=lambda stage, *a: stages.append(stage))
    assert stages.count("encoder") == 20


def test_the_memorys_hindsight_has_an_optimiser_of_its_own(loader: RenderingLoader) -> None:
    """What the controls ask of the memory and what hindsight asks are stepped apart."""
    with Fitter(build(LEARNER, 0), SETTINGS) as fitter:
        memory = set(fitter.optimisers.parameters["memory"]) - set(fitter.optimisers.parameters["controls"])
        assert len(memory) == 4  # the head's alone
        drives = loader.drives(np.arange(4))
        latents = np.zeros((*drives.valid.shape, 16), np.float32)
        fitter.remember(latents, drives, 0.0)
        states = {name: o.state for name, o in fitter.optimisers._optimisers.items()}
        core = fitter.learner.memory.core.weight_hh_l0
        assert not torch.equal(states["controls"][core]["exp_avg"], states["memory"][core]["exp_avg"])


def test_a_gradient_in_another_memory_order_is_applied_to_the_weights_that_it_is_of(loader: RenderingLoader) -> None:
    """Convolutions are stored channels-last; the fused optimiser goes through weights and gradients in memory order."""
    after = []
    for order in (torch.channels_last, torch.contiguous_format):
        with Fitter(build(LEARNER, 0), SETTINGS) as fitter:
            parameters = fitter.optimisers.parameters["encoder"]
            chance = torch.Generator().manual_seed(1)
            gradients = [torch.randn(p.shape, generator=chance) for p in parameters]
            gradients = [g.contiguous(memory_format=order) if g.ndim == 4 else g for g in gradients]
            fitter.optimisers.step("encoder", tuple(gradients), 1e-2, 0.0)
            after.append(torch.cat([p.detach().flatten() for p in parameters]))
    assert torch.equal(*after)


def test_of_long_demonstrations_a_pass_takes_a_part(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[int] = []
    original = RenderingLoader.plan

    def watched(self: RenderingLoader, *args: Any) -> list[Windows]:
        met.append(sum(int(self.lengths[e]) for e in args[3]))
        return original(self, *args)

    monkeypatch.setattr(RenderingLoader, "plan", watched)
    fitted(loader, 2, settings=replace(SETTINGS, most_frames=70), learner=PLAIN)
    assert all(0 < ticks <= 70 < loader.frames for ticks in met)


def test_the_memory_is_carried_from_window_to_window(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []
    original = Learner.loss

    def watched(self: Learner, *args: Any) -> Any:
        given.extend(bool(row.any()) for row in args[-1])
        return original(self, *args)

    fresh: list[bool] = []
    batches = RenderingLoader.batch

    def noted(self: RenderingLoader, windows: Windows) -> Any:
        fresh.extend((windows.start == 0).tolist())
        return batches(self, windows)

    monkeypatch.setattr(Learner, "loss", watched)
    monkeypatch.setattr(RenderingLoader, "batch", noted)
    fitted(loader, 1, settings=replace(SETTINGS, encoder_steps=0, memory_epochs=0))
    assert len(given) == len(fresh) and not all(fresh)
    assert given == [not begins for begins in fresh]


def test_what_is_wrong_is_asked_more_often(loader: RenderingLoader) -> None:
    """Single pictures of a part of the drive whose loss stays high are drawn more often than others."""
    frames = loader.sample(200, np.random.default_rng(0), np.ones(10))
    assert frames is not None
    with Fitter(build(LEARNER, 0), SETTINGS) as fitter:
        assert fitter.hard.tolist() == [1.0] * 10
        for _ in range(100):
            fitter._note(np.where(frames.phase >= 5, 3.0, 0.1), frames)
        drawn = loader.sample(400, np.random.default_rng(0), fitter.hard)
    assert drawn is not None and np.mean(drawn.phase >= 5) > 0.8


def test_ticks_without_a_valid_label_teach_nothing(loader: RenderingLoader) -> None:
    mute = [replace(d, ticks={**d.ticks, "valid": np.zeros(len(d), bool)}) for d in loader.demonstrations]
    learner, losses = fitted(RenderingLoader(mute, CAMERA), 1, learner=PLAIN)
    assert losses == [0.0] and weights(learner) == weights(build(PLAIN, seed=0))


def test_without_jitter_the_pictures_are_taken_as_they_are(loader: RenderingLoader) -> None:
    plain, _ = fitted(loader, 1, settings=replace(SETTINGS, jitter=0.0))
    shaken, _ = fitted(loader, 1)
    assert weights(plain) != weights(shaken)
