"""Mixed control: who drives is drawn as the schedule says, and the expert labels whatever is visited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import TICK_FIELDS, Demonstration, DemonstrationStore
from dagger.training.loader import RenderingLoader
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, decision, slots_needed, valuation
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import DECISION, OUTCOME
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput
from tests.support.worlds import SMALL


class Wanderer:
    """A learner that always does the same; its memory counts its ticks."""

    needs = "camera"

    def __init__(self, steer: float = 0.0, acceleration: float = 0.5) -> None:
        self.steer, self.acceleration, self.asked = steer, acceleration, 0

    def begin(self, worlds: int) -> np.ndarray:
        return np.zeros((worlds, 1), np.float32)

    def act(self, seen: Any, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        self.asked += len(seen.speed)
        n = len(seen.speed)
        return Action(np.full(n, self.steer, np.float32), np.full(n, self.acceleration, np.float32)), memory + 1


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("rain-turn")


def collected(
    scenario: Scenario, learner: Any, schedule: BetaSchedule, count: int = 8, worlds: int = 8, round_: int = 1
) -> list[Demonstration]:
    return collect(
        EmbeddedWorld(worlds, SMALL, slots_needed(scenario)), Expert.of(scenario), learner,
        balanced_batch(scenario, range(count), "train"), schedule, round_,
        "dagger" if learner else "expert", "v1", {"numpy": "2"},
    )  # fmt: skip


def test_the_expert_alone_executes_its_own_labels_and_all_are_valid(scenario: Scenario) -> None:
    for d in collected(scenario, None, BetaSchedule(), round_=0):
        np.testing.assert_array_equal(d.ticks["executed_steer"], d.ticks["expert_steer"])
        np.testing.assert_array_equal(d.ticks["executed_acceleration"], d.ticks["expert_acceleration"])
        assert d.ticks["expert_used"].all() and d.ticks["valid"].all() and (d.ticks["beta"] == 1.0).all()
        assert d.outcome == OUTCOME["arrived"] and d.labels == len(d)


def test_what_a_demonstration_says_of_its_episode_is_so(scenario: Scenario) -> None:
    episodes = balanced_batch(scenario, range(5), "train")
    found = collected(scenario, None, BetaSchedule(), count=5, worlds=3, round_=0)  # the last batch is padded
    assert [d.episode for d in found] == episodes
    for d, e in zip(found, episodes):
        assert (d.ticks["decision"] == decision(scenario, e)).all() and d.shown_decision == decision(scenario, e)
        assert {n: bool(v[0]) for n, v in d.propositions.items()} == valuation(scenario, e)
        assert all(len(v) == len(d) for v in d.propositions.values())
        np.testing.assert_array_equal(d.weather[0], e.weather.array())
        assert (d.driver, d.round, d.policy_version, d.versions) == ("expert", 0, "v1", {"numpy": "2"})
        assert d.moving["speed"][0, 0] == np.float32(e.speed), "the first state is not the one of the first action"


def test_a_learner_without_the_expert_drives_itself_and_is_labelled_all_the_same(scenario: Scenario) -> None:
    learner = Wanderer(steer=0.03)
    found = collected(scenario, learner, BetaSchedule("indicator"))
    assert learner.asked == sum(len(d) for d in found)
    for d in found:
        assert not d.ticks["expert_used"].any() and (d.ticks["beta"] == 0.0).all()
        np.testing.assert_allclose(d.ticks["executed_steer"], 0.03)
        assert d.outcome != OUTCOME["arrived"]
        assert d.ticks["valid"][:5].all(), "the expert has nothing to say of the lane it would be in itself"
        assert (np.abs(d.ticks["expert_steer"] - 0.03) > 1e-3).any()


def test_half_the_control_is_about_half_the_ticks_and_each_tick_has_one_driver(scenario: Scenario) -> None:
    found = collected(scenario, Wanderer(), BetaSchedule("constant", 0.5, per="step"), count=24)
    used = np.concatenate([d.ticks["expert_used"][d.ticks["valid"]] for d in found])
    # 24 episodes of some 60 ticks: one standard deviation of the share is under 0.02.
    assert abs(used.mean() - 0.5) < 0.08
    for d in found:
        mine = d.ticks["expert_used"]
        np.testing.assert_array_equal(d.ticks["executed_steer"][mine], d.ticks["expert_steer"][mine])
        assert (d.ticks["executed_steer"][~mine] == 0.0).all() and (
            d.ticks["executed_acceleration"][~mine] == 0.5
        ).all()


def test_segments_hold_and_steps_do_not(scenario: Scenario) -> None:
    def changes(schedule: BetaSchedule) -> tuple[set[int], int]:
        at: set[int] = set()
        for d in collected(scenario, Wanderer(), schedule):
            used = d.ticks["expert_used"][: int(d.ticks["valid"].argmin() or len(d))]
            at |= set((np.flatnonzero(np.diff(used.astype(int))) + 1).tolist())
        return at, len(at)

    held, _ = changes(BetaSchedule("constant", 0.5, segment=1.0))
    assert held and all(t % 10 == 0 for t in held), "the wheel changed hands within a segment"
    _, many = changes(BetaSchedule("constant", 0.5, per="step"))
    assert many > 2 * len(held)


def test_an_expert_without_a_route_gives_control_back(scenario: Scenario) -> None:
    class Contrary(Expert):
        """Wants the other way than it first drives: by the time it changes its mind, another way is taken."""

    always_left = Contrary(lambda world: np.where(world.tick > 75, DECISION["right"], DECISION["left"]))
    found = collect(
        EmbeddedWorld(4, SMALL, slots_needed(scenario)), always_left, Wanderer(acceleration=-0.25),
        balanced_batch(scenario, range(4), "train"),
        BetaSchedule("constant", 1.0), 1, "dagger",
    )  # fmt: skip
    assert any((~d.ticks["valid"]).any() for d in found)
    for d in found:
        np.testing.assert_array_equal(d.ticks["expert_used"], d.ticks["valid"])


def test_a_full_share_of_control_is_behaviour_cloning(scenario: Scenario) -> None:
    cloned = collected(scenario, None, BetaSchedule(), round_=0)
    mixed = collected(scenario, Wanderer(), BetaSchedule("constant", 1.0))
    for one, other in zip(cloned, mixed):
        assert one.moving["x"].tobytes() == other.moving["x"].tobytes()


def test_who_drives_comes_from_the_worlds_own_seed(scenario: Scenario) -> None:
    together = collected(scenario, Wanderer(), BetaSchedule("constant", 0.5, segment=0.5), worlds=8)
    apart = collected(scenario, Wanderer(), BetaSchedule("constant", 0.5, segment=0.5), worlds=3)
    for one, other in zip(together, apart):
        assert one.ticks["expert_used"].tobytes() == other.ticks["expert_used"].tobytes()
    assert len({d.ticks["expert_used"][:40].tobytes() for d in together}) > 4


def test_the_rows_of_a_truth_are_the_running_worlds(scenario: Scenario) -> None:
    class Checked(Expert):
        def label(self, seen: PrivilegedInput, memory: np.ndarray | None = None):  # type: ignore[no-untyped-def]
            assert (seen.world.outcome == OUTCOME["running"]).all()
            return super().label(seen, memory)

    done: list[float] = []
    collect(
        EmbeddedWorld(3, SMALL, slots_needed(scenario)), Checked(Expert.of(scenario).reasoner), None,
        balanced_batch(scenario, range(7), "train"), BetaSchedule(), 0, "expert",
        on_done=done.append,
    )  # fmt: skip
    assert done == [3, 3, 1]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("drowsy-driver", {"driver_state"}),
        ("parallel-parking", {"executed_reverse", "expert_reverse"}),
        ("rain-turn", set()),
    ],
)
def test_moods_and_gears_are_kept_where_there_are_some_and_nowhere_else(
    name: str, fields: set[str], tmp_path: Path
) -> None:
    scenario = load_scenario(name)
    found = collected(scenario, None, BetaSchedule(), count=4, worlds=4, round_=0)
    store = DemonstrationStore(tmp_path)
    store.append(found, "round-0")
    for before, after in zip(found, store.read()):
        assert set(after.ticks) - set(TICK_FIELDS) == fields
        for field in fields:
            np.testing.assert_array_equal(after.ticks[field], before.ticks[field])
    if name == "drowsy-driver":
        moods = [d.ticks["driver_state"].max() for d in found]
        assert [m > 0 for m in moods] == [
            d.episode.driver_state is not None and d.episode.driver_state.drowsy for d in found
        ]


def test_a_learner_of_one_who_backs_up_is_told_to_push_backwards() -> None:
    scenario = load_scenario("parallel-parking")
    found = collected(scenario, None, BetaSchedule(), count=2, worlds=2, round_=0)
    drives = RenderingLoader(found, SMALL).drives(np.array([0]))
    backwards = found[0].ticks["expert_reverse"] & (found[0].ticks["expert_acceleration"] > 0)
    assert backwards.any() and (drives.acceleration[0][backwards] < 0).all()
