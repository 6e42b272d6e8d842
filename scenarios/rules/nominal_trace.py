"""Truth of propositions about the past in a draw, over ego's nominal approach to the junction.

A draw has no past yet, so it gets a *nominal timeline*: ego starts at its speed, `distance` metres before the
junction's edge, and drives on a straight lane towards its cruising speed; the decision is due when it reaches the edge.
The weather is that of `sim.world.weather_schedule` at each tick. A board is readable while the camera is 5 to 10 m
before its post, if it stands on ego's own arm. Every moving actor drives at the speed that was drawn. A real drive may
differ: then the draw and the world disagree, and a scenario must be written so that this does not matter.

Draws are named as in `scenarios.schema.variables`: `ego.distance`, `signs.board.text`, `changes.front.after`; a lookup
gives each a scalar or (n,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scenarios.rules.ast import JUNCTIONS, Formula
from scenarios.rules.compile import Lookup
from scenarios.rules.trace import TICK, evaluate_trace
from scenarios.rules.variables import READABLE, call_of, drawn_in, number_in, shown, text_equals, text_variables
from scenarios.rules.visitors import reads
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.world.weather_schedule import ROUND

CRUISE = 7.0  # [m/s] ego's cruising speed
EAGER = 1.5  # [m/s^2] its greatest acceleration
SETTLING = 1.0  # [1/s] its acceleration per difference to CRUISE
_CELLS = 2_000_000  # draws times ticks that are computed at once
_LONGEST = 100_000  # [ticks] enough for 10 km


class Layout(NamedTuple):
    """The parts of a scenario that make propositions change with time: its signs and weather changes.

    Args:
        signs: name and possible texts, in the order of their slots.
        changes: name and the weather fields that it changes, in the order of beginning.
    """

    signs: tuple[tuple[str, tuple[str, ...]], ...]
    changes: tuple[tuple[str, tuple[str, ...]], ...]

    def boards(self, words: str) -> tuple[str, ...]:
        """The signs whose possible texts contain these words."""
        return tuple(name for name, texts in self.signs if any(text_equals(str(text), words) for text in texts))


def layout_of(episode: Episode) -> Layout:
    """The layout of a concrete draw."""
    changes = sorted(episode.changes, key=lambda c: c.at)
    return Layout(
        tuple((s.name, (s.text,)) for s in episode.signs), tuple((c.name, tuple(f for f, _ in c.to)) for c in changes)
    )


def on_the_way(episode: Episode, trees: Sequence[Formula], tick: float = TICK) -> tuple[bool, ...]:
    """The truth of conditions in a concrete draw at the time of the decision."""
    truths = when_it_falls(trees, lambda variable: drawn_in(episode, variable), layout_of(episode), tick)
    return tuple(bool(t[0]) for t in truths)


def when_it_falls(
    trees: Sequence[Formula], drawn: Lookup, layout: Layout, tick: float = TICK
) -> tuple[np.ndarray, ...]:
    """The truth of conditions in n draws at the time of the decision: bool (n,) each.

    Args:
        drawn: variable -> its drawn value, a scalar or (n,).
    """
    asked = reads(*trees)
    needed = [*("ego.distance", "ego.speed"), *(v for name in asked for v in basis(name, layout))]
    values = {v: np.atleast_1d(np.asarray(drawn(v))) for v in dict.fromkeys(needed)}
    n = max(len(v) for v in values.values())
    left, speed = drive(np.broadcast_to(values["ego.distance"], n), np.broadcast_to(values["ego.speed"], n), tick)
    last = (left > 0.0).sum(1)  # the first tick at which ego has arrived
    found: list[list[np.ndarray]] = [[] for _ in trees]
    rows = max(1, _CELLS // left.shape[1])
    for start in range(0, n, rows):
        some = slice(start, start + rows)
        mine = {v: (x[some] if len(x) == n else x)[:, None] for v, x in values.items()}
        course = _Course(mine, left[some], speed[some], layout, tick)
        traces = {"ego.speed": course.speed, **{name: course.value(name) for name in asked}}  # ego.speed has all ticks
        for truths, tree in zip(found, trees):
            truth = evaluate_trace(tree, traces, tick)
            truths.append(truth[np.arange(len(truth)), last[some]])
    return tuple(np.concatenate(truths) for truths in found)


def basis(variable: str, layout: Layout) -> tuple[str, ...]:
    """The drawn variables that a variable depends on during the approach, besides ego's own."""
    head, _, field = variable.partition(".")
    function, name = call_of(variable)
    if function == "number":
        return tuple(f"signs.{name}.{k}" for k in ("text", "present", "kind"))
    if function:
        return ("ego.start", *(f"signs.{s}.{k}" for s in layout.boards(name) for k in ("text", *READ_WHERE)))
    if variable in (JUNCTIONS, "ego.speed"):
        return ()
    if head == "weather":
        changing = [name for name, fields in layout.changes if field in fields]
        return (variable, *(f"changes.{c}.{k}" for c in changing for k in ("after", "over", field)))
    thing, _, attribute = variable.rpartition(".")
    if head == "traffic":
        return (variable,)
    shows = [f"{thing}.present", *([f"{thing}.kind"] if attribute == "text" else [])]
    return (variable, *shows, *([f"{thing}.side"] if attribute == "distance" else []))


READ_WHERE: tuple[str, ...] = ("present", "kind", "arm", "distance")  # of a sign: where and whether it can be read


def drive(distance: np.ndarray, speed: np.ndarray, tick: float = TICK) -> tuple[np.ndarray, np.ndarray]:
    """Ego's nominal approach to the junction.

    Args:
        distance, speed: (n,) at the start [m, m/s].

    Returns:
        Metres to the junction's edge and speed [m/s] at every tick until all are there: (n, T) each.
    """
    left, v = distance.astype(float), speed.astype(float)
    ways, speeds = [left], [v]
    while (left > 0.0).any() and len(ways) < _LONGEST:
        v = v + np.minimum(EAGER, SETTLING * (CRUISE - v)) * tick
        left = left - v * tick
        ways.append(left)
        speeds.append(v)
    return np.stack(ways, 1), np.stack(speeds, 1)


class _Course:
    """The values of variables along n nominal approaches: anything that broadcasts to (n, T).

    Args:
        drawn: variable -> its drawn values, (n, 1) or (1, 1).
        left: metres to the junction's edge; speed: of ego [m/s]; (n, T) each.
    """

    def __init__(
        self, drawn: dict[str, np.ndarray], left: np.ndarray, speed: np.ndarray, layout: Layout, tick: float
    ) -> None:
        self.drawn = drawn
        self.left = left
        self.speed = speed
        self.layout = layout
        self.seconds = np.arange(left.shape[1])[None] * tick

    def value(self, variable: str) -> Any:
        head, _, field = variable.partition(".")
        function, words = call_of(variable)
        if variable == "ego.speed":
            return self.speed
        if head == "weather":
            return self.weather(field)
        if function in ("sign", "reading"):
            return self.read(function, words)
        if variable.endswith(".distance"):
            thing = variable.rpartition(".")[0]
            apart = np.hypot(self.drawn[variable] - self.left, self.drawn[f"{thing}.side"])
            return np.where(self.drawn[f"{thing}.present"], apart, np.inf)
        return shown(variable, self.drawn.__getitem__)

    def read(self, function: str, words: str) -> np.ndarray:
        """The value of `sign(words)` or `reading(words)`: (n, T)."""
        found = np.zeros(self.left.shape, bool if function == "sign" else int)
        for sign in self.layout.boards(words):
            text = self.drawn[f"signs.{sign}.text"]
            present, kind, arm, distance = (self.drawn[f"signs.{sign}.{k}"] for k in READ_WHERE)
            said = text_variables(text, lambda t: text_equals(t, words) if function == "sign" else number_in(t, words))
            ahead = self.left - Camera.forward - distance
            near = (ahead >= READABLE[0]) & (ahead <= READABLE[1])
            near &= present.astype(bool) & (kind == "text") & (arm == self.drawn["ego.start"])
            found = np.where(near & (found == 0), said, found)
        return found

    def weather(self, field: str) -> np.ndarray:
        """A weather field at every tick: (n, T).

        It equals `sim.world.weather_schedule.weather_at` where the changes of a field do not overlap.
        """
        value = np.asarray(self.drawn[f"weather.{field}"], float)
        for name, fields in self.layout.changes:
            if field in fields:
                after, over, end = (self.drawn[f"changes.{name}.{k}"] for k in ("after", "over", field))
                step = end - value
                if field in ROUND:
                    step = (step + 180.0) % 360.0 - 180.0
                share = (self.seconds - after) / np.where(over > 0, over, 1.0)
                share = np.where(over > 0, share, np.where(self.seconds >= after, 1.0, -1.0))
                going = value + step * share
                going = going % 360.0 if field in ROUND else going
                value = np.where(self.seconds < after, value, np.where(share >= 1.0, end, going))
        return value.astype(np.float32)
