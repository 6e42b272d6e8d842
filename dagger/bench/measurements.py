"""The workloads that `dagger bench` measures, and their targets."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dagger.bench.case import Case, Measure, repeated
from dagger.training.loader import RenderingLoader
from dagger.training.steps import FitSettings, Fitter
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import load_scenario
from sim.carla.load_clients import Driver, Server
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, TrafficSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.road.map.loading import find_file
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld

NAMES = ("step", "town", "camera", "gym", "loader", "training", "inference", "carla", "import", "compile")
OTHERS = 16  # actors beside ego in the workload of state-only steps
TICKS = 100  # of a state-only episode before all worlds are reset
SCENE = "rain-turn"
ATTEMPTS = 3  # at a measurement whose client hangs
DEMONSTRATED = 64  # episodes behind loader, training and inference


def cases(name: str, worlds: Sequence[int], threads: int) -> list[Case]:
    """The cases of a benchmark: per batch size if it has one, with one thread and with `threads`."""
    counts = sorted({1, threads})
    seen = "episodes drawn before; resets counted"
    if name == "step":
        return [Case("step, 16 other actors", "world steps/s", 200_000 if b >= 64 else None, b, n,
                     functools.partial(steps, b, n), note="state only; resets not counted")
                for b in worlds for n in counts]  # fmt: skip
    if name == "town":
        place = town().file or str(town().generate)
        around = f"{OTHERS} drivers, lights, rain on {place}"
        return [Case("step in a town", "world steps/s", 200_000 if b >= 64 else None, b, n,
                     functools.partial(town_steps, b, n), note=f"state only, resets not counted; {around}")
                for b in worlds for n in counts] + [
                Case("camera environment in a town", "frames/s", 10_000 if b >= 64 else None, b, n,
                     functools.partial(town_frames, b, n), note=f"step + expert + image, resets counted; {around}")
                for b in worlds for n in counts]  # fmt: skip
    if name == "camera":
        return [Case("camera environment", "frames/s", 10_000 if b >= 64 else None, b, n,
                     functools.partial(camera_steps, b, n), note=f"step + expert + 96x64 image; {seen}")
                for b in worlds for n in counts]  # fmt: skip
    if name == "gym":
        return [Case("Gymnasium, one world", "steps/s", 2_000, 1, 1, gym_steps, note="gym.make; resets counted")]
    if name == "loader":
        return [Case("rendering loader", "images/s", 15_000, 0, n, functools.partial(loading, n), note="without cache")
                for n in counts]  # fmt: skip
    if name == "training":
        return [Case("training", "images/s", None, 0, n, functools.partial(training, n), note="with AdamW")
                for n in counts]  # fmt: skip
    if name == "inference":
        return [Case("learner acts", "images/s", None, b, n, functools.partial(acting, b, n), note="with its memory")
                for b in worlds for n in counts]  # fmt: skip
    if name == "carla":
        aims = {"one vehicle": (2_000, "nothing else"), "one camera": (800, "a vehicle with a 200x88 picture a tick"),
                "traffic": (300, "40 vehicles of a Traffic Manager, lights")}  # fmt: skip
        return [Case(f"dagger serve, {load}", "ticks/s", aim, 1, 1, functools.partial(served, load),
                     note=f"synchronous, CARLA's client in a process of its own; {counted}")
                for load, (aim, counted) in aims.items()] + [
                Case("dagger serve, calls", "calls/s", None, 1, 1, functools.partial(served, "calls"),
                     note="settings read in asynchronous mode, as Traffic Managers do"),
                Case("dagger serve, spawns", "spawns/s", None, 1, 1, functools.partial(served, "spawns"),
                     note="synchronous; a car is spawned, seen in a tick, and destroyed"),
                Case("dagger serve, map loaded", "s", None, 1, 1, functools.partial(served, "maps"), less=True,
                     note="crossroads and grid_town in turn, both known")]  # fmt: skip
    if name == "import":
        return [Case("import sim", "s", 1.0, 0, 1, lambda: started("import sim.world.embedded"), less=True,
                     note="new process, interpreter included"),
                Case("dagger --help", "s", 1.0, 0, 1, lambda: started("from dagger.cli import main; main(['--help'])"),
                     less=True, note="new process, interpreter included")]  # fmt: skip
    return [Case("kernels compiled anew", "s", 60.0, 0, 1, compiled, less=True, note="new process, empty cache")]


# ------------------------------------------------------------------------------------------------- simulator
def busy_episode(seed: int) -> Episode:
    """An episode in which ego stands and 16 others follow the lanes of a T-junction, as the car ahead allows."""
    rng = np.random.default_rng(seed)
    places = [(arm, lane) for arm in ("south", "west", "east") for lane in ("inbound", "outbound")]
    actors = []
    for i in range(OTHERS):
        arm, lane = places[i % len(places)]
        distance = 12.0 + 24.0 * (i // len(places)) + float(rng.uniform(0, 4))
        actors.append(ActorSpec(f"a{i}", "car", 0x8090A0, arm, lane, distance, speed=float(rng.uniform(4, 10))))
    map_spec = MapSpec(parameters=(("arm", 150.0),))
    return Episode("bench", seed, map_spec, distance=100.0, speed=0.0, actors=tuple(actors), time_limit=1e5)


def steps(worlds: int, threads: int) -> Measure:
    """State-only steps of worlds with 16 other actors."""
    backend = EmbeddedWorld(worlds, None, Simulation(actors=OTHERS + 1), threads=threads)
    episodes = [busy_episode(w) for w in range(worlds)]
    backend.reset(episodes)
    start = backend.world.copy()
    still = Action(np.zeros(worlds, np.float32), np.full(worlds, -1.0, np.float32))

    def again() -> None:
        for name, array in backend.world._asdict().items():
            array[:] = getattr(start, name)

    def once() -> int:
        for _ in range(TICKS):
            backend.step(still)
        return worlds * TICKS

    measure = repeated(once, again)

    def checked(seconds: float) -> tuple[float, float]:
        result = measure(seconds)
        ended = int((backend.world.outcome != OUTCOME["running"]).sum())
        if ended:
            raise ValueError(f"{ended} of {worlds} worlds ended while their steps were counted; wanted all to run on")
        return result

    return checked


def town() -> MapSpec:
    """Town02 if its file is found, else the generated grid town."""
    try:
        find_file("Town02.xodr")
    except FileNotFoundError:
        return MapSpec(generate="grid_town", kind="t_junction")
    return MapSpec(generate=None, file="Town02.xodr", kind="t_junction")


def busy(seed: int, speed: float) -> Episode:
    """An episode in rain at a T-junction of a town with 16 drivers and running lights; the seed picks the junction."""
    spec = replace(town(), junction=seed % 4)
    weather = Weather(cloudiness=90.0, precipitation=80.0, precipitation_deposits=60.0, wetness=80.0)
    traffic = TrafficSpec(vehicles=OTHERS)
    return Episode("bench", seed, spec, "south", 30.0, speed, weather, time_limit=120.0, traffic=traffic)


def town_steps(worlds: int, threads: int) -> Measure:
    """State-only steps of a town with 16 drivers and lights; ego stands on its lane, and they wait behind it."""
    backend = EmbeddedWorld(worlds, None, Simulation(actors=1), threads=threads)
    backend.reset([busy(w, 0.0) for w in range(worlds)])
    start = [array.copy() for array in (*backend.world, *backend.traffic)]
    still = Action(np.zeros(worlds, np.float32), np.full(worlds, -1.0, np.float32))

    def again() -> None:
        for array, before in zip((*backend.world, *backend.traffic), start):
            array[:] = before

    def once() -> int:
        for _ in range(TICKS):
            backend.step(still)
        return worlds * TICKS

    return repeated(once, again)


def town_frames(worlds: int, threads: int) -> Measure:
    """Environment steps with a picture each in a town: the expert turns left; ended worlds are reset."""
    from policies.expert.expert import Fixed

    backend = EmbeddedWorld(worlds, Camera(), Simulation(actors=1), threads=threads)
    episodes = [busy(seed, 6.0) for seed in range(max(worlds, 64))]
    return _driven(backend, Fixed("left"), episodes)


def camera_steps(worlds: int, threads: int) -> Measure:
    """Environment steps with a picture each: the expert drives rain-turn; ended worlds are reset."""
    from policies.expert.expert import Expert

    scenario = load_scenario(SCENE)
    backend = EmbeddedWorld(worlds, Camera(), slots_needed(scenario), threads=threads)
    return _driven(backend, Expert.of(scenario), balanced_batch(scenario, range(max(worlds, 64)), "train"))


def _driven(backend: EmbeddedWorld, expert: Any, episodes: Sequence[Episode]) -> Measure:
    """Observe, act and step; ended worlds are reset to the next of the episodes."""
    from sim.world.rollout import PrivilegedInput

    worlds = backend.worlds
    slots = np.arange(worlds)
    backend.reset(episodes[:worlds])
    memory, place = expert.begin(worlds), {"next": worlds}

    def once() -> int:
        nonlocal memory
        backend.observe()
        action, memory = expert.act(PrivilegedInput(backend.world, backend.maps, slots), memory)
        backend.step(action)
        ended = np.flatnonzero(backend.world.outcome != OUTCOME["running"])
        if len(ended):
            following = [episodes[(place["next"] + i) % len(episodes)] for i in range(len(ended))]
            place["next"] += len(ended)
            backend.reset(following, ended.tolist())
        return worlds

    return repeated(once)


def gym_steps() -> Measure:
    """One world behind `gym.make`, driven by a fixed action, reset whenever it ends."""
    import gymnasium as gym

    env = gym.make("scenarios:homunculus/Drive-v0", scenario=SCENE)
    env.reset(seed=0)
    action = np.array([0.0, 0.1], np.float32)

    def once() -> int:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
        return 1

    return repeated(once)


# --------------------------------------------------------------------------------------------------- learner
def demonstrated(threads: int, cache: int) -> RenderingLoader:
    """A loader over demonstrations that the expert drives now, with a cache of `cache` bytes."""
    from dagger.algorithms.base import BetaSchedule
    from dagger.training.collect import collect
    from policies.expert.expert import Expert

    scenario = load_scenario(SCENE)
    backend = EmbeddedWorld(DEMONSTRATED, Camera(), slots_needed(scenario), threads=threads)
    episodes = balanced_batch(scenario, range(DEMONSTRATED), "train")
    shown = collect(
        backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0,
        "expert",
    )  # fmt: skip
    return RenderingLoader(shown, Camera(), RunContext(threads=threads), cache)


def loading(threads: int) -> Measure:
    """Training images rendered by the loader, without a cache."""
    loader, settings, rng = demonstrated(threads, 0), FitSettings(), np.random.default_rng(0)

    def once() -> int:
        step = loader.plan(settings.window, settings.sequences, rng)[0]
        return loader.batch(step).valid.size

    return repeated(once)


def training(threads: int) -> Measure:
    """Images that go through a training step, windows and single pictures, from cached frames."""
    import torch

    from policies.learner import LearnerSettings, build

    loader = demonstrated(threads, 2**31)
    torch.set_num_threads(1)
    learner, settings = build(LearnerSettings(futures=16), 0), FitSettings()
    fitter, generator = Fitter(learner, settings, abreast=threads > 1), torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    plan = itertools.cycle(loader.plan(settings.window, settings.sequences, rng))
    learner.train()

    def once() -> int:
        made = loader.batch(next(plan))
        frames = loader.sample(settings.frames, rng, fitter.hard)
        fitter.step(made, frames, generator, 0.0)
        return int(made.valid.size) + settings.frames

    return repeated(once)


def acting(worlds: int, threads: int) -> Measure:
    """Images that an untrained learner of the default settings acts on."""
    import torch

    from policies.learner import LearnerSettings, build
    from sim.datatypes.action import Observation

    torch.set_num_threads(threads)
    learner = build(LearnerSettings(), 0)
    camera, rng = Camera(), np.random.default_rng(0)
    pictures = rng.integers(0, 256, (worlds, camera.height, camera.width, 3), dtype=np.uint8)
    seen = Observation(pictures, np.full(worlds, 6.0, np.float32))
    memory = learner.begin(worlds)

    def once() -> int:
        learner.act(seen, memory)
        return worlds

    return repeated(once)


# ----------------------------------------------------------------------------------------------------- CARLA
def served(work: str) -> Measure:
    """Requests of CARLA's own client to a `dagger serve`, with a server and a client for each measurement.

    CARLA's client can deadlock if its Traffic Manager is synchronous (docs/explanation/log.md): a client that hangs is
    replaced, with its server, and measured again.
    """
    at_work: list[Any] = []

    def begin() -> None:
        for one in reversed(at_work):
            one.close()
        server = Server()
        at_work[:] = [server, Driver(server.port, work)]

    def measure(seconds: float) -> tuple[float, float]:
        for _ in range(ATTEMPTS - 1):
            try:
                return at_work[1].measure(seconds)
            except TimeoutError:
                begin()
        return at_work[1].measure(seconds)

    def end(ours: list[Any] = at_work) -> None:
        for one in reversed(ours):
            one.close()

    begin()
    weakref.finalize(measure, end)
    return measure


# ----------------------------------------------------------------------------------------------------- start
def started(code: str) -> Measure:
    """Seconds that a new interpreter needs for `code`."""
    return repeated(lambda: _process(code, {}))


def compiled() -> Measure:
    """Seconds from an empty cache to the first expert step with a picture, including the compilation of the kernels."""
    code = "from dagger.bench.measurements import camera_steps; camera_steps(1, 1)(0.0)"

    def measure(seconds: float) -> tuple[float, float]:
        if seconds == 0.0:  # there is no warm-up for a cold start
            return 1.0, 0.0
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            _process(code, {"HOMUNCULUS_CACHE": folder})
            return 1.0, time.perf_counter() - began

    return measure


def _process(code: str, more: dict[str, str]) -> int:
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | more, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"a new interpreter failed at {code!r}: {done.stderr.strip().splitlines()[-1:]}")
    return 1
