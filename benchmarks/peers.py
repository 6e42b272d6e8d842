"""Compares the speed of other driving simulators with this one on this machine: one run, medians, ratios.

    python benchmarks/peers.py --seconds 5

HighwayEnv, MetaDrive and Gymnasium's CarRacing are measured if they can be imported (`pip install highway-env
metadrive-simulator "gymnasium[box2d]"`); none is a dependency, and the table names those that are missing or do not
start. Every world runs in a process of its own, one thread, with a fixed action, reset when an episode ends; resets
count. The duration of a step differs, so simulated seconds per second are compared. No two of these worlds do the same
work: the physics, the traffic and the pictures differ, and the last column says how.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
REPEATS = 3


@dataclass(frozen=True)
class World:
    """One simulator to measure.

    Args:
        name, what: for the table.
        picture: whether every step renders one; state-only worlds are compared with each other.
        seconds: simulated by one step [s]; worlds: that one call steps.
        make: returns a function that steps once.
    """

    name: str
    what: str
    picture: bool
    seconds: float
    worlds: int
    make: Callable[[], Callable[[], object]]


def stepping(env: Any, action: Any) -> Callable[[], object]:
    """A function that steps a Gymnasium env with a fixed action and resets it when an episode ends."""
    env.reset(seed=0)

    def once() -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return once


def highway(picture: bool) -> Callable[[], object]:
    """HighwayEnv's highway with 16 other vehicles, at 10 Hz."""
    import gymnasium as gym
    import highway_env  # noqa: F401  (registers)

    config: dict[str, Any] = {"vehicles_count": 16, "simulation_frequency": 10, "policy_frequency": 10, "duration": 20}
    if picture:
        shape = {"observation_shape": (96, 64), "stack_size": 1, "weights": [0.2989, 0.587, 0.114], "scaling": 1.75}
        config |= {"observation": {"type": "GrayscaleObservation", **shape}, "offscreen_rendering": True}
    return stepping(gym.make("highway-v0", config=config), 1)


def metadrive(picture: bool) -> Callable[[], object]:
    """MetaDrive's default generated road at traffic density 0.1, 10 Hz."""
    from metadrive import MetaDriveEnv

    config: dict[str, Any] = {"use_render": False, "traffic_density": 0.1, "log_level": 50, "horizon": 200}
    if picture:
        from metadrive.component.sensors.rgb_camera import RGBCamera

        config |= {"image_observation": True, "sensors": {"rgb_camera": (RGBCamera, 96, 64)}}
        config |= {"vehicle_config": {"image_source": "rgb_camera"}, "stack_size": 1}
    return stepping(MetaDriveEnv(config), [0.0, 0.2])


def car_racing() -> Callable[[], object]:
    """Gymnasium's CarRacing-v3: one car, Box2D, 96 x 96 pixels, 50 Hz."""
    import gymnasium as gym
    import numpy as np

    return stepping(gym.make("CarRacing-v3"), np.array([0.0, 0.2, 0.0], np.float32))


def ours_alone() -> Callable[[], object]:
    """One Gymnasium world of rain-turn with its 96 x 64 picture."""
    import gymnasium as gym
    import numpy as np

    env = gym.make("scenarios:homunculus/Drive-v0", scenario="rain-turn")
    return stepping(env, np.array([0.0, 0.2], np.float32))


def ours_fleet(worlds: int) -> Callable[[], object]:
    """A fleet of rain-turn worlds with pictures, on one thread."""
    import gymnasium as gym
    import numpy as np

    name = "scenarios:homunculus/Drive-v0"
    fleet = gym.make_vec(name, worlds, "vector_entry_point", scenario="rain-turn", threads=1)
    fleet.reset(seed=0)
    action = np.tile(np.array([0.0, 0.2], np.float32), (worlds, 1))
    return lambda: fleet.step(action)


def ours_states(worlds: int) -> Callable[[], object]:
    """State-only worlds with 16 other vehicles that follow each other, on one thread."""
    import numpy as np

    from dagger.bench.measurements import OTHERS, busy_episode
    from sim.datatypes.action import Action
    from sim.datatypes.simulation import Simulation
    from sim.world.embedded import EmbeddedWorld

    backend = EmbeddedWorld(worlds, None, Simulation(actors=OTHERS + 1))
    episodes = [busy_episode(w) for w in range(worlds)]
    backend.reset(episodes)
    still, ticks = Action(np.zeros(worlds, np.float32), np.full(worlds, -1.0, np.float32)), [0]

    def once() -> None:
        ticks[0] += 1
        if ticks[0] % 100 == 0:
            backend.reset(episodes)
        backend.step(still)

    return once


WORLDS = (
    World("homunculus, one world", "T-junction, other cars, rain, 96x64 colour", True, 0.1, 1, ours_alone),
    World("homunculus, 64 worlds", "the same as one batch", True, 0.1, 64, lambda: ours_fleet(64)),
    World("HighwayEnv, picture", "16 others, 96x64 grey from above (pygame)", True, 0.1, 1, lambda: highway(True)),
    World("MetaDrive, picture", "traffic .1, 96x64 colour (Panda3D)", True, 0.1, 1, lambda: metadrive(True)),
    World("CarRacing", "no traffic, 96x96 colour from above (pygame)", True, 0.02, 1, car_racing),
    World("homunculus, one world, states", "16 others follow lanes", False, 0.1, 1, lambda: ours_states(1)),
    World("homunculus, 64 worlds, states", "the same as one batch", False, 0.1, 64, lambda: ours_states(64)),
    World("HighwayEnv, states", "16 others (IDM, MOBIL), kinematics", False, 0.1, 1, lambda: highway(False)),
    World("MetaDrive, states", "traffic .1 (IDM), Bullet physics, lidar", False, 0.1, 1, lambda: metadrive(False)),
)


def measure(world: World, seconds: float) -> dict[str, Any]:
    """Steps per second of one world (all worlds of a batch count), median of REPEATS."""
    once = world.make()
    for _ in range(5):
        once()
    figures = []
    for _ in range(REPEATS):
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            once()
            done += world.worlds
        figures.append(done / (time.perf_counter() - began))
    return {"steps": statistics.median(figures), "least": min(figures), "most": max(figures)}


def in_process_of_its_own(number: int, seconds: float) -> dict[str, Any]:
    """The result of `measure` in a fresh interpreter, or {"error": its last line}."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    quiet = {"SDL_VIDEODRIVER": "dummy", "PYTHONPATH": os.pathsep.join([str(HERE.parent.parent), *sys.path[1:]])}
    done = subprocess.run(
        [sys.executable, str(HERE), "--world", str(number), "--seconds", str(seconds)],
        env=os.environ | threads | quiet, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    said = done.stderr.strip().splitlines()
    return {"error": said[-1] if said else f"ended with status {done.returncode}"}


def main() -> None:
    """Measure every world and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the three repeats")
    parser.add_argument("--world", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.world is not None:
        print(json.dumps(measure(WORLDS[options.world], options.seconds)))
        return
    rows = [(world, in_process_of_its_own(i, options.seconds)) for i, world in enumerate(WORLDS)]
    for picture in (True, False):
        group = [(w, r) for w, r in rows if w.picture == picture]
        mine = next((r["steps"] * w.seconds for w, r in group if "steps" in r), None)
        print(f"\n{'with a picture a step' if picture else 'states only'}: simulated seconds a second, one core")
        for world, found in group:
            if "error" in found:
                print(f"  {world.name:30} {'–':>9}  not measured: {found['error'][:90]}")
                continue
            rate = found["steps"] * world.seconds
            ratio = "" if mine is None else f"{rate / mine:8.2f} of our one world"
            spread = f"{found['least']:,.0f} to {found['most']:,.0f}"
            print(f"  {world.name:30} {rate:9,.1f} {ratio:28} {found['steps']:9,.0f} steps/s ({spread})  {world.what}")


if __name__ == "__main__":
    main()
