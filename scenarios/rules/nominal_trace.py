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

from collections.abc import Mapping, Sequence

import numpy as np

from scenarios.rules.ast import Formula
from scenarios.rules.compile import Lookup
from scenarios.rules.trace import TICK, evaluate_trace
from scenarios.rules.variables import drawn_in, reads_on_approach, value_on_approach
from scenarios.rules.variables.base import Approach, Layout
from scenarios.rules.visitors import reads
from sim.datatypes.episode import Episode

CRUISE = 7.0  # [m/s] ego's cruising speed
EAGER = 1.5  # [m/s^2] its greatest acceleration
SETTLING = 1.0  # [1/s] its acceleration per difference to CRUISE
_CELLS = 2_000_000  # draws times ticks that are computed at once
_LONGEST = 100_000  # [ticks] enough for 10 km


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
    needed = [*("ego.distance", "ego.speed"), *(v for name in asked for v in reads_on_approach(name, layout))]
    values = {v: np.atleast_1d(np.asarray(drawn(v))) for v in dict.fromkeys(needed)}
    n = max(len(v) for v in values.values())
    left, speed = drive(np.broadcast_to(values["ego.distance"], n), np.broadcast_to(values["ego.speed"], n), tick)
    last = (left > 0.0).sum(1)  # the first tick at which ego has arrived
    found: list[list[np.ndarray]] = [[] for _ in trees]
    rows = max(1, _CELLS // left.shape[1])
    for start in range(0, n, rows):
        some = slice(start, start + rows)
        mine = {v: (x[some] if len(x) == n else x)[:, None] for v, x in values.items()}
        approach = approach_of(mine, left[some], speed[some], layout, tick)
        traces = {name: value_on_approach(name, approach) for name in ("ego.speed", *asked)}  # ego.speed has all ticks
        for truths, tree in zip(found, trees):
            truth = evaluate_trace(tree, traces, tick)
            truths.append(truth[np.arange(len(truth)), last[some]])
    return tuple(np.concatenate(truths) for truths in found)


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


def approach_of(
    drawn: Mapping[str, np.ndarray], left: np.ndarray, speed: np.ndarray, layout: Layout, tick: float = TICK
) -> Approach:
    """Nominal approaches, as the variables take them; the arguments are those of `Approach`."""
    return Approach(drawn, left, speed, np.arange(left.shape[1])[None] * tick, layout)
