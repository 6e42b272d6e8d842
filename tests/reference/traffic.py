"""Lane traffic as a slow twin: one world in plain Python, one vehicle and one question at a time.

Written from the rules of `sim.traffic` (see the docstrings there) and from the papers of the IDM and of MOBIL.
It covers car following, the speed in bends and before them, lights, stop and yield signs, reservations and right of
way, routes, lane changes, obstacles and ego in the way, ways that are kept free for ego, and vehicles that come in
again after a dead end.

It leaves out pedestrians and scripted actors. The lane graph (lengths, paces, conflicts, gates) is taken from
`LaneArrays` as it is, and ego's routes from `MapArrays`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sim.actors.registry import KINDS
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.road.map import lane_arrays as columns
from sim.road.map.lane_arrays import GATES, LaneArrays
from sim.road.map.map_batch import path_points
from sim.traffic import right_of_way as fields
from sim.traffic.state import CAP, DRIVER, FACTOR, KEEP, SHIFT, S, TrafficState

STANDS = 0.3  # [m/s] below which a vehicle counts as standing
NOWHERE = math.inf
SOLID = [name for name in KINDS if name not in ("none", "light")]


@dataclass(eq=False)
class Lane:
    """A lane: its middle line as (x, y, yaw, pace) and how it is connected; `gate_at` is below 0 before the lane."""

    number: int
    points: list[tuple[float, float, float, float]]
    may_change: list[tuple[bool, bool]]  # at every point, to the left and to the right
    length: float
    turn: float
    heading: float
    pace: float
    junction: int | None
    gate: str
    gate_at: float
    light: tuple[int, int, int]  # the cycle, and when in it green begins and how long it lasts [s]
    origin: Lane | None = None
    beside: tuple[Lane | None, Lane | None] = (None, None)  # left, right
    after: list[Lane] = field(default_factory=list)
    crossing: list[Lane] = field(default_factory=list)

    def nearest(self, s: float) -> int:
        """The point nearest to `s` [m] along the lane."""
        return max(0, min(len(self.points) - 1, math.floor(s / self.length * (len(self.points) - 1) + 0.5)))


@dataclass(eq=False)
class Vehicle:
    """A driver and its car. `route`: the lane that it is on and at most three more; pose of the rear axle."""

    slot: int
    x: float
    y: float
    yaw: float
    speed: float
    acceleration: float
    length: float
    width: float
    wheelbase: float
    overhang: float
    s: float
    shift: float
    keep: float
    factor: float
    cap: float
    route: list[Lane]
    choices: int
    reserved: Lane | None = None
    inside: Lane | None = None  # junction lane that some of it is still on
    stands_since: int | None = None
    has_stopped: bool = False

    @property
    def lane(self) -> Lane:
        return self.route[0]

    @property
    def front(self) -> float:
        return self.s + self.length - self.overhang

    @property
    def rear(self) -> float:
        return self.s - self.overhang

    def place(self, s: float) -> tuple[Lane, int]:
        """The lane of its route, and the point there, at `s` [m] from the start of the lane that it is on."""
        lane, *rest = self.route
        while s > lane.length and rest:
            s -= lane.length
            lane, *rest = rest
        return lane, lane.nearest(s)


@dataclass(frozen=True)
class Obstacle:
    """A box that follows no lane: centre, size, and its speed along its yaw."""

    x: float
    y: float
    yaw: float
    length: float
    width: float
    speed: float = 0.0


@dataclass(frozen=True)
class Ego:
    """Ego as drivers see it; x, y are of its rear axle, `nose` is how far its front is ahead of that [m].

    routes: how far along each of its routes it is [m], and the route's points x, y, 0.5 m apart.
    """

    box: Obstacle
    x: float
    y: float
    nose: float
    routes: list[tuple[float, list[tuple[float, float]]]]
    overhang: float
    has_stopped: bool
    stands_since: int | None


def wrapped(angle: float) -> float:
    return math.remainder(angle, 2 * math.pi)


def hash32(x: int) -> int:
    """Wellons' lowbias32."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ x >> shift) * factor) & 0xFFFFFFFF
    return x ^ x >> 16


def lanes_of(roads: LaneArrays) -> list[Lane]:
    """The lanes of one map as objects."""
    found = []
    for number, (link, measure) in enumerate(zip(roads.link.tolist(), roads.measure.tolist())):
        rows = slice(link[columns.ROW], link[columns.ROW] + link[columns.ROWS])
        packed = link[columns.GATE_PLAN]
        found.append(
            Lane(
                number,
                [(x, y, yaw, pace) for x, y, yaw, pace, _, _ in roads.points[rows].tolist()],
                [(bool(left), bool(right)) for left, right in roads.change[rows].tolist()],
                measure[columns.LENGTH],
                measure[columns.TURN],
                measure[columns.HEADING],
                measure[columns.PACE],
                link[columns.JUNCTION] if link[columns.JUNCTION] >= 0 else None,
                GATES[link[columns.GATE_KIND]],
                measure[columns.GATE_AT],
                (packed >> 14, packed >> 7 & 127, packed & 127),
            )
        )

    def lane(number: int) -> Lane | None:
        return found[number] if number >= 0 else None

    for one, link in zip(found, roads.link.tolist()):
        one.origin, one.beside = lane(link[columns.ORIGIN]), (lane(link[columns.LEFT]), lane(link[columns.RIGHT]))
        one.after = [found[k] for k in roads.successors[link[columns.NEXT] : link[columns.NEXT_END]]]
        one.crossing = [found[k] for k in roads.conflicts[link[columns.CONFLICT] : link[columns.CONFLICT_END]]]
    return found


class Traffic:
    """The drivers and obstacles of world `w`, with its tick and its clock of lights [ms]."""

    def __init__(self, world: World, traffic: TrafficState, roads: LaneArrays, w: int) -> None:
        self.lanes = lanes_of(roads)
        self.sources = [self.lanes[k] for k in roads.sources]
        self.seed, self.tick, self.clock = int(world.seed[w]), int(world.tick[w]), int(world.clock[w])
        self.vehicles: list[Vehicle] = []
        self.obstacles: list[Obstacle] = []
        self.ego: Ego | None = None
        for i in range(1, world.x.shape[1]):
            x, y, yaw, speed, acceleration, length, width, wheelbase, overhang = (
                float(getattr(world, name)[w, i])
                for name in ("x", "y", "yaw", "speed", "acceleration", "length", "width", "wheelbase", "overhang")
            )
            mind, motion = traffic.driver[w, i].tolist(), traffic.kinematics[w, i].tolist()
            if mind[fields.MODE] == DRIVER:
                numbers = mind[fields.LANE], mind[fields.NEXT1], mind[fields.NEXT2], mind[fields.NEXT3]
                route = [self.lanes[k] for k in numbers if k >= 0]
                self.vehicles.append(
                    Vehicle(
                        i, x, y, yaw, speed, acceleration, length, width, wheelbase, overhang, motion[S],
                        motion[SHIFT], motion[KEEP], motion[FACTOR], motion[CAP], route, mind[fields.PICKS],
                    )
                )  # fmt: skip
            elif KINDS[world.kind[w, i]] in SOLID:
                middle = length / 2 - overhang
                centre = x + middle * math.cos(yaw), y + middle * math.sin(yaw)
                self.obstacles.append(Obstacle(*centre, yaw, length, width))

    def see_ego(self, world: World, w: int, paths: MapArrays) -> None:
        """Take over where ego is and how fast, and the routes that it may be on."""
        x, y, yaw, speed, length, width, overhang = (
            float(getattr(world, name)[w, 0]) for name in ("x", "y", "yaw", "speed", "length", "width", "overhang")
        )
        middle = length / 2 - overhang
        box = Obstacle(x + middle * math.cos(yaw), y + middle * math.sin(yaw), yaw, length, width, speed)
        routes = [
            (float(s), [(px, py) for px, py, _, _ in path_points(paths, int(q)).tolist()])
            for q, s, off in zip(world.route[w], world.route_s[w], world.route_offset[w])
            if q >= 0 and abs(off) <= 4.0
        ]
        since = self.ego.stands_since if self.ego else None
        stood = None if speed > STANDS else max(self.tick, 1) if since is None else since
        self.ego = Ego(box, x, y, length - overhang, routes, overhang, bool(world.stopped_at_line[w]), stood)

    def step(self, dt: float = 0.1) -> None:
        """One tick: every vehicle in the order of slots, which sees those before it where they are now."""
        for me in self.vehicles:
            pedal = me.acceleration
            if (self.tick + me.slot) % 2 == 0:  # it decides at every other tick
                pedal = self.decide(me)
            self.move(me, pedal, dt)
            if me.speed > STANDS:
                me.stands_since = None
            elif me.stands_since is None:
                me.stands_since = self.tick
            if len(me.route) == 1 and me.speed < STANDS:
                self.come_in_again(me)
        self.tick += 1
        if self.clock >= 0:
            self.clock += round(1000 * dt)

    # ------------------------------------------------------------------------------------------------ speed
    def decide(self, me: Vehicle) -> float:
        """Acceleration [m/s^2] by the IDM for the nearest of: the vehicle ahead, an obstacle, a line to stop at."""
        vehicle, obstacle = self.vehicle_ahead(me), self.obstacle_ahead(me)
        line = self.where_to_stop(me, min(vehicle[0], obstacle[0])), me.speed
        wanted = self.wanted_speed(me)
        a = min(idm(me.speed, wanted, gap, closing) for gap, closing in (vehicle, obstacle, line))
        unbound = me.reserved is None and me.lane.junction is None and abs(me.shift) < 0.05
        if (self.tick + me.slot) % 8 == 0 and unbound:
            self.change_lane(me, a)
        return a

    def wanted_speed(self, me: Vehicle) -> float:
        """The pace of the lane here, and what leaves room to brake by 1.5 m/s^2 for the pace of lanes ahead."""
        wanted = [me.cap, me.factor * me.lane.points[me.lane.nearest(me.s)][3]]
        away = me.lane.length - me.s
        for lane in me.route[1:]:
            wanted.append(math.sqrt((lane.pace * me.factor) ** 2 + 2 * 1.5 * max(away, 0.0)))
            away += lane.length
        return min(wanted)

    def vehicle_ahead(self, me: Vehicle) -> tuple[float, float]:
        """The gap [m] to the nearest vehicle ahead on its route, and how fast it closes [m/s]."""
        found = [(NOWHERE, 0.0)]
        for other in self.vehicles:
            if other is me or max(abs(other.x - me.x), abs(other.y - me.y)) > 45.0:
                continue
            rear = rear_on_route(me, other)
            if rear is not None:
                found.append((rear - me.front, me.speed - other.speed * math.cos(other.yaw - me.yaw)))
        return min(found)

    def obstacle_ahead(self, me: Vehicle) -> tuple[float, float]:
        """The same for boxes that the vehicle would touch: its route is looked at every 1.5 m."""
        found = [(NOWHERE, 0.0)]
        nose = me.length - me.overhang
        look = min(2.5 * me.speed + 8.0, 35.0)
        for box in [*self.obstacles, *([self.ego.box] if self.ego else [])]:
            for k in range(math.ceil(look / 1.5)):
                lane, row = me.place(me.s + nose + 1.5 * k)
                x, y, yaw, _ = lane.points[row]
                dx, dy, c, s = x - box.x, y - box.y, math.cos(box.yaw), math.sin(box.yaw)
                turn = yaw - box.yaw
                lengthwise = box.length / 2 + 0.25 + me.width / 2 * abs(math.sin(turn))
                sideways = box.width / 2 + me.width / 2 + 0.25
                if abs(dx * c + dy * s) < lengthwise and abs(dy * c - dx * s) < sideways:
                    found.append((1.5 * k, me.speed - box.speed * math.cos(turn)))
                    break
        return min(found)

    # -------------------------------------------------------------------------------------- lines and junctions
    def where_to_stop(self, me: Vehicle, gap: float) -> float:
        """How far its front is from where it must stop [m]; reserves the way through a junction if it may enter."""
        here, to_end, stop = me.lane, me.lane.length - me.front, NOWHERE
        if here.junction is None and here.gate != "none":
            line = here.gate_at - me.front
            if line > -1.0 and not self.is_open(here, me, line):
                stop = line
        if len(me.route) == 1:
            return min(stop, to_end + 2.0)  # a dead end: its front comes to the end, with the IDM's gap of 2 m
        way = me.route[1]
        if way.junction is None:
            return stop
        line = to_end + min(way.gate_at, 0.0)
        if me.speed < STANDS and line < 5.0:
            me.has_stopped = True
        if me.reserved is not way and line > me.speed**2 / (2 * 2.0) + 10.0:
            return stop  # too far away to ask
        first_at_line = gap > line
        if me.reserved is way:
            closed = line > 1.0 and not self.is_open(way, me, line)
            for_ego = self.crosses_ego(me, way) and line > me.speed**2 / (2 * 4.0)  # else it cannot stop any more
            if first_at_line and not closed and not for_ego:
                return stop
            me.reserved = None
        if first_at_line and self.may_enter(me, way, line) and not self.crosses_ego(me, way):
            me.reserved = way
            return stop
        waited = self.waited(me)
        if waited > 120 and waited % 120 < 2 and line < 5.0:
            self.choose_route(me, me.lane)
        return min(stop, line)

    def light_shows(self, lane: Lane) -> str:
        """Green, yellow for three seconds, else red; off where the clock of lights does not run."""
        period, begin, green = lane.light
        if self.clock < 0 or period == 0:
            return "off"
        since_green = (self.clock // 1000 - begin) % period
        return "green" if since_green < green else "yellow" if since_green < green + 3 else "red"

    def is_open(self, lane: Lane, me: Vehicle, line: float) -> bool:
        """Whether its gate lets a vehicle pass; yellow does if 2.5 m/s^2 would not stop it at the line."""
        if lane.gate == "stop":
            return me.has_stopped
        if lane.gate == "light":
            shown = self.light_shows(lane)
            return shown in ("green", "off") or (shown == "yellow" and me.speed**2 > 2 * 2.5 * max(line, 0.0))
        return True

    def may_enter(self, me: Vehicle, way: Lane, line: float) -> bool:
        """Gate open, room behind the junction, nobody on a lane that crosses, nobody with priority about to come."""
        if not self.is_open(way, me, line):
            return False
        if len(me.route) > 2 and not is_main_road(way) and not self.has_room(me, me.route[2]):
            return False
        others = [other for other in self.vehicles if other is not me]
        if any(held in way.crossing for other in others for held in (other.reserved, other.inside)):
            return False
        return not any(self.must_let_pass(me, way, other) for other in others)

    def crosses_ego(self, me: Vehicle, way: Lane) -> bool:
        """Whether ego stands on a way, or comes there within 4.5 s; not where ego is the one that follows."""
        ego = self.ego
        if ego is None:
            return False
        dx, dy, c, s = ego.x - me.x, ego.y - me.y, math.cos(me.yaw), math.sin(me.yaw)
        if dx * c + dy * s < 0.0 and abs(dy * c - dx * s) < 2.5 and math.cos(ego.box.yaw - me.yaw) > 0.7:
            return False
        stood = 0 if ego.stands_since is None else self.tick - ego.stands_since
        mine = math.inf if me.stands_since is None else me.stands_since
        its_turn = ego.has_stopped and 0 < stood < 60 and mine > (ego.stands_since or 0)
        least = 14.0 if its_turn or ego.box.speed > 0.1 else 0.0
        reach = ego.nose + max(4.5 * ego.box.speed, least)
        if math.dist(way.points[0][:2], (ego.x, ego.y)) >= reach + 30.0:
            return False
        for along, points in ego.routes:  # looked at every 1.5 m, and the way at every fourth point
            soon = points[max(int(2 * (along - ego.overhang)), 0) : int(2 * (along + reach)) + 1 : 3]
            if any(math.dist(a, b[:2]) < 2.6 for a in soon for b in way.points[::4]):
                return True
        return False

    def has_room(self, me: Vehicle, lane: Lane) -> bool:
        """Whether the last vehicle on a lane leaves room for this one, as far on as it will be in two seconds."""
        rears = [v.rear + 2.0 * v.speed for v in self.vehicles if v is not me and v.lane is lane]
        return all(rear >= me.length + 2.5 or rear >= lane.length for rear in rears)

    def must_let_pass(self, me: Vehicle, way: Lane, other: Vehicle) -> bool:
        """Whether another vehicle before the same junction has priority and comes too soon."""
        if len(other.route) == 1 or other.lane.junction is not None or other.reserved is not None:
            return False
        theirs = other.route[1]
        if theirs.junction != way.junction or theirs not in way.crossing or self.rank(theirs) == 3:
            return False
        my_wait, their_wait, seconds = self.waited(me), self.waited(other), 4.0
        if my_wait > 80 and self.rank(way) < 3:  # patience is over
            seconds = 2.0
            first = their_wait > my_wait or (their_wait == my_wait and other.slot < me.slot)
            first = first or (their_wait == 0 and self.rank(theirs) < self.rank(way))
        else:
            first = their_wait > 80 or self.has_priority(other, theirs, me, way)
        away = other.lane.length + min(theirs.gate_at, 0.0) - other.front
        return first and away < seconds * max(other.speed, 1.0)

    def waited(self, one: Vehicle) -> int:
        """For how many ticks a vehicle has stood."""
        return 0 if one.stands_since is None else self.tick - one.stands_since

    def rank(self, lane: Lane) -> int:
        """No sign and green before yield signs, these before stop signs; a light that is not green comes last."""
        if lane.gate == "light":
            return 0 if self.light_shows(lane) in ("green", "off") else 3
        return {"none": 0, "yield": 1, "stop": 2}[lane.gate]

    def has_priority(self, other: Vehicle, theirs: Lane, me: Vehicle, mine: Lane) -> bool:
        """Signs first; at stop signs first come, first served; left turns after oncoming traffic; right before left."""
        if self.rank(theirs) != self.rank(mine):
            return self.rank(theirs) < self.rank(mine)
        bearing = math.degrees(wrapped(theirs.heading - mine.heading))  # where it heads, 90: to my left
        if self.rank(mine) == 2:
            if other.stands_since == me.stands_since:
                return 28.65 < bearing < 149.0
            if other.stands_since is None or me.stands_since is None:
                return other.stands_since is not None
            return other.stands_since < me.stands_since
        if abs(bearing) > 126.05:
            return turns_left(mine) and not turns_left(theirs)
        return bearing > 17.2

    # ------------------------------------------------------------------------------------------------ routes
    def choose(self, me: Vehicle, lane: Lane) -> list[Lane]:
        """The lane after `lane`, by the world's seed, the slot and the number of earlier choices; none: dead end."""
        if not lane.after:
            return []
        key = hash32(self.seed ^ hash32(me.slot * 7919 + me.choices))
        me.choices += 1
        return [lane.after[key % len(lane.after)]]

    def choose_route(self, me: Vehicle, lane: Lane) -> None:
        """Put a vehicle on a lane and choose three more."""
        me.route = [lane]
        for _ in range(3):
            me.route += self.choose(me, me.route[-1])

    def change_lane(self, me: Vehicle, now: float) -> None:
        """MOBIL: change where the gain exceeds 0.25 and 0.3 of what it costs the new follower, who may brake by 2."""
        lane, rest = me.lane, me.lane.length - me.s
        for side in (0, 1):
            other = lane.beside[side]
            if other is None or not lane.may_change[lane.nearest(me.s)][side]:
                continue
            must = not lane.after and rest < 80.0 and bool(other.after)  # my lane ends and the other one goes on
            if me.speed < 2.0 and not must:
                continue
            if not other.after and lane.after:
                continue
            if rest < 20.0 and not (not lane.after and rest < 80.0):
                continue
            at = me.s / lane.length * other.length
            there = [v for v in self.vehicles if v is not me and v.lane is other]
            nose, tail = at + me.length - me.overhang, at - me.overhang
            ahead = min(((v.rear - nose, v.slot, me.speed - v.speed) for v in there if v.s >= at), default=None)
            behind = min(((tail - v.front, v.slot, v) for v in there if v.s < at), default=None)
            if (ahead and ahead[0] < 1.0) or (behind and behind[0] < 1.0):
                continue
            wanted = min(other.points[other.nearest(at)][3] * me.factor, me.cap)
            gain = idm(me.speed, wanted, ahead[0] if ahead else NOWHERE, ahead[2] if ahead else 0.0) - now
            if behind:
                gap, _, follower = behind
                theirs = idm(follower.speed, max(follower.cap, 1.0), gap, follower.speed - me.speed)
                if theirs < (-4.0 if must else -2.0):
                    continue
                gain -= 0.3 * max(0.0, -theirs)
            if gain < 0.25 and not must:
                continue
            x, y, yaw, _ = other.points[other.nearest(at)]
            me.s, me.shift = at, (me.y - y) * math.cos(yaw) - (me.x - x) * math.sin(yaw) - me.keep
            self.choose_route(me, other)
            return

    def come_in_again(self, me: Vehicle) -> None:
        """A vehicle at a dead end begins anew where a road begins, if nobody is near."""
        if not self.sources or me.lane.length - me.s > me.length + 3.0:
            return
        key = hash32(self.seed ^ hash32(me.slot * 7919 + me.choices + 31))
        me.choices += 1
        lane = self.sources[key % len(self.sources)]
        x, y, yaw, pace = lane.points[min(int(2.0 * (me.overhang + 0.5)), len(lane.points) - 1)]
        boxes = [(v.x, v.y, v.length) for v in self.vehicles if v is not me]
        boxes += [(o.x, o.y, o.length) for o in self.obstacles]
        for ox, oy, length in boxes:
            dx, dy = ox - x, oy - y
            ahead, left = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
            if abs(ahead) < me.length + length + 6.0 and abs(left) < 2.5:
                return
        me.x, me.y, me.yaw, me.speed, me.acceleration = x, y, yaw, min(pace, 5.0), 0.0
        me.s, me.shift = me.overhang + 0.5, 0.0
        me.reserved, me.inside, me.stands_since, me.has_stopped = None, None, None, False
        self.choose_route(me, lane)

    # ------------------------------------------------------------------------------------------------ motion
    def move(self, me: Vehicle, pedal: float, dt: float) -> None:
        """Pure pursuit of its route by a kinematic bicycle, and on to the next lane."""
        if me.speed == 0.0 and pedal <= 0.0:
            me.acceleration = 0.0
            return
        look = min(max(0.9 * me.speed, 3.0, 1.5 * me.wheelbase), 12.0)
        lane, row = me.place(me.s + look)
        x, y, yaw, _ = lane.points[row]
        side = me.shift + me.keep
        dx, dy = x - side * math.sin(yaw) - me.x, y + side * math.cos(yaw) - me.y
        left = dy * math.cos(me.yaw) - dx * math.sin(me.yaw)
        sharpest = math.tan(0.6) / me.wheelbase
        curvature = max(-sharpest, min(sharpest, 2.0 * left / max(dx**2 + dy**2, 1.0)))
        after = max(me.speed + pedal * dt, 0.0)
        way = (me.speed + after) / 2 * dt
        turn = way * curvature
        me.x += way * math.cos(me.yaw + turn / 2)
        me.y += way * math.sin(me.yaw + turn / 2)
        me.yaw = wrapped(me.yaw + turn)
        me.acceleration, me.speed = (after - me.speed) / dt, after
        sideways = min(1.1, 0.22 * after) * dt
        me.shift -= max(-sideways, min(sideways, me.shift))
        self.locate(me, me.s + way)

    def locate(self, me: Vehicle, about: float) -> None:
        """How far along its lane it is, seen from the lane's point nearest to `about` [m]; past its end, the next."""
        lane = me.lane
        row = lane.nearest(about)
        x, y, yaw, _ = lane.points[row]
        along = (me.x - x) * math.cos(yaw) + (me.y - y) * math.sin(yaw)
        me.s = row * lane.length / (len(lane.points) - 1) + max(-1.0, min(1.0, along))
        if me.s > lane.length and len(me.route) > 1:
            me.s -= lane.length
            if lane.junction is not None and me.inside is None:
                me.inside = lane
            me.route.pop(0)
            if me.reserved is me.lane:
                me.inside, me.reserved = me.lane, None
            me.has_stopped = False
            if len(me.route) == 3:
                me.route += self.choose(me, me.route[-1])
        if me.inside is not None and me.inside is not me.lane and me.rear > 1.0:
            me.inside = None


def idm(speed: float, wanted: float, gap: float, closing: float) -> float:
    """Treiber, Hennecke, Helbing (2000): a = 1.5, b = 2.5, T = 1.2 s, s0 = 2 m; brakes end at 7 m/s^2."""
    desired = 2.0 + max(0.0, 1.2 * speed + speed * closing / (2.0 * math.sqrt(1.5 * 2.5)))
    return max(1.5 * (1.0 - (speed / max(wanted, 0.1)) ** 4 - (desired / max(gap, 0.1)) ** 2), -7.0)


def rear_on_route(me: Vehicle, other: Vehicle) -> float | None:
    """Where the rear of another vehicle is along my route [m]; None where it is not in my way."""
    lane, there = me.lane, other.lane
    further = other.s > me.s
    if there is lane:
        return other.rear if further or (other.s == me.s and other.slot > me.slot) else None
    if there in me.route:
        return sum(before.length for before in me.route[: me.route.index(there)]) + other.rear
    for side, sign in zip(lane.beside, (1.0, -1.0)):
        if there is side and further and (sign * other.shift < -0.9 or sign * me.shift > 0.9):
            return other.rear  # it is still half on my lane, or I am still half on its lane
    fork = lane if lane.junction is None else lane.origin  # a lane that has just parted from mine is not clear yet
    if fork is not None and there.origin is fork and there.junction is not None and other.rear < 5.0:
        if fork is lane:
            return lane.length + other.rear
        if further:
            return other.rear
    return None


def turns_left(lane: Lane) -> bool:
    return lane.turn > 0.5


def is_main_road(lane: Lane) -> bool:
    """Whether all that crosses a lane has to yield or to stop."""
    return lane.gate == "none" and bool(lane.crossing) and all(k.gate in ("stop", "yield") for k in lane.crossing)
