"""Route files: both layouts, notes on what is left out, mistakes with their lines, nothing that unfolds."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.reading.yaml import ScenarioError
from scenarios.sampling.leaderboard_routes import RouteSpec, read_routes
from sim.road.generators.registry import generate
from sim.road.graph.keypoint_route import route_through

OLD = """<?xml version="1.0" encoding="UTF-8"?>
<routes>
   <route id="4" town="crossroads">
      <weather cloudiness="10" precipitation="60.5" id="HardRain" />
      <waypoint pitch="360.0" roll="0.0" x="1.75" y="40.5" yaw="269.9" z="0.0" />
      <waypoint pitch="0.0" roll="0.0" x="-40.0" y="-1.75" yaw="180.0" z="0.0" />
   </route>
   <route id="5" town="Town01">
      <waypoint x="1" y="2" z="0" /><waypoint x="3" y="4" z="0" />
   </route>
</routes>
"""
NEW = """<routes>
   <route id="12" town="Carla/Maps/crossroads">
      <weathers>
         <weather route_percentage="100" cloudiness="5.0" sun_altitude_angle="15.0" />
         <weather route_percentage="0" cloudiness="80.0" sun_azimuth_angle="-1.0" hail="3" />
      </weathers>
      <waypoints>
         <position x="1.75" y="40.0" z="371"/>
         <position x="1.75" y="-40.0" z="371"/>
      </waypoints>
      <scenarios>
         <scenario name="ParkingExit_1" type="ParkingExit"><trigger_point x="1" y="2" z="3" yaw="90"/></scenario>
         <scenario type="ControlLoss"/>
      </scenarios>
      <lights/>
   </route>
</routes>
"""


def read(tmp_path: Path, text: str) -> list[RouteSpec]:
    file = tmp_path / "r.xml"
    file.write_text(text)
    routes, bad = read_routes(file)
    assert not bad, bad
    return routes


def errors(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "r.xml"
    file.write_text(text)
    return [b.error.removeprefix(str(tmp_path) + "/") for b in read_routes(file)[1]]


def test_the_first_layout_is_read_and_mirrored(tmp_path: Path) -> None:
    rainy, plain = read(tmp_path, OLD)
    assert (rainy.id, rainy.town, rainy.keypoints) == ("4", "crossroads", ((1.75, -40.5), (-40.0, 1.75)))
    assert (rainy.weather.precipitation, rainy.weather.cloudiness, rainy.weather.sun_altitude_angle) == (60.5, 10, 0)
    assert (plain.weather.cloudiness, plain.weather.sun_altitude_angle, plain.weather.fog_density) == (30, 70, 0)
    assert rainy.notes == rainy.unsupported_scenarios == plain.notes == ()


def test_the_second_layout_is_read_and_what_is_not_played_is_noted(tmp_path: Path) -> None:
    (route,) = read(tmp_path, NEW)
    assert (route.id, route.town, route.lines) == ("12", "crossroads", (8, 9))
    weather = route.weather
    assert (weather.cloudiness, weather.sun_altitude_angle, weather.sun_azimuth_angle) == (80, 70, 359)
    assert route.unsupported_scenarios == ("ParkingExit_1", "ControlLoss")
    said = " ".join(route.notes)
    assert "<lights> means nothing" in said and "'hail' is no part of the weather" in said
    assert "changes on the way (at 0, 100 % of it)" in said
    same = NEW.replace('cloudiness="5.0" sun_altitude_angle="15.0"', 'cloudiness="80.0" sun_azimuth_angle="-1.0"')
    assert not any("changes" in note for note in read(tmp_path, same)[0].notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('x="3"', 'x="three"'), "r.xml:9: <waypoint>: x is 'three'; wanted a finite number"),
        (('x="3"', 'x="nan"'), "r.xml:9: <waypoint>: x is 'nan'; wanted a finite number"),
        (('y="4" ', ""), "r.xml:9: <waypoint>: the attribute 'y' is missing"),
        (('id="5" ', ""), "r.xml:8: <route>: the attribute 'id' is missing"),
        (('id="5"', 'id="4"'), "r.xml:8: <route>: the id '4' is that of line 3, too"),
        (('"Town01"', '"../Town 01"'), "r.xml:8: <route>: the town is 'Town 01'; wanted a map's name"),
        (('<waypoint x="3" y="4" z="0" />', ""), "r.xml:8: <route>: has 1 keypoints; wanted 2 or more"),
        (('cloudiness="10"', 'cloudiness="400"'), "r.xml:4: <weather>: cloudiness is 400; wanted 0 to 100"),
    ],
)
def test_a_mistake_in_a_route_is_told_with_its_line_and_costs_that_route_alone(
    change: tuple[str, str], words: str, tmp_path: Path
) -> None:
    (error,) = errors(tmp_path, OLD.replace(*change))
    assert error.startswith(words)
    assert len(read_routes(tmp_path / "r.xml")[0]) == 1


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<routes>&b;</routes>'
OUTSIDE = '<!DOCTYPE r SYSTEM "file:///etc/hostname"><routes/>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "r.xml:1: malformed XML: no element found"),
        ("<routes>\n<route></routes>", "r.xml:2: malformed XML: mismatched tag"),
        ("<scenario/>", "r.xml:1: found <scenario>; wanted <routes>"),
        ("<routes>\n</routes>", "r.xml:1: has no <route>"),
        ("<a>" * 40 + "</a>" * 40, "r.xml:1: elements lie deeper than 32"),
        (BOMB, "r.xml:1: found a DOCTYPE"),
        (OUTSIDE, "r.xml:1: found a DOCTYPE"),
        ('<?xml version="1.0" encoding="martian"?><routes/>', "r.xml:1: malformed XML: unknown encoding"),
        ("<routes>&b;</routes>", "r.xml:1: malformed XML: undefined entity"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text(text)
    with pytest.raises(ScenarioError) as error:
        read_routes(tmp_path / "r.xml")
    assert str(error.value).removeprefix(str(tmp_path) + "/").startswith(words)


# ------------------------------------------------------------------------------------------------- the episode
def test_an_episode_has_the_map_and_the_first_leaderboards_time_limit(tmp_path: Path) -> None:
    from sim.road.map.loading import read_map

    (route,) = read(tmp_path, NEW)
    episode = route.episode(7)
    assert (episode.map.generate, episode.seed, episode.route) == ("crossroads", 7, ((1.75, -40.0), (1.75, 40.0)))
    length = route_through(read_map(episode.map), episode.route).path.length
    assert abs(length - 80.0) < 0.6 and episode.time_limit == int(0.8 * length + 5.0)


def test_a_file_beside_the_routes_goes_before_a_generator_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "crossroads.xodr").write_text(generate("crossroads", (("arm", 45.0),)))
    (route,) = read(tmp_path, NEW)
    assert route.map().file == str(tmp_path / "crossroads.xodr") and route.map().sha256
    layered = read(tmp_path, NEW.replace("Maps/crossroads", "Maps/crossroads_Opt"))[0]
    assert layered.map().file == route.map().file


def test_an_unknown_town_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    (route,) = read(tmp_path, NEW.replace("Maps/crossroads", "Maps/Atlantis"))
    with pytest.raises(FileNotFoundError, match=r"r\.xml:2: route 12: no map for the town 'Atlantis'.*Atlantis\.x"):
        route.episode(0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('y="-40.0"', 'y="-900.5"'), r"r\.xml:9: route 12: keypoint 2 at CARLA's x=1\.75, y=-900\.50 lies .* m from"),
        (('y="-40.0"', 'y="60.0"'), r"r\.xml:9: route 12: keypoint 2 at CARLA's x=1\.75, y=60\.00 (lies|cannot)"),
        (('y="-40.0"', 'y="39.0"'), r"r\.xml:2: route 12: the route is 1\.0 m long"),
    ],
)
def test_keypoints_that_no_route_goes_through_are_told_in_carlas_coordinates(
    change: tuple[str, str], words: str, tmp_path: Path
) -> None:
    (route,) = read(tmp_path, NEW.replace(*change))
    with pytest.raises(ScenarioError, match=words):
        route.episode(0)
