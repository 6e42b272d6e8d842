"""Generated maps are what CARLA wants to read, and a wrong name is answered with the right ones."""

from __future__ import annotations

import functools
import hashlib
import math
import random
import re
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest

from sim.road.generators import registry as maps
from sim.road.generators.base import DecisionPoint, MapGenerator, generator_of, register
from sim.road.generators.intersections import t_junction
from sim.road.opendrive.reader import NO_JUNCTION, read_network
from sim.road.opendrive.writer import advanced, join

SHA256 = {
    "t_junction": "1100cc48fcf3db2a589a3f7d22f71f30a32b05c939798a94154fcb221cb9e3fc",
    "parking_bays": "b828ef13b3d9ab14503e7ad4d75a428c8f82cc4cb666b7433efb9316e39b645a",
    "crossroads": "f3c822d229299562027c89d0e10d324168dd75dfa94626e40230a50273ead6ac",
}
USUAL = ("arm", "seed", "block", "blocks_x", "blocks_y")  # what makes maps large, and nothing new
# Every generator at the least and at the most of its parameters, one by one with the others as usual, and at random.
VARIANTS = [
    (name, parameters)
    for name, ranges, whole in [(g.name, g.ranges, g.whole) for g in maps.GENERATORS.values()]
    for parameters in (
        {},
        {p: low for p, (low, _) in ranges.items()},
        {p: high for p, (_, high) in ranges.items()},
        *({p: value} for p, both in ranges.items() for value in both if p not in USUAL),
        *(
            {p: random.Random(f"{name}{k}{p}").uniform(*both) if p not in whole
             else float(random.Random(f"{name}{k}{p}").randint(*(int(v) for v in both))) for p, both in ranges.items()}
            for k in range(1 if name == "grid_town" else 2)
        ),
    )
]  # fmt: skip


def test_every_generator_makes_a_map_under_its_registered_name():
    assert len(maps.GENERATORS) >= 13
    for name, generator in maps.GENERATORS.items():
        assert generator.name == name and generator() == maps.generate(name) and generator_of(generator()) == name
        assert generator.doc.endswith(".") and len(generator.doc) > 20


def _name(variant):
    return variant if isinstance(variant, str) else ",".join(f"{p}={v:.4g}" for p, v in variant.items()) or "usual"


@functools.cache
def _network(name, parameters):
    return read_network(maps.generate(name, parameters), name)


@functools.cache
def _loaded(text):
    import carla

    return carla.Map("map", text)


@pytest.fixture(params=sorted(maps.GENERATORS))
def text(request):
    return maps.GENERATORS[request.param]()


@pytest.mark.parametrize("name", SHA256)
def test_the_junctions_that_results_were_published_on_are_the_same_bytes(name):
    assert hashlib.sha256(maps.GENERATORS[name]().encode()).hexdigest() == SHA256[name]


def test_an_unknown_generator_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'spiral'; known are crossroads, crossroads_lights, crossroads_stop, crossw"):
        maps.generate("spiral")


def test_a_part_of_a_block_is_refused():
    with pytest.raises(ValueError, match=r"blocks_x is 2\.5, wanted a whole number"):
        maps.generate("grid_town", [("blocks_x", 2.5)])


def test_an_unknown_parameter_is_answered_with_the_known_ones_and_their_ranges():
    with pytest.raises(ValueError, match=r"no parameter 'arms'; known are arm \(15 to 200\), lane_width"):
        maps.generate("t_junction", [("arms", 50.0)])


@pytest.mark.parametrize("value", [14.0, 1e9, float("nan")])
def test_a_value_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match="wanted 15 to 200"):
        maps.GENERATORS["t_junction"](arm=value)


def _lane(length: float = 50.0) -> str:
    return f"{length}"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"ranges": {}}, "parameter 'length' lacks a default or a range; defaults are of length, ranges of none"),
        ({"ranges": {"length": (1, 60), "width": (1, 2)}}, "parameter 'width' lacks a default or a range"),
        ({"ranges": {"length": (1, 60)}, "whole": frozenset({"lanes"})}, "parameter 'lanes' lacks"),
        ({"ranges": {"length": (60, 90)}}, "length is 50.0, wanted 60 to 90"),
    ],
)
def test_a_declaration_that_does_not_fit_its_function_is_refused(declared, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        MapGenerator("lane", _lane, **declared)


def test_a_name_or_a_kind_that_is_taken_is_refused():
    ranges = {"length": (1.0, 60.0)}
    with pytest.raises(ValueError, match="there is a map generator 'exits' already"):
        register(MapGenerator("exits", _lane, ranges))
    again = DecisionPoint("crosswalk", "a crosswalk", ("west",), {})
    with pytest.raises(ValueError, match="kind 'crosswalk' of decision point is declared twice"):
        register(MapGenerator("lane", _lane, ranges, decision_points=(again,)))
    assert "lane" not in maps.GENERATORS and maps.DECISION_POINTS["crosswalk"] is not again


def test_the_same_numbers_give_the_same_text_and_others_another():
    assert t_junction(arm=44.0) == maps.generate("t_junction", [("arm", 44.0)])
    assert t_junction(arm=44.0) != t_junction(arm=45.0)


def test_each_connecting_road_has_exactly_one_connection(text):
    root = ET.fromstring(text.encode())
    connecting = sorted(r.get("id") for r in root.findall("road") if r.get("junction") != "-1")
    assert sorted(c.get("connectingRoad") for c in root.iter("connection")) == connecting


@pytest.mark.parametrize("name", [*sorted(maps.GENERATORS), "two lanes"])
def test_only_a_mark_between_lanes_of_one_direction_invites_a_change(name):
    text = maps.GENERATORS["grid_town"](lanes=2) if name == "two lanes" else maps.GENERATORS[name]()
    root = ET.fromstring(text.encode())
    marks, inner = list(root.iter("roadMark")), []
    for side in [*root.iter("left"), *root.iter("right")]:
        drives = {abs(int(lane.get("id"))): lane for lane in side.findall("lane") if lane.get("type") == "driving"}
        # no change within junctions
        through = side.find("lane/link/predecessor") is not None and name.startswith("motorway")
        inner += [] if through else [drives[k].find("roadMark") for k in drives if k + 1 in drives]
    assert marks and bool(inner) == (name in ("motorway_merge", "motorway_exit", "two lanes"))
    # Lanes may be changed between lanes of one direction only, never over a centre or an edge line.
    assert all(mark.get("laneChange") == ("both" if mark in inner else "none") for mark in marks)


def test_roads_and_junctions_do_not_share_ids(text):
    root = ET.fromstring(text.encode())
    ids = [e.get("id") for e in [*root.findall("road"), *root.findall("junction")]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=_name)
def test_lanes_meet_without_gaps(name, parameters):
    network = _network(name, tuple(parameters.items()))
    for a in network.lanes:
        assert np.isfinite(a.points).all()
        for b in (network.lanes[k] for k in a.successors):
            assert np.hypot(*(a.points[-1, :2] - b.points[0, :2])) < 0.01
            assert abs(np.angle(np.exp(1j * (a.points[-1, 2] - b.points[0, 2])))) < 0.01
            assert abs(a.width[-1] - b.width[0]) < 0.01


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=_name)
def test_carla_drives_along_every_lane_without_a_gap(name, parameters):
    carla_map = _loaded(maps.generate(name, tuple(parameters.items())))
    starts = {(w.road_id, w.section_id, w.lane_id): w for w, _ in carla_map.get_topology()}
    for start in starts.values():
        chain = [start, *start.next_until_lane_end(0.99)]  # CARLA fails where whole steps end exactly at the end
        turn = abs(math.remainder(chain[-1].transform.rotation.yaw - start.transform.rotation.yaw, 360.0))
        # CARLA steps along the reference line, so points on the outside of a bend are further apart: finer there.
        step = 0.2 if turn > 1.0 else 0.99
        chain = [start, *start.next_until_lane_end(step)] if turn > 1.0 else chain
        at = np.array([(w.transform.location.x, w.transform.location.y) for w in chain])
        assert np.isfinite(at).all()
        assert len(at) < 2 or np.hypot(*np.diff(at, axis=0).T).max() < step + 0.1
        for after in chain[-1].next(0.05):
            there = after.transform.location
            assert math.hypot(there.x - at[-1, 0], there.y - at[-1, 1]) < step + 0.1


def _ways(name, parameters):
    """How many connecting lanes every junction has, as CARLA follows them."""
    network = _network(name, tuple(parameters.items()))
    return Counter(
        lane.junction
        for lane in network.lanes
        if lane.drives and lane.junction != NO_JUNCTION and len(lane.successors) == 1 and len(lane.predecessors) == 1
    )


def _wanted_ways(name, parameters):
    """Sorted numbers of ways through each junction."""
    if name == "t_junction":
        return [6]
    if name.startswith("crossroads"):
        return [12]
    if name == "roundabout":
        return [3] * int(parameters.get("arms", 4))
    if name in ("exits", "two_turns"):
        return [6] * int(parameters.get("exits", 3))
    if name.startswith("motorway"):
        return [int(parameters.get("lanes", 2)) + 1] * 2
    return []


@pytest.mark.parametrize(("name", "parameters"), [v for v in VARIANTS if v[0] != "grid_town"], ids=_name)
def test_junctions_and_the_ways_through_them_are_as_many_as_asked_for(name, parameters):
    assert sorted(_ways(name, parameters).values()) == _wanted_ways(name, parameters)


@pytest.mark.parametrize(("name", "parameters"), [v for v in VARIANTS if v[0] == "grid_town"], ids=_name)
def test_a_town_has_a_bend_at_each_corner_and_a_junction_at_each_other_crossing(name, parameters):
    nx, ny, lanes = (int(parameters.get(p, d)) for p, d in (("blocks_x", 3), ("blocks_y", 2), ("lanes", 1)))
    ways = _ways(name, parameters)
    assert len(ways) == (nx + 1) * (ny + 1) - 4
    three, four = (6, 12) if lanes == 1 else (8, 16)
    assert set(ways.values()) <= {three, four}
    assert sum(v == three for v in ways.values()) >= 2 * (nx - 1) + 2 * (ny - 1)
    text = maps.generate(name, tuple(parameters.items()))
    assert len(_loaded(text).get_all_landmarks()) == 4 * sum(v == four for v in ways.values())
    network = _network(name, tuple(parameters.items()))
    assert all(lane.successors and lane.predecessors for lane in network.lanes if lane.drives)


def test_another_seed_leaves_other_streets_out():
    texts = [maps.generate("grid_town", [("blocks_x", 5), ("blocks_y", 5), ("seed", s)]) for s in (0, 2)]
    counts = [len(ET.fromstring(t.encode()).findall("road")) for t in texts]
    assert counts[0] != counts[1]
    assert texts[0] == maps.GENERATORS["grid_town"](blocks_x=5, blocks_y=5, seed=0)


def test_a_roundabout_is_driven_anticlockwise_and_who_enters_gives_way():
    network = read_network(maps.generate("roundabout"), "r")
    ring = [lane for lane in network.lanes if lane.drives and np.ptp(np.hypot(*lane.points[:, :2].T)) < 0.01]
    assert len(ring) == 8
    for lane in ring:
        assert np.hypot(*lane.points[0, :2]) == pytest.approx(18.0, abs=0.01)
        assert (np.diff(np.unwrap(np.arctan2(*lane.points[:, 1::-1].T))) > 0).all()
    signs = _loaded(maps.generate("roundabout")).get_all_landmarks()
    assert [s.type for s in signs] == ["205"] * 4


@pytest.mark.parametrize("parameters", [{}, {"lane_width": 2.5, "radius": 5.0}, {"lane_width": 5.0, "radius": 25.0}])
@pytest.mark.parametrize(("name", "kind"), [("crossroads_lights", "1000001"), ("crossroads_stop", "206")])
def test_every_arm_of_a_signed_crossing_has_its_sign_for_those_who_come(name, kind, parameters):
    carla_map = _loaded(maps.generate(name, tuple(parameters.items())))
    marks = carla_map.get_all_landmarks_of_type(kind)
    assert sorted(m.road_id for m in marks) == [1, 2, 3, 4]
    assert all(m.get_lane_validities() == [(1, 1)] for m in marks)
    assert all(m.is_dynamic == (kind == "1000001") for m in marks)
    for mark in marks:
        coming = carla_map.get_waypoint_xodr(mark.road_id, 1, 20.0)
        assert kind in {m.type for m in coming.get_landmarks(30.0)}
        group = [m.road_id for m in carla_map.get_landmark_group(mark)]
        together = {mark.road_id, (mark.road_id + 1) % 4 + 1}  # it and the one opposite
        assert set(group) == (together if kind == "1000001" else set())


def test_a_ramp_gets_a_lane_of_its_own_that_may_be_left():
    carla_map = _loaded(maps.generate("motorway_merge", [("lanes", 2), ("acceleration", 60.0)]))
    ramp = carla_map.get_waypoint_xodr(4, -1, 10.0)
    passed = [ramp, *ramp.next_until_lane_end(0.99)]
    beside = passed[-1].next(40.0)[0]
    assert (beside.road_id, beside.lane_id, str(beside.lane_change)) == (2, -3, "Left")
    assert str(carla_map.get_waypoint_xodr(2, -2, 10.0).lane_change) == "Both"
    assert str(carla_map.get_waypoint_xodr(2, -1, 10.0).lane_change) == "Right"
    assert beside.next(90.0)[0].lane_id == -2  # it ran into the lane beside it


@pytest.mark.parametrize("gap", [2.6, 3.2, 4.0])
def test_a_narrow_passage_is_as_wide_as_asked_for_and_its_north_kerb_is_straight(gap):
    network = read_network(maps.generate("narrow_passage", [("gap", gap), ("passage", 30.0)]), "n")
    east, west = (next(lane for lane in network.lanes if lane.drives and lane.lane == k) for k in (-1, 1))
    narrow = np.abs(east.points[:, 0]) < 14.0
    assert 28 <= narrow.sum() <= 29
    assert (east.width + west.width[::-1])[narrow] == pytest.approx(gap, abs=1e-3)
    wide = np.abs(east.points[:, 0]) > 15.0 + 8.0 + 1.0
    assert (east.width + west.width[::-1])[wide] == pytest.approx(7.0, abs=1e-3)
    assert west.edge(-1.0)[:, 1] == pytest.approx(3.5, abs=0.03)  # up to the slant of the taper
    kerb = next(lane for lane in network.lanes if lane.type == "sidewalk" and lane.lane < 0).edge(-1.0)
    assert kerb[:, 1] == pytest.approx(-(3.5 + 0.35 + 2.2), abs=0.4)  # as far as the slant of the taper turns it
    assert kerb[narrow, 1] == pytest.approx(-(3.5 + 0.35 + 2.2), abs=1e-3)
    types = {m.type: m.get_lane_validities() for m in _loaded(maps.generate("narrow_passage")).get_all_landmarks()}
    assert types == {"208": [(-1, -1)], "308": [(1, 1)]}


@pytest.mark.parametrize(("bays", "bay"), [(1, 5.0), (6, 6.0), (20, 8.0)])
def test_bays_are_a_parking_lane_of_their_length(bays, bay):
    text = maps.generate("parking_bays", [("bays", bays), ("bay", bay), ("depth", 2.4)])
    (lane,) = [lane for lane in read_network(text, "p").lanes if lane.type == "parking"]
    assert np.ptp(lane.points[:, 0]) == pytest.approx(bays * bay, abs=0.01)
    assert lane.width == pytest.approx(2.4) and lane.points[:, 1] == pytest.approx(-(3.5 + 1.2))
    import carla

    assert str(_loaded(text).get_waypoint_xodr(1, -2, 40.0 + 1.0).lane_type) == "Parking"
    assert _loaded(text).get_waypoint(carla.Location(0.0, 4.7, 0.0), lane_type=carla.LaneType.Parking).lane_id == -2
    assert len([o for o in ET.fromstring(text.encode()).iter("object") if o.get("type") == "parkingSpace"]) == bays


def test_a_seed_draws_the_length_of_every_bay_between_the_shortest_and_the_longest():
    drawn = {"shortest": 4.5, "longest": 7.5}
    for seed in range(5):
        text = maps.generate("parking_bays", [("bays", 6), *drawn.items(), ("seed", seed)])
        boxes = [o for o in ET.fromstring(text.encode()).iter("object") if o.get("type") == "parkingSpace"]
        s, length = (np.array([float(o.get(key)) for o in boxes]) for key in ("s", "length"))
        assert (length >= 4.5).all() and (length <= 7.5).all() and np.ptp(length) > 0.5
        np.testing.assert_allclose(s - 0.5 * length, 40.0 + np.append(0.0, np.cumsum(length)[:-1]), atol=1e-6)
        (lane,) = [lane for lane in read_network(text, "p").lanes if lane.type == "parking"]
        assert np.ptp(lane.points[:, 0]) == pytest.approx(length.sum(), abs=0.01)
    assert len({maps.generate("parking_bays", [*drawn.items(), ("seed", seed)]) for seed in range(5)}) == 5


def test_a_long_stem_is_one_arm_only_and_none_is_the_junction_of_before():
    usual, long = maps.generate("t_junction"), maps.generate("t_junction", [("stem", 300.0)])
    assert maps.generate("t_junction", [("stem", 0.0)]) == usual == maps.generate("t_junction", [("stem", 50.0)])
    lengths = [[float(r.get("length")) for r in ET.fromstring(t.encode()).iter("road")] for t in (usual, long)]
    assert lengths[1] == [300.0, *lengths[0][1:]]


@pytest.mark.parametrize("crossing", [2.5, 4.0, 8.0])
def test_a_crosswalk_goes_from_kerb_to_kerb(crossing):
    (polygon,) = read_network(maps.generate("crosswalk", [("crossing", crossing)]), "c").crosswalks
    assert polygon.shape == (4, 2)
    assert np.ptp(polygon, axis=0) == pytest.approx([crossing, 2 * (3.5 + 0.35)], abs=1e-4)
    assert polygon.mean(0) == pytest.approx([0.0, 0.0], abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_a_join_ends_where_it_should(seed):
    rng = random.Random(seed)
    start = (rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(-3, 3))
    wanted = start
    for piece in [(rng.uniform(5, 20), 0.0), (rng.uniform(5, 20), rng.uniform(-0.1, 0.1)), (rng.uniform(5, 20), 0.0)]:
        wanted = advanced(wanted, piece)
    parallel = advanced(start, (30.0, 0.0))
    aside = (parallel[0] - 3.0 * math.sin(start[2]), parallel[1] + 3.0 * math.cos(start[2]), start[2])
    for end in (wanted, aside, parallel):
        at = start
        for piece in join(start, end):
            at = advanced(at, piece)
        assert at == pytest.approx(end, abs=1e-9)
    for behind in (advanced(start, (-5.0, 0.0)), (*start[:2], start[2] + 1.0)):
        with pytest.raises(ValueError, match="no way from"):
            join(start, behind)


def test_pavement_goes_round_every_corner_and_along_the_through_road():
    network = read_network(t_junction(), "t")
    inside = [lane for lane in network.lanes if lane.junction != NO_JUNCTION and lane.type == "sidewalk"]
    turns = sorted(round(float(np.degrees(np.unwrap(lane.points[:, 2])[-1] - lane.points[0, 2]))) for lane in inside)
    assert turns == [-90, -90, 0]
