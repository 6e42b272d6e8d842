"""Measures how often ego parks well in random bays, and draws three of them from above.

    python benchmarks/parking.py
    python benchmarks/parking.py --draws 1000 --out /folder/for/a/look

Bays lie along the south kerb of the generated street `parking_bays`; cars and vans stand in others of them, not quite
in their middles. Success is to stand in the bay within the time limit, all corners within 0.15 m of its lines, turned
by less than 5 degrees, for a second, without a collision and with at most one wheel off the road.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sheets import FOLDER, save

from policies.planning.bay_plan import RADIUS, Room, plan_into
from policies.planning.parking import COUNT, CURVATURE, LENGTH, POSE, Parker
from policies.planning.reeds_shepp import Curve, changes_of, sampled
from sim.actors.registry import BODIES, EGO
from sim.core.geometry import box_corners
from sim.core.tables import row
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, MapSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.traffic.spawning import write_actor
from sim.viz.markers import EGO_COLOUR, Colour, boxes_of, draw_box
from sim.viz.top_down import FAINT, INK, PAPER, RUN_COLOURS, SHARPNESS, background
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld

BAYS, DEPTH, ARM, LANE_WIDTH = 6, 2.3, 40.0, 3.5  # of `parking_bays`
LANE, MIDDLE = -0.5 * LANE_WIDTH, -(LANE_WIDTH + 0.5 * DEPTH)  # y of ego's lane and of the bays [m]
LENGTHS = (6.2, 8.0)  # [m] of a bay
KINDS = ("", "car", "van")  # vehicle in another bay
OFF, BESIDE = 0.2, 0.08  # [m] most offset of a vehicle from the middle of its bay, along and across
STARTS, SPEEDS = (-38.0, -20.0), (2.0, 6.0)  # where ego begins, from the first bay [m], and how fast [m/s]
TIME_LIMIT = 90.0  # [s]
TICK = Simulation().tick
APART = 5  # ticks between two outlines of the picture
GEARS: dict[bool, Colour] = {False: RUN_COLOURS[3], True: EGO_COLOUR}  # backwards?
COLOURS = (0x8C98A8, 0x5B6E8C, 0xA8A39A, 0x6C7A70, 0x94808A, 0x707C94)


@dataclass(frozen=True)
class Draw:
    """One street and one task.

    Args:
        length: of every bay [m]; bay: which one ego is to stand in, from 0.
        kinds: vehicle in each of the bays, "" for none; along, across: its offset from the middle [m].
        start: of ego, from the first bay [m]; speed: of it there [m/s]; wetness: of the road [%].
    """

    length: float
    bay: int
    kinds: tuple[str, ...]
    along: tuple[float, ...] = (0.0,) * BAYS
    across: tuple[float, ...] = (0.0,) * BAYS
    start: float = -30.0
    speed: float = 5.0
    wetness: float = 0.0

    def middle(self, bay: int) -> float:
        """x of the middle of a bay [m]."""
        return (bay + 0.5 - 0.5 * BAYS) * self.length

    @property
    def row(self) -> np.ndarray:
        """(5,) the bay, as a `Parker` takes it."""
        return np.array([self.middle(self.bay), MIDDLE, 0.0, self.length, DEPTH], np.float32)


def drawn(seed: int) -> Draw:
    """One of the measured streets; their lengths are whole decimetres, so that few maps are compiled."""
    rng = np.random.default_rng([seed, 0xBA1])
    bay = int(rng.integers(BAYS))
    kinds = tuple("" if k == bay else KINDS[int(rng.integers(len(KINDS)))] for k in range(BAYS))
    along, across = (tuple(rng.uniform(-most, most, BAYS).tolist()) for most in (OFF, BESIDE))
    length = round(float(rng.uniform(*LENGTHS)), 1)
    return Draw(length, bay, kinds, along, across, float(rng.uniform(*STARTS)), float(rng.uniform(*SPEEDS)),
                float(rng.choice((0.0, 100.0))))  # fmt: skip


def started(draws: Sequence[Draw]) -> EmbeddedWorld:
    """A world for each of the draws."""
    backend = EmbeddedWorld(len(draws), simulation=Simulation(actors=1 + BAYS))
    backend.reset([
        Episode("parking", seed, MapSpec("parking_bays", (("bay", d.length),)), speed=d.speed, time_limit=TIME_LIMIT,
                weather=Weather(wetness=d.wetness),
                route=((d.middle(0) - 0.5 * d.length + d.start, LANE), (0.5 * BAYS * d.length + ARM - 2.0, LANE)))
        for seed, d in enumerate(draws)
    ])  # fmt: skip
    for w, d in enumerate(draws):
        for k, kind in enumerate(d.kinds):
            if kind:
                body = BODIES[kind]
                x = d.middle(k) + d.along[k] - 0.5 * body.length + body.overhang
                write_actor(row(backend.world, w), 1 + k, kind, x, MIDDLE + d.across[k], 0.0, COLOURS[k])
    return backend


@dataclass(frozen=True)
class Run:
    """The result of parking in B worlds.

    Args:
        backend: at the end.
        memory: of the parker.
        poses: (T + 1, B, 3) of ego's rear axle; ticks: (B,) until it stood well, 0 if it never did.
        seconds: that the parker took; acts: for how many worlds and ticks.
    """

    backend: EmbeddedWorld
    memory: np.ndarray
    poses: np.ndarray
    ticks: np.ndarray
    seconds: float
    acts: int


def park(draws: Sequence[Draw]) -> Run:
    """Let ego park in each of them."""
    backend, parker = started(draws), Parker()
    world, memory = backend.world, parker.begin(len(draws))
    bays = np.stack([d.row for d in draws])
    ticks, tick, seconds, acts = np.zeros(len(draws), int), 0, 0.0, 0
    poses = [np.stack([world.x[:, 0], world.y[:, 0], world.yaw[:, 0]], 1)]
    while len(slots := np.flatnonzero((world.outcome == OUTCOME["running"]) & (ticks == 0))):
        rows = World(*(a[slots] for a in world))
        begun = time.perf_counter()
        action, memory[slots], done = parker.act(backend.maps.arrays, rows, bays[slots], memory[slots])
        seconds, acts, tick = seconds + time.perf_counter() - begun, acts + len(slots), tick + 1
        ticks[slots[done]] = tick
        brakes = Action(np.zeros(len(draws), np.float32), np.full(len(draws), -3.0, np.float32))
        active = np.zeros(len(draws), bool)
        active[slots] = True
        backend.step(action.spread(slots, len(draws)).where(active, brakes))
        poses.append(np.stack([world.x[:, 0], world.y[:, 0], world.yaw[:, 0]], 1))
    return Run(backend, memory, np.array(poses), ticks, seconds, acts)


# ---------------------------------------------------------------------------------------------------- what is counted
def shortest(kinds: tuple[str, str], at_line: bool, changes: int) -> float:
    """The shortest bay [m], to 0.05, that a plan with so many changes of gear leads into, as all longer ones do.

    Args:
        kinds: vehicle in the bays behind and before it, "" for none; at_line: as near as possible, else midway.
    """
    best = math.nan
    for length in np.arange(8.5, 4.4, -0.05):
        boxes = []
        for side, kind in zip((-1.0, 1.0), kinds):
            if kind:
                body = BODIES[kind]
                x = side * (0.5 * (length + body.length) if at_line else length)
                boxes.append((x, 0.0, 0.0, body.length, body.width))
        room = Room(float(length), DEPTH, np.array(boxes).reshape(-1, 5))
        plan = plan_into(room, (station(LANE - MIDDLE), LANE - MIDDLE, 0.0))
        if plan is None or changes_of(plan) > changes:
            return best
        best = float(length)
    return best


def station(aside: float) -> float:
    """x from the middle of a bay at which ego stops when it drives `aside` of it [m]."""
    turned = math.acos(1.0 - 0.5 * aside / RADIUS)
    return EGO.overhang - 0.5 * EGO.length + 2.0 * RADIUS * math.sin(turned) + 0.2


def plan_of(memory: np.ndarray) -> Curve:
    """The plan in a memory's row."""
    pieces = range(int(memory[COUNT]))
    return tuple((float(memory[CURVATURE + k]), float(memory[LENGTH + k])) for k in pieces)


def table(draws: Sequence[Draw], run: Run) -> str:
    """Successes by kind of task, times, final positions and costs, as text."""
    good = run.ticks > 0
    groups = {
        "all": np.ones(len(draws), bool),
        "bays below 7 m": np.array([d.length < 7.0 for d in draws]),
        "between two vans": np.array([_beside(d) == ["van", "van"] for d in draws]),
        "no neighbours": np.array([_beside(d) == [] for d in draws]),
        "wet road": np.array([d.wetness > 50.0 for d in draws]),
    }
    lines = [f"stands well: {name:18s} {good[chosen].sum():4d} of {chosen.sum()}" for name, chosen in groups.items()]
    moves = np.array([1 + changes_of(plan_of(row)) for row in run.memory])
    lines.append("moves: " + ", ".join(f"{n} in {(moves == n).sum()}" for n in sorted(set(moves.tolist()))))
    world, seconds = run.backend.world, run.ticks[good] * TICK
    middle = world.x[:, 0] + 0.5 * EGO.length - EGO.overhang - [d.middle(d.bay) for d in draws]
    lines.append(f"time: median {np.median(seconds):.1f} s, longest {seconds.max():.1f} s")
    lines.append(
        f"stands at most {np.abs(world.y[good, 0] - MIDDLE).max():.3f} m beside the middle line of the bay, "
        f"{np.abs(middle[good]).max():.2f} m before or behind its middle, turned by "
        f"{np.degrees(np.abs(world.yaw[good, 0])).max():.2f} degrees"
    )
    lines.append(f"cost: {run.seconds / run.acts * 1e6:.1f} us per world and tick, plans included")
    return "\n".join(lines)


def _beside(d: Draw) -> list[str]:
    """The vehicles in the bays next to ego's."""
    return [d.kinds[k] for k in (d.bay - 1, d.bay + 1) if 0 <= k < BAYS and d.kinds[k]]


def limits() -> str:
    """The shortest bays, as text."""
    lines = ["shortest bay [m]                      one move   three moves"]
    for kinds in (("", ""), ("car", "car"), ("van", "van")):
        for at_line in (False, True) if kinds[0] else (False,):
            who = f"{kinds[0]}s beside, {'at the lines' if at_line else 'midway'}" if kinds[0] else "no neighbours"
            lines.append(f"  {who:34s}  {shortest(kinds, at_line, 0):6.2f}   {shortest(kinds, at_line, 2):6.2f}")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------------------ what is drawn
def flush(length: float, kind: str, bay: int = 2) -> Draw:
    """A bay with a vehicle of a kind on either side, each as near as its own bay allows."""
    kinds, along = [""] * BAYS, [0.0] * BAYS
    for side in (-1, 1):
        kinds[bay + side] = kind
        along[bay + side] = -side * 0.5 * (length - BODIES[kind].length)
    return Draw(length, bay, tuple(kinds), tuple(along), start=-20.0)


SHOWN = {
    "a   A bay of 8 m: one move": Draw(8.0, 2, ("", "car", "", "car", "", ""), start=-20.0),
    "b   A bay of 6.2 m between vans: back, then forward to the middle": Draw(
        6.2, 2, ("", "van", "", "van", "", ""), start=-20.0
    ),
    "c   A bay of 6.2 m, cars right at its lines: back, forward, back": flush(6.2, "car"),
}


def paint(colour: Colour) -> tuple[float, float, float]:
    """A colour as matplotlib takes it."""
    return tuple(v / 255 for v in colour)  # type: ignore[return-value]


def outline(pose: np.ndarray) -> np.ndarray:
    """(4, 2) corners of ego's box at a pose of its rear axle."""
    ahead = 0.5 * EGO.length - EGO.overhang
    x, y, yaw = (float(v) for v in pose)
    return box_corners(x + ahead * math.cos(yaw), y + ahead * math.sin(yaw), yaw, EGO.length, EGO.width)


def draw_one(axes: Axes, title: str, task: Draw, run: Run, w: int) -> None:
    """Draw one street from above: the bay, the parked vehicles, the plan and where ego was."""
    window = Viewport((task.middle(task.bay) + 1.8, -2.9), 21.0, 1050, 430)
    ground = background(run.backend.maps.maps[int(run.backend.world.map[w])], window)
    for box in boxes_of(run.backend.world, w):
        if not box.ego:
            draw_box(ground, box, window.larger(SHARPNESS))
    wide, tall = window.span / 2, window.span / 2 * window.height / window.width
    (x, y) = window.centre
    axes.imshow(ground, extent=(x - wide, x + wide, y - tall, y + tall), interpolation="antialiased", zorder=1)
    bay = box_corners(task.middle(task.bay), MIDDLE, 0.0, task.length, DEPTH)
    axes.fill(*bay.T, facecolor="none", edgecolor="white", lw=1.8, ls=(0, (4, 2)), zorder=2)
    row, ticks = run.memory[w], int(run.ticks[w])
    poses = run.poses[: ticks + 1, w]
    line = sampled(tuple(row[POSE : POSE + 3].astype(float)), plan_of(row), 0.05)
    begin = int(np.argmin(np.hypot(*(poses[:, :2] - line[0, :2]).T)))  # the tick in which it set out
    for at in range(begin % APART, ticks, APART):
        back = at > begin and poses[at, 0] < poses[at - 1, 0]
        edge = (*paint(GEARS[bool(back)]), 0.9 if at >= begin else 0.45)
        axes.fill(*outline(poses[at]).T, facecolor="none", edgecolor=edge, lw=0.9, zorder=3)
    axes.fill(*outline(poses[-1]).T, facecolor=(1, 1, 1, 0.35), edgecolor="white", lw=2.2, zorder=4)
    axes.plot(*poses[: begin + 1, :2].T, color=paint(GEARS[False]), lw=2.0, zorder=6)
    draw_plan(axes, line)
    seconds = f"{ticks * TICK:.0f} s in all, {(ticks - begin) * TICK:.0f} s from 1 on"
    axes.set_title(title, color=paint(INK))
    axes.set_title(seconds, color=paint(FAINT), loc="right", weight="normal", fontsize=10)
    axes.set_xlim(x - wide, x + wide)
    axes.set_ylim(y - tall, y + tall)
    axes.set_axis_off()


def draw_plan(axes: Axes, line: np.ndarray) -> None:
    """Draw the line of `sampled` in the colours of its gears, and a number where ego stands on it."""
    edges = [0, *(np.flatnonzero(np.diff(line[:, 4])) + 1), len(line)]
    for a, b in pairwise(edges):
        axes.plot(line[a:b, 0], line[a:b, 1], color="white", lw=4.2, zorder=5)
        axes.plot(line[a:b, 0], line[a:b, 1], color=paint(GEARS[bool(line[a, 4] < 0)]), lw=2.4, zorder=6)
    points = line[[*edges[:-1], len(line) - 1], :2]
    for number, point in enumerate(points, start=1):
        crowded = (np.hypot(*(points - point).T) < 0.8).sum() > 1  # then the numbers stand above and below, in turn
        aside = 0.0 if not crowded else 0.8 if number % 2 else -0.8
        at = point + np.array([0.25 * aside * (number - 3), aside])
        axes.plot(*np.stack([point, at], 1), color="white", lw=1.2, zorder=7)
        axes.plot(*point, "o", color="white", mec=paint(INK), ms=5, mew=0.9, zorder=7)
        axes.plot(*at, "o", color="white", mec=paint(INK), ms=12, mew=0.9, zorder=8)
        axes.text(*at, str(number), ha="center", va="center_baseline", fontsize=8, weight="bold", zorder=9)


def picture() -> np.ndarray:
    """The pictures of SHOWN, one below the other: (H, W, 3) uint8."""
    tasks = list(SHOWN.values())
    run = park(tasks)
    style = {
        "font.family": "DejaVu Sans", "axes.titlesize": 11.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    }  # fmt: skip
    with matplotlib.rc_context(style):
        page = Figure(figsize=(10.0, 13.6), dpi=100, layout="constrained", facecolor=paint(PAPER))
        for w, (axes, title) in enumerate(zip(page.subplots(len(tasks), 1), SHOWN)):
            draw_one(axes, title, tasks[w], run, w)
        page.supxlabel(
            "lines: the rear axle, from 1 on as planned; green forwards, red backwards; numbers: where ego stands\n"
            f"boxes: ego every {APART * TICK:g} s, as it was driven, filled where it stands in the end; dashed: bay",
            fontsize=9.5, color=paint(FAINT),
        )  # fmt: skip
        buffer = io.BytesIO()
        page.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def main() -> None:
    """Count, measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200, help="how many streets")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the picture is written to")
    options = parser.parse_args()
    park([drawn(options.first)])  # compiles
    draws = [drawn(options.first + k) for k in range(options.draws)]
    run = park(draws)
    print(table(draws, run))
    for w in np.flatnonzero(run.ticks == 0)[:5]:
        print(f"  seed {options.first + w}: {draws[w]}, outcome {run.backend.world.outcome[w]}")
    print(limits())
    save(picture(), options.out / "parking.png", mask=0xF8)


if __name__ == "__main__":
    main()
