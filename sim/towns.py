"""Generated networks with more than one junction: a roundabout, a town of blocks, a ramp that merges.

Each function gives OpenDRIVE text; `sim.maps` registers them with the ranges of their numbers.
"""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ET

from sim.networks import (
    GUTTER,
    PAVEMENT,
    Mouth,
    Pose,
    Strip,
    add_junction,
    add_ways,
    connecting_road,
    controller,
    crossing_ways,
    join,
    link,
    network,
    road,
    section,
    shifted,
    signal,
    street,
    text_of,
)

_JUNCTIONS = 100_000  # ids of junctions begin here, those of connecting roads at a tenth
_SIGNALS = 1
_CORNER = 9.0  # [m] radius of a right turn along the middle of its lane
_RAMP = 0.25  # [rad] between a ramp and the main road
_CHANGE = 35.0  # [m] over which the lane of a ramp runs into the next one
_HARD_SHOULDER = 2.0  # [m]


# ------------------------------------------------------------------------------------------------- roundabout
def roundabout(arms: float = 4, radius: float = 18.0, arm: float = 50.0, lane_width: float = 3.5) -> str:
    """A one-lane ring, driven anticlockwise, that arms join and leave; who enters gives way (sign 205).

    Every arm meets the ring in a junction of its own, with three ways: in, out, and along the ring.

    Args:
        arms: 3 or 4.
        radius: of the ring along the middle of its lane [m].
        arm: length of each road outside [m].
        lane_width: [m].
    """
    n, inner = round(arms), radius - 0.5 * lane_width
    half = _half_angle(inner, lane_width)
    edge = inner / math.cos(half) + inner * math.tan(half)  # where the roads outside begin
    headings = [2.0 * math.pi * k / n - 0.5 * math.pi for k in range(n)]
    reach = edge + arm + 10.0
    root = network("roundabout", (-reach, -reach, reach, reach))
    mouths = []
    for k, heading in enumerate(headings):
        start = (edge * math.cos(heading), edge * math.sin(heading), heading)
        element = road(root, k + 1, start, [(arm, 0.0)])
        link(element, "predecessor", "junction", _JUNCTIONS + k)
        section(element, street(1, lane_width), street(1, lane_width), centre="broken")
        signal(element, _SIGNALS + k, "205", (0.5, lane_width + GUTTER + 0.5), (1, 1))
        mouths.append(Mouth(k + 1, "start", start, 1, lane_width))
    kerb = [Strip("shoulder", GUTTER, "curb")]
    ring = 2.0 * math.pi / n - 2.0 * half
    for k, heading in enumerate(headings):  # the ring between this arm and the next
        element = road(root, n + k + 1, _on_ring(inner, heading + half), [(inner * ring, 1.0 / inner)])
        link(element, "predecessor", "junction", _JUNCTIONS + k)
        link(element, "successor", "junction", _JUNCTIONS + (k + 1) % n)
        section(element, street(1, lane_width), kerb, centre="solid")
    for k, heading in enumerate(headings):
        _ring_junction(root, k, n, mouths[k], (inner, heading, half), lane_width)
    return text_of(root)


def _half_angle(inner: float, lane_width: float) -> float:
    """Half the angle of the ring that a junction takes: as small as gives comfortable turns, at most 35 degrees."""
    wanted, low, high = 13.0 + lane_width, 0.05, math.radians(35.0)
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = inner * math.tan(middle) / math.tan(0.25 * math.pi - 0.5 * middle) > wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def _on_ring(inner: float, angle: float) -> Pose:
    return inner * math.cos(angle), inner * math.sin(angle), angle + 0.5 * math.pi


def _ring_junction(
    root: ET.Element, k: int, n: int, mouth: Mouth, where: tuple[float, float, float], lane_width: float
) -> None:
    """The junction of arm k: into the ring, out of it, along it."""
    inner, heading, half = where
    before, after = (n + (k - 1) % n + 1, "end"), (n + k + 1, "start")
    arrives, leaves = _on_ring(inner, heading - half), _on_ring(inner, heading + half)
    arm = (mouth.road, "start")
    kinds = [("driving", lane_width, "none"), ("shoulder", GUTTER, "curb"), ("sidewalk", PAVEMENT, "none")]
    enter = [Strip(a, w, m, "none", k, -k) for k, (a, w, m) in enumerate(kinds, 1)]
    leave = [Strip(a, w, m, "none", -k, -k) for k, (a, w, m) in enumerate(kinds, 1)]
    first, junction = _JUNCTIONS // 10 + 3 * k, _JUNCTIONS + k
    connecting_road(root, first, junction, (arm, after), (mouth.pose_in(1), leaves), enter)
    connecting_road(root, first + 1, junction, (before, arm), (arrives, mouth.pose_out(1)), leave)
    element = road(root, first + 2, arrives, [(2.0 * half * inner, 1.0 / inner)], junction)
    link(element, "predecessor", "road", *before)
    link(element, "successor", "road", *after)
    section(element, [Strip("driving", lane_width, "none", "none", -1, -1)],
            [Strip("shoulder", GUTTER, "curb", "none", 1, 1)], centre="solid")  # fmt: skip
    pairs = [(mouth.road, first, [(1, -1)]), (before[0], first + 1, [(-1, -1)]), (before[0], first + 2, [(-1, -1)])]
    add_junction(root, junction, pairs)


# -------------------------------------------------------------------------------------------------- grid town
Node = tuple[int, int]


def grid_town(
    blocks_x: float = 3,
    blocks_y: float = 2,
    block: float = 80.0,
    lanes: float = 1,
    lane_width: float = 3.5,
    seed: float = 0,
) -> str:
    """A closed town of rectangular blocks: every lane goes on, every corner bends, crossroads have lights.

    The seed moves the streets by up to 15 % of a block and leaves some streets within the town out, never so many
    that a crossing would have fewer than three arms.

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
    mouths: dict[Node, list[Mouth]] = {}
    for road_id, (a, b) in enumerate(streets, 1):
        (ax, ay), (bx, by) = (xs[a[0]], ys[a[1]]), (xs[b[0]], ys[b[1]])
        heading = math.atan2(by - ay, bx - ax)
        c, s = math.cos(heading), math.sin(heading)
        begin, end = (ax + edge * c, ay + edge * s, heading), (bx - edge * c, by - edge * s, heading + math.pi)
        mouths.setdefault(a, []).append(Mouth(road_id, "start", begin, n, lane_width))
        mouths.setdefault(b, []).append(Mouth(road_id, "end", end, n, lane_width))
    bends = {node: len(streets) + k for k, node in enumerate((m for m in mouths if len(mouths[m]) == 2), 1)}
    for road_id, (a, b) in enumerate(streets, 1):
        begin, end = (next(m.at for m in mouths[node] if m.road == road_id) for node in (a, b))
        element = road(root, road_id, begin, [(math.dist(begin[:2], end[:2]), 0.0)])
        goes_on: list[bool | None] = []
        for side, node in (("predecessor", a), ("successor", b)):
            starts = mouths[node][0].road == road_id  # a bend begins at the first of its two mouths
            if node in bends:
                link(element, side, "road", bends[node], "start" if starts else "end")
            else:
                link(element, side, "junction", _junction_id(node))
            goes_on.append(starts == (side == "successor") if node in bends else None)
        section(element, _linked(n, lane_width, -1, *goes_on), _linked(n, lane_width, 1, *goes_on), centre="broken")
    for node, road_id in bends.items():
        _bend(root, road_id, *mouths[node])
    free = _JUNCTIONS // 10
    for node in sorted(set(mouths) - set(bends)):
        around = sorted(mouths[node], key=lambda m: math.remainder(m.at[2], 2.0 * math.pi))
        free = add_ways(root, _junction_id(node), free, crossing_ways(around))
        if len(around) == 4:
            add_lights(root, _junction_id(node), around)
    return text_of(root)


def _junction_id(node: Node) -> int:
    return _JUNCTIONS + 100 * node[0] + node[1]


def _streets(nx: int, ny: int, chance: random.Random) -> list[tuple[Node, Node]]:
    """Pairs of neighbouring corners that a street joins."""
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


def _linked(n: int, width: float, sign: int, before: bool | None, after: bool | None) -> list[Strip]:
    """One side of a street; at a bend its lanes go on as those of equal (True) or of opposite sign (False)."""
    return [
        Strip(
            s.kind, s.width, s.mark, s.change,
            *(None if same is None else sign * k * (1 if same else -1) for same in (before, after)),
        )
        for k, s in enumerate(street(n, width), 1)
    ]  # fmt: skip


def _bend(root: ET.Element, road_id: int, a: Mouth, b: Mouth) -> None:
    """The two-way road round a corner from mouth a to mouth b."""
    start, end = a.pose_in(1), b.pose_out(1)
    element = road(root, road_id, start, join(start, end))
    link(element, "predecessor", "road", a.road, a.contact)
    link(element, "successor", "road", b.road, b.contact)
    strips = list(enumerate(street(a.lanes, a.width), 1))
    right = [Strip(s.kind, s.width, s.mark, s.change, a.lane_in(k), b.lane_out(k)) for k, s in strips]
    left = [Strip(s.kind, s.width, s.mark, s.change, a.lane_out(k), b.lane_in(k)) for k, s in strips]
    section(element, right, left, centre="broken")


def add_lights(root: ET.Element, junction: int, around: list[Mouth]) -> None:
    """A light at each of four mouths (anticlockwise); opposite ones have one controller."""
    made = add_signs(root, "1000001", around)
    first = 1 + len(root.findall("controller"))
    for k in (0, 1):
        controller(root, junction, first + k, [made[k], made[k + 2]])


def add_signs(root: ET.Element, kind: str, around: list[Mouth]) -> list[int]:
    """A sign or light of one type at the right-hand side of every mouth; its ids."""
    roads = {element.get("id"): element for element in root.findall("road")}
    first = _SIGNALS + sum(1 for _ in root.iter("signal"))
    for signal_id, mouth in enumerate(around, first):
        element = roads[str(mouth.road)]
        from_start, aside = mouth.contact == "start", mouth.lanes * mouth.width + GUTTER + 0.5
        s = 0.5 if from_start else float(str(element.get("length"))) - 0.5
        lanes = (1, mouth.lanes) if from_start else (-mouth.lanes, -1)
        signal(element, signal_id, kind, (s, aside if from_start else -aside), lanes)
    return list(range(first, first + len(around)))


# ------------------------------------------------------------------------------------------------------ merge
def merge(lanes: float = 2, acceleration: float = 80.0, arm: float = 80.0, lane_width: float = 3.5) -> str:
    """A one-way main road from west to east that a ramp joins from the right, 80 km/h.

    The ramp gets a lane of its own beside the others, over which lanes may be changed; where it ends it runs into the
    outermost lane, so that no lane ends in nothing.

    Args:
        lanes: of the main road, 1 to 3.
        acceleration: length of the ramp's own lane [m].
        arm: length of the main road before and behind, and of the ramp [m].
        lane_width: [m].
    """
    n, radius = round(lanes), 80.0
    said = {"kind": "motorway", "speed": (80, "km/h")}
    nose = radius * math.sin(_RAMP)  # the ramp's last arc lies within the first junction
    stations = (0.0, nose, nose + acceleration, nose + acceleration + _CHANGE)
    root = network("merge", (-arm - 10.0, -arm * 0.5 - 20.0, stations[3] + arm + 10.0, 20.0))
    left = [Strip("shoulder", 0.5 * _HARD_SHOULDER, "none")]
    for road_id, x, length, count in ((1, -arm, arm, n), (2, nose, acceleration, n + 1), (3, stations[3], arm, n)):
        element = road(root, road_id, (x, 0.0, 0.0), [(length, 0.0)], **said)  # type: ignore[arg-type]
        if road_id > 1:
            link(element, "predecessor", "junction", _JUNCTIONS + road_id - 2)
        if road_id < 3:
            link(element, "successor", "junction", _JUNCTIONS + road_id - 1)
        section(element, _carriageway(count, lane_width), left, centre="solid")
    target = (nose, -n * lane_width, 0.0)
    begin = (0.0, target[1] - radius * (1.0 - math.cos(_RAMP)), _RAMP)
    far = (begin[0] - arm * math.cos(_RAMP), begin[1] - arm * math.sin(_RAMP), _RAMP)
    ramp = road(root, 4, far, [(arm, 0.0)], **said)  # type: ignore[arg-type]
    link(ramp, "successor", "junction", _JUNCTIONS)
    section(ramp, _carriageway(1, lane_width), left, centre="solid")
    for k, x in ((0, 0.0), (1, stations[2])):
        first, junction = _JUNCTIONS // 10 + 2 * k, _JUNCTIONS + k
        poses = (x, 0.0, 0.0), (stations[2 * k + 1], 0.0, 0.0)
        through = [Strip("driving", lane_width, "broken" if i < n else "none", "none", -i, -i) for i in range(1, n + 1)]
        connecting_road(root, first, junction, ((k + 1, "end"), (k + 2, "start")), poses, through, left, **said)
        joins = (begin, target) if k == 0 else (shifted((x, 0.0, 0.0), -n * lane_width),
                                                shifted((stations[3], 0.0, 0.0), -(n - 1) * lane_width))  # fmt: skip
        origin, lane_in, lane_out = ((4, "end"), 1, n + 1) if k == 0 else ((2, "end"), n + 1, n)
        strips = [Strip(s.kind, s.width, "none", "none", -lane_in - i, -lane_out - i)
                  for i, s in enumerate(_carriageway(1, lane_width))]  # fmt: skip
        connecting_road(root, first + 1, junction, (origin, (k + 2, "start")), joins, strips, (), **said)
        pairs = [(k + 1, first, [(-i, -i) for i in range(1, n + 1)]), (origin[0], first + 1, [(-lane_in, -1)])]
        add_junction(root, junction, pairs)
    return text_of(root)


def _carriageway(lanes: int, width: float) -> list[Strip]:
    inner = [Strip("driving", width, "broken", "both")] * (lanes - 1)
    return [*inner, Strip("driving", width, "solid"), Strip("shoulder", _HARD_SHOULDER)]
