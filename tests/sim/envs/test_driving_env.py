"""The Gymnasium faces: what Gymnasium checks itself, and that a Fleet is B environments to the byte."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from scenarios import DRIVE
from scenarios.gym.environments import make_drive, make_vector
from sim.actors.registry import EGO
from sim.datatypes.vocabulary import OUTCOME
from sim.envs.driving_env import DrivingEnv, DrivingVectorEnv, to_action
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode


def draw(seed: int):  # type: ignore[no-untyped-def]
    return episode(seed, distance=20.0 + seed % 7, speed=3.0 + seed % 5, time_limit=0.5 + 0.4 * (seed % 9))


def drive_env(render_mode: str | None = None) -> DrivingEnv:
    return DrivingEnv(EmbeddedWorld(1, SMALL), draw, render_mode)


def fleet(worlds: int, render_mode: str | None = None) -> DrivingVectorEnv:
    return DrivingVectorEnv(EmbeddedWorld(worlds, SMALL), draw, render_mode)


def run(code: str, *flags: str) -> str:
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ------------------------------------------------------------------------------------------------- registration
def test_gymnasiums_own_checker_has_nothing_to_say() -> None:
    env = gym.make(DRIVE, scenario="rain-turn", camera=SMALL, render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env)


def test_the_name_is_found_with_the_module_in_front_and_nothing_imported() -> None:
    code = (
        "import gymnasium as gym;"
        "env = gym.make('scenarios:homunculus/Drive-v0', scenario='rain-turn');"
        "print(env.unwrapped.__class__.__name__, env.observation_space['camera'].shape)"
    )
    assert run(code, "-W", "error") == "DrivingEnv (64, 96, 3)"


def test_the_name_is_found_after_the_import() -> None:
    code = (
        "import gymnasium as gym, scenarios;"
        "env = gym.make_vec('homunculus/Drive-v0', num_envs=3, vectorization_mode='vector_entry_point');"
        "print(env.__class__.__name__, env.num_envs)"
    )
    assert run(code, "-W", "error") == "DrivingVectorEnv 3"


def test_an_unknown_scenario_is_refused_with_those_known() -> None:
    with pytest.raises((ValueError, FileNotFoundError), match="rain-turn"):
        gym.make(DRIVE, scenario="rain-trun")


# ------------------------------------------------------------------------------------------------------ one world
def test_actions_are_shares_of_what_the_car_can() -> None:
    action = to_action(np.array([[1.0, 1.0], [-0.5, -1.0], [7.0, -7.0], [0.0, 0.0]]))
    np.testing.assert_allclose(action.steer, np.array([1, -0.5, 1, 0]) * EGO.max_steer, rtol=1e-6)
    np.testing.assert_allclose(action.acceleration, [EGO.max_acceleration, -EGO.max_braking, -EGO.max_braking, 0.0])
    assert action.steer.dtype == action.acceleration.dtype == np.float32


def test_the_same_seed_starts_the_same_episode_and_another_seed_another() -> None:
    env = drive_env()
    first, _ = env.reset(seed=5)
    again, _ = env.reset(seed=5)
    other, _ = env.reset(seed=6)
    unseeded, _ = env.reset()
    assert (first["camera"] == again["camera"]).all() and first["speed"] == again["speed"]
    assert (first["camera"] != other["camera"]).any()
    assert (other["camera"] != unseeded["camera"]).any(), "the next episode is the last one again"


def test_a_given_episode_is_driven() -> None:
    env = drive_env()
    env.reset(options={"episode": episode(77, speed=1.25)})
    assert env.backend.world.seed[0] == 77 and env.backend.world.speed[0, 0] == 1.25


def test_rewards_add_up_to_the_progress_and_a_crash_costs_one() -> None:
    env = drive_env()
    _, info = env.reset(options={"episode": episode(1, time_limit=20.0)})
    assert info["progress"] == 0.0 and info["outcome"] == "running" and info["shown_decision"] == "none"
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, truncated, info = env.step(np.array([0.02, 0.3], np.float32))
        assert not truncated
        total += reward
    assert info["outcome"] == "off_road"
    assert total == pytest.approx(info["progress"] - 1.0)


def test_time_truncates_and_does_not_terminate() -> None:
    env = drive_env()
    env.reset(options={"episode": episode(1, time_limit=0.2)})
    assert env.step(np.zeros(2, np.float32))[2:4] == (False, False)
    assert env.step(np.zeros(2, np.float32))[2:4] == (False, True)


def test_a_render_is_the_cameras_picture() -> None:
    env = drive_env("rgb_array")
    seen, _ = env.reset(seed=1)
    picture = env.render()
    assert picture is not None and (picture == seen["camera"]).all()
    assert drive_env().render() is None


def test_one_world_is_what_a_drive_env_wants() -> None:
    with pytest.raises(ValueError, match="2 worlds; it drives exactly 1"):
        DrivingEnv(EmbeddedWorld(2, SMALL), draw)


# ------------------------------------------------------------------------------------------------------ many worlds
def test_a_fleet_is_so_many_drive_envs_to_the_byte_over_autoresets() -> None:
    worlds = 3
    mine, theirs = fleet(worlds), SyncVectorEnv([drive_env] * worlds, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert mine.observation_space == theirs.observation_space
    assert mine.action_space == theirs.action_space
    assert mine.single_observation_space == theirs.single_observation_space
    assert mine.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    rng = np.random.default_rng(1)
    outcomes: set[str] = set()
    results = [mine.reset(seed=4), theirs.reset(seed=4)]
    ends = 0
    for _ in range(60):
        (seen, info), (seen_too, info_too) = ((r[0], r[-1]) for r in results)
        for name in ("camera", "speed"):
            assert seen[name].dtype == seen_too[name].dtype
            assert seen[name].tobytes() == seen_too[name].tobytes(), name
        for name in ("outcome", "shown_decision", "progress"):
            assert list(info[name]) == list(info_too[name]), name
        action = rng.uniform(-1, 1, (worlds, 2)) * [0.1, 1.0] + [[0.3, 0.5], [-0.1, 0.2], [0.0, 0.3]]
        results = [mine.step(action.astype(np.float32)), theirs.step(action.astype(np.float32))]
        for part in (1, 2, 3):  # reward, terminated, truncated
            np.testing.assert_array_equal(results[0][part], results[1][part])
            assert results[0][part].dtype == results[1][part].dtype
        assert mine.observation_space.contains(results[0][0])
        outcomes |= set(results[0][-1]["outcome"].tolist())
        ends += int((results[0][2] | results[0][3]).sum())
    assert ends > 6, "no autoreset was met"
    assert outcomes >= {"running", "timeout", "off_road"}


def test_the_step_after_an_end_ignores_the_action_and_shows_the_new_start() -> None:
    env = fleet(2)
    env.reset(seed=0)
    env.backend.reset([episode(1, time_limit=0.1), episode(2)], [0, 1])
    _, _, _, truncated, info = env.step(np.zeros((2, 2), np.float32))
    assert truncated.tolist() == [True, False] and list(info["outcome"]) == ["timeout", "running"]
    moved = env.backend.world.y[1, 0]
    _, reward, terminated, truncated, info = env.step(np.array([[1, -1], [0, 0]], np.float32))
    assert reward[0] == 0.0 and reward[1] > 0.0
    assert not terminated.any() and not truncated.any()
    assert env.backend.world.tick.tolist() == [0, 2]
    assert env.backend.world.steer[0, 0] == 0.0 and info["progress"][0] == 0.0
    assert env.backend.world.y[1, 0] != moved


def test_a_masked_reset_leaves_the_other_worlds_alone() -> None:
    env = fleet(3)
    env.reset(seed=0)
    env.step(np.zeros((3, 2), np.float32))
    before = env.backend.world.copy()
    env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.backend.world.tick.tolist() == [1, 0, 1]
    assert (env.backend.world.x[[0, 2]] == before.x[[0, 2]]).all()


def test_a_wrong_number_of_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="2 seeds for 3 worlds"):
        fleet(3).reset(seed=[1, 2])


def test_gymnasiums_episode_statistics_work_on_a_fleet() -> None:
    env = RecordEpisodeStatistics(fleet(4))
    env.reset(seed=3)
    lengths, returns = [], []
    for _ in range(80):
        _, _, terminated, truncated, info = env.step(np.zeros((4, 2), np.float32))
        ended = terminated | truncated
        if ended.any():
            lengths += info["episode"]["l"][ended].tolist()
            returns += info["episode"]["r"][ended].tolist()
    assert len(lengths) > 8
    assert set(lengths) <= set(range(5, 38)), "episodes of 0.5 to 3.7 s have 5 to 37 ticks"
    assert all(0.0 < r < 1.0 for r in returns)


def test_a_fleet_renders_every_world() -> None:
    env = fleet(2, "rgb_array")
    seen, _ = env.reset(seed=1)
    pictures = env.render()
    assert pictures is not None and len(pictures) == 2
    assert (np.stack(pictures) == seen["camera"]).all()
    assert fleet(2).render() is None


def test_scenarios_give_both_faces_the_same_episodes() -> None:
    one, many = make_drive("rain-turn", camera=SMALL), make_vector(2, "rain-turn", camera=SMALL)
    alone, _ = one.reset(seed=12)
    together, _ = many.reset(seed=11)
    assert (alone["camera"] == together["camera"][1]).all()
    assert many.backend.world.outcome.tolist() == [OUTCOME["running"]] * 2
