"""Exported routes: what is read again starts where the episode did and goes its rule's way in its weather."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenarios.export.leaderboard_routes import export_routes
from scenarios.sampling.leaderboard_routes import read_routes
from scenarios.sampling.sample import balanced_batch, decision
from scenarios.scenario import load_scenario
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.road.graph.keypoint_route import route_through
from sim.road.map.loading import load_map, read_map
from sim.road.map.map_batch import start_distance
from sim.road.opendrive.carla_frame import carla_from_ours_location
from tests.support.worlds import needs_maps

NAMES = ["rain-turn", "rain-and-night", pytest.param("rain-turn-town01", marks=needs_maps),
         pytest.param("rain-turn-town02", marks=needs_maps)]  # fmt: skip


def apart(line: np.ndarray, other: np.ndarray) -> float:
    """Largest distance of a line's points from the other line's [m]."""
    return float(max(np.hypot(*(other[:, :2] - p[:2]).T).min() for p in line))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_exported_comes_back_with_its_start_its_way_and_its_weather(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    episodes = balanced_batch(scenario, range(12), "every")
    made = export_routes([(scenario, e) for e in episodes])
    (tmp_path / "x.xml").write_text(made.text)
    for file, text in made.maps.items():
        (tmp_path / file).write_text(text)
    routes, bad = read_routes(tmp_path / "x.xml")
    assert not bad and [r.id for r in routes] == [str(i) for i in range(12)]
    assert len({decision(scenario, e) for e in episodes}) > 1
    for episode, spec in zip(episodes, routes):
        again = spec.episode(episode.seed)
        road_map, junction = load_map(episode.map)
        ways = junction.routes_from(episode.arm)
        way = next(r for r in ways if r.decision == decision(scenario, episode))
        start = way.junction_in - start_distance([r.junction_in for r in ways], episode.distance)
        end = way.junction_out + episode.finish
        assert again.weather == episode.weather and read_map(again.map).digest == road_map.digest
        route = route_through(road_map, again.route)
        old = way.path.points[round(start / ROUTE_SPACING) : round(end / ROUTE_SPACING)]
        at = np.array([np.interp(start, np.arange(len(way.path.points)) * 0.5, way.path.points[:, k]) for k in (0, 1)])
        assert np.hypot(*(route.path.points[0, :2] - at)) < 0.02
        # Points of a line lie half a metre apart: a line upon itself is up to a quarter away.
        assert apart(old, route.path.points) < 0.3 and apart(route.path.points, way.path.points) < 0.3
        assert abs(route.junction_out - (end - start)) < 0.75  # both arrive at the same place, to a point or so


@pytest.mark.parametrize("name", NAMES)
def test_carla_sees_every_keypoint_on_a_lane_outside_junctions(name: str, tmp_path: Path) -> None:
    import carla

    scenario = load_scenario(name)
    made = export_routes([(scenario, e) for e in balanced_batch(scenario, range(4), "every")])
    (tmp_path / "x.xml").write_text(made.text)
    for file, text in made.maps.items():
        (tmp_path / file).write_text(text)
    for spec in read_routes(tmp_path / "x.xml")[0]:
        theirs = carla.Map(spec.town, read_map(spec.map()).opendrive)
        for x, y in carla_from_ours_location(np.array(spec.keypoints)).tolist():
            waypoint = theirs.get_waypoint(carla.Location(x, y, 0.0))
            assert not waypoint.is_junction
            assert np.hypot(waypoint.transform.location.x - x, waypoint.transform.location.y - y) < 0.2


def test_what_a_route_cannot_say_is_said_in_a_comment() -> None:
    scenario = load_scenario("rain-turn")
    episodes = balanced_batch(scenario, range(8), "every")
    made = export_routes([(scenario, e) for e in episodes])
    assert all("m/s at the start" in left for left in made.left_out)
    assert any("1 actor" in left for left in made.left_out) and made.text.count("1 actor") == sum(
        "1 actor" in left for left in made.left_out
    )
    assert made.text.count("<!-- rain-turn, seed") == 8
