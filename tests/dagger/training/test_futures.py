"""Futures: what a drive came to, seen from each of its ticks, told by its motion alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration, Takeover
from dagger.training.futures import DISTANCES, TIMES, clustered, futures_of, futures_of_motion, gathered
from dagger.training.loader import RenderingLoader
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import load_scenario
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL


@pytest.fixture(scope="module")
def demonstrations() -> list[Demonstration]:
    scenario = load_scenario("rain-turn")
    backend = EmbeddedWorld(12, SMALL, slots_needed(scenario))
    return collect(
        backend, Expert.of(scenario), None, balanced_batch(scenario, range(12), "train"), BetaSchedule(), 0, "expert"
    )


def circle(radius: float, speed: float, ticks: int) -> tuple[np.ndarray, ...]:
    """x, y, yaw, speed of a drive to the left along a circle, from its lowest point."""
    angle = speed * 0.1 * np.arange(ticks) / radius
    return radius * np.sin(angle), radius - radius * np.cos(angle), angle, np.full(ticks, speed)


def test_the_future_of_a_circle_is_the_circle_from_every_tick() -> None:
    radius = 30.0
    path, progress = futures_of_motion(*circle(radius, 8.0, 400))
    for tick in (0, 57, 200):  # far enough from the end
        angle = DISTANCES / radius
        expected = np.stack([radius * np.sin(angle), radius - radius * np.cos(angle)], -1)
        np.testing.assert_allclose(path[tick], expected, atol=0.1)  # chords of 0.8 m are 0.01 m shorter than arcs
        np.testing.assert_allclose(progress[tick], 8.0 * TIMES, atol=1e-3)


def test_a_drive_that_has_ended_goes_on_straight_at_its_last_speed() -> None:
    x = np.array([0.0, 1.0, 2.0])
    path, progress = futures_of_motion(x, np.zeros(3), np.zeros(3), np.array([10.0, 10.0, 5.0]))
    np.testing.assert_allclose(path[2], np.stack([DISTANCES, 0 * DISTANCES], -1), atol=1e-5)
    np.testing.assert_allclose(progress[2], 5.0 * TIMES, atol=1e-4)
    np.testing.assert_allclose(progress[0], 2.0 + 5.0 * (TIMES - 0.2), atol=1e-4)


def test_backing_up_covers_less_of_the_way() -> None:
    speed = np.array([2.0] * 10 + [-2.0] * 10)
    x = np.concatenate([[0.0], np.cumsum(speed[:-1] * 0.1)])
    _, progress = futures_of_motion(x, np.zeros(20), np.zeros(20), speed)
    assert progress[0, 0] == pytest.approx(2.0) and progress[10, 0] == pytest.approx(-2.0)


def test_futures_are_known_where_the_demonstrator_drove_on_alone_and_arrived(
    demonstrations: list[Demonstration],
) -> None:
    d = demonstrations[0]
    assert futures_of(d).known.all()
    used = np.ones(len(d), bool)
    used[20] = False  # somebody else had a hand in what came of the ticks before
    mixed = replace(d, ticks={**d.ticks, "expert_used": used})
    assert futures_of(mixed).known.tolist() == [t > 20 for t in range(len(d))]
    np.testing.assert_allclose(futures_of(mixed).path[21:], futures_of(d).path[21:], atol=1e-5)
    assert not futures_of(replace(d, outcome=0)).known.any()
    motion = np.stack([d.moving[k][7:, 0] for k in ("x", "y", "yaw", "speed")], 1)
    told = futures_of(replace(mixed, takeovers=(Takeover(7, motion),)))
    assert told.known.tolist() == [t > 20 or t == 7 for t in range(len(d))]
    np.testing.assert_allclose(told.path[7], futures_of(d).path[7], atol=1e-4)


def test_anchors_part_left_from_right_and_repeat_to_the_bit(demonstrations: list[Demonstration]) -> None:
    futures = gathered(demonstrations)
    anchors, again = clustered(futures, 16, 3), clustered(futures, 16, 3)
    assert anchors.path.tobytes() == again.path.tobytes() and anchors.progress.tobytes() == again.progress.tobytes()
    starts = np.concatenate([[0], np.cumsum([len(d) for d in demonstrations])])[:-1]
    ends = anchors.path[:, -1, 1]
    assert ends.min() < -10.0 < 10.0 < ends.max()
    for d, start in zip(demonstrations, starts):
        tick = start + len(d) // 3  # before the turn
        nearest = np.square(futures.path[tick] - anchors.path).sum((1, 2)).argmin()
        turned = np.unwrap(d.moving["yaw"][:, 0])
        assert (ends[nearest] > 0) == (turned[-1] > turned[0])


def test_drives_that_are_all_alike_have_anchors_too(demonstrations: list[Demonstration]) -> None:
    futures = gathered(demonstrations[:1])
    few = type(futures)(futures.path[:3], futures.progress[:3], futures.known[:3])
    alike = type(futures)(*(np.repeat(a[:1], 9, 0) for a in (futures.path, futures.progress, futures.known)))
    assert np.isfinite(clustered(alike, 8, 0).path).all()
    with pytest.raises(ValueError, match="3 ticks have a known future; 8 anchors want at least as many"):
        clustered(few, 8, 0)


def stripped(demonstrations: Sequence[Demonstration]) -> list[Demonstration]:
    """Without propositions, decisions and the way that was read off the drive."""
    return [
        replace(d, propositions={}, shown_decision=-1, ticks={**d.ticks, "decision": np.zeros(len(d), np.int8)})
        for d in demonstrations
    ]


def test_inputs_and_targets_are_the_same_bytes_without_rule_and_propositions(
    demonstrations: list[Demonstration],
) -> None:
    """What a learner is fitted to reads behaviour: no proposition, decision or rule."""

    def everything(found: Sequence[Demonstration]) -> bytes:
        loader = RenderingLoader(found, SMALL)
        rng = np.random.default_rng(0)
        batches = [loader.batch(w) for w in loader.plan(32, 4, rng)]
        frames = loader.sample(64, rng, np.ones(10))
        anchors = clustered(loader.futures, 4, 0)
        arrays = [*anchors.__dict__.values(), *frames.__dict__.values()]
        for made in batches:
            arrays += made.__dict__.values()
        return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)

    assert everything(demonstrations) == everything(stripped(demonstrations))


def test_a_drive_by_another_rule_that_comes_to_the_same_has_the_same_futures(
    demonstrations: list[Demonstration],
) -> None:
    """The scenario's rule is not read: an expert with another rule and the same behaviour gives the same targets."""
    scenario = load_scenario("rain-turn").with_rule("right if not raining else left")
    backend = EmbeddedWorld(12, SMALL, slots_needed(scenario))
    episodes = balanced_batch(scenario, range(12), "train")
    other = collect(backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0, "expert")
    mine, theirs = gathered(demonstrations), gathered(other)
    assert torch.equal(torch.from_numpy(mine.path), torch.from_numpy(theirs.path))
    assert mine.known.tobytes() == theirs.known.tobytes()
