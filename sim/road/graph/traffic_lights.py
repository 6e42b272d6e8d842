"""Traffic lights: the colour of each light as a pure function of its signal plan and of the lights' clock.

A signal plan is one number (24 bits, so that it fits the appearance of a piece of scenery): the cycle's length, the
time in the cycle at which the light turns green, and the length of green, in whole seconds.  After green the light is
yellow for YELLOW_TIME seconds, otherwise it is red.  The lights of a junction share a cycle in which each phase is
green once, followed by yellow and CLEARANCE seconds of red everywhere; a phase is the lights of one controller, or of
one approach where the map names no controllers.
"""

from __future__ import annotations

import numpy as np

from sim.core.kernel import kernel
from sim.road.graph.lane_graph import LIGHTS, LaneGraph

SIGNAL_STATES: tuple[str, ...] = ("red", "yellow", "green", "off")  # CARLA's TrafficLightState, in its order
RED, YELLOW, GREEN, OFF = range(4)
GREEN_TIME, YELLOW_TIME, CLEARANCE = 10, 3, 2  # [s], the first two as in CARLA's own lights
LIGHTS_OFF = -1  # the clock of a world whose lights do not work
_MOST = 127  # [s] the greatest number of seven bits
_APPROACH = np.pi / 3  # [rad] lights whose headings differ by less belong to one approach
_SECOND = np.int32(1000)  # [ms]
_YELLOW_TIME = np.int32(YELLOW_TIME)


def pack_signal_plan(period: int, begin: int, green: int) -> int:
    """Pack a signal plan: green from `begin` [s] in a cycle of `period` [s], for `green` [s].

    Raises:
        ValueError: for a number of more than seven bits, or a green that does not fit into the cycle.
    """
    if not 0 < period <= _MOST or not 0 <= begin < period or not 0 < green or begin + green + YELLOW_TIME > period:
        raise ValueError(
            f"a cycle of {period} s cannot hold green from {begin} s for {green} s and {YELLOW_TIME} s of yellow; "
            f"wanted at most {_MOST} s in all"
        )
    return period << 14 | begin << 7 | green


@kernel(inline=True)
def light_state(plan, clock):  # type: ignore[no-untyped-def]
    """The state of a light with this signal plan at `clock` [ms]: RED, YELLOW, GREEN or OFF, int32."""
    state = np.int32(OFF)
    period = (plan >> 14) & 127
    if clock >= 0 and period > 0:
        at = (clock // _SECOND - ((plan >> 7) & 127) + period) % period
        state = np.int32(RED)
        if at < (plan & 127):
            state = np.int32(GREEN)
        elif at < (plan & 127) + _YELLOW_TIME:
            state = np.int32(YELLOW)
    return state


def signal_plans(graph: LaneGraph) -> np.ndarray:
    """(G,) int32: the signal plan of every traffic light of a map, 0 for other signals.

    Raises:
        ValueError: for a junction with more phases than a cycle can hold.
    """
    plans = np.zeros(len(graph.signal_ids), np.int32)
    lights = [g for g, kind in enumerate(graph.signal_types) if kind in LIGHTS]
    by_junction: dict[int, list[int]] = {}
    for g in lights:
        by_junction.setdefault(junction_of(graph, g), []).append(g)
    for junction, members in sorted(by_junction.items()):
        phases = _phases(graph, members, alone=junction < 0)
        length = GREEN_TIME + YELLOW_TIME + CLEARANCE
        green = GREEN_TIME
        if len(phases) * length > _MOST:
            green = _MOST // len(phases) - YELLOW_TIME - CLEARANCE
            length = green + YELLOW_TIME + CLEARANCE
        if green < 1:
            raise ValueError(f"junction {junction} of {graph.name} has {len(phases)} phases; a cycle holds fewer")
        period = max(len(phases), 2) * length
        for k, phase in enumerate(phases):
            for g in phase:
                plans[g] = pack_signal_plan(period, k * length, green)
    return plans


def junction_of(graph: LaneGraph, signal: int) -> int:
    """The junction that a signal controls: that of a lane it applies to, or of such a lane's successor; -1: none."""
    for lane, _ in graph.governed_by(signal):
        for other in (lane, *graph.successors_of(lane).tolist()):
            if graph.junction[other] >= 0:
                return int(graph.junction[other])
    return -1


def _phases(graph: LaneGraph, members: list[int], alone: bool) -> list[list[int]]:
    """The groups of lights that are green together, in the order of their phases.

    Args:
        alone: the lights control no junction, so that each has its own cycle and all can have the same plan.
    """
    if alone:
        return [members]
    by_controller: dict[int, list[int]] = {}
    for g in members:
        by_controller.setdefault(int(graph.signal_controller[g]), []).append(g)
    free = by_controller.pop(-1, [])
    phases = list(by_controller.values())
    approaches: list[list[int]] = []
    for g in free:
        for group in approaches:
            turn = graph.signal_pose[g, 2] - graph.signal_pose[group[0], 2]
            if abs(np.arctan2(np.sin(turn), np.cos(turn))) < _APPROACH:
                group.append(g)
                break
        else:
            approaches.append([g])
    return phases + approaches
