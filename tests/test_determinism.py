"""A world's bytes and pictures follow from its own episode and actions alone: always on, for every change.

Batch sizes, thread counts and neighbours are varied; what must not vary is compared to the byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from dagger.training.loader import RenderingLoader
from policies.expert.expert import Expert
from policies.learner import Learner, LearnerSettings, build
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode, MapSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.render.rgb import render
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import DYNAMIC_FIELDS, PrivilegedInput, observe_for, rollout
from tests.support.worlds import SMALL, row_bytes

TICKS = 12


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("rain-turn")


@pytest.fixture(scope="module")
def episodes(scenario: Scenario) -> list[Episode]:
    return balanced_batch(scenario, range(300), "test")


def played(
    scenario: Scenario, episodes: list[Episode], threads: int, camera: Camera = SMALL
) -> list[tuple[dict[str, bytes], bytes]]:
    """Every world's bytes and picture after TICKS ticks of actions that hang on its seed alone."""
    backend = EmbeddedWorld(len(episodes), camera, slots_needed(scenario), threads)
    backend.reset(episodes)
    chances = [np.random.default_rng(e.seed) for e in episodes]
    for _ in range(TICKS):
        drawn = np.array([c.normal(0, [0.05, 1.0]) for c in chances], np.float32)
        backend.step(Action(drawn[:, 0], drawn[:, 1]))
    pictures = backend.observe().camera
    return [(row_bytes(backend, w), pictures[w].tobytes()) for w in range(len(episodes))]


@pytest.fixture(scope="module")
def alone(scenario: Scenario, episodes: list[Episode]) -> list[tuple[dict[str, bytes], bytes]]:
    """The first seven episodes, each in a fleet of one."""
    return [played(scenario, [e], 1)[0] for e in episodes[:7]]


@pytest.mark.parametrize(("worlds", "threads"), [(7, 1), (7, 2), (64, 1), (64, 2), (300, 1), (300, 2), (300, 3)])
def test_batch_size_and_threads_change_no_byte(
    worlds: int, threads: int, scenario: Scenario, episodes: list[Episode], alone: list[tuple[dict[str, bytes], bytes]]
) -> None:
    found = played(scenario, episodes[:worlds], threads)
    for w in range(7):
        for name, wanted in alone[w][0].items():
            assert found[w][0][name] == wanted, f"{name} of world {w}"
        assert found[w][1] == alone[w][1], f"picture of world {w}"


def test_neighbours_and_places_change_no_byte(
    scenario: Scenario, episodes: list[Episode], alone: list[tuple[dict[str, bytes], bytes]]
) -> None:
    found = played(scenario, [*episodes[40:60], *episodes[:7][::-1], *episodes[60:62]], 2)[20:27]
    assert found[::-1] == alone


def test_a_map_that_gets_traffic_later_changes_no_byte_of_running_traffic() -> None:
    quiet = Episode("test", 1, MapSpec("crossroads", (("arm", 60.0),), kind="crossroads"), distance=30.0, speed=0.0)
    busy = replace(quiet, seed=2, map=MapSpec(generate="grid_town", kind="t_junction"),
                   traffic=TrafficSpec(vehicles=6, walkers=4))  # fmt: skip
    still = Action(np.zeros(2, np.float32), np.full(2, -1.0, np.float32))
    found = []
    for later, moved in ((quiet, 0), (replace(quiet, traffic=TrafficSpec(vehicles=4)), 4)):
        backend = EmbeddedWorld(2, SMALL, Simulation(actors=1))
        backend.reset([quiet, busy])  # the map without traffic has the lower number
        for tick in range(60):
            if tick == 20:
                backend.reset([later], [0])
            backend.step(still)
        count = 1 + 6 + 4
        moving = {name: getattr(backend.world, name)[1, :count] for name in ("x", "y", "yaw", "speed", "acceleration")}
        assert (backend.traffic.busy == [moved, 10]).all()
        assert np.ptp(moving["speed"]) > 1.0  # something moves
        found.append({name: value.tobytes() for name, value in moving.items()})
    assert found[0] == found[1]


def test_different_episodes_are_told_apart(alone: list[tuple[dict[str, bytes], bytes]]) -> None:
    # Else the tests above would compare nothing.
    assert len({picture for _, picture in alone}) == 7
    assert len({row["x"] for row, _ in alone}) == 7


def test_a_picture_of_full_size_does_not_depend_on_the_batch(scenario: Scenario, episodes: list[Episode]) -> None:
    camera = Camera()
    together = played(scenario, episodes[:5], 1, camera)
    assert played(scenario, [episodes[3]], 1, camera)[0] == together[3]


def test_a_camera_with_threads_draws_the_same(scenario: Scenario, episodes: list[Episode]) -> None:
    backend = EmbeddedWorld(64, SMALL, slots_needed(scenario))
    backend.reset(episodes[:64])
    bank = backend.maps.arrays
    one = render(bank, backend.world, SMALL, threads=1)
    for threads in (2, 3, 4):
        assert render(bank, backend.world, SMALL, threads=threads).tobytes() == one.tobytes()


# ------------------------------------------------------------------------------------------------------ rollouts
def learner() -> Learner:
    return build(LearnerSettings(image=(32, 48), width=16, memory_width=8, head_width=8), seed=3)


def test_a_rollout_repeats_to_the_byte(scenario: Scenario, episodes: list[Episode]) -> None:
    for make in (lambda: Expert.of(scenario), learner):
        first, second = (
            rollout(EmbeddedWorld(12, SMALL, slots_needed(scenario), threads), make(), episodes[:12])
            for threads in (1, 2)
        )
        for name in DYNAMIC_FIELDS:
            assert first.moving[name].tobytes() == second.moving[name].tobytes()
        assert first.steer.tobytes() == second.steer.tobytes()
        assert first.outcome.tobytes() == second.outcome.tobytes()


def mixed(scenario: Scenario, episodes: list[Episode], worlds: int) -> list[Demonstration]:
    backend = EmbeddedWorld(worlds, SMALL, slots_needed(scenario))
    torch.set_num_threads(1)
    return collect(
        backend, Expert.of(scenario), learner(), episodes,
        BetaSchedule("constant", 0.6, segment=0.5), 1, "dagger",
    )  # fmt: skip


def test_mixed_control_is_the_same_however_many_drive_at_once(scenario: Scenario, episodes: list[Episode]) -> None:
    for one, other in zip(mixed(scenario, episodes[:6], 6), mixed(scenario, episodes[:6], 4)):
        assert one.episode == other.episode
        assert one.ticks["expert_used"].tobytes() == other.ticks["expert_used"].tobytes()
        for name in DYNAMIC_FIELDS:
            assert one.moving[name].tobytes() == other.moving[name].tobytes(), name


# --------------------------------------------------------------------------------------------------- the loader
class Watching:
    """The expert, with a camera on: keeps every picture that the rollout showed."""

    needs = "state"

    def __init__(self, expert: Expert, backend: EmbeddedWorld) -> None:
        self.expert, self.backend = expert, backend
        self.pictures: list[dict[int, np.ndarray]] = []

    def begin(self, worlds: int) -> np.ndarray:
        return self.expert.begin(worlds)

    def act(self, seen: PrivilegedInput, memory: np.ndarray) -> tuple[Action, np.ndarray]:
        shown = observe_for(self.backend, "camera", seen.slots).camera
        self.pictures.append({int(w): shown[i] for i, w in enumerate(seen.slots)})
        return self.expert.act(seen, memory)

    has_driver_state = False

    def label(self, seen: PrivilegedInput, memory: np.ndarray | None = None):  # type: ignore[no-untyped-def]
        self.act(seen, self.begin(len(seen.slots)))
        return self.expert.label(seen, memory)


@pytest.mark.parametrize("cache_bytes", [0, 2**28])
def test_the_loader_redraws_the_rollouts_frames_bit_for_bit(
    cache_bytes: int, scenario: Scenario, episodes: list[Episode], tmp_path: Path
) -> None:
    from dagger.training.demonstrations import DemonstrationStore

    backend = EmbeddedWorld(5, SMALL, slots_needed(scenario))
    watching = Watching(Expert.of(scenario), backend)
    found = collect(
        backend,
        watching,
        None,
        episodes[:5],
        BetaSchedule(),
        0,
        "expert",  # type: ignore[arg-type]
    )
    assert (backend.world.outcome != OUTCOME["running"]).all()
    store = DemonstrationStore(tmp_path)
    store.append(found, "round-0")
    # From disk, in another order and beside others: as training meets them.
    loader = RenderingLoader([*reversed(store.read()), found[0]], SMALL, RunContext(threads=2), cache_bytes)
    for w, demonstration in enumerate(found):
        ticks = np.arange(len(demonstration))
        for _ in range(2):  # the second time from the cache
            drawn = loader.draw(np.full(len(ticks), 4 - w), ticks)
            for tick in ticks:
                assert drawn[tick].tobytes() == watching.pictures[tick][w].tobytes(), f"episode {w}, tick {tick}"


# ------------------------------------------------------------------------------------------------ machine code
DRIVEN_AND_DRAWN = """
import hashlib
from policies.expert.expert import Expert
from scenarios.sampling.sample import slots_needed
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import load_scenario
from sim.datatypes.camera import Camera
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout

scenario = load_scenario("rain-turn")
backend = EmbeddedWorld(32, Camera(), slots_needed(scenario))
digest = hashlib.sha256()
rollout(backend, Expert.of(scenario), balanced_batch(scenario, range(32), "test"),
        lambda tick, slots: digest.update(backend.observe().camera.tobytes()) if tick % 10 == 0 else None)
digest.update(backend.world.x.tobytes() + backend.world.yaw.tobytes())
print(digest.hexdigest())
"""


def test_a_process_that_compiles_the_kernels_and_one_that_reads_them_get_the_same_bytes(tmp_path: Path) -> None:
    """The first run on a machine compiles, the next one does not; a kernel must not run a callee's own machine code."""
    root = Path(__file__).parent.parent
    found = []
    for _ in ("compiles", "reads"):
        made = subprocess.run(
            [sys.executable, "-c", DRIVEN_AND_DRAWN], cwd=root, capture_output=True, text=True, check=True,
            env=os.environ | {"HOMUNCULUS_CACHE": str(tmp_path)},
        )  # fmt: skip
        found.append(made.stdout.strip())
    assert len(found[0]) == 64 and found[0] == found[1]
