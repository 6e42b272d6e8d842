"""Generated maps are what CARLA wants to read, and a wrong name is answered with the right ones."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from sim import maps
from sim.carla.opendrive import NO_JUNCTION, read_network


@pytest.fixture(params=sorted(maps.GENERATORS))
def text(request):
    return maps.GENERATORS[request.param]()


def test_an_unknown_generator_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'roundabout'; known are crossroads, t_junction"):
        maps.generate("roundabout")


def test_an_unknown_parameter_is_answered_with_the_known_ones_and_their_ranges():
    with pytest.raises(ValueError, match=r"no parameter 'arms'; known are arm \(15 to 200\), lane_width"):
        maps.generate("t_junction", [("arms", 50.0)])


@pytest.mark.parametrize("value", [14.0, 1e9, float("nan")])
def test_a_value_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match="wanted 15 to 200"):
        maps.t_junction(arm=value)


def test_every_generator_declares_the_ranges_of_exactly_its_parameters():
    for name, generator in maps.GENERATORS.items():
        assert set(maps.RANGES[name]) == set(inspect.signature(generator).parameters)
        for parameter, default in inspect.signature(generator).parameters.items():
            least, most = maps.RANGES[name][parameter]
            assert least <= default.default <= most


def test_the_same_numbers_give_the_same_text_and_others_another():
    assert maps.t_junction(arm=44.0) == maps.generate("t_junction", [("arm", 44.0)])
    assert maps.t_junction(arm=44.0) != maps.t_junction(arm=45.0)


def test_each_connecting_road_has_exactly_one_connection(text):
    root = ET.fromstring(text.encode())
    connecting = sorted(r.get("id") for r in root.findall("road") if r.get("junction") != "-1")
    assert sorted(c.get("connectingRoad") for c in root.iter("connection")) == connecting


def test_no_mark_invites_a_lane_change(text):
    marks = list(ET.fromstring(text.encode()).iter("roadMark"))
    assert marks
    assert all(mark.get("laneChange") == "none" for mark in marks)


def test_roads_and_junctions_do_not_share_ids(text):
    root = ET.fromstring(text.encode())
    ids = [e.get("id") for e in [*root.findall("road"), *root.findall("junction")]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("parameters", [{}, {"lane_width": 2.5, "radius": 5.0}, {"lane_width": 5.0, "radius": 25.0}])
@pytest.mark.parametrize("name", sorted(maps.GENERATORS))
def test_lanes_meet_without_gaps(name, parameters):
    network = read_network(maps.GENERATORS[name](**parameters), name)
    links = [(a, network.lanes[b]) for a in network.lanes for b in a.successors]
    arms = 3 if name == "t_junction" else 4
    assert len(links) == 2 * arms * (arms - 1)  # into and out of each connecting road
    for a, b in links:
        assert np.hypot(*(a.points[-1, :2] - b.points[0, :2])) < 0.01
        assert abs(np.angle(np.exp(1j * (a.points[-1, 2] - b.points[0, 2])))) < 0.01


def test_pavement_goes_round_every_corner_and_along_the_through_road():
    network = read_network(maps.t_junction(), "t")
    inside = [lane for lane in network.lanes if lane.junction != NO_JUNCTION and lane.type == "sidewalk"]
    turns = sorted(round(float(np.degrees(np.unwrap(lane.points[:, 2])[-1] - lane.points[0, 2]))) for lane in inside)
    assert turns == [-90, -90, 0]
