"""What own motion tells, on planted motions whose answer is known, and on a demonstrator that brakes for its bend."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.diagnostics import self_motion
from dagger.diagnostics.self_motion import (
    AHEAD,
    LEAST,
    TICK,
    Curve,
    Moment,
    check_self_motion,
    curve_of,
    drives_of,
    first_informative,
    in_short,
    in_words,
    motion_of,
    own_to,
    probed_ticks,
    samples,
)
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from policies.expert.expert import Expert
from scenarios.checks.leak_check import ALPHA
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import ALL_EPISODES, load_scenario
from sim.world.context import RunContext

DRIVES = 160
LENGTH = 40  # ticks of a planted drive


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_motion, "TREES", 8)  # planted answers are plain


def planted(
    tells_from: int | None, ends: np.ndarray | None = None, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Motions of DRIVES drives with a drawn level and noise; of answer 1 they are raised from one tick on."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 2, DRIVES)
    lengths = np.full(DRIVES, LENGTH) if ends is None else ends
    motions = [rng.uniform(4, 8) + 0.1 * rng.normal(size=(n, 1)) for n in lengths]
    if tells_from is not None:
        for motion, answer in zip(motions, answers):
            motion[tells_from:] += 1.5 * answer
    return motions, answers


@functools.cache
def demonstrations() -> list[Demonstration]:
    scenario = load_scenario("rain-turn")
    with RunContext().backend(128, None, slots_needed(scenario)) as backend:
        episodes = balanced_batch(scenario, range(DRIVES), ALL_EPISODES)
        return collect(backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0, "expert")


@functools.cache
def curve(tells_from: int | None) -> Curve:
    return curve_of(*planted(tells_from), np.full(DRIVES, LENGTH))


# ------------------------------------------------------------------------------------------------------ planted
@pytest.mark.parametrize("tick", [15, 23])
def test_motion_that_tells_from_a_tick_on_is_found_at_the_next_time_asked(tick: int) -> None:
    found = curve(tick)
    assert found.first is not None and 0 <= found.first.time - tick * TICK < self_motion.STEP
    assert found.lead == pytest.approx(LENGTH * TICK - found.first.time)
    assert all(m.accuracy > 0.95 for m in found.moments if m.time >= tick * TICK)


def test_motion_that_tells_nothing_is_not_accused() -> None:
    found = curve(None)
    assert found.first is None and found.lead is None
    assert len(found.moments) == LENGTH // 5 and {m.drives for m in found.moments} == {DRIVES}


def test_a_level_drawn_apart_from_the_answer_tells_nothing_and_hides_nothing() -> None:
    assert curve(23).moments[0].p_value > 0.01 and curve(23).first is not None


def test_how_long_a_drive_lasts_does_not_tell() -> None:
    rng = np.random.default_rng(1)
    _, answers = planted(None)
    ends = np.where(answers == 1, rng.integers(25, 60, DRIVES), rng.integers(15, 40, DRIVES))
    motions, answers = planted(None, ends)
    found = curve_of(motions, answers, ends)
    assert found.first is None
    assert found.moments[-1].chance > 0.65 > found.moments[0].chance, "who is left is mostly of one answer"
    assert found.ahead is not None and found.ahead.p_value > 0.01


def test_nothing_is_read_of_a_drive_from_its_sign_on() -> None:
    signs = np.where(np.arange(DRIVES) % 2, 12, LENGTH)
    motions, answers = planted(None)
    for motion, answer, sign in zip(motions, answers, signs):
        motion[sign:] += 20.0 * answer
    found = curve_of(motions, answers, signs)
    assert found.first is None and found.moments[-1].drives == DRIVES // 2


def test_a_drive_is_asked_about_a_second_before_its_own_sign() -> None:
    signs = np.where(np.arange(DRIVES) % 2, 20, 40)
    motions, answers = planted(None)
    for motion, answer, sign in zip(motions, answers, signs):
        motion[sign - 12 :] += 1.5 * answer  # a second and a grid's step before it, not earlier
    found = curve_of(motions, answers, signs)
    assert found.ahead is not None and found.ahead.accuracy > 0.85
    assert found.ahead.drives == DRIVES and found.ahead.time == pytest.approx(2.0)
    early = next(m for m in found.moments if m.time == pytest.approx(1.5))
    assert early.accuracy < 0.8, "half of the drives have told nothing yet"


def test_a_moment_among_many_must_tell_more_than_one_alone() -> None:
    moment = Moment(1.0, 100, 0.5, 0.7, 0.6 * ALPHA)
    assert first_informative([moment]) == moment and first_informative([moment, moment]) is None


def test_drives_that_show_their_answer_at_once_leave_nothing_to_ask() -> None:
    motions, answers = planted(0)
    found = curve_of(motions, answers, np.zeros(DRIVES, int))
    assert found == Curve((), None, None)


def test_chance_before_each_sign_is_no_lower_than_naming_the_commonest_answer() -> None:
    motions, _ = planted(None)
    answers = (np.arange(DRIVES) % 5 < 2).astype(int)
    signs = np.where(answers == 1, 20, LENGTH)  # at 1 s answer 0 is the commonest, and only answer 1 is asked about
    assert curve_of(motions, answers, signs).ahead is None
    signs[np.arange(DRIVES) % 10 == 4] = 20  # and now some of answer 0 as well
    found = curve_of(motions, answers, signs).ahead
    assert found is not None and found.drives == (signs == 20).sum()
    assert found.chance == pytest.approx(answers.sum() / found.drives) and found.p_value > 0.5


def test_several_answers_can_be_told() -> None:
    motions, _ = planted(None)
    answers = np.arange(DRIVES) % 3
    for motion, answer in zip(motions, answers):
        motion[20:] += 2.5 * answer
    found = curve_of(motions, answers, np.full(DRIVES, LENGTH))
    assert found.moments[0].chance == pytest.approx(1 / 3, abs=0.01)
    assert found.first is not None and found.first.time == pytest.approx(2.0)


def test_the_times_asked_are_few_however_long_the_drives() -> None:
    assert probed_ticks(np.full(9, 20)).tolist() == [0, 5, 10, 15]
    signs = np.repeat([600, 1200], 50)
    long = probed_ticks(signs)
    assert len(long) <= self_motion.MOMENTS and long[0] == 0 and {590, 1190} <= set(long)


def test_samples_end_with_the_tick_itself_and_never_lie_behind_it() -> None:
    for tick in (0, 1, 5, 48, 700):
        found = samples(tick)
        assert found[0] == 0 and found[-1] == tick and (np.diff(found) > 0).all()


# ----------------------------------------------------------------------------------------------- demonstrations
def test_motion_at_a_tick_has_only_what_was_executed_before_it() -> None:
    d = demonstrations()[0]
    motion = motion_of(d)
    assert motion.shape == (len(d), 4) and motion[0].tolist() == [d.moving["speed"][0, 0], 0.0, 0.0, 0.0]
    assert np.array_equal(motion[1:, 2], d.ticks["executed_acceleration"][:-1])
    assert np.array_equal(motion[1:, 3], d.ticks["executed_steer"][:-1])
    assert abs(motion[-1, 1]) == pytest.approx(np.pi / 2, abs=0.2), "it has turned a corner"


def test_a_demonstrator_that_brakes_for_its_bend_tells_before_it_steers() -> None:
    found = check_self_motion(load_scenario("rain-turn"), demonstrations())
    moments = {round(m.time, 1): m for m in found.curve.moments}
    assert moments[0.0].p_value > 0.01 and moments[3.5].accuracy > 0.7
    assert found.curve.first is not None and 2.0 <= found.curve.first.time < found.sign[1]
    assert found.sign[1] < found.read[1] and found.curve.ahead is not None
    assert found.evidence["raining"].known == (0.0, 0.0, 0.0), "weather is in sight from the start"
    figures = found.to_dict()
    assert json.loads(json.dumps(figures)) == figures
    assert (
        in_short(figures) == f"tells from {figures['first']:.1f} s, {figures['lead']:.1f} s before the decision shows"
    )
    said = in_words(figures)
    assert f"{AHEAD:g} s before each drive shows its own {figures['ahead']['accuracy']:.2f} (" in said
    assert "raining 0.0 to" in said and found.own == ()
    assert found.early is not None and found.early.time <= found.sign[0] - AHEAD < found.early.time + self_motion.STEP


def test_fresh_drives_are_those_of_a_run_with_the_same_episodes() -> None:
    scenario, shares = load_scenario("rain-turn"), []
    fresh = check_self_motion(scenario, drives=self_motion.FEW, on_done=shares.append)
    assert fresh == check_self_motion(scenario, demonstrations()[: self_motion.FEW])
    assert sum(shares) == pytest.approx(1.0)


def test_too_few_demonstrations_and_those_of_another_scenario_are_refused() -> None:
    with pytest.raises(ValueError, match=r"10 demonstrations .* at least 60"):
        check_self_motion(load_scenario("rain-turn"), demonstrations()[:10])
    with pytest.raises(ValueError, match="is of 'rain-turn'; wanted those of 'night-turn'"):
        check_self_motion(load_scenario("night-turn"), demonstrations())


def test_long_scenarios_take_fewer_drives() -> None:
    assert drives_of(load_scenario("remembered-sign")) == LEAST < drives_of(load_scenario("logic-xor"))


def test_a_mood_lawfully_shows_in_own_motion_and_the_words_say_so() -> None:
    assert own_to(load_scenario("drowsy-driver")) == ("drowsy",) and own_to(load_scenario("raging-driver")) == ()
    told = {"first": None, "lead": None, "sign": [1.0, 2.0, 3.0], "time": [], "early": None, "ahead": None}
    said = in_words(told | {"evidence": {}, "own": ["drowsy"]})
    assert said.endswith("at 2.0 s (1.0 to 3.0 s); own motion is where drowsy shows")


def test_a_verdict_says_when_nothing_is_told_and_when_all_is_told_at_once() -> None:
    assert in_short({"first": None, "lead": None}) == "tells nothing before the decision shows"
    assert in_short({"first": 0.0, "lead": 2.04}) == "tells from the start, 2.0 s before the decision shows"
