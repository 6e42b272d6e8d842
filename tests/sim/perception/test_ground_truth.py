"""Claims about the privileged state: frames, sight, gaps, lights, signs; masks for all that may not hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.actors.registry import KIND
from sim.actors.signs import SIGN_KINDS
from sim.actors.tags import TAG
from sim.core.geometry import boxes_touch
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, SignSpec, TrafficSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import ROUTE_SPACING, SURFACE
from sim.datatypes.world_state import World
from sim.perception.ego_relative import AHEAD, HORIZON, time_to_touch
from sim.perception.ground_truth import COLUMNS, CURVE_AT, GroundTruth, ground_truth
from sim.road.generators.registry import GENERATORS
from sim.road.graph.junctions import rounded_path
from sim.road.graph.keypoint_route import plan_route, route_through
from sim.road.graph.lane_graph import lane_graph
from sim.road.graph.shortest_path import centreline, nearest_place, shortest_path
from sim.road.graph.traffic_lights import GREEN, LIGHTS_OFF, RED, YELLOW, light_state
from sim.road.map.lane_arrays import GATE, GATE_KIND, drivable_lanes
from sim.road.map.route_attributes import speed_limits_along
from sim.road.map.stop_lines import stop_lines_along
from sim.sensors.semantic import semantic_image
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import MAPS, PARKED, episode, needs_maps, row_bytes, rows, started, truth

WALKER = ActorSpec("walker", "walker", lane="inbound", distance=4.0)
TRUCK = ActorSpec("truck", "truck", lane="inbound", distance=10.0)
CAR = ActorSpec("car", "car", lane="inbound", distance=9.0)
FRONT = 4.4 - 0.85  # [m] from a car's rear axle to its front bumper
LIGHTS = MapSpec("crossroads_lights", kind="crossroads")


def at(backend: EmbeddedWorld, i: int, x: float, y: float, yaw: float = 0.0, speed: float = 0.0) -> None:
    """Put the middle of slot i of world 0 there, as seen from ego."""
    world = backend.world
    c, s = np.cos(world.yaw[0, 0]), np.sin(world.yaw[0, 0])
    world.yaw[0, i] = world.yaw[0, 0] + yaw
    ahead = world.length[0, i] / 2 - world.overhang[0, i]
    world.x[0, i] = world.x[0, 0] + x * c - y * s - ahead * np.cos(world.yaw[0, i])
    world.y[0, i] = world.y[0, 0] + x * s + y * c - ahead * np.sin(world.yaw[0, i])
    world.speed[0, i] = speed


def on_way(backend: EmbeddedWorld, s: float, r: int = 0) -> None:
    """Put ego of world 0 so far along its r-th route."""
    world, bank = backend.world, backend.maps.arrays
    q = world.route[0, r]
    points = bank.points[bank.path_start[q] : bank.path_start[q + 1]]
    along = np.arange(len(points)) * float(ROUTE_SPACING)
    world.x[0, 0], world.y[0, 0], world.yaw[0, 0] = (np.interp(s, along, points[:, k]) for k in range(3))
    world.route_s[0, r] = s


def without_scenery(backend: EmbeddedWorld, *instead: tuple[float, ...]) -> None:
    """Clear the first map of all that stands there, or put something else in its place."""
    scenery = np.array(instead, np.float64).reshape(-1, 8)
    backend.maps.maps[0] = replace(backend.maps.maps[0], scenery=scenery)
    backend.maps._arrays = None


def same(a: GroundTruth, b: GroundTruth) -> bool:
    """Whether two states say the same, to the last bit."""
    ours, theirs = a.arrays(), b.arrays()
    return a.signs.texts == b.signs.texts and all(np.array_equal(ours[name], theirs[name]) for name in COLUMNS)


# ---------------------------------------------------------------------------------------------------- frames
METRES = st.floats(-60.0, 60.0, width=32)
TURNS = st.floats(-3.0, 3.0, width=32)


@given(ego=st.tuples(METRES, METRES, TURNS), other=st.tuples(METRES, METRES, TURNS), speed=st.floats(-5, 15, width=32))
def test_what_is_told_in_egos_frame_leads_back_to_the_world(
    ego: tuple[float, ...], other: tuple[float, ...], speed: float
) -> None:
    backend = CROWDED
    world = backend.world
    (world.x[0, 0], world.y[0, 0], world.yaw[0, 0]), world.speed[0, 1] = ego, speed
    world.x[0, 1], world.y[0, 1], world.yaw[0, 1] = other
    told = backend.state().validate().actors
    c, s = np.cos(ego[2]), np.sin(ego[2])
    middle = world.length[0, 1] / 2 - world.overhang[0, 1]
    x, y, vx, vy = (float(a[0, 0]) for a in (told.x, told.y, told.vx, told.vy))
    # float32 at 100 m has steps of 1e-5 m
    assert ego[0] + x * c - y * s == pytest.approx(other[0] + middle * np.cos(other[2]), abs=1e-3)
    assert ego[1] + x * s + y * c == pytest.approx(other[1] + middle * np.sin(other[2]), abs=1e-3)
    assert np.cos(ego[2] + told.heading[0, 0] - other[2]) == pytest.approx(1.0, abs=1e-5)
    assert vx * c - vy * s == pytest.approx(speed * np.cos(other[2]), abs=1e-4)
    assert vx * s + vy * c == pytest.approx(speed * np.sin(other[2]), abs=1e-4)
    assert told.distance[0, 0] == pytest.approx(np.hypot(x - FRONT + 2.2, y), abs=1e-3)


CROWDED = started([episode(actors=(CAR,))])


def test_ego_stands_on_what_is_under_it() -> None:
    backend = started([episode(), episode()])
    points = backend.maps.arrays.points
    assert backend.state().ego.surface.tolist() == [SURFACE["road"]] * 2 and not backend.state().ego.off_road.any()
    assert backend.state().ego.wheels_off.tolist() == [0, 0]
    backend.world.x[1, 0] = points[:, 0].max() + 1e3
    told = backend.state().ego
    assert told.surface[1] == SURFACE["offmap"] and told.wheels_off[1] == 4 and told.off_road.tolist() == [False, True]


def test_yaw_rate_is_how_fast_the_heading_turns() -> None:
    backend = started([episode()])
    for _ in range(20):
        backend.step(Action(np.full(1, 0.1, np.float32), np.zeros(1, np.float32)))
    before, rate = backend.world.yaw[0, 0].item(), backend.state().ego.yaw_rate[0]
    backend.step(Action(np.full(1, 0.1, np.float32), np.zeros(1, np.float32)))
    assert backend.world.yaw[0, 0] - before == pytest.approx(rate * 0.1, rel=0.05) and rate > 0.1


# -------------------------------------------------------------------------------------------------- time to touch
AIM = st.floats(-5.5, 5.5)  # [m] beside ego's middle: most hit it, many with a corner, some miss


@given(where=st.tuples(st.floats(-25, 25), st.floats(-12, 12), TURNS), aim=st.tuples(AIM, AIM), after=st.floats(0.5, 9))
def test_boxes_touch_when_it_was_said_that_they_would(
    where: tuple[float, ...], aim: tuple[float, ...], after: float
) -> None:
    x, y, yaw = (np.float32(v) for v in where)
    vx, vy = np.float32((aim[0] - x) / after), np.float32((aim[1] - y) / after)
    c, s = np.cos(yaw), np.sin(yaw)
    sizes = [np.float32(v) for v in (4.4, 1.8, 8.2, 2.4)]
    when, touches = time_to_touch(x, y, vx, vy, c, s, *sizes, np.float32(HORIZON))

    def touch(t: float, slack: float) -> bool:
        grown = [np.float32(v + slack) for v in sizes]
        one, zero = np.float32(1), np.float32(0)
        return boxes_touch(zero, zero, one, zero, *grown[:2], x + vx * t, y + vy * t, c, s, *grown[2:])

    times = np.arange(0.0, HORIZON, 0.02, np.float32)
    if touches:
        assert touch(when, 1e-3), "they have not touched yet"
        assert not any(touch(t, -1e-3) for t in times if t < when - 1e-3), "they have touched before"
    else:
        assert not any(touch(t, -1e-3) for t in times)


def test_who_is_closed_in_on_has_a_time_to_collision_and_who_is_passed_has_none() -> None:
    backend = started([episode(actors=(CAR, replace(CAR, name="beside"), replace(CAR, name="faster")))])
    at(backend, 1, 30.0, 0.0, speed=2.0)
    at(backend, 2, 30.0, 3.5, yaw=np.pi, speed=6.0)
    at(backend, 3, 30.0, 0.0, speed=9.0)
    told = backend.state().validate().actors
    gap = 30.0 - 2.2 - FRONT
    assert told.collides[0].tolist() == [True, False, False]
    assert told.ttc[0] == pytest.approx([gap / (6.0 - 2.0), 0.0, 0.0], abs=1e-3)


# ------------------------------------------------------------------------------------------------------- sight
def test_a_truck_hides_a_walker_and_moving_it_shows_him() -> None:
    backend = started([episode(actors=(TRUCK, WALKER))])
    at(backend, 1, 14.0, 0.0)
    at(backend, 2, 24.0, 0.0)
    assert backend.state().actors.visible[0, :2].tolist() == [True, False]
    at(backend, 1, 14.0, 4.0)
    assert backend.state().actors.visible[0, :2].tolist() == [True, True]


def test_what_is_hidden_leaves_no_trace_in_what_is_seen() -> None:
    seen = []
    for present in (True, False):
        backend = started([episode(actors=(TRUCK, replace(WALKER, present=present)))])
        at(backend, 1, 14.0, 0.0)
        if present:
            at(backend, 2, 24.0, 0.0)
            assert backend.state().actors.valid[0, 1]
        seen.append(backend.state().visible_only().validate())
    assert same(*seen) and not seen[0].actors.valid[0, 1]


def test_what_is_low_hides_nothing_that_is_high() -> None:
    backend = started([episode(actors=(replace(CAR, kind="cone"), CAR, TRUCK))])
    at(backend, 1, 8.0, 0.0)
    at(backend, 2, 14.0, 0.0)
    at(backend, 3, 24.0, 0.0)
    assert backend.state().actors.visible[0].all()


def test_a_building_hides_what_is_behind_it() -> None:
    backend = started([episode(actors=(CAR,))])
    at(backend, 1, 30.0, 0.0)
    assert backend.state().actors.visible[0, 0]
    x, y = float(backend.world.x[0, 0]), float(backend.world.y[0, 0])
    without_scenery(backend, (KIND["building"], x, y + 15.0, 0.0, 8.0, 4.0, 6.0, 0x808080))  # ego looks north
    assert not backend.state().actors.visible[0, 0]


def test_what_is_pictured_is_in_the_picture() -> None:
    """The semantic camera is the other witness: it draws figures, where sight has lines to a few points of a box."""
    camera = Camera(width=384, height=256)
    backend = started([episode(actors=(WALKER, TRUCK))], camera)
    without_scenery(backend)  # crowns of trees are drawn with gaps, but are solid to sight as they are to the lidar
    compared = []
    for y in (*np.linspace(-18.0, 18.0, 73), -24.0, 24.0):
        at(backend, 1, 18.0, float(y))
        at(backend, 2, 10.0, 0.0, yaw=0.3)
        drawn = int((semantic_image(backend.maps, backend.world, camera) == TAG["Pedestrian"]).sum())
        backend.world.kind[0, 2] = 0
        alone = int((semantic_image(backend.maps, backend.world, camera) == TAG["Pedestrian"]).sum())
        backend.world.kind[0, 2] = KIND["truck"]
        told = bool(backend.state().actors.pictured[0, 0])
        if drawn == 0 or (alone > 20 and drawn > 0.6 * alone):  # a sliver of him may count either way
            assert told == (drawn > 0), f"{y:.0f} m to the left: {drawn} of {alone} pixels"
            compared.append(told)
    assert min(compared.count(True), compared.count(False)) > 8


def test_an_actor_behind_ego_is_visible_and_not_pictured() -> None:
    backend = started([episode(actors=(CAR,))])
    at(backend, 1, -12.0, 0.0)
    told = backend.state()
    assert told.actors.visible[0, 0] and not told.actors.pictured[0, 0]
    assert told.visible_only().actors.valid[0, 0] and not told.visible_only(pictured=True).actors.valid[0, 0]


def test_what_is_smaller_than_a_pixel_is_not_seen() -> None:
    fine, coarse = (started([episode(actors=(CAR,), distance=35.0)], Camera(width=w, height=w)) for w in (256, 16))
    for backend, seen in ((fine, True), (coarse, False)):
        at(backend, 1, 30.0, 0.0)
        assert backend.state().actors.visible[0, 0] == seen


# ---------------------------------------------------------------------------------------------------- along routes
def test_the_gap_is_from_bumper_to_bumper() -> None:
    backend = started([episode(actors=(CAR, replace(CAR, name="far"), replace(CAR, name="off")))])
    at(backend, 1, 20.3, 0.2, speed=3.0)
    at(backend, 2, AHEAD + 20.0, 0.0)
    at(backend, 3, 20.3, 4.0)
    told = backend.state().validate().actors
    assert told.on_route[0, :, :2].tolist() == [[True, True], [False, False], [False, False]]
    assert told.gap[0, 0, :2] == pytest.approx(20.3 - 2.2 - FRONT, abs=0.01)
    assert told.pace[0, 0, :2] == pytest.approx(3.0, abs=1e-3)


def test_who_stands_on_one_way_out_is_not_on_the_other() -> None:
    backend = started([episode(actors=(replace(CAR, arm="west", lane="outbound", distance=10.0),))])
    told = backend.state().validate()
    left, right = (int(np.flatnonzero(told.routes.decision[0, :2] == d)[0]) for d in (0, 1))
    assert told.actors.on_route[0, 0, left] and not told.actors.on_route[0, 0, right]
    # its rear axle stands 10 m along the outbound lane, which begins where the junction ends
    wanted = told.routes.to_junction_end[0, left] + 10.0 - 0.85 - FRONT
    assert told.actors.gap[0, 0, left] == pytest.approx(wanted, abs=0.5)  # paths are sampled every half metre


def test_driving_on_brings_everything_on_the_route_nearer() -> None:
    backend = started([episode(actors=(replace(CAR, arm="west", lane="outbound", distance=10.0),), map=LIGHTS)])
    on_way(backend, 5.0)
    before = backend.state()
    on_way(backend, 12.5)
    after = backend.state()
    for name in ("lights.distance", "routes.to_junction", "routes.to_junction_end", "routes.to_end"):
        assert before.arrays()[name][0, 0] - after.arrays()[name][0, 0] == pytest.approx(7.5, abs=1e-3), name
    on = before.actors.on_route[0, 0, 0]
    assert on and before.actors.gap[0, 0, 0] - after.actors.gap[0, 0, 0] == pytest.approx(7.5, abs=1e-3)


def test_curvature_ahead_is_the_paths_and_ends_with_it() -> None:
    backend = started([episode()])
    bank, q = backend.maps.arrays, backend.world.route[0, 0]
    points = bank.points[bank.path_start[q] : bank.path_start[q + 1]]
    for s in (3.0, (len(points) - 1) / 2 - 11.0):
        on_way(backend, s)
        told = backend.state().validate().routes
        ahead = np.array(CURVE_AT) + s
        inside = ahead <= (len(points) - 1) * 0.5
        assert told.reaches[0, 0].tolist() == inside.tolist()
        assert told.curvature[0, 0, inside].tolist() == points[(ahead[inside] * 2).astype(int), 3].tolist()
    assert not inside.all() and inside.any()
    backend.world.yaw[0, 0] += 0.25
    assert backend.state().routes.heading_error[0, 0] == pytest.approx(0.25, abs=1e-3)


# -------------------------------------------------------------------------------------------------- lights and lines
def test_the_next_light_shows_what_its_plan_says_and_is_passed_with_the_front_wheels() -> None:
    backend = started([episode(map=LIGHTS)])
    assert backend.state().lights.state[0].tolist() == [3, 3, 3]  # no traffic, no lights
    shown = set()
    for second in range(30):
        backend.world.clock[0] = second * 1000
        lights = backend.state().validate().lights
        gates = backend.maps.route_controls(backend.world.route)
        for r, q in enumerate(backend.world.route[0]):
            plan = gates.plan[gates.start[q]]
            assert lights.valid[0, r] and lights.state[0, r] == light_state(plan, np.int32(second * 1000))
        shown.add(int(lights.state[0, 0]))
    assert shown == {RED, YELLOW, GREEN}
    on_way(backend, 2.0)
    line = 2.0 + FRONT + float(backend.state().lights.distance[0, 0])
    assert line == pytest.approx(backend.maps.arrays.junction_in[backend.world.route[0, 0]] - 0.5, abs=0.3)
    for wheels, valid in ((-0.1, True), (0.1, False)):
        on_way(backend, line - 2.65 + wheels)
        assert backend.state().lights.valid[0, 0] == valid


def test_a_truck_hides_the_light_behind_it() -> None:
    backend = started([episode(map=LIGHTS, actors=(TRUCK,))], Camera())
    at(backend, 1, -30.0, 0.0)
    told = backend.state()
    assert told.lights.visible[0].all() and told.visible_only().lights.valid[0].all()
    at(backend, 1, 9.0, -1.0)
    told = backend.state()
    assert not told.lights.visible[0].any() and told.lights.valid[0].all()
    assert not told.visible_only().validate().lights.valid[0].any()


def test_a_stop_sign_holds_up_where_the_junction_begins() -> None:
    told = started([episode(map=MapSpec("crossroads_stop", kind="crossroads"))]).state().validate()
    assert told.stops.valid[0].all() and not (told.lights.valid.any() or told.yields.valid.any())
    assert told.stops.distance[0] == pytest.approx(told.routes.to_junction[0] - 0.5 - FRONT, abs=0.3)


def test_who_enters_a_roundabout_meets_one_yield_sign() -> None:
    text = GENERATORS["roundabout"]()
    graph, streets = lane_graph(text, "roundabout"), drivable_lanes(text, "roundabout")
    driving = graph.lanes_of_kind("driving")
    begin = next(i for i in driving if not len(graph.predecessors_of(i)))
    for end in (i for i in driving if not len(graph.successors_of(i))):
        legs = shortest_path(graph, (int(begin), 0.0), (int(end), float(graph.length[end])))
        points = rounded_path(centreline(graph, legs)).points
        s, kind, _ = stop_lines_along(points, streets)
        entry = next(k for k, leg in enumerate(legs) if graph.junction[leg.lane] >= 0)
        assert kind.tolist() == [GATE["yield"]]
        assert s == pytest.approx(sum(leg.length for leg in legs[:entry]), abs=2.0)
    keypoints = [tuple(graph.points_of(int(i))[k, :2].tolist()) for i, k in ((begin, 0), (end, -1))]
    told = started([episode(map=MapSpec("roundabout"), route=tuple(keypoints))]).state().validate()
    assert told.yields.valid[0].tolist() == [True, False, False] and not told.stops.valid.any()
    assert told.yields.distance[0, 0] == pytest.approx(s[0] - FRONT, abs=1.0)


@needs_maps
def test_a_route_through_town02_meets_the_lights_of_the_lanes_that_it_drives() -> None:
    text = Path(str(MAPS), "Town02.xodr").read_text("utf-8")
    graph, streets = lane_graph(text, "Town02"), drivable_lanes(text, "Town02")
    gated = {int(streets.graph_lane[i]) for i in np.flatnonzero(streets.link[:, GATE_KIND] == GATE["light"])}
    spec, chance, met = MapSpec(None, file="Town02.xodr"), np.random.default_rng(4), 0
    for _ in range(6):
        lanes = chance.choice(graph.lanes_of_kind("driving"), 2, replace=False)
        ends = [tuple(graph.points_of(int(i))[len(graph.points_of(int(i))) // 2, :2].tolist()) for i in lanes]
        backend = EmbeddedWorld(1, search=[Path(str(MAPS))])
        try:
            backend.reset([episode(map=spec, route=tuple(ends))])
        except ValueError:
            continue
        legs = plan_route(graph, ends)
        wanted, length = [], 0.0
        for leg in legs:
            if leg.lane in gated and leg.begin == 0.0 and leg.end == pytest.approx(graph.length[leg.lane]):
                wanted.append(length)
            length += leg.length
        s, kind, _ = stop_lines_along(route_through(backend.maps.maps[0], ends).path.points, streets)
        assert s == pytest.approx(wanted, abs=4.0) and (kind == GATE["light"]).all()
        met += len(wanted)
    assert met > 6


def test_the_speed_limit_is_that_of_the_lane_that_is_driven() -> None:
    graph = lane_graph(GENERATORS["crossroads"](), "crossroads")
    told_apart = replace(graph, speed_limit=np.repeat(np.arange(len(graph)), np.diff(graph.start)).astype(np.float32))
    for lane in graph.lanes_of_kind("driving"):
        if graph.junction[lane] < 0:  # within a junction lanes lie upon each other
            points = rounded_path(graph.points_of(int(lane))[2:-2, :2].astype(float)).points
            for left in (0.0, 3.0):  # nearer to the lane that comes from ahead
                points[:, 0] -= left * np.sin(points[:, 2])
                points[:, 1] += left * np.cos(points[:, 2])
                assert (speed_limits_along(points, told_apart) == lane).all()
    backend = started([episode(map=MapSpec("crossroads", kind="crossroads"))])
    x, y, yaw = (float(a[0, 0]) for a in (backend.world.x, backend.world.y, backend.world.yaw))
    (lane, _), _ = nearest_place(graph, x, y, yaw)
    told = backend.state().validate()
    assert told.ego.limited[0] and told.ego.speed_limit[0] == graph.speed_limit[graph.start[lane]]


def test_a_map_without_lanes_has_no_limits() -> None:
    backend = started([episode(map=LIGHTS, actors=(CAR,))])
    backend.maps.arrays  # noqa: B018 (the pole of its light stands all the same)
    backend.maps.maps[0] = replace(backend.maps.maps[0], opendrive="<OpenDRIVE/>")
    told = backend.state().validate()
    assert not (told.ego.limited.any() or told.routes.limited.any())
    assert told.actors.visible[0, 0] and told.actors.on_route[0, 0, 0]


# -------------------------------------------------------------------------------------------------------- signs
BOARD = SignSpec("board", text="DETOUR", distance=14.0)
LIMIT = SignSpec("limit", kind="speed_30", distance=4.0)


def test_signs_say_what_stands_on_them_and_are_read_from_near() -> None:
    backend = started([episode(signs=(BOARD, LIMIT))], Camera())
    signs = backend.state().validate().signs
    slots = np.flatnonzero(signs.valid[0])
    board, limit = slots
    assert [SIGN_KINDS[k] for k in signs.kind[0, slots]] == ["text", "speed_30"]
    assert signs.words[0, slots].tolist() == ["DETOUR", ""]
    assert signs.ahead[0, slots, :2].all() and signs.visible[0, slots].all()
    assert signs.gap[0, board, 0] == pytest.approx(25.0 - 14.0 - FRONT, abs=0.01)
    assert signs.gap[0, limit, 0] == pytest.approx(25.0 - 4.0 - FRONT, abs=0.01)
    far = started([episode(signs=(BOARD, LIMIT), distance=38.0)], Camera())
    assert signs.readable[0, board] and not far.state().signs.readable[0, board]
    backend.world.yaw[0, board + 1] += np.pi
    turned = backend.state().signs
    assert turned.visible[0, board] and not turned.readable[0, board]


def test_a_sign_that_is_hidden_or_too_far_to_read_says_nothing_in_what_is_seen() -> None:
    backend = started([episode(signs=(BOARD,), actors=(TRUCK,))], Camera())
    at(backend, 1, -30.0, 0.0)
    board = int(np.flatnonzero(backend.state().signs.valid[0])[0])
    assert backend.state().visible_only().signs.words[0, board] == "DETOUR"
    at(backend, 1, 7.0, -2.5)
    hidden = backend.state().visible_only().validate().signs
    assert not hidden.valid[0, board] and hidden.words[0, board] == ""
    far = started([episode(signs=(BOARD,), distance=38.0)], Camera()).state().visible_only().validate().signs
    assert far.valid[0, 0 if far.valid[0, 0] else board].all() and not far.words[0].any()


# --------------------------------------------------------------------------------------------------- the whole
def town(worlds: int) -> EmbeddedWorld:
    """Worlds of every size: traffic on the town's lanes with lights."""
    episodes = [
        Episode(
            "town", seed, map=MapSpec("grid_town", kind="crossroads"), distance=20.0 + seed, traffic=TrafficSpec(8, 4)
        )
        for seed in range(worlds)
    ]
    backend = EmbeddedWorld(worlds, Camera(width=48, height=32), Simulation(actors=4))
    backend.reset(episodes)
    return backend


def test_every_array_has_its_shape_in_traffic_and_none_holds_what_its_mask_denies() -> None:
    backend, lit = town(5), 0
    for tick in range(60):
        backend.step(Action(np.zeros(5, np.float32), np.full(5, 0.5, np.float32)))
        if tick % 6 == 0:
            told = backend.state().validate()
            told.visible_only().validate()
            assert list(told.arrays()) == list(COLUMNS)
            lit += told.lights.valid.sum()
    assert told.actors.valid.shape == (5, 12) and told.routes.curvature.shape == (5, 3, len(CURVE_AT))
    assert lit and told.actors.visible.any() and not told.actors.visible[told.actors.valid].all()


def test_a_world_alone_has_the_state_that_it_has_in_a_batch_on_any_number_of_threads() -> None:
    backend = town(40)
    for _ in range(10):
        backend.step(Action(np.zeros(40, np.float32), np.ones(40, np.float32)))
    whole = ground_truth(backend.world, backend.maps, backend.camera)
    assert same(whole, ground_truth(backend.world, backend.maps, backend.camera, threads=2))
    for w in (0, 7, 39):
        alone = ground_truth(rows(backend.world, [w]), backend.maps, backend.camera).arrays()
        assert all(np.array_equal(alone[name][0], array[w]) for name, array in whole.arrays().items())


def test_looking_changes_no_world_and_a_state_does_not_change_with_it() -> None:
    backend = started([episode(actors=(CAR, PARKED), signs=(BOARD,))])
    before = row_bytes(backend, 0)
    told = backend.state()
    kept = {name: array.copy() for name, array in told.arrays().items()}
    assert row_bytes(backend, 0) == before
    backend.step(Action(np.ones(1, np.float32), np.ones(1, np.float32)))
    backend.world.weather[:] = 1.0
    backend.world.kind[:] = 0
    assert all(np.array_equal(kept[name], array) for name, array in told.arrays().items())


def test_no_world_has_a_state_too() -> None:
    backend = started([episode(actors=(CAR,))])
    none = World(*(a[:0] for a in backend.world))
    assert ground_truth(none, backend.maps).validate().actors.valid.shape == (0, 3)
    with pytest.raises(ValueError, match="no episode yet"):
        EmbeddedWorld(1).state()


def test_a_driver_that_needs_the_state_finds_it_in_the_truth() -> None:
    backend = started([episode(actors=(CAR,)), episode(seed=2)])
    given_ = truth(backend)
    assert given_.state is given_.state and same(given_.state, backend.state())
    alone = backend.state(np.array([1])).validate()
    assert alone.actors.valid.shape == (1, 3) and not alone.actors.valid.any()


@pytest.mark.parametrize(("name", "value", "message"), [
    ("x", np.zeros((1, 2), np.float32), "wanted float32"),
    ("x", np.zeros((1, 3)), "float64"),
    ("x", np.full((1, 3), np.nan, np.float32), "not finite"),
    ("ttc", np.full((1, 3), 99.0, np.float32), "where collides does not hold"),
])  # fmt: skip
def test_a_wrong_array_is_named(name: str, value: np.ndarray, message: str) -> None:
    told = started([episode(actors=(CAR,))]).state()
    at_rest = replace(told.actors, collides=np.zeros((1, 3), bool), ttc=np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match=f"actors.{name}.*{message}"):
        replace(told, actors=replace(at_rest, **{name: value})).validate()


def test_lights_that_are_out_of_order_are_off() -> None:
    backend = started([episode(map=LIGHTS)])
    backend.world.clock[0] = LIGHTS_OFF
    assert (backend.state().lights.state[0] == 3).all() and backend.state().lights.valid[0].all()
