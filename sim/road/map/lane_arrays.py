"""Lane graphs as flat arrays for the traffic kernels, with gates, right-of-way conflicts and sidewalks.

The arrays contain only driving lanes, renumbered over all maps of a `MapBatch`.  A *gate* is a light, a stop sign or a
yield sign that controls a lane. A gate at a junction belongs to the connecting lane, so that a light for left turns
stops left turns alone; its distance along that lane is then negative, before the lane's beginning.  Two lanes of a
junction *conflict* when they start from different lanes and their middles come nearer than two cars are wide.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sim.road.graph.lane_graph import LIGHTS, STOP, YIELD, LaneGraph, lane_graph
from sim.road.graph.sidewalks import SidewalkGraph, sidewalk_graph
from sim.road.graph.traffic_lights import signal_plans

GATES: tuple[str, ...] = ("none", "light", "stop", "yield")
GATE: dict[str, int] = {name: i for i, name in enumerate(GATES)}
APART = 3.2  # [m] lanes whose middles stay this far apart do not conflict
HEAD_ON = 2.2  # [m] oncoming lanes whose middles come nearer have room for one vehicle only
LATERAL = 2.0  # [m/s^2] lateral acceleration of drivers in bends
EASE = 1.5  # [m/s^2] deceleration of drivers before bends
SLOWEST = 2.0  # [m/s] least speed in any bend


# Columns of LaneArrays.link, of LaneArrays.measure and of LaneArrays.points.
ROW, ROWS, JUNCTION, ORIGIN, LEFT, RIGHT, NEXT, NEXT_END, CONFLICT, CONFLICT_END, GATE_KIND, GATE_PLAN = range(12)
LENGTH, STEP, TURN, HEADING, GATE_AT, PACE = range(6)
X, Y, YAW, SPEED, COS, SIN = range(6)


class LaneArrays(NamedTuple):
    """The driving lanes of every map of a `MapBatch`, L lanes with P points in all, and the sidewalk graphs.

    points (P, 6) f32: x, y [m], yaw [rad], pace [m/s] (greatest speed in the lane there), cosine and sine of yaw;
    change (P, 2) u8: whether lane changes to the left, to the right are allowed.
    link (L, 12) i32: first row and number of rows of points; junction, -1 outside; the lane before, the lanes to the
    left and right, -1 for none; begin and end of the lane's successors and conflicts; gate, an index into GATES, and
    the signal plan of its light.
    measure (L, 6) f32: length and distance between points [m]; turn over the whole lane and heading at its start [rad];
    the gate's distance along the lane [m]; the pace at the lane's beginning [m/s].
    successors, conflicts, sources i32: lanes; sources are those without predecessors.
    lanes_of_map, sources_of_map, feet_of_map (M, 2) i32: first and one after the last of each map's lanes, `sources`
    and sidewalks; 0 and 0 for a map without traffic.
    foot_start, foot_points, foot_crossing, foot_link_start, foot_links: the sidewalk graphs, see
    `sim.road.graph.sidewalks`.
    """

    points: np.ndarray
    change: np.ndarray
    link: np.ndarray
    measure: np.ndarray
    successors: np.ndarray
    conflicts: np.ndarray
    sources: np.ndarray
    lanes_of_map: np.ndarray
    sources_of_map: np.ndarray
    feet_of_map: np.ndarray
    foot_start: np.ndarray
    foot_points: np.ndarray
    foot_crossing: np.ndarray
    foot_link_start: np.ndarray
    foot_links: np.ndarray


class DrivableLanes(NamedTuple):
    """One map's part of `LaneArrays`, numbered from 0; graph_lane (L,) is the index of each lane in the lane graph."""

    graph_lane: np.ndarray
    points: np.ndarray
    change: np.ndarray
    link: np.ndarray
    measure: np.ndarray
    successors: np.ndarray
    conflicts: np.ndarray
    sources: np.ndarray
    footways: SidewalkGraph


@functools.lru_cache(maxsize=64)
def drivable_lanes(opendrive: str, name: str) -> DrivableLanes:
    """The drivable lanes of an OpenDRIVE text, cached; see `compile_drivable_lanes`."""
    return compile_drivable_lanes(lane_graph(opendrive, name))


def compile_drivable_lanes(graph: LaneGraph) -> DrivableLanes:
    """Compile the driving lanes and sidewalks of a map for the kernels.

    Raises:
        ValueError: when the map has no driving lane.
    """
    kept = graph.lanes_of_kind("driving")
    if not len(kept):
        raise ValueError(f"map {graph.name} has no lane that can be driven on; wanted one for traffic")
    number = np.full(len(graph), -1, np.int32)
    number[kept] = np.arange(len(kept))
    rows = [slice(graph.start[i], graph.start[i + 1]) for i in kept]
    counts = np.array([r.stop - r.start for r in rows])
    length = graph.length[kept].astype(np.float32)
    points = np.concatenate([_table(graph, r, float(n)) for r, n in zip(rows, length)])
    successors = [[int(number[j]) for j in graph.successors_of(i) if number[j] >= 0] for i in kept]
    before = [[int(number[j]) for j in graph.predecessors_of(i) if number[j] >= 0] for i in kept]
    lines = [graph.points[r] for r in rows]
    junction = graph.junction[kept].astype(np.int32)
    origin = np.array([b[0] if b else -1 for b in before], np.int32)
    beside = np.where(graph.neighbours[kept] >= 0, number[graph.neighbours[kept]], -1).astype(np.int32)
    conflicts = _conflicts(lines, junction, origin)
    gate, gate_at, gate_plan = _gates(graph, number, successors, junction, length)
    link, measure = np.zeros((len(kept), 12), np.int32), np.zeros((len(kept), 6), np.float32)
    edges = np.concatenate([[0], np.cumsum(counts)])
    link[:, ROW], link[:, ROWS], link[:, JUNCTION], link[:, ORIGIN] = edges[:-1], counts, junction, origin
    link[:, LEFT], link[:, RIGHT], link[:, GATE_KIND], link[:, GATE_PLAN] = beside[:, 0], beside[:, 1], gate, gate_plan
    link[:, [NEXT, NEXT_END]], following = _csr(successors)
    link[:, [CONFLICT, CONFLICT_END]], crossing = _csr(conflicts)
    measure[:, LENGTH], measure[:, STEP], measure[:, GATE_AT] = length, length / (counts - 1), gate_at
    measure[:, TURN], measure[:, HEADING] = [line[-1, 2] - line[0, 2] for line in lines], [p[0, 2] for p in lines]
    measure[:, PACE] = points[edges[:-1], 3]
    change = np.concatenate([graph.change[r] for r in rows]).astype(np.uint8)
    sources = np.array([i for i, b in enumerate(before) if not b], np.int32)
    return DrivableLanes(
        kept, points.astype(np.float32), change, link, measure, following, crossing, sources, sidewalk_graph(graph)
    )


def check_capacity(streets: DrivableLanes, name: str) -> None:
    """Raise for a map on which vehicles would meet head on: two oncoming lanes that overlap outside a junction.

    Raises:
        ValueError: naming the map and the place.
    """
    link = streets.link
    lines = [streets.points[row : row + rows] for row, rows in link[:, [ROW, ROWS]]]
    boxes = [(line[:, :2].min(0) - HEAD_ON, line[:, :2].max(0)) for line in lines]
    after = [set(streets.successors[a:b].tolist()) for a, b in link[:, [NEXT, NEXT_END]]]
    outside = np.flatnonzero(link[:, JUNCTION] < 0).tolist()
    for a in outside:
        for b in (b for b in outside if b > a and b not in after[a] and a not in after[b]):
            if b in link[a, [LEFT, RIGHT]] or (boxes[a][0] > boxes[b][1]).any() or (boxes[b][0] > boxes[a][1]).any():
                continue
            apart = np.hypot(lines[a][:, None, 0] - lines[b][None, :, 0], lines[a][:, None, 1] - lines[b][None, :, 1])
            i, j = np.unravel_index(np.argmin(apart), apart.shape)
            if apart[i, j] < HEAD_ON and np.cos(lines[a][i, 2] - lines[b][j, 2]) < 0.0:
                x, y = lines[a][i, :2]
                raise ValueError(
                    f"map {name} leaves room for one vehicle only at ({x:.0f}, {y:.0f}), where two lanes meet head on; "
                    "wanted room for two, because traffic has no right-of-way rule there"
                )


def _csr(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """(L, 2) begin and end of each row, and all rows concatenated."""
    ends = np.cumsum([len(r) for r in rows])
    return np.column_stack([ends - [len(r) for r in rows], ends]), np.array([v for r in rows for v in r], np.int32)


def _table(graph: LaneGraph, rows: slice, length: float) -> np.ndarray:
    """(K, 6) the rows of `LaneArrays.points` for one lane."""
    yaw = graph.points[rows, 2]
    return np.column_stack([graph.points[rows], _pace(graph, rows, length), np.cos(yaw), np.sin(yaw)])


def _pace(graph: LaneGraph, rows: slice, length: float) -> np.ndarray:
    """(K,) greatest speed [m/s] in a lane: its limit, less in bends, with room to slow down for them."""
    yaw = graph.points[rows, 2].astype(np.float64)
    step = length / (len(yaw) - 1)
    reach = max(1, round(1.5 / step))
    padded = np.pad(yaw, reach, mode="edge")
    span = np.minimum(np.arange(len(yaw)) + reach, len(yaw) - 1) - np.maximum(np.arange(len(yaw)) - reach, 0)
    bend = np.abs(padded[2 * reach :] - padded[: -2 * reach]) / (span * step)
    pace = np.minimum(graph.speed_limit[rows], np.sqrt(LATERAL / np.maximum(bend, 1e-4)))
    pace = np.maximum(pace, SLOWEST)
    for k in range(len(pace) - 2, -1, -1):
        pace[k] = min(pace[k], np.sqrt(pace[k + 1] ** 2 + 2.0 * EASE * step))
    return pace


def _conflicts(lines: Sequence[np.ndarray], junction: np.ndarray, origin: np.ndarray) -> list[list[int]]:
    """For every lane the lanes of its junction that conflict with it."""
    found: list[list[int]] = [[] for _ in lines]
    for j in np.unique(junction[junction >= 0]):
        members = np.flatnonzero(junction == j)
        for a in members.tolist():
            for b in members[members > a].tolist():
                if origin[a] == origin[b] and origin[a] >= 0:
                    continue
                apart = np.hypot(
                    lines[a][:, None, 0] - lines[b][None, :, 0], lines[a][:, None, 1] - lines[b][None, :, 1]
                )
                # where one lane follows the other, they touch at an end without a conflict
                follows = min(apart[0, -1], apart[-1, 0]) < 0.5
                if apart.min() < APART and not (follows and apart[1:-1, 1:-1].min(initial=np.inf) > 0.3):
                    found[a].append(b)
                    found[b].append(a)
    return found


def _gates(
    graph: LaneGraph, number: np.ndarray, successors: Sequence[Sequence[int]], junction: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, distance [m] and signal plan of every lane's gate; gates at a junction belong to its connecting lanes."""
    gate, at, plan = (np.zeros(len(length), t) for t in (np.int32, np.float32, np.int32))
    plans = signal_plans(graph)
    kinds = {**dict.fromkeys(LIGHTS, GATE["light"]), STOP: GATE["stop"], YIELD: GATE["yield"]}
    for g, type_ in enumerate(graph.signal_types):
        kind = kinds.get(type_, 0)
        if not kind or (kind == GATE["light"] and not plans[g]):
            continue
        for lane, along in graph.governed_by(g):
            here = int(number[lane])
            if here < 0:
                continue
            ways = [s for s in successors[here] if junction[s] >= 0] if junction[here] < 0 else []
            held = [(w, along - float(length[here])) for w in ways] or [(here, along)]
            for k, place in held:
                if gate[k] in (0, kind) or kind == GATE["light"]:  # a light outranks a sign on the same lane
                    gate[k], at[k], plan[k] = kind, min(place, 0.0) if junction[k] >= 0 else place, plans[g]
    return gate, at, plan


def concatenate(linked: Mapping[int, DrivableLanes], maps: int) -> LaneArrays:
    """Concatenate the drivable lanes of maps of a `MapBatch`, in the order of the mapping.

    The order is that in which the maps were linked, not that of their numbers: a map that gets traffic later than
    others comes last, so that the lanes of running drivers keep their numbers.

    Args:
        linked: number of a map -> its lanes; a map without traffic is not in it.
        maps: number of maps in all.
    """
    made = list(linked.values())
    sizes = np.array(
        [[len(m.link), len(m.points), len(m.successors), len(m.conflicts), len(m.sources), len(m.footways.crossing)]
         for m in made], np.int32,
    ).reshape(-1, 6)  # fmt: skip
    end = np.cumsum(sizes, axis=0, dtype=np.int32)
    lanes, rows, nexts, conflicts, _, feet = (end - sizes).T  # the first of every map
    spans = np.zeros((6, maps, 2), np.int32)
    for place, number in enumerate(linked):
        spans[:, number, 0], spans[:, number, 1] = end[place] - sizes[place], end[place]
    links = [np.zeros((0, 12), np.int32)]
    for i, m in enumerate(made):
        link = m.link.copy()
        link[:, ROW] += rows[i]
        link[:, [NEXT, NEXT_END]] += nexts[i]
        link[:, [CONFLICT, CONFLICT_END]] += conflicts[i]
        for column in (ORIGIN, LEFT, RIGHT):
            link[:, column] += np.where(link[:, column] >= 0, lanes[i], 0).astype(np.int32)
        links.append(link)
    none, floats = np.zeros(0, np.int32), np.zeros((0, 6), np.float32)
    moved = {
        name: np.concatenate([none, *(getattr(m, name) + lanes[i] for i, m in enumerate(made))]).astype(np.int32)
        for name in ("successors", "conflicts", "sources")
    }
    return LaneArrays(
        points=np.concatenate([floats, *(m.points for m in made)]),
        change=np.concatenate([np.zeros((0, 2), np.uint8), *(m.change for m in made)]),
        link=np.concatenate(links),
        measure=np.concatenate([floats, *(m.measure for m in made)]),
        **moved,
        lanes_of_map=spans[0],
        sources_of_map=spans[4],
        feet_of_map=spans[5],
        **_lay_out_feet([m.footways for m in made], feet.tolist()),
    )


def _lay_out_feet(made: Sequence[SidewalkGraph], offsets: Sequence[int]) -> dict[str, np.ndarray]:
    starts, links, rows, total, linked = [np.zeros(1, np.int64)], [np.zeros(1, np.int32)], [], 0, 0
    for feet, offset in zip(made, offsets):
        starts.append(feet.start[1:] + total)
        links.append((feet.link_start[1:] + linked).astype(np.int32))
        rows.append((feet.links + 2 * offset).astype(np.int32))
        total += int(feet.start[-1])
        linked += len(feet.links)
    return {
        "foot_start": np.concatenate(starts),
        "foot_points": np.concatenate([np.zeros((0, 4), np.float32), *(f.points for f in made)]),
        "foot_crossing": np.concatenate([np.zeros(0, np.uint8), *(f.crossing for f in made)]),
        "foot_link_start": np.concatenate(links),
        "foot_links": np.concatenate([np.zeros(0, np.int32), *rows]),
    }
