"""Draws traffic for docs/reference/traffic.md, and measures its speed, waiting times and collisions.

    python benchmarks/traffic.py
    python benchmarks/traffic.py --out /folder/for/a/look --seeds 0
    python benchmarks/traffic.py --seeds 4 --minutes 10 --only grid_town Town02

The table is of worlds without ego, stepped by the traffic kernel. Maps of $HOMUNCULUS_MAPS are left out if their file
is missing.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sheets import FOLDER, save

from policies.expert.expert import Expert
from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import load_scenario
from sim.actors.registry import BODIES, EGO, KINDS
from sim.core.geometry import boxes_touch
from sim.core.tables import row
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Script, TrafficSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.road.generators.registry import GENERATORS
from sim.road.graph.traffic_lights import GREEN, RED, YELLOW
from sim.road.map.compiler import compiled
from sim.road.map.loading import load_map
from sim.road.map.map_batch import MapBatch
from sim.traffic.right_of_way import MODE
from sim.traffic.spawning import spawn_traffic, write_actor
from sim.traffic.state import DRIVER, WALKER, empty_traffic
from sim.traffic.step import advance
from sim.viz.markers import EGO_COLOUR, Box, Lamp, draw_box, draw_lamp, lamps_of
from sim.viz.top_down import FAINT, PAPER, SHARPNESS, Line, Text, background, text_width, top_down, write
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld
from sim.world.initial_state import empty_world
from sim.world.rollout import rollout

TICK = np.float32(0.1)
EVERY = 5  # ticks between two checks for collisions
GAP, EDGE = 6, 14  # between pictures, around the page [px]
EYE = Camera(width=256, height=144, fov=84.0)
MORNING = Weather(cloudiness=25.0, sun_altitude_angle=38.0, sun_azimuth_angle=150.0)
COLOURS = {
    "car": (31, 111, 178), "van": (15, 138, 109), "truck": (120, 82, 40), "bicycle": (194, 24, 107),
    "walker": (245, 178, 20),
}  # fmt: skip
NAMES = {"car": "cars", "van": "vans", "truck": "trucks", "bicycle": "cyclists", "walker": "walkers"}
# Map -> its traffic.
PEOPLED = {
    "crossroads": TrafficSpec(vehicles=8, walkers=6),
    "crossroads_lights": TrafficSpec(vehicles=8, walkers=6),
    "crossroads_stop": TrafficSpec(vehicles=8, walkers=6),
    "t_junction": TrafficSpec(vehicles=6, walkers=6),
    "roundabout": TrafficSpec(vehicles=10, walkers=8),
    "motorway_merge": TrafficSpec(vehicles=12),
    "crosswalk": TrafficSpec(vehicles=4, walkers=8),
    "parking_bays": TrafficSpec(vehicles=4, walkers=4, parked=3),
    "grid_town": TrafficSpec(vehicles=40, walkers=30),
    "Town01": TrafficSpec(vehicles=64, walkers=40),
    "Town02": TrafficSpec(vehicles=40, walkers=30),
}


# ---------------------------------------------------------------------------------------------------- without an ego
class Town:
    """`seeds` worlds of one map with traffic and without ego, stepped by the traffic kernel alone.

    Raises:
        FileNotFoundError: if the map is neither generated nor in $HOMUNCULUS_MAPS.
        ValueError: if there is no room for the traffic.
    """

    def __init__(self, name: str, spec: TrafficSpec, seeds: int) -> None:
        file = Path(os.environ.get("HOMUNCULUS_MAPS", ""), f"{name}.xodr")
        self.map = compiled(GENERATORS[name]() if name in GENERATORS else file.read_text("utf-8"), name)
        self.world, self.traffic = empty_world(seeds, 1 + spec.slots), empty_traffic(seeds, 1 + spec.slots)
        bank = MapBatch()
        bank.link_lanes(self.map)
        self.bank, self.roads = bank.arrays, bank.roads
        world = self.world
        world.outcome[:] = OUTCOME["running"]
        world.x[:, 0] = 1e5  # ego is far from the map
        world.seed[:] = np.arange(seeds)
        world.clock[:] = 0 if spec.lights else -1
        for w in range(seeds):
            spawn_traffic(row(world, w), row(self.traffic, w), 1, spec, self.map, self.roads)

    def step(self) -> None:
        """One tick."""
        world = self.world
        bank = self.bank
        advance(world, self.traffic, self.roads, bank, TICK, 0, len(world.x))
        world.tick[:] += 1
        world.clock[world.clock >= 0] += round(float(TICK) * 1000)

    def touching(self, w: int) -> set[tuple[int, int]]:
        """Pairs of slots whose boxes overlap, except two pedestrians: they pass each other on the sidewalk."""
        world, walks = self.world, self.traffic.driver[w, :, MODE] == WALKER
        cos, sin = np.cos(world.yaw[w]), np.sin(world.yaw[w])
        middle = world.length[w] / 2 - world.overhang[w]
        x, y = world.x[w] + middle * cos, world.y[w] + middle * sin
        reach = 0.5 * np.hypot(world.length[w], world.width[w])
        near = np.hypot(x[:, None] - x, y[:, None] - y) < reach[:, None] + reach
        near &= (world.kind[w] != 0)[:, None] & (world.kind[w] != 0) & ~(walks[:, None] & walks)
        return {
            (a, b)
            for a, b in np.argwhere(np.triu(near, 1)).tolist()
            if boxes_touch(
                x[a], y[a], cos[a], sin[a], world.length[w, a], world.width[w, a],
                x[b], y[b], cos[b], sin[b], world.length[w, b], world.width[w, b],
            )
        }  # fmt: skip


@dataclass(frozen=True)
class Flow:
    """Measured traffic: mean speed of the drivers [m/s], longest standstill of one [s], collisions, cost of a tick."""

    speed: float
    wait: float
    collisions: int
    microseconds: float


def measured(name: str, spec: TrafficSpec, seeds: int, minutes: float) -> Flow:
    """Simulate the traffic of a map for some minutes in each of `seeds` worlds."""
    town = Town(name, spec, seeds)
    drivers = town.traffic.driver[..., MODE] == DRIVER
    stood, worst, total, hits, spent = np.zeros(drivers.shape, int), 0, 0.0, 0, 0.0
    before: list[set[tuple[int, int]]] = [town.touching(w) for w in range(seeds)]
    ticks = round(minutes * 60 / float(TICK))
    for tick in range(ticks):
        start = time.perf_counter()
        town.step()
        spent += time.perf_counter() - start if tick else 0.0  # the first tick may compile
        total += float(town.world.speed[drivers].mean())
        stood = np.where(drivers & (town.world.speed < 0.1), stood + 1, 0)
        worst = max(worst, int(stood.max()))
        if tick % EVERY == 0:
            for w in range(seeds):
                now = town.touching(w)
                hits, before[w] = hits + len(now - before[w]), now
    return Flow(total / ticks, worst * float(TICK), hits, spent / max(ticks - 1, 1) / seeds * 1e6)


def table(names: list[str], seeds: int, minutes: float) -> None:
    """Measure and print a row for each map."""
    print("| map | vehicles | walkers | simulated | mean speed | longest wait | collisions | a tick |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        spec = PEOPLED[name]
        try:
            flow = measured(name, spec, seeds, minutes)
        except FileNotFoundError as error:
            print(f"| {name} | | | not measured: {error.strerror} | | | | |")
            continue
        vehicles = f"{spec.vehicles}, {spec.parked} parked" if spec.parked else spec.vehicles
        cells = (
            name, vehicles, spec.walkers, f"{seeds * minutes:g} min", f"{flow.speed * 3.6:.0f} km/h",
            f"{flow.wait:.0f} s", flow.collisions, f"{flow.microseconds:.0f} µs",
        )  # fmt: skip
        print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


# ------------------------------------------------------------------------------------------------------- from above
SIDE, SPAN = 430, 140.0  # of a picture from above: [px], [m]
LARGER = 1.5  # scale of the marks of road users
MOMENTS = (1.0, 5.0, 9.0)  # [s] after the start
TRAIL = 4.0  # [s] that a trail goes back
PALE = 0.42  # share of the paper's colour in the ground


def trails(history: list[World]) -> list[Line]:
    """The recent paths of all road users; one that left the map and entered it elsewhere begins a new path."""
    found, last = [], history[-1]
    for i in np.flatnonzero(last.kind[0]):
        points = np.array([(box.x, box.y) for box in (box_of(world, i) for world in history)])
        jumps = np.flatnonzero(np.hypot(*np.diff(points, axis=0).T) > 4.0)
        points = points[jumps[-1] + 1 :] if len(jumps) else points
        if len(points) > 1 and np.ptp(points, axis=0).max() > 1.0:
            found.append(Line(points, box_of(last, i).colour))
    return found


def box_of(world: World, i: int) -> Box:
    """The mark of slot i, in the colour of its kind and scaled by LARGER."""
    kind, yaw = KINDS[world.kind[0, i]], float(world.yaw[0, i])
    length, width = float(world.length[0, i]), float(world.width[0, i])
    ahead = length / 2 - float(world.overhang[0, i])
    x, y = float(world.x[0, i]) + ahead * np.cos(yaw), float(world.y[0, i]) + ahead * np.sin(yaw)
    colour = EGO_COLOUR if i == 0 else COLOURS[kind]
    return Box(float(x), float(y), yaw, length * LARGER, width * LARGER, colour, i == 0, kind)


def town(seed: int = 60) -> np.ndarray:
    """Three moments of one episode of busy-turn from above, with the paths of the last seconds."""
    scenario = load_scenario("busy-turn")
    episode = sample(scenario, seed, "every", (False, False, True))
    backend = EmbeddedWorld(1, EYE, slots_needed(scenario))
    backend.reset([episode])
    worlds = [backend.world.copy()]
    rollout(backend, Expert.of(scenario), [episode], lambda tick, slots: worlds.append(backend.world.copy()))
    road_map = backend.maps.maps[0]
    _, junction = load_map(episode.map)
    window = Viewport(junction.centre, SPAN, SIDE, SIDE)
    base = background(road_map, window)
    base = cv2.addWeighted(base, 1.0 - PALE, np.full_like(base, PAPER), PALE, 0.0)
    pictures, met = [], set[str]()
    for moment in MOMENTS:
        last = min(round(moment / float(TICK)), len(worlds) - 1)
        boxes = [box_of(worlds[last], i) for i in reversed(np.flatnonzero(worlds[last].kind[0]))]
        met |= {box.kind for box in boxes}
        lines = trails(worlds[max(0, last - round(TRAIL / float(TICK))) : last + 1])
        lamps = lamps_of(backend.maps.arrays, worlds[last], 0)
        pictures.append((f"{moment:g} s", top_down(road_map, window, boxes, lines, base=base, lamps=lamps)))
    note = f"{episode.traffic.vehicles} vehicles and {episode.traffic.walkers} walkers in the whole town"
    return legend(in_rows("One episode of busy-turn", note, pictures, 3), met)


def in_rows(title: str, note: str, pictures: list[tuple[str, np.ndarray]], columns: int) -> np.ndarray:
    """Pictures of one size in rows, each with its caption above it."""
    head, label = 40, 24
    high, wide = pictures[0][1].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((head + rows * (label + high + GAP) - GAP + EDGE,
                     2 * EDGE + columns * (wide + GAP) - GAP, 3), PAPER, np.uint8)  # fmt: skip
    texts = [Text(title, EDGE, 28, 18, bold=True), Text(note, sheet.shape[1] - EDGE, 28, 13, FAINT, anchor="rs")]
    for k, (words, picture) in enumerate(pictures):
        x, y = EDGE + k % columns * (wide + GAP), head + k // columns * (label + high + GAP) + label
        sheet[y : y + high, x : x + wide] = picture
        texts.append(Text(words, x, y - 8, 13))
    return write(sheet, texts)


def legend(sheet: np.ndarray, met: set[str]) -> np.ndarray:
    """The sheet with a legend below it, of the kinds that are in `met`."""
    tall, scale = 40, 4.0
    foot = np.full((tall * SHARPNESS, sheet.shape[1] * SHARPNESS, 3), PAPER, np.uint8)
    large = Viewport((sheet.shape[1] / 2 / scale, 0.0), sheet.shape[1] / scale, sheet.shape[1], tall).larger(SHARPNESS)
    x, texts = float(EDGE), []
    for kind, words in {"ego": "our car", **{k: v for k, v in NAMES.items() if k in met}}.items():
        body = EGO if kind == "ego" else BODIES[kind]
        colour = EGO_COLOUR if kind == "ego" else COLOURS[kind]
        size = LARGER * (1.6 if kind in ("bicycle", "walker") else 1.0)
        half = max(body.length * size / 2, 1.0)
        box = Box(
            x / scale + half,
            0.0,
            0.0,
            body.length * size,
            body.width * size,
            colour,
            kind == "ego",
            "car" if kind == "ego" else kind,
        )
        draw_box(foot, box, large)
        x += 2 * half * scale + 9
        texts.append(Text(words, x, tall / 2, 13, anchor="lm"))
        x += text_width(words, 13) + 30
    for state in (RED, YELLOW, GREEN):
        draw_lamp(foot, Lamp(x / scale, 0.0, -np.pi / 2, state), large)
        x += 20
    texts.append(Text("lights", x - 2, tall / 2, 13, anchor="lm"))
    texts.append(Text(f"trails: the last {TRAIL:g} s", sheet.shape[1] - EDGE, tall / 2, 13, FAINT, anchor="rm"))
    foot = cv2.resize(foot, (sheet.shape[1], tall), interpolation=cv2.INTER_AREA)
    return np.concatenate([sheet, write(foot, texts)])


# ------------------------------------------------------------------------------------------------- what a camera sees
STREET = MapSpec("t_junction", (("arm", 60.0),))
STOP = Action(np.zeros(1, np.float32), np.full(1, -6.0, np.float32))


def best(backend: EmbeddedWorld, ticks: int, score: Callable[[World], float], act: Action = STOP) -> np.ndarray:
    """The camera's picture of the moment with the highest score, while ego does `act`."""
    most, picture = -np.inf, None
    for _ in range(ticks):
        if (now := score(backend.world)) > most:
            most, picture = now, backend.observe().camera[0]
        backend.step(act)
        if backend.world.outcome[0] != OUTCOME["running"]:
            break
    assert picture is not None
    return picture


def before_camera(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Metres ahead of ego and to its left (N,) of every slot, and whether it is in view."""
    dx, dy = world.x[0] - world.x[0, 0], world.y[0] - world.y[0, 0]
    c, s = np.cos(world.yaw[0, 0]), np.sin(world.yaw[0, 0])
    ahead, left = dx * c + dy * s, dy * c - dx * s
    return ahead, left, (world.kind[0] != 0) & (ahead > 5.0) & (np.abs(left) < 0.75 * ahead)


def scene(spec: MapSpec, seed: int, distance: float, speed: float = 0.0, **more: Any) -> EmbeddedWorld:
    """A world in the morning, with ego `distance` [m] before the junction at `speed` [m/s]."""
    episode = Episode("scene", seed, spec, distance=distance, speed=speed, weather=MORNING, time_limit=90.0, **more)
    backend = EmbeddedWorld(1, EYE, Simulation(actors=len(episode.actors) + 1))
    backend.reset([episode])
    return backend


def at_red() -> np.ndarray:
    """Ego waits at a red light while others cross."""
    spec = TrafficSpec(vehicles=10, walkers=6, vans=0.3, trucks=0.1)
    backend = scene(MapSpec("crossroads_lights", kind="crossroads"), 4, 11.0, traffic=spec)

    def score(world: World) -> float:
        ahead, _, seen = before_camera(world)
        lamps = lamps_of(backend.maps.arrays, world, 0)
        mine = max(lamps, key=lambda lamp: -np.cos(lamp.yaw - float(world.yaw[0, 0])))
        crossing = seen & (ahead < 36.0) & (np.abs(np.sin(world.yaw[0] - world.yaw[0, 0])) > 0.7)
        return float(crossing.sum()) + 0.2 * float((seen & (ahead < 50.0)).sum()) if mine.state == RED else -1.0

    return best(backend, 800, score)


def at_crosswalk() -> np.ndarray:
    """Pedestrians on a zebra crossing, and a driver that waits for them."""
    people = Town("crosswalk", TrafficSpec(vehicles=4, walkers=14), 1)
    roads, world = people.roads, people.world
    crossing = int(np.flatnonzero(roads.foot_crossing)[0])
    line = roads.foot_points[roads.foot_start[crossing] : roads.foot_start[crossing + 1], :2]
    middle, most, picture = line.mean(0), -np.inf, None
    world.weather[:] = MORNING.array()
    for _ in range(2400):
        people.step()
        on = (people.traffic.driver[0, :, MODE] == WALKER) & (
            np.hypot(world.x[0] - middle[0], world.y[0] - middle[1]) < 2.6)  # fmt: skip
        cars = people.traffic.driver[0, :, MODE] == DRIVER
        ahead, left = world.x[0] - middle[0], world.y[0] - middle[1]
        waits = cars & (np.abs(ahead - 7.0) < 4.0) & (left > 0)
        free = not (cars & (np.abs(ahead + 12.0) < 9.0) & (left < 0)).any()
        now = 2.0 * on.sum() + 1.5 * waits.any() if free else -1.0
        if now > most:
            seen = world.copy()
            write_actor(seen, 0, "car", float(middle[0]) - 12.0, float(middle[1]) - 1.75, 0.0, 0)
            most, picture = now, render(people.bank, seen, EYE)[0]
    assert picture is not None
    return picture


def child() -> np.ndarray:
    """A child that has run out from behind a parked van."""
    actors = (
        ActorSpec("child", "walker", 0xD82C3C, distance=9.0, side=3.6,
                  script=Script(((0.0, 8.0),), 2.2, within=17.0)),
        ActorSpec("van", "van", 0xE4E4E0, distance=14.5, side=2.9),
        ActorSpec("oncoming", "car", 0x24509C, lane="outbound", distance=5.0, speed=5.0),
    )  # fmt: skip
    backend = scene(STREET, 2, 28.0, 7.0, actors=actors)
    roll = Action(np.zeros(1, np.float32), np.zeros(1, np.float32))

    def score(world: World) -> float:
        ahead, left, _ = before_camera(world)
        return -abs(float(left[1]) - 0.2) if ahead[1] > 6.5 else -9.0

    return best(backend, 60, score, roll)


def cones() -> np.ndarray:
    """A lane that is closed by cones, and oncoming traffic in the other one."""
    actors = (
        *(ActorSpec(f"cone {k}", "cone", 0, distance=18.0 - 1.7 * k, side=1.7 - 0.62 * k) for k in range(6)),
        *(ActorSpec(f"cone {k}", "cone", 0, distance=18.0 - 1.7 * k, side=-1.5) for k in range(6, 9)),
        ActorSpec("lorry", "truck", 0xD8A020, distance=5.0, side=0.6),
        ActorSpec("worker", "walker", 0xE07818, distance=10.5, side=0.6),
        ActorSpec("cyclist", "bicycle", 0x1F78B4, lane="outbound", distance=5.0, side=0.8, speed=4.0),
        ActorSpec("oncoming", "car", 0xB03028, lane="outbound", distance=0.0, speed=6.0),
    )
    backend = scene(STREET, 2, 25.0, actors=actors)
    for _ in range(9):
        backend.step(STOP)
    return backend.observe().camera[0]


def views() -> np.ndarray:
    """Four situations as ego's camera shows them."""
    shown = {
        "At a red light, while others cross": at_red, "A zebra crossing": at_crosswalk,
        "A script: a child runs out from behind a van": child, "Cones close the lane": cones,
    }  # fmt: skip
    pictures = [(words, draw().repeat(2, 0).repeat(2, 1)) for words, draw in shown.items()]
    note = f"{EYE.width} × {EYE.height} pixels, {EYE.fov:g}° wide, twice as large"
    return in_rows("What is met on the way", note, pictures, 2)


PICTURES: dict[str, Callable[[], np.ndarray]] = {"traffic-town.png": town, "traffic-views.png": views}


def main() -> None:
    """Draw the pictures, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    parser.add_argument("--seeds", type=int, default=4, help="worlds of every map in the table; 0 for no table")
    parser.add_argument("--minutes", type=float, default=10.0, help="simulated minutes of each world")
    parser.add_argument("--only", nargs="*", default=list(PEOPLED), choices=list(PEOPLED), help="maps of the table")
    options = parser.parse_args()
    for name, draw in PICTURES.items():
        save(draw(), options.out / name)
    if options.seeds > 0:
        table(options.only, options.seeds, options.minutes)


if __name__ == "__main__":
    main()
