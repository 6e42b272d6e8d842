"""Draws the pictures of docs/reference/actors.md: barriers and a ball, an all-way stop, a cut-in, a tailgater.

    python benchmarks/route_followers.py
    python benchmarks/route_followers.py --out /folder/for/a/look

Both places are made here; the same code draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from actors import MORNING, TURNS, page, seen
from sheets import draw_all

from policies.expert.expert import Fixed
from sim.actors.registry import EGO
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Script
from sim.datatypes.simulation import Simulation
from sim.dynamics.bicycle import stopping_speed
from sim.render.rgb import render
from sim.traffic.all_way_stop import SERVED
from sim.traffic.route_follower import EASE, LINE
from sim.viz.markers import boxes_of
from sim.viz.top_down import FAINT, PAPER, Text, top_down, write
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import observe_for

STOPS = MapSpec("crossroads_stop", (("arm", 60.0),), kind="crossroads")
CROSSING = MapSpec("crossroads", (("arm", 60.0),), kind="crossroads")
# Name, kind, metres from the camera to its middle.
BODIES_SHOWN = (
    ("barrier", "barrier", 10.0), ("barrier, raised", "raised_barrier", 12.5), ("ball", "ball", 4.0),
)  # fmt: skip
SIDE, VIEW = 236, (236, 132)  # [px] of a map from above, and of ego's view below it
GAP, EDGE, HEAD, ROW = 6, 14, 40, 22
ROAD = Camera(width=VIEW[0] * 2, height=VIEW[1] * 2, fov=84.0)
BEHIND = Camera(width=VIEW[0] * 2, height=VIEW[1] * 2, fov=84.0, forward=-0.7, yaw=180.0, pitch=-6.0)
Drive = Callable[[EmbeddedWorld, int], Action]


def kinds() -> np.ndarray:
    """Barriers and a ball, from five sides."""
    rows = [
        (f"{name}\n{away:g} m away", [seen(kind, 0x808080, turn, away, 0.0, (168, 120)) for turn in TURNS.values()])
        for name, kind, away in BODIES_SHOWN
    ]
    return page("Barriers and a ball", "34° wide", [name.strip() for name in TURNS], rows, 144)


def strip(
    title: str, note: str, episode: Episode, times: Sequence[float], texts: Sequence[str], drive: Drive,
    camera: Camera = ROAD, ahead: float = 0.0, metres: float = 46.0,
) -> np.ndarray:  # fmt: skip
    """Moments of an episode from above, and below them the view of one of ego's cameras.

    Args:
        times: of the moments [s]; texts: captions of the moments.
        ahead: distance from ego's start to the middle of the maps [m]; with 0 the maps follow ego.
        metres: width of a map.
    """
    backend = EmbeddedWorld(1, simulation=Simulation(actors=len(episode.actors) + 1))
    backend.reset([episode])
    world, tick = backend.world, backend.simulation.tick
    yaw = float(world.yaw[0, 0])
    start = float(world.x[0, 0]), float(world.y[0, 0])
    columns = []
    for k in range(round(times[-1] / tick) + 1):
        if any(abs(k * tick - t) < tick / 2 for t in times):
            x, y = (float(world.x[0, 0]), float(world.y[0, 0])) if ahead == 0.0 else start
            centre = x + ahead * np.cos(yaw), y + ahead * np.sin(yaw)
            window = Viewport(centre, metres, SIDE, SIDE, yaw)
            above = top_down(backend.maps.maps[0], window, boxes_of(world, 0))
            view = render(backend.maps.arrays, world, camera)[0]
            columns.append((above, view.reshape(VIEW[1], 2, VIEW[0], 2, 3).mean((1, 3)).astype(np.uint8)))
        backend.step(drive(backend, k))
    return _laid_out(title, note, times, texts, columns)


def _laid_out(
    title: str, note: str, times: Sequence[float], texts: Sequence[str], columns: Sequence[tuple[np.ndarray, ...]]
) -> np.ndarray:
    high = HEAD + ROW + SIDE + GAP + VIEW[1] + EDGE
    sheet = np.full((high, 2 * EDGE + len(columns) * (SIDE + GAP) - GAP, 3), PAPER, np.uint8)
    words = [Text(title, EDGE, 28, 18, bold=True), Text(note, sheet.shape[1] - EDGE, 28, 13, FAINT, anchor="rs")]
    for j, (time, text, (above, view)) in enumerate(zip(times, texts, columns)):
        x = EDGE + j * (SIDE + GAP)
        words += [Text(f"{time:g} s", x, HEAD + 14, 13, bold=True), Text(text, x + 54, HEAD + 14, 13)]
        sheet[HEAD + ROW : HEAD + ROW + SIDE, x : x + SIDE] = above
        sheet[HEAD + ROW + SIDE + GAP : high - EDGE, x : x + SIDE] = view
    return write(sheet, words)


def by(decision: str) -> Drive:
    """A drive in which ego takes the exit of a decision."""
    driver = Fixed(decision)
    return lambda backend, _: driver.act(observe_for(backend, driver.needs, np.arange(1)), driver.begin(1))[0]


def queue() -> np.ndarray:
    """Four vehicles at an all-way stop; ego comes third."""
    actors = (
        ActorSpec("first", "car", 0x2F5F9A, "west", speed=7.0, turn="left", takes_turns=True, arrival_offset=2.0),
        ActorSpec("second", "van", 0xE4E4E0, "north", speed=7.0, turn="straight", takes_turns=True, arrival_offset=1.0),
        ActorSpec("fourth", "car", 0x2E7D5B, "east", speed=7.0, turn="right", takes_turns=True, arrival_offset=-1.2),
    )
    episode = Episode("queue", 5, STOPS, distance=24.0, speed=6.0, weather=MORNING, actors=actors, time_limit=60.0,
                      finish=45.0)  # fmt: skip
    waits = by("straight")

    def drive(backend: EmbeddedWorld, tick: int) -> Action:
        action = waits(backend, tick)
        assert backend.followers is not None
        world, edge = backend.world, backend.maps.arrays.junction_in[backend.world.route[0, 0]]
        if backend.followers.line[0, 0, SERVED] < 0:
            left = float(edge - world.route_s[0, 0]) - LINE - (EGO.length - EGO.overhang)
            speed = float(world.speed[0, 0])
            stop = float(stopping_speed(np.float32(speed), np.float32(max(left, 0.0)), EASE, np.float32(0.1)))
            pull = (min(stop, speed + 0.15) - speed) / 0.1 if left > 0.1 else -3.0
            action.acceleration[0] = min(pull, 1.5)
        elif world.speed[0, 0] < 6.0:  # the others wait
            action.acceleration[0] = 1.5
        return action

    texts = ("blue has come first", "blue turns left", "white goes straight on", "ego goes", "green goes last")
    note = "crossroads_stop; turn, takes_turns and arrival_offset of three actors; ego is orange"
    return strip("First come, first served", note, episode, (5.0, 8.0, 13.0, 20.0, 28.0), texts, drive, ahead=30.0)


def cut_in() -> np.ndarray:
    """A parked car pulls out before ego, and brakes."""
    script = Script(
        ((5.0, 0.3), (11.0, 2.1), (17.0, 3.5), (25.0, 3.6), (32.0, 3.6)), within=25.0, speeds=(5.0, 6.5, 6.5, 3.0, 2.0)
    )
    actors = (
        ActorSpec("it", "car", 0xC83848, "south", distance=38.0, side=3.6, script=script),
        ActorSpec("before it", "van", 0x4C6A92, "south", distance=19.0, side=3.6),
    )
    episode = Episode(
        "cut-in",
        5,
        MapSpec("crossroads", (("arm", 80.0),), kind="crossroads"),
        distance=67.0,
        speed=7.0,
        weather=MORNING,
        actors=actors,
        time_limit=60.0,
    )
    texts = ("red is parked", "pulls out", "is before ego", "brakes", "ego has slowed")
    note = "a script with a speed for every leg, on cue when ego is within 25 m"
    return strip("A cut-in", note, episode, (0.4, 2.6, 3.8, 5.4, 7.2), texts, by("straight"), metres=44.0)


def tail() -> np.ndarray:
    """A truck that tailgates ego, through its turn as well."""
    actors = (ActorSpec("behind", "truck", 0x2F5F9A, tailgates=3.0),)
    episode = Episode("tail", 5, CROSSING, distance=34.0, speed=7.0, weather=MORNING, actors=actors, time_limit=60.0,
                      finish=40.0)  # fmt: skip
    texts = ("3 m behind ego", "ego brakes", "ego turns", "so does the truck", "and goes on")
    note = "tailgates: {gap: 3}; below: ego's view to the rear"
    return strip("A tailgater", note, episode, (1.0, 4.2, 6.0, 7.8, 10.5), texts, by("left"), BEHIND, metres=40.0)


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "barriers.png": kinds,
    "queue.png": queue,
    "cut-in.png": cut_in,
    "tailgater.png": tail,
}


if __name__ == "__main__":
    draw_all(PICTURES, __doc__)
