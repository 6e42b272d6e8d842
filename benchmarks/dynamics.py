"""Draws docs/images/dynamics.png (braking, pedal and wheel, bends, reverse) and prints the figures.

    python benchmarks/dynamics.py
    python benchmarks/dynamics.py --out /folder/for/a/look

Every line is a simulated car: stepped by `sim.dynamics.bicycle.drive_batch`, as every world moves its ego, and in the
last panel by a world itself. Only the controls are chosen here.
"""

from __future__ import annotations

import argparse
import io
import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from sim.actors.registry import EGO
from sim.core import tables
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, MapSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.dynamics.bicycle import drive_batch, grip_of
from sim.dynamics.friction import wetness_of
from sim.traffic.spawning import write_actor
from sim.viz.markers import EGO_COLOUR, Colour, boxes_of, draw_box
from sim.viz.top_down import FAINT, INK, PAPER, RUN_COLOURS, SHARPNESS, background
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld

FOLDER = Path(__file__).parent.parent / "docs" / "images"
TICK = Simulation().tick
SHORT = 0.01  # [s] a tick short enough to stand for continuous time
Starts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

ROADS = {"dry": Weather(), "damp": Weather(wetness=75.0), "wet": Weather(wetness=100.0)}
BRAKED_FROM = 15.0  # [m/s]
PEDALS, PEDALLED_AT = (0.2, 3.0, 1.2, -7.0, 2.2), 12.0  # when [s], how much [m/s^2]; until [s]; [m/s] at the start
WHEELS, STEERED_AT = (0.2, 0.6, 1.2, -0.6, 2.2), 3.0  # the same for the wheel [rad]
BEND, BEND_SPEEDS = math.radians(10.0), (8.0, 12.0, 16.0)  # [rad], [m/s]

# Six bays along the south kerb; x is east, and a pose is that of the rear axle.
STREET = MapSpec("parking_bays")
BAY, BAY_MIDDLE, LANE_MIDDLE = 6.0, -4.65, -1.75  # length; y of the bays and of ego's lane [m]
PARKED = ((-3.0, 0x8C98A8), (9.0, 0x5B6E8C))  # x of the middles of two bays [m], and colours of the cars there
GOAL = 3.0 - EGO.length / 2 + EGO.overhang  # x at which ego stands in the middle of the bay between them [m]
START, STOP_AT, WALKING = -4.0, 7.0, 1.2  # x where it begins and where it stops to go back [m]; speed then [m/s]
TURNS = np.radians(np.linspace(35.0, 55.0, 81))  # by how much it turns into the bay, a world each

APART = 1.5  # [s] between two boxes of the drawing

COLOURS = {"dry": RUN_COLOURS[0], "damp": RUN_COLOURS[3], "wet": RUN_COLOURS[1]}
GEARS: dict[bool, Colour] = {False: RUN_COLOURS[3], True: EGO_COLOUR}  # in reverse?
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10.0, "axes.titlesize": 11.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlepad": 12.0, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "lines.solid_capstyle": "round", "text.parse_math": False,
}  # fmt: skip


# -------------------------------------------------------------------------------------------------------- measured
def starts(cars: int, speed: float | np.ndarray, steer: float = 0.0) -> Starts:
    """Cars at the origin with heading 0, as `drive_batch` takes them."""
    full = np.full(cars, speed, np.float32)
    return np.zeros((cars, 3), np.float32), full, np.full(cars, steer, np.float32), np.zeros(cars, np.float32)


def grips(weathers: list[Weather]) -> np.ndarray:
    """(n,) coefficients of friction."""
    return np.array([grip_of.py_func(wetness_of.py_func(w.array())) for w in weathers], np.float32)


def braking(grip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Full brakes from BRAKED_FROM to a stop: distance [m] and speed [m/s] at every tick, (T + 1, n) each."""
    n = len(grip)
    state = starts(n, BRAKED_FROM)
    ways, speeds = [state[0][:, 0]], [state[1]]
    while speeds[-1].any():
        state = drive_batch(state, np.zeros(n), np.full(n, -EGO.max_braking), grip, TICK, EGO)
        ways.append(state[0][:, 0])
        speeds.append(state[1])
    return np.array(ways), np.array(speeds)


@dataclass(frozen=True)
class Answer:
    """A step response, (T + 1,) each: time at the ends of ticks [s], requested value, actual value."""

    time: np.ndarray
    asked: np.ndarray
    given: np.ndarray


def answer(what: str, tick: float) -> Answer:
    """How the pedal [m/s^2] or the wheel [rad] follows two steps; the pedal's value is a mean over the tick before."""
    at, first, then, second, end = PEDALS if what == "pedal" else WHEELS
    state = starts(1, PEDALLED_AT if what == "pedal" else STEERED_AT)
    grip, zero = grips([ROADS["dry"]]), np.zeros(1)
    time = np.arange(round(end / tick) + 1) * tick
    asked, given = [0.0], [0.0]
    for begins in time[:-1] + 0.5 * tick:
        asked.append(0.0 if begins < at else first if begins < then else second)
        wanted = np.full(1, asked[-1])
        steer, pedal = (zero, wanted) if what == "pedal" else (wanted, zero)
        state = drive_batch(state, steer, pedal, grip, tick, EGO)
        given.append(float(state[3 if what == "pedal" else 2][0]))
    return Answer(time, np.array(asked), np.array(given))


def bend(speed: float, grip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drive with the wheel held at BEND until every car has turned by a right angle, each to its own end.

    Returns:
        poses (T + 1, n, 3), rows after a car's own end repeat it; and radii (n,) [m]: distance over heading change.
    """
    n = len(grip)
    state, done = starts(n, speed, BEND), np.zeros(n, bool)
    poses, ended = [state[0]], np.zeros(n)
    while not done.all():
        state = drive_batch(state, np.full(n, BEND), np.zeros(n), grip, TICK / 5, EGO)  # short ticks for smooth lines
        poses.append(np.where(done[:, None], poses[-1], state[0]))
        ended += ~done * speed * TICK / 5
        done |= poses[-1][:, 2] >= math.pi / 2
    return np.array(poses), ended / poses[-1][:, 2]


@dataclass(frozen=True)
class Parking:
    """One world in which ego parked.

    Args:
        world: the backend with all worlds; row: this one.
        poses: (T + 1, 3) of its rear axle; reverse: (T,) bool, its gear; least: distance to the cars beside it [m].
    """

    world: EmbeddedWorld
    row: int
    poses: np.ndarray
    reverse: np.ndarray
    turn: float
    miss: float
    least: float


def held(speed: np.ndarray, wanted: float) -> np.ndarray:
    """The pedal that holds a speed, in either direction [m/s^2]."""
    return np.clip(4.0 * (wanted - np.abs(speed)), -3.0, 1.0)


def park() -> Parking:
    """Drive past a bay, back into it and straighten up; returns the world that ends nearest to its middle.

    The worlds differ in one number, by how much ego turns before it turns the wheel over.
    """
    n = len(TURNS)
    backend = EmbeddedWorld(n, simulation=Simulation(actors=1 + len(PARKED)))
    episode = Episode(
        "parking", 1, STREET, speed=3.0, time_limit=60.0, route=((START, LANE_MIDDLE), (50.0, LANE_MIDDLE))
    )
    backend.reset([episode] * n)
    world = backend.world
    for w in range(n):
        for i, (x, colour) in enumerate(PARKED, start=1):
            write_actor(tables.row(world, w), i, "car", x - EGO.length / 2 + EGO.overhang, BAY_MIDDLE, 0.0, colour)
    phase = np.zeros(n, int)  # drives past, turns in, turns over, brakes, straightens up, stands
    poses, gears = [np.stack([world.x[:, 0], world.y[:, 0], world.yaw[:, 0]], 1)], []
    while (phase < 5).any():
        x, yaw, speed = world.x[:, 0], world.yaw[:, 0], world.speed[:, 0]
        way = np.where(phase == 0, STOP_AT, GOAL) - x
        arriving = np.minimum(3.0, np.sqrt(np.maximum(2.0 * 1.5 * (way - 0.15), 0.0)))
        forward = np.where(phase == 4, np.minimum(arriving, WALKING), arriving)
        wheel = np.select([phase == 1, phase == 2, phase == 4], [-EGO.max_steer, EGO.max_steer, -4.0 * yaw], 0.0)
        settled = np.abs(world.steer[:, 0] - wheel) < 0.01  # the wheel is turned at standstill if needed
        back = np.where((phase == 1) & (speed == 0.0) & ~settled, -3.0, held(speed, WALKING))
        reverse = (phase >= 1) & (phase <= 3)
        pedal = np.where(reverse, back, np.clip(4.0 * (forward - speed), -3.0, 1.5))
        pedal[(phase == 3) | (phase == 5)] = -3.0
        backend.step(Action(wheel.astype(np.float32), pedal.astype(np.float32), reverse))
        poses.append(np.stack([world.x[:, 0], world.y[:, 0], world.yaw[:, 0]], 1))
        gears.append(reverse)
        still = (np.abs(world.speed[:, 0]) < 0.02) & (way < 0.3)
        stands, yaw = world.speed[:, 0] == 0.0, world.yaw[:, 0]
        after = [still, yaw >= TURNS, yaw <= 0.06, stands, still, np.zeros(n, bool)]
        phase = np.where(world.outcome != OUTCOME["running"], 5, phase + np.choose(phase, after))
    away = np.hypot(world.x[:, 0] - GOAL, world.y[:, 0] - BAY_MIDDLE) + 2.0 * np.abs(world.yaw[:, 0])
    away[world.outcome != OUTCOME["running"]] = np.inf  # it has collided, or left the road
    row = int(np.argmin(away))
    assert math.isfinite(away[row]), "no world has parked"
    found = np.array(poses)[:, row]
    miss = float(abs(world.y[row, 0] - BAY_MIDDLE))
    return Parking(backend, row, found, np.array(gears)[:, row], float(TURNS[row]), miss, room(found))


def outline(pose: np.ndarray, points: int = 60) -> np.ndarray:
    """(4 * points, 2) points around ego's box at a pose of its rear axle."""
    front, back, side = EGO.length - EGO.overhang, -EGO.overhang, EGO.width / 2
    corners = np.array([(front, side), (back, side), (back, -side), (front, -side), (front, side)])
    along = np.linspace(0.0, 4.0, 4 * points, endpoint=False)
    local = np.stack([np.interp(along, range(5), corners[:, k]) for k in range(2)], 1)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    return local @ np.array([[c, s], [-s, c]]) + pose[:2]


def room(poses: np.ndarray) -> float:
    """The least distance [m] between ego's box and the parked cars."""
    around = np.concatenate([outline(p) for p in poses])
    beyond = [np.abs(around - (x, BAY_MIDDLE)) - (EGO.length / 2, EGO.width / 2) for x, _ in PARKED]
    return min(float(np.hypot(*np.maximum(b, 0.0).T).min()) for b in beyond)


# ----------------------------------------------------------------------------------------------------------- drawn
def paint(colour: Colour) -> tuple[float, float, float]:
    """A colour as matplotlib takes it."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def plain(axes: Axes, title: str, x: str, y: str) -> None:
    """Set title, names of the axes, and a faint grid."""
    axes.set_title(title, color=paint(INK))
    axes.set_xlabel(x, color=paint(INK))
    axes.set_ylabel(y, color=paint(INK))
    axes.grid(color="#e6e6e2", lw=0.8)
    axes.tick_params(colors=paint(FAINT), length=0)
    for spine in axes.spines.values():
        spine.set_color("#c6cad0")


def draw_braking(axes: Axes) -> None:
    """Draw speed over distance on three roads, and the stopping distance over wetness."""
    plain(axes, f"a   Full brakes from {BRAKED_FROM:g} m/s", "metres since the pedal", "speed [m/s]")
    grip = grips(list(ROADS.values()))
    ways, speeds = braking(grip)
    for k, (name, weather) in enumerate(ROADS.items()):
        last = int(np.argmin(speeds[:, k])) + 1
        colour = paint(COLOURS[name])
        axes.plot(ways[:last, k], speeds[:last, k], color=colour, lw=2.4)
        axes.plot(ways[-1, k], 0.0, "o", color=colour, ms=7, mec="white", zorder=4, clip_on=False)
        words = f"{name}, wetness {weather.wetness:g}:  {ways[-1, k]:.1f} m"
        axes.text(20.6, 15.4 - 1.05 * k, words, color=colour, weight="bold", ha="right", va="center")
    axes.set_xlim(0.0, 21.0)
    axes.set_ylim(0.0, 16.0)
    axes.set_xticks(range(0, 21, 5))
    inset = axes.inset_axes((0.10, 0.13, 0.43, 0.40))
    wetness = np.linspace(0.0, 100.0, 101)
    fine = grips([replace(ROADS["dry"], wetness=float(v)) for v in wetness])
    inset.plot(wetness, braking(fine)[0][-1], color=paint(INK), lw=1.8)
    for k, (name, weather) in enumerate(ROADS.items()):
        inset.plot(weather.wetness, ways[-1, k], "o", color=paint(COLOURS[name]), ms=6, mec="white", clip_on=False)
    limit = float(np.interp(-EGO.max_braking / 9.81, -fine, wetness))
    inset.axvline(limit, color=paint(FAINT), lw=1.0, ls=(0, (3, 2)))
    inset.text(limit / 2, 18.35, "brakes limit", ha="center", color=paint(FAINT), fontsize=8.5)
    inset.text((limit + 100) / 2, 17.1, "tyres limit", ha="center", color=paint(FAINT), fontsize=8.5)
    plain(inset, "", "wetness", "")
    inset.set_title("way to a stand [m]", fontsize=9, weight="normal", pad=5, color=paint(INK))
    inset.set_xlim(0.0, 100.0)
    inset.set_ylim(16.8, 20.2)
    inset.set_yticks((17, 18, 19, 20))
    inset.tick_params(labelsize=8.5)
    inset.xaxis.label.set_fontsize(9)
    inset.set_facecolor(paint(PAPER))


def draw_answers(upper: Axes, lower: Axes) -> None:
    """Draw pedal and wheel after steps."""
    plain(upper, "b   Pedal and wheel follow what is asked", "", "along [m/s²]")
    plain(lower, "", "seconds", "wheel [degrees]")
    for axes, what, scale in ((upper, "pedal", 1.0), (lower, "wheel", 180.0 / math.pi)):
        fine, coarse = answer(what, SHORT), answer(what, TICK)
        colour = paint(RUN_COLOURS[2])
        axes.plot(fine.time, fine.asked * scale, color=paint(FAINT), lw=1.4, ls=(0, (3, 2)), drawstyle="steps-pre",
                  label="asked for")  # fmt: skip
        if what == "pedal":
            axes.stairs(coarse.given[1:] * scale, coarse.time, baseline=None, color=colour, lw=2.2,
                        label=f"mean of a tick of {TICK:g} s")  # fmt: skip
        else:
            axes.plot(coarse.time, coarse.given * scale, "o-", color=colour, lw=2.2, ms=4.5, mec="white", mew=0.6,
                      label=f"at ticks of {TICK:g} s")  # fmt: skip
        axes.plot(fine.time, fine.given * scale, color=paint(INK), lw=1.1, label=f"ticks of {SHORT:g} s")
        axes.set_xlim(0.0, 2.2)
        axes.legend(loc="upper right", frameon=False, fontsize=8.5, labelcolor=paint(INK), handlelength=1.8,
                    borderaxespad=0.0)  # fmt: skip
    upper.set_ylim(-8.2, 5.6)
    upper.set_yticks((PEDALS[3], 0.0, PEDALS[1]))
    upper.tick_params(labelbottom=False)
    upper.text(0.02, 0.07, f"first order, time constant {EGO.lag:g} s", transform=upper.transAxes, color=paint(FAINT))
    lower.set_ylim(-44.0, 58.0)
    lower.set_yticks((-30, 0, 30))
    lower.set_xticks(np.arange(0.0, 2.1, 0.5))
    rate = f"{math.degrees(EGO.steer_rate):.0f}° a second, to {math.degrees(EGO.max_steer):.1f}° either way"
    lower.text(0.02, 0.07, rate, transform=lower.transAxes, color=paint(FAINT))


def draw_bends(axes: Axes) -> None:
    """Draw one wheel angle, three speeds, two roads, and the circle of the wheel."""
    plain(axes, f"c   The wheel held at {math.degrees(BEND):.0f}°, at three speeds", "metres", "metres")
    radius = EGO.wheelbase / math.tan(BEND)
    turn = np.linspace(0.0, math.radians(150.0), 200)
    axes.plot(radius * np.sin(turn), radius * (1 - np.cos(turn)), color="#d4d5d0", lw=9, solid_capstyle="butt")
    axes.text(6.6, 29.2, f"the circle of the\nwheel: {radius:.1f} m", color=paint(FAINT), ha="right", va="center",
              fontsize=9)  # fmt: skip
    for speed, shade in zip(BEND_SPEEDS, (3, 4, 2)):
        colour = paint(RUN_COLOURS[shade])
        poses, radii = bend(speed, grips([ROADS["dry"], ROADS["wet"]]))
        same = radii[1] - radii[0] < 0.01
        for n, (name, dash) in enumerate((("dry", "-"), ("wet", (0, (4, 2))))):
            if same and n:
                continue
            x, y = (float(v) for v in poses[-1, n, :2])
            axes.plot(*poses[:, n, :2].T, color=colour, lw=2.4, ls=dash, zorder=3)
            axes.fill(*outline(poses[-1, n]).T, facecolor="white" if n else colour, edgecolor=colour, lw=1.6, zorder=4)
            words = f"{speed:g} m/s\n{'dry and wet' if same else name}\n{radii[n]:.1f} m"
            axes.text(x - 2.0 if same else x, y - 0.8 if same else y + 4.8, words, color=colour, fontsize=9.5,
                      ha="right" if same else "center", va="bottom", weight="bold", linespacing=1.15)  # fmt: skip
    axes.set_aspect("equal")
    axes.set_xlim(-8.0, 56.0)
    axes.set_ylim(-2.5, 57.0)
    axes.set_xticks(range(0, 51, 10))


def draw_parking(axes: Axes, parked: Parking) -> None:
    """Draw ego from above at equal intervals, and where it stands."""
    plain(axes, "d   Backwards into a bay between two cars", "", "")
    window = Viewport((3.0, -3.0), 18.0, 1150, 840)
    picture = background(parked.world.maps.maps[0], window)
    boxes = boxes_of(parked.world.world, parked.row)
    for box in (*boxes[:-1], replace(boxes[-1], ego=False)):
        draw_box(picture, box, window.larger(SHARPNESS))
    wide, tall = window.span / 2, window.span / 2 * window.height / window.width
    (x, y) = window.centre
    axes.imshow(picture, extent=(x - wide, x + wide, y - tall, y + tall), interpolation="antialiased", zorder=1)
    ends = [0, *(np.flatnonzero(np.diff(parked.reverse.astype(int))) + 1), len(parked.reverse)]
    for at in range(0, ends[2], round(APART / TICK)):
        colour = paint(GEARS[bool(parked.reverse[at])])
        axes.fill(*outline(parked.poses[at]).T, facecolor=(*colour, 0.14), edgecolor=colour, lw=1.5, zorder=2)
    for first, last in pairwise(ends):
        line = parked.poses[first : last + 1]
        axes.plot(line[:, 0], line[:, 1], color="white", lw=5.0, zorder=3)
        axes.plot(line[:, 0], line[:, 1], color=paint(GEARS[bool(parked.reverse[first])]), lw=2.6, zorder=4)
    over = int(np.argmax(parked.poses[:, 2]))
    for number, at in enumerate((0, ends[1], over, ends[2]), start=1):
        axes.plot(*parked.poses[at, :2], "o", color="white", mec=paint(INK), ms=14, mew=1.0, zorder=5)
        axes.text(*parked.poses[at, :2], str(number), ha="center", va="center_baseline", fontsize=9, weight="bold",
                  zorder=6)  # fmt: skip
    words = (
        f"1 past the bay, forwards     2 wheel to the right, backwards\n"
        f"3 wheel to the left at {math.degrees(parked.turn):.0f}°     4 forwards into the middle\n"
        f"lines: the rear axle; boxes: the car every {APART:g} s until 4, and where it stands"
    )
    axes.text(0.5, -0.03, words, transform=axes.transAxes, ha="center", va="top", fontsize=9, color=paint(INK),
              linespacing=1.4)  # fmt: skip
    axes.set_anchor("N")
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def figure(parked: Parking) -> Image.Image:
    """The picture with all four panels."""
    with matplotlib.rc_context(STYLE):
        page = Figure(figsize=(13.0, 10.6), dpi=100, layout="constrained", facecolor=paint(PAPER))
        page.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr]
        left, right = page.subfigures(1, 2)
        upper_left, lower_left = left.subfigures(2, 1, height_ratios=(1.0, 1.25))
        upper_right, lower_right = right.subfigures(2, 1, height_ratios=(1.0, 1.25))
        for part in (left, right, upper_left, lower_left, upper_right, lower_right):
            part.set_facecolor(paint(PAPER))
        draw_braking(upper_left.subplots())
        draw_answers(*upper_right.subplots(2, 1, sharex=True))
        draw_bends(lower_left.subplots())
        draw_parking(lower_right.subplots(), parked)
        for part in (upper_left, lower_left, upper_right, lower_right):
            for axes in part.axes:
                axes.set_facecolor(paint(PAPER))
        buffer = io.BytesIO()
        page.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def table(parked: Parking) -> str:
    """The figures of the picture as text."""
    ways = braking(grips(list(ROADS.values())))[0][-1]
    lines = [f"from {BRAKED_FROM:g} m/s to a stand: " + ", ".join(f"{n} {w:.1f} m" for n, w in zip(ROADS, ways))]
    for tick in (TICK, SHORT):
        pedal, wheel = answer("pedal", tick), answer("wheel", tick)
        after = pedal.time - PEDALS[0]
        reached = float(np.interp(1.0 - math.exp(-1.0), pedal.given[after <= 0.9] / PEDALS[1], after[after <= 0.9]))
        turned = float(wheel.time[np.argmax(wheel.given >= WHEELS[1] - 1e-6)] - WHEELS[0])
        lines.append(
            f"ticks of {tick:g} s: 63 % of the pedal after {reached:.2f} s, the whole wheel after {turned:.2f} s"
        )
    for speed in BEND_SPEEDS:
        dry, wet = bend(speed, grips([ROADS["dry"], ROADS["wet"]]))[1]
        lines.append(f"wheel {math.degrees(BEND):.0f} degrees, {speed:g} m/s: radius {dry:.1f} m dry, {wet:.1f} m wet")
    lines.append(f"the circle of that wheel: {EGO.wheelbase / math.tan(BEND):.1f} m")
    whole, back = len(parked.reverse) * TICK, parked.reverse.sum() * TICK
    lines.append(
        f"parked in {whole:.1f} s, {back:.1f} s of them in reverse, turned by {math.degrees(parked.turn):.1f} degrees"
    )
    lines.append(
        f"ends {parked.miss:.2f} m beside the middle of the bay; never nearer than {parked.least:.2f} m to a car"
    )
    return "\n".join(lines)


def main() -> None:
    """Draw the picture and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the picture is written to")
    options = parser.parse_args()
    parked = park()
    print(table(parked))
    path = options.out / "dynamics.png"
    options.out.mkdir(parents=True, exist_ok=True)
    picture = figure(parked)
    picture.save(path, optimize=True)
    print(f"{path}  {picture.width} x {picture.height}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
