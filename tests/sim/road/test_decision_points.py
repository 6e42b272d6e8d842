"""Places of decision that are composed: their arms, their routes, where they begin and end."""

from __future__ import annotations

import numpy as np
import pytest

from sim.datatypes.episode import MapSpec
from sim.datatypes.vocabulary import DECISION, DECISIONS, ROUTE_SPACING
from sim.road.graph.decision_points import bays_of
from sim.road.map.loading import junctions_of_kind, load_map

EDGE = 6.0 + 0.5 * 3.5  # [m] from the middle of an exit's junction to its edges
HALF = 0.5 * 3.5  # [m] half a lane


def _place(kind, generate, **parameters):
    return load_map(MapSpec(generate, tuple(sorted(parameters.items())), kind=kind))


def _at(route, s):
    stations = np.arange(len(route.path.points)) * float(ROUTE_SPACING)
    return [float(np.interp(s, stations, route.path.points[:, k])) for k in (0, 1)]


def _routes(place, arm):
    return {DECISIONS[route.decision]: route for route in place.routes_from(arm)}


@pytest.mark.parametrize("shift", [-10.0, 0.0, 7.0])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_exits_are_counted_along_the_main_road_and_end_where_their_turn_does(n, shift):
    _, place = _place("exits", "exits", exits=n, shift=shift, spacing=40.0)
    middles = np.cumsum([0.0, *(40.0 + (shift if k % 2 == 0 else -shift) for k in range(n - 1))])
    routes = _routes(place, "south")
    assert list(routes) == ["straight", *(f"exit {k}" for k in range(1, n + 1))]
    for route in routes.values():
        assert _at(route, route.junction_in) == pytest.approx([HALF, -EDGE], abs=0.02)
    for k, y in enumerate(middles, 1):
        assert _at(routes[f"exit {k}"], routes[f"exit {k}"].junction_out) == pytest.approx([EDGE, y - HALF], abs=0.1)
        out = place.arms[f"exit{k}"].outbound.points
        assert out[0, :2] == pytest.approx([EDGE, y - HALF], abs=0.02) and abs(out[0, 2]) < 0.01
    end = routes["straight"]
    assert _at(end, end.junction_out) == pytest.approx([HALF, middles[-1] + EDGE], abs=0.02)
    assert set(place.arms) == {"south", "north", *(f"exit{k}" for k in range(1, n + 1))}


def test_two_turns_lead_to_the_four_corners_and_the_roads_between_them_lead_outwards():
    _, place = _place("two_turns", "two_turns", leg=60.0, radius=9.0)
    far = 2.0 * (9.0 + HALF) + 60.0
    corners = {"left then left": (-1, -1), "left then right": (-1, 1), "right then left": (1, 1),
               "right then right": (1, -1)}  # fmt: skip
    routes = _routes(place, "south")
    assert routes.keys() == corners.keys()
    for words, (x, y) in corners.items():
        there = _at(routes[words], routes[words].junction_out)
        assert np.sign(there).tolist() == [x, y] and abs(there[0]) == pytest.approx(far, abs=2.5)
        assert _at(routes[words], routes[words].junction_in)[1] == pytest.approx(-(9.0 + HALF), abs=0.05)
        name = ("south" if y < 0 else "north") + ("west" if x < 0 else "east")
        assert routes[words].target == name
        assert place.arms[name].outbound.points[0, :2] == pytest.approx(there, abs=0.4)
    for name, sign in (("west", -1.0), ("east", 1.0)):
        inbound = place.arms[name].inbound.points[:, 0] * sign
        assert (np.diff(inbound) > 0).all() and inbound[-1] == pytest.approx(9.0 + HALF + 60.0, abs=0.1)
    assert set(place.arms) == {"south", "west", "east", "southwest", "northwest", "southeast", "northeast"}


@pytest.mark.parametrize(("gap", "taper"), [(2.6, 5.0), (3.2, 8.0), (4.0, 20.0)])
def test_a_passage_is_driven_in_the_middle_of_its_gap_from_either_side(gap, taper):
    _, place = _place("narrow_passage", "narrow_passage", gap=gap, taper=taper, passage=30.0)
    kerb = 3.5 - gap  # the built-out side's; the other one is at 3.5
    for arm, sign in (("west", 1.0), ("east", -1.0)):
        (route,) = place.routes_from(arm)
        # it begins where one leaves one's lane, so that who waits stands clear of who comes out
        assert _at(route, route.junction_in)[0] == pytest.approx(-32.0 * sign, abs=0.02)
        assert _at(route, route.junction_out)[0] == pytest.approx(32.0 * sign, abs=0.02)
        inside = np.abs(route.path.points[:, 0]) < 15.0
        assert route.path.points[inside, 1] == pytest.approx(0.5 * (kerb + 3.5), abs=0.03)
        outside = np.abs(route.path.points[:, 0]) > 33.0
        assert route.path.points[outside, 1] == pytest.approx(-HALF * sign, abs=0.01)
        # a path may end up to a step short of its line
        assert place.arms[arm].inbound.points[-1, 0] == pytest.approx(-32.0 * sign, abs=0.5)
        assert place.arms[arm].outbound.points[0, 0] == pytest.approx(-32.0 * sign, abs=0.1)


def test_bays_are_the_parking_spaces_of_the_map_in_the_order_of_the_way():
    road_map, place = _place("parking_bays", "parking_bays", bays=5, shortest=4.5, longest=7.5, seed=2)
    bays = bays_of(road_map)
    assert bays.shape == (5, 5) and np.ptp(bays[:, 3]) > 0.3
    assert bays[:, 1] == pytest.approx(-(3.5 + 0.5 * 2.3)) and (bays[:, 2] == 0.0).all()
    ends = bays[:, 0] + 0.5 * bays[:, 3]
    assert ends[:-1] == pytest.approx((bays[:, 0] - 0.5 * bays[:, 3])[1:], abs=1e-6)
    (route,) = place.routes
    assert _at(route, route.junction_in)[0] == pytest.approx(bays[0, 0] - 0.5 * bays[0, 3], abs=0.02)
    assert _at(route, route.junction_out)[0] == pytest.approx(ends[-1], abs=0.02)
    bays[:] = 0.0
    assert bays_of(road_map).any()  # what was given out is a copy


def test_a_street_is_about_its_crosswalk_or_else_its_middle():
    for generate, parameters, half in (("crosswalk", {"crossing": 6.0}, 3.0), ("parking_bays", {}, 2.0)):
        _, place = _place("crosswalk", generate, **parameters)
        for arm, sign in (("west", 1.0), ("east", -1.0)):
            (route,) = place.routes_from(arm)
            assert _at(route, route.junction_in) == pytest.approx([-half * sign, -HALF * sign], abs=0.02)
            assert _at(route, route.junction_out) == pytest.approx([half * sign, -HALF * sign], abs=0.02)


def test_a_long_stem_comes_before_what_was_compiled_and_changes_nothing_else():
    usual = _place("t_junction", "t_junction", arm=90.0)[1]
    for stem in (70.0, 90.0):
        road_map, place = _place("t_junction", "t_junction", arm=90.0, stem=stem)
        assert place is next(j for j in road_map.junctions if j.kind == "t_junction")
    road_map, place = _place("t_junction", "t_junction", arm=90.0, stem=300.0)
    (compiled,) = road_map.junctions
    for arm in ("west", "east"):
        assert place.arms[arm] is compiled.arms[arm] and place.routes_from(arm) == compiled.routes_from(arm)
    for long, short, old in zip(place.routes_from("south"), compiled.routes_from("south"), usual.routes_from("south")):
        more = len(long.path.points) - len(short.path.points)
        assert more == 460 and long.junction_in == pytest.approx(300.0, abs=0.1)
        for more_road in (long.junction_out - short.junction_out, long.junction_in - short.junction_in):
            assert more_road == pytest.approx(230.0, abs=1e-9)  # sums of doubles: their last bits are the processor's
        np.testing.assert_array_equal(long.path.points[more:], short.path.points)
        np.testing.assert_allclose(short.path.points, old.path.points, atol=1e-4)
        steps = np.hypot(*np.diff(long.path.points[:, :2], axis=0).T)
        assert steps == pytest.approx(0.5, abs=5e-3)
    assert place.arms["south"].inbound.length == pytest.approx(300.0, abs=0.6)


def test_the_same_map_gives_the_same_place_and_a_map_of_another_kind_none():
    spec = MapSpec("exits", kind="exits")
    assert load_map(spec)[1] is load_map(spec)[1]
    t = load_map(MapSpec("t_junction"))[0]
    assert all(
        junctions_of_kind(t, kind) == ()
        for kind in ("exits", "two_turns", "narrow_passage", "parking_bays", "crosswalk")
    )
    with pytest.raises(ValueError, match="has 0 junctions of kind 'exits'"):
        load_map(MapSpec("t_junction", kind="exits"))
    exits = load_map(spec)[0]
    assert len(junctions_of_kind(exits, "t_junction")) == 3  # its junctions are there as well, one by one


def test_a_place_of_a_map_file_is_that_of_the_generator_which_made_it(tmp_path):
    road_map, place = _place("exits", "exits", exits=2)
    (tmp_path / "mine.xodr").write_text(road_map.opendrive)
    _, again = load_map(MapSpec(None, (), "mine.xodr", kind="exits"), [tmp_path])
    assert [r.decision for r in again.routes] == [DECISION[d] for d in ("exit 1", "exit 2", "straight")]
    for a, b in zip(place.routes, again.routes):
        np.testing.assert_array_equal(a.path.points, b.path.points)
