"""What places of decision offer, as far as a scenario's file tells it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from scenarios.export.leaderboard_routes import export_routes
from scenarios.export.openscenario import openscenario
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.ast import Decision
from scenarios.sampling.sample import sample
from scenarios.scenario import from_data
from scenarios.schema.arms import arms_of, ways_of
from scenarios.schema.map import MapModel
from sim.datatypes.episode import MapSpec
from sim.datatypes.vocabulary import DECISIONS
from sim.road.generators.registry import DECISION_POINTS, GENERATORS
from sim.road.graph.keypoint_route import route_through
from sim.road.graph.placement import pose_at
from sim.road.map.loading import load_map

KINDS = [(point.kind, name) for name, generator in GENERATORS.items() for point in generator.decision_points]


def _scenario(place, start="south", rule="straight", **more):
    data = {"name": "place", "map": place, "ego": {"start": start}, "propositions": {"fast": "ego.speed > 1"}}
    return from_data({**data, "rule": rule, **more})


@pytest.mark.parametrize(("kind", "generate"), KINDS)
def test_a_file_is_told_the_arms_and_the_ways_that_the_map_has(kind, generate):
    model = MapModel.model_validate({"generate": generate, "junction": kind})
    _, place = load_map(MapSpec(generate, kind=kind))
    assert set(arms_of(model)) == set(place.arms)
    assert ways_of(model).keys() == {route.origin for route in place.routes}
    for arm, ways in ways_of(model).items():
        assert sorted(ways) == sorted(DECISIONS[route.decision] for route in place.routes_from(arm))


def test_a_generator_says_which_place_is_meant():
    kinds = {generate: MapModel.model_validate({"generate": generate}).kind for generate in GENERATORS}
    assert {generate for generate, kind in kinds.items() if kind == generate} == set(DECISION_POINTS) & set(GENERATORS)
    assert {kinds[f"crossroads_{signs}"] for signs in ("lights", "stop")} == {"crossroads"}
    assert {kinds[generate] for generate in ("grid_town", "roundabout", "motorway_merge")} == {"t_junction"}


def test_of_drawn_exits_those_that_all_maps_have_may_be_named():
    model = MapModel.model_validate({"generate": "exits", "exits": [2, 4]})
    assert model.parameters["exits"].options == (2, 3, 4)
    assert arms_of(model) == ("south", "north", "exit1", "exit2")
    assert ways_of(model) == {"south": ("straight", "exit 1", "exit 2")}
    whole = _scenario({"generate": "exits", "exits": [2, 4]})
    assert {dict(sample(whole, seed).map.parameters)["exits"] for seed in range(30)} == {2, 3, 4}


@pytest.mark.parametrize(
    ("place", "more", "told"),
    [
        ({"generate": "exits"}, {"rule": "left"}, "'left' is no way out of a road with exits from the south; ways from "
         "there are straight, exit 1, exit 2, exit 3"),
        ({"generate": "two_turns"}, {}, "'straight' is no way out of two turns in a row from the south"),
        ({"generate": "narrow_passage"}, {}, "no way begins on the south of a narrow passage; ego may start on west, "
         "east"),
        ({"generate": "narrow_passage"}, {"start": "west", "rule": "right"}, "ways from there are straight"),
        ({"generate": "t_junction", "junction": "parking_bays"}, {}, "a map of t_junction has no place of kind "
         "'parking_bays'; wanted one of parking_bays"),
        ({"generate": "t_junction", "junction": "cross_walk"}, {}, "unknown kind of decision point 'cross_walk'; known "
         "are "),
        ({"generate": "parking_bays", "bays": 9}, {"start": "west"}, "bays: found 9; wanted 6 at most where a decision "
         "names them, or junction: crosswalk"),
        ({"generate": "exits", "exits": 2}, {"actors": [{"name": "a", "arm": "exit3"}]}, "a road with exits has no arm "
         "'exit3'; known are south, north, exit1, exit2"),
        ({"generate": "crosswalk"}, {"start": "west", "signs": [{"name": "s", "kind": "stop"}]}, "a stretch of "
         "street has no arm 'south'; known are west, east"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_place_is_refused_with_what_does(place, more, told):
    with pytest.raises(ScenarioError) as error:
        _scenario(place, **more)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("generate", "decided"), [("exits", "exit 2"), ("two_turns", "left then right"), ("two_turns", "right then right")]
)
def test_a_way_with_several_turnings_is_exported_as_a_route_that_leads_the_same_way(generate, decided):
    scenario = _scenario({"generate": generate, "junction": "t_junction"}, rule="right")
    kind = MapModel.model_validate({"generate": generate}).kind
    # rules of two words are the rule language's affair: here the tree is what counts
    scenario = replace(scenario, rule=Decision(decided), data={**scenario.data, "rule": decided})
    episode = replace(sample(scenario, 3), map=MapSpec(generate, kind=kind), time_limit=60.0)
    (read,) = _routes_read(export_routes([(scenario, episode)]).text)
    road_map, place = load_map(episode.map)
    wanted = next(r for r in place.routes_from("south") if DECISIONS[r.decision] == decided)
    line = route_through(road_map, read).path.points[:, :2]
    away = np.hypot(*(line[:, None] - wanted.path.points[None, :, :2]).transpose(2, 0, 1)).min(1)
    assert away.max() < 0.6
    text = openscenario(scenario, episode, "map.xodr", datetime(2026, 1, 1))
    points = [(float(p.get("x")), float(p.get("y"))) for p in ET.fromstring(text.encode()).iter("WorldPosition")]
    end = pose_at(wanted.path, wanted.junction_out + episode.finish)
    assert min(np.hypot(x - end[0], y - end[1]) for x, y in points) < 0.1


def _routes_read(text):
    """Keypoints of every route of a route file, in our frame."""
    routes = ET.fromstring(text.encode()).iter("route")
    return [[(float(p.get("x")), -float(p.get("y"))) for p in route.iter("position")] for route in routes]
