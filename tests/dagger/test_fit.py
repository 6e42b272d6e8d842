"""Fitting: it learns, it repeats to the byte, and a killed fit goes on to the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dagger.collect import collect
from dagger.fit import FitSettings, fit
from dagger.loader import RenderingLoader
from dagger.schedule import BetaSchedule
from policies.expert import Fixed
from policies.learner import Learner, LearnerSettings, build
from sim.config import Camera
from tests.worlds import episode, started

CAMERA = Camera(width=32, height=24)
LEARNER = LearnerSettings(image=(24, 32), width=16, memory_width=8, head_width=8, mixtures=2)
SETTINGS = FitSettings(window=8, sequences=4, learning_rate=3e-3)


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
    return RenderingLoader(found, CAMERA, cache_bytes=10**8)


def fitted(
    loader: RenderingLoader, epochs: int, state: Path | None = None, seed: int = 1,
    on_step: Callable[[int, int, float], None] | None = None, settings: FitSettings = SETTINGS,
) -> tuple[Learner, list[float]]:  # fmt: skip
    learner = build(LEARNER, seed=0)
    return learner, fit(learner, loader, settings, epochs, (seed, 0), state, on_step)


def weights(learner: Learner) -> bytes:
    return b"".join(t.numpy().tobytes() for _, t in sorted(learner.state_dict().items()))


def test_the_loss_falls(loader: RenderingLoader) -> None:
    learner, losses = fitted(loader, 8)
    assert len(losses) == 8 and losses[-1] < losses[0] - 0.3
    assert not learner.training


def test_a_fit_repeats_to_the_byte_and_hangs_on_its_seed(loader: RenderingLoader) -> None:
    first, losses = fitted(loader, 2)
    again, losses_again = fitted(loader, 2)
    other, _ = fitted(loader, 2, seed=2)
    assert weights(first) == weights(again) and losses == losses_again
    assert weights(first) != weights(other)


@pytest.mark.parametrize("kill_at", [1, 6, 11])
def test_a_killed_fit_goes_on_to_the_same_bytes(loader: RenderingLoader, tmp_path: Path, kill_at: int) -> None:
    whole, losses = fitted(loader, 3)
    steps = []

    def killer(step: int, of: int, loss: float) -> None:
        steps.append(step)
        if step == kill_at:
            raise Killed

    with pytest.raises(Killed):
        fitted(loader, 3, tmp_path / "state", on_step=killer)
    assert max(steps) == kill_at
    resumed, resumed_losses = fitted(loader, 3, tmp_path / "state")
    assert weights(resumed) == weights(whole)
    assert resumed_losses == losses


def test_a_finished_fit_is_not_repeated(loader: RenderingLoader, tmp_path: Path) -> None:
    whole, losses = fitted(loader, 2, tmp_path / "state")
    steps: list[int] = []
    again, losses_again = fitted(loader, 2, tmp_path / "state", on_step=lambda s, n, x: steps.append(s))
    assert steps == [] and losses == losses_again and weights(again) == weights(whole)


def test_every_epoch_has_an_order_of_its_own(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[bytes] = []
    original = RenderingLoader.windows

    def watched(self: RenderingLoader, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        found = original(self, length, rng)
        orders.append(found[0].tobytes() + found[1].tobytes())
        return found

    monkeypatch.setattr(RenderingLoader, "windows", watched)
    fitted(loader, 4)
    assert len(orders) == len(set(orders)) == 4


def test_the_learning_rate_falls_along_a_cosine(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *args: object, **kwargs: object) -> object:
        rates.append(float(self.param_groups[0]["lr"]))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    fitted(loader, 4)
    assert rates[0] == pytest.approx(3e-3)
    assert rates == sorted(rates, reverse=True)
    assert 3e-3 * SETTINGS.last_rate <= rates[-1] < 3e-3 * 0.35


def test_a_loss_that_is_no_number_ends_the_fit(loader: RenderingLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "loss", lambda self, *a: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fitted(loader, 1)


def test_ticks_without_a_valid_label_teach_nothing(loader: RenderingLoader) -> None:
    mute = [replace(d, ticks={**d.ticks, "valid": np.zeros(len(d), bool)}) for d in loader.demonstrations]
    learner, losses = fitted(RenderingLoader(mute, CAMERA), 1)
    assert losses == [0.0] and weights(learner) == weights(build(LEARNER, seed=0))


def test_without_jitter_the_pictures_are_taken_as_they_are(loader: RenderingLoader) -> None:
    plain, _ = fitted(loader, 1, settings=replace(SETTINGS, jitter=0.0))
    shaken, _ = fitted(loader, 1)
    assert weights(plain) != weights(shaken)
