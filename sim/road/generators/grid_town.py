"""Generates a town of rectangular blocks with traffic lights."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ET

from sim.road.generators.base import WIDTH, MapGenerator, register
from sim.road.generators.intersections import CROSSROADS, T_JUNCTION
from sim.road.generators.roads import JUNCTIONS, add_lights
from sim.road.opendrive.writer import (
    JunctionArm,
    LaneStrip,
    add_connections,
    crossing_connections,
    join,
    link,
    network,
    road,
    section,
    street,
    to_xml,
)

_CORNER = 9.0  # [m] radius of a right turn along the middle of its lane


Node = tuple[int, int]


def grid_town(
    blocks_x: float = 3,
    blocks_y: float = 2,
    block: float = 80.0,
    lanes: float = 1,
    lane_width: float = 3.5,
    seed: float = 0,
) -> str:
    """A closed town of rectangular blocks: every lane continues, every corner bends, crossroads have lights.

    The seed moves the streets by up to 15 % of a block and omits some streets within the town, but only where every
    junction keeps at least three arms.

    Args:
        blocks_x, blocks_y: blocks from west to east and from south to north.
        block: mean length of a side of a block [m].
        lanes: per direction, 1 or 2.
        lane_width: [m].
        seed: of the town's shape.
    """
    nx, ny, n = round(blocks_x), round(blocks_y), round(lanes)
    chance = random.Random(round(seed))
    xs, ys = ([k * block + (chance.uniform(-0.075, 0.075) * block) for k in range(m + 1)] for m in (nx, ny))
    streets = _streets(nx, ny, chance)
    edge = _CORNER + (n - 0.5) * lane_width
    root = network("grid_town", (xs[0] - 20.0, ys[0] - 20.0, xs[-1] + 20.0, ys[-1] + 20.0))
    mouths: dict[Node, list[JunctionArm]] = {}
    for road_id, (a, b) in enumerate(streets, 1):
        (ax, ay), (bx, by) = (xs[a[0]], ys[a[1]]), (xs[b[0]], ys[b[1]])
        heading = math.atan2(by - ay, bx - ax)
        c, s = math.cos(heading), math.sin(heading)
        begin, end = (ax + edge * c, ay + edge * s, heading), (bx - edge * c, by - edge * s, heading + math.pi)
        mouths.setdefault(a, []).append(JunctionArm(road_id, "start", begin, n, lane_width))
        mouths.setdefault(b, []).append(JunctionArm(road_id, "end", end, n, lane_width))
    bends = {node: len(streets) + k for k, node in enumerate((m for m in mouths if len(mouths[m]) == 2), 1)}
    for road_id, (a, b) in enumerate(streets, 1):
        begin, end = (next(m.at for m in mouths[node] if m.road == road_id) for node in (a, b))
        element = road(root, road_id, begin, [(math.dist(begin[:2], end[:2]), 0.0)])
        goes_on: list[bool | None] = []
        for side, node in (("predecessor", a), ("successor", b)):
            starts = mouths[node][0].road == road_id  # a bend begins at the first of its two arms
            if node in bends:
                link(element, side, "road", bends[node], "start" if starts else "end")
            else:
                link(element, side, "junction", _junction_id(node))
            goes_on.append(starts == (side == "successor") if node in bends else None)
        section(element, _linked(n, lane_width, -1, *goes_on), _linked(n, lane_width, 1, *goes_on), centre="broken")
    for node, road_id in bends.items():
        _bend(root, road_id, *mouths[node])
    free = JUNCTIONS // 10
    for node in sorted(set(mouths) - set(bends)):
        around = sorted(mouths[node], key=lambda m: math.remainder(m.at[2], 2.0 * math.pi))
        free = add_connections(root, _junction_id(node), free, crossing_connections(around))
        if len(around) == 4:
            add_lights(root, _junction_id(node), around)
    return to_xml(root)


def _junction_id(node: Node) -> int:
    return JUNCTIONS + 100 * node[0] + node[1]


def _streets(nx: int, ny: int, chance: random.Random) -> list[tuple[Node, Node]]:
    """The pairs of neighbouring corners that a street joins."""
    kept = [((i, j), (i + 1, j)) for j in range(ny + 1) for i in range(nx)]
    kept += [((i, j), (i, j + 1)) for i in range(nx + 1) for j in range(ny)]
    within = [s for s in kept if 0 < s[0][1] < ny or s[0][0] != s[1][0]]
    within = [s for s in within if s[0][1] != s[1][1] or 0 < s[0][1] < ny]
    within = [s for s in within if s[0][0] != s[1][0] or 0 < s[0][0] < nx]
    for candidate in chance.sample(within, len(within)):
        degrees = [sum(node in s for s in kept) for node in candidate]
        if chance.random() < 0.3 and min(degrees) > 3:
            kept.remove(candidate)
    return kept


def _linked(n: int, width: float, sign: int, before: bool | None, after: bool | None) -> list[LaneStrip]:
    """One side of a street; at a bend its lanes continue as those of equal (True) or of opposite sign (False)."""
    return [
        LaneStrip(
            s.kind, s.width, s.mark, s.change,
            *(None if same is None else sign * k * (1 if same else -1) for same in (before, after)),
        )
        for k, s in enumerate(street(n, width), 1)
    ]  # fmt: skip


def _bend(root: ET.Element, road_id: int, a: JunctionArm, b: JunctionArm) -> None:
    """Add the two-way road round a corner from arm a to arm b."""
    start, end = a.pose_in(1), b.pose_out(1)
    element = road(root, road_id, start, join(start, end))
    link(element, "predecessor", "road", a.road, a.contact)
    link(element, "successor", "road", b.road, b.contact)
    strips = list(enumerate(street(a.lanes, a.width), 1))
    right = [LaneStrip(s.kind, s.width, s.mark, s.change, a.lane_in(k), b.lane_out(k)) for k, s in strips]
    left = [LaneStrip(s.kind, s.width, s.mark, s.change, a.lane_out(k), b.lane_in(k)) for k, s in strips]
    section(element, right, left, centre="broken")


register(
    MapGenerator(
        "grid_town",
        grid_town,
        {
            "blocks_x": (1, 6), "blocks_y": (1, 6), "block": (60.0, 150.0), "lanes": (1, 2), "lane_width": WIDTH,
            "seed": (0, 1_000_000),
        },
        whole=frozenset({"blocks_x", "blocks_y", "lanes", "seed"}),
        decision_points=(T_JUNCTION, CROSSROADS),
    )
)  # fmt: skip
