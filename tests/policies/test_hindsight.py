"""Hindsight heads: a choice among futures that teaches, and drives nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from policies.hindsight import METRES, MOMENTS, OFFSET_WEIGHT, POINTS, PROGRESS_WEIGHT, Answer, Hindsight, Target
from policies.learner import Learner, LearnerSettings, build
from sim.datatypes.action import Observation

SMALL = LearnerSettings(image=(24, 32), width=12, memory_width=10, head_width=8, mixtures=2, futures=3)


def anchored() -> Hindsight:
    torch.manual_seed(0)
    hindsight = Hindsight(12, 10, 8, 3)
    path = torch.zeros(3, POINTS, 2)
    path[0, :, 1], path[2, :, 1] = -20.0, 20.0
    hindsight.set_anchors(path, torch.arange(3.0)[:, None].expand(3, MOMENTS) * 10.0)
    return hindsight


def answer(path: list[float], progress: list[float]) -> Answer:
    """One tick's, with log probabilities as given and no offsets."""
    chosen = (torch.tensor([row]).log_softmax(-1) for row in (path, progress))
    return Answer(*chosen, torch.zeros(1, 3, 2 * POINTS), torch.zeros(1, 3, MOMENTS))


def test_the_loss_is_that_of_choosing_the_nearest_anchor_and_of_the_offset_from_it() -> None:
    hindsight = anchored()
    path = hindsight.path_anchors[2:].clone()
    path[0, :, 1] += 2.0  # all points 2 m from the anchor: 0.2 inside, below smooth L1's bend
    target = Target(path, hindsight.progress_anchors[1:2].clone(), torch.ones(1, dtype=torch.bool))
    chosen = -math.log(math.exp(1.0) / (math.exp(1.0) + 2.0))
    offset = OFFSET_WEIGHT * POINTS * 0.5 * (2.0 / METRES) ** 2
    expected = chosen + offset + PROGRESS_WEIGHT * math.log(3.0)
    found = hindsight.loss(answer([0.0, 0.0, 1.0], [0.0, 0.0, 0.0]), target)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_ticks_without_a_known_future_are_not_asked_about() -> None:
    hindsight = anchored()
    path = torch.stack([hindsight.path_anchors[0], torch.full((POINTS, 2), torch.nan)])
    progress = torch.stack([hindsight.progress_anchors[0], torch.full((MOMENTS,), torch.nan)])
    one = answer([1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    both = Answer(*(torch.cat([a, a]) for a in (one.path, one.progress, one.path_offset, one.progress_offset)))
    alone = hindsight.loss(one, Target(path[:1], progress[:1], torch.ones(1, dtype=torch.bool)))
    assert torch.equal(hindsight.loss(both, Target(path, progress, torch.tensor([True, False]))), alone)
    assert float(hindsight.loss(both, Target(path, progress, torch.zeros(2, dtype=torch.bool)))) == 0.0


def test_anchors_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"anchors of path have shape \(2, 7, 2\); wanted \(3, 7, 2\)"):
        anchored().set_anchors(torch.zeros(2, POINTS, 2), torch.zeros(3, MOMENTS))


def drive(learner: Learner, ticks: int = 6) -> bytes:
    rng, memory, actions = np.random.default_rng(0), learner.begin(3), []
    for _ in range(ticks):
        seen = Observation(rng.integers(0, 256, (3, 24, 32, 3), dtype=np.uint8), np.full(3, 5.0, np.float32))
        action, memory = learner.act(seen, memory)
        actions.append(action.steer.tobytes() + action.acceleration.tobytes())
    return b"".join(actions)


def test_taking_the_hindsight_heads_away_changes_no_action() -> None:
    learner = build(SMALL, seed=1)
    with_heads = drive(learner)
    assert learner.hindsight is not None
    for parameter in learner.hindsight.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    assert drive(learner) == with_heads
    learner.hindsight = None
    assert drive(learner) == with_heads


def test_the_rest_begins_with_the_same_weights_with_and_without_heads() -> None:
    plain = build(LearnerSettings(**{**SMALL.__dict__, "futures": 0}), seed=1)
    assert plain.hindsight is None and drive(plain) == drive(build(SMALL, seed=1))
    with pytest.raises(ValueError, match="no hindsight heads"):
        plain.frame_losses(torch.zeros(1, 24, 32, 3, dtype=torch.uint8), torch.zeros(1), None)  # type: ignore[arg-type]


def test_single_pictures_teach_the_encoder_and_sequences_the_memory() -> None:
    learner = build(SMALL, seed=1)
    target = Target(torch.ones(4, POINTS, 2), torch.ones(4, MOMENTS), torch.ones(4, dtype=torch.bool))
    camera = torch.randint(0, 256, (4, 24, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    learner.frame_losses(camera, torch.ones(4), target).mean().backward()
    touched = {name.split(".")[0] for name, p in learner.named_parameters() if p.grad is not None}
    assert touched == {"encoder", "embedding", "embed_speed", "level", "hindsight"}
    learner.zero_grad()
    sequences = Target(*(t[None] for t in target))
    ones = torch.ones(1, 4)
    _, behind, _ = learner.loss(camera[None], ones, ones, ones, ones > 0, sequences)
    behind.backward()
    gradient = learner.memory.core.weight_hh_l0.grad
    assert gradient is not None and gradient.abs().sum() > 0


@pytest.mark.parametrize("futures", [1, -2, 2000, 2.5])
def test_a_number_of_futures_that_is_no_choice_is_refused(futures: float) -> None:
    with pytest.raises(ValueError, match="futures is"):
        LearnerSettings(futures=futures)  # type: ignore[arg-type]
