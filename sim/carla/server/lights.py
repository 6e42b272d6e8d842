"""Traffic lights and signs of a served map: their actors, their states, and their stop lines.

Lights follow the plans of `sim.road.graph.traffic_lights` on the clock of the world. A light whose state or times a
client has set runs by itself from there, each state for its time, until it is reset. Cameras render lights from the
plans in the scenery of the map arrays: there every light gets a plan that shows its present state at any time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.carla.server.actors import Actor, Table
from sim.carla.server.snapshot import BEFORE, BEHIND, SAME_WAY
from sim.road.graph.lane_graph import LIGHTS, LIMIT, STOP, YIELD, LaneGraph
from sim.road.graph.traffic_lights import (
    GREEN,
    OFF,
    RED,
    YELLOW,
    YELLOW_TIME,
    junction_of,
    light_state,
    pack_signal_plan,
    signal_plans,
)

NEXT = {GREEN: YELLOW, YELLOW: RED, RED: GREEN, OFF: OFF}
NOON = 60_000  # [ms] the clock of rendering; the plans ALWAYS show one colour then
ALWAYS = {
    RED: pack_signal_plan(100, 0, 1),
    YELLOW: pack_signal_plan(100, 58, 1),
    GREEN: pack_signal_plan(100, 60, 1),
    OFF: 0,
}
_state = light_state.py_func  # a call of the compiled one from here costs ten times as much
_TURN = 90.0  # [deg] between a light's actor in CARLA and its signal


class Light:
    """One traffic light.

    Args:
        actor: of it. plan: see `sim.road.graph.traffic_lights`. group: lights of a group are switched together.

    Attributes:
        times: state -> its duration [s], once the light runs by itself.
        alone: whether it runs by itself; state, elapsed [s]: of the light; frozen: whether its state is frozen.
    """

    def __init__(self, actor: Actor, plan: int, group: int) -> None:
        self.actor, self.plan, self.group = actor, plan, group
        period, green = plan >> 14 & 127, plan & 127
        self._usual = {GREEN: float(green), YELLOW: float(YELLOW_TIME), RED: float(period - green - YELLOW_TIME)}
        self.reset()

    def reset(self) -> None:
        """Follow the plan again."""
        self.times = dict(self._usual) | {OFF: math.inf}
        self.alone = self.frozen = False
        self.state, self.elapsed = OFF, 0.0

    def set(self, state: int) -> None:
        """Show a state from now on, for its duration."""
        self.alone = True
        self.state, self.elapsed = state, 0.0

    def advance(self, clock: int, delta: float) -> None:
        """Advance by `delta` [s], to the clock's time [ms]."""
        if self.frozen:
            return
        if not self.alone:
            state = int(_state(self.plan, clock))
            self.elapsed = self.elapsed + delta if state == self.state else 0.0
            self.state = state
            return
        self.elapsed += delta
        if self.elapsed >= self.times[self.state] - 1e-6:
            self.state, self.elapsed = NEXT[self.state], 0.0


class Lights:
    """The traffic lights of a map.

    Args:
        lights: in the order of the map's signals.
        gates: (G, 5) stop lines, see `sim.carla.server.snapshot.lights_before`; owners: (G,) index of each one's light.
        rows: of the scenery that render them, in the same order.

    Attributes:
        frozen: whether all are frozen. clock: [ms].
    """

    def __init__(self, lights: list[Light], gates: np.ndarray, owners: np.ndarray, rows: np.ndarray) -> None:
        self.all = lights
        self.by_id = {light.actor.id: light for light in lights}
        self.frozen, self.clock = False, 0
        self._gates, self._owners, self._rows = gates, owners, rows
        self._shown: list[int] = []
        self._states = np.zeros(len(lights), np.int64)
        self._closed = np.zeros(len(owners), bool)
        self._written, self._places, self._set_up = -1, np.zeros(0, np.int64), [(False, False)]
        self.news = True  # whether times were set since the last snapshot
        self._ids = np.array([light.actor.id for light in lights], np.uint32)

    def advance(self, delta: float) -> None:
        """Advance all lights by `delta` [s]."""
        if not self.frozen:
            second = self.clock // 1000
            self.clock = (self.clock + round(delta * 1000)) % (127 * 126 * 1000 * 60)
            same = second == self.clock // 1000  # plans change with the seconds
            for light in self.all:
                if same and not light.alone and light.state != OFF:
                    if not light.frozen:
                        light.elapsed += delta
                else:
                    light.advance(self.clock, delta)

    def show(self, scenery: np.ndarray) -> None:
        """Write the lights' states into the scenery."""
        states = [light.state for light in self.all]
        if states != self._shown:
            scenery[self._rows, 7] = [ALWAYS[s] for s in states]
            self._shown = states
            self._states = np.array(states, np.int64)
            self._closed = ((self._states == RED) | (self._states == YELLOW))[self._owners]

    def write(self, table: Table) -> None:
        """Write the lights' part of the snapshot."""
        if not self.all:
            return
        if self._written != table.changes:
            self._places = np.array([table.index[light.actor.id] for light in self.all])
            self._written = table.changes
        records, here = table.lights, self._places
        records["elapsed"][here] = [light.elapsed for light in self.all]
        records["shows"][here] = self._states
        if (set_up := [(light.frozen or self.frozen, light.alone) for light in self.all]) != self._set_up:
            records["frozen"][here] = [frozen for frozen, _ in set_up]
            self._set_up = set_up
        if self.news:
            for name, state in (("green", GREEN), ("yellow", YELLOW), ("red", RED)):
                records[name][here] = [light.times[state] for light in self.all]
            self.news = False

    def reset(self) -> None:
        """Make all lights follow their plans again, from the beginning."""
        self.clock, self.frozen, self.news = 0, False, True
        for light in self.all:
            light.reset()
            light.advance(0, 0.0)

    def group(self, light: Light) -> list[Light]:
        """Return the lights of the junction of a light."""
        return [other for other in self.all if other.group == light.group]

    @property
    def lines(self) -> tuple[np.ndarray, ...]:
        """Stop lines, their lights, which are closed, and the states and ids of all lights.

        They are arguments of `sim.carla.server.snapshot.lights_before`.
        """
        return self._gates, self._owners, self._closed, self._states, self._ids


def lights_of(graph: LaneGraph, scenery: np.ndarray, admit: Any, table: Table) -> Lights:
    """Make the actors of a map's signals, and the lights among them.

    Args:
        scenery: of the map arrays, which ends with the lights' rows; admit: makes an actor of a type.
    """
    plans = signal_plans(graph)
    lights: list[Light] = []
    gates: list[tuple[float, ...]] = []
    owners: list[int] = []
    for g, kind in enumerate(graph.signal_types):
        is_light = kind in LIGHTS
        name = "traffic.traffic_light" if is_light else _sign(kind, float(graph.signal_value[g]))
        if name is None:
            continue
        actor = admit(name, [], 0)
        x, y, yaw = (float(v) for v in graph.signal_pose[g])
        actor.place = [[x, -y, 0.0], [0.0, -math.degrees(yaw) + (_TURN if is_light else 0.0), 0.0]]
        stops = _stops(graph, g)
        if stops:
            actor.box = _trigger(actor, stops[0])
        sign_id = str(graph.signal_ids[g]).encode()[:32]
        record = table.lights[table.index[actor.id]]
        record["sign_id"] = sign_id
        actor.tags = bytes([7 if is_light else 8])
        if is_light:
            record["pole"] = 0
            junction = junction_of(graph, g)
            owners += [len(lights)] * len(stops)
            gates += [(sx, sy, math.cos(syaw), math.sin(syaw), 0.45 * width) for sx, sy, syaw, width in stops]
            lights.append(Light(actor, int(plans[g]), junction if junction >= 0 else -1 - g))
    rows = np.arange(len(scenery) - len(lights), len(scenery))
    made = Lights(lights, np.array(gates, np.float64).reshape(-1, 5), np.array(owners, np.int64), rows)
    made.reset()
    return made


def _sign(kind: str, value: float) -> str | None:
    if kind == LIMIT:
        return f"traffic.speed_limit.{round(value)}"
    return {STOP: "traffic.stop", YIELD: "traffic.yield"}.get(kind)


def _stops(graph: LaneGraph, signal: int) -> list[tuple[float, float, float, float]]:
    """Return x, y, yaw and width of the lanes of a signal, at their stop lines."""
    found = []
    for lane, at in graph.governed_by(signal):
        points = graph.points_of(lane)
        k = round(at / max(float(graph.length[lane]), 1e-6) * (len(points) - 1)) if graph.junction[lane] < 0 else 0
        x, y, yaw = (float(v) for v in points[min(k, len(points) - 1)])
        found.append((x, y, yaw, float(graph.width[graph.start[lane] + min(k, len(points) - 1)])))
    return found


def _trigger(actor: Actor, stop: tuple[float, float, float, float]) -> list[Any]:
    """Return the trigger volume before a stop line, as a box in the actor's own frame.

    CARLA's client and its Leaderboard search for a light's stop lines along the box's x and ignore the box's rotation,
    so x is across the lane where the actor stands across the lane, as lights do.
    """
    x, y, yaw, width = stop
    middle = (BEHIND - BEFORE) / 2.0
    at = x + middle * math.cos(yaw), -(y + middle * math.sin(yaw))
    (px, py, _), (_, degrees, _) = actor.place
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    dx, dy = at[0] - px, at[1] - py
    half = [(BEFORE + BEHIND) / 2.0, 0.45 * width, 1.0]
    turn = -math.degrees(yaw) - degrees
    if abs(math.sin(math.radians(turn))) > SAME_WAY:
        half[0], half[1], turn = half[1], half[0], turn + _TURN
    return [[dx * cos + dy * sin, dy * cos - dx * sin, 1.0], half, [0.0, turn, 0.0], actor.id]
