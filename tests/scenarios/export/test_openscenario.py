"""Episodes as OpenSCENARIO 1.0: valid against ASAM's schema, and the same world when read back.

The schema is not ours to ship. It comes with ASAM's own checker (`asam-qc-openscenarioxml`, of the extra `test`), or
from a file that HOMUNCULUS_OPENSCENARIO_XSD names.
"""

from __future__ import annotations

import importlib.util
import math
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest

from policies.expert.expert import Expert
from scenarios.export.openscenario import (
    HERO,
    REACHED,
    Box,
    entity,
    environment,
    episode_of,
    openscenario,
    time_of_day,
    write_openscenario,
)
from scenarios.sampling.sample import decision, sample, slots_needed, twin, valuation
from scenarios.scenario import Scenario, from_text, load_scenario, scenario_names
from sim.actors.registry import ACTOR_KINDS
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, Weather
from sim.datatypes.vocabulary import DECISIONS, OUTCOME
from sim.road.map.loading import load_map
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout

DATE = datetime(2026, 1, 2, 3, 4, 5)
SEEDS = range(6)
SIGNED = """\
name: detour
description: A board with "quotes" & <angles> decides.
map: {generate: t_junction, arm: 40}
ego: {start: south, speed: [4, 8]}
actors:
  - {name: board, kind: truck, lane: outbound, speed: [5, 9], distance: [5, 20], present: {choice: [true, false]}}
signs:
  - name: board
    text: {choice: ["DETOUR", "A & B < C"]}
    distance: [8, 14]
    present: {choice: [true, false]}
  - {name: limit, kind: speed_30, distance: 20, arm: west}
propositions:
  detour: signs.board.present
  busy: actors.board.present
rule: left if detour and busy else right
"""


def scenario_of(name: str) -> Scenario:
    if name == "detour":
        return from_text(SIGNED)
    scenario = load_scenario(name)
    try:
        load_map(sample(scenario, 0, "every").map)
    except FileNotFoundError:
        pytest.skip(f"{scenario.map.file} is not here; HOMUNCULUS_MAPS names its folder")
    return scenario


SAYABLE = [name for name in scenario_names() if load_scenario(name).decision_spec is None]


@pytest.mark.parametrize("name", sorted(set(scenario_names()) - set(SAYABLE)))
def test_a_decision_that_is_no_way_out_is_refused_in_a_sentence(name: str) -> None:
    scenario = load_scenario(name)
    with pytest.raises(
        ValueError, match=rf"the decision of {name} shows by \w+, .* wanted a scenario whose decision is"
    ):
        openscenario(scenario, sample(scenario, 0, "every"), "map.xodr", DATE)


@pytest.fixture(scope="module", params=[*SAYABLE, "detour"])
def drawn(request: pytest.FixtureRequest) -> list[tuple[Scenario, Episode, str]]:
    """Some episodes of a scenario, and what is written of them."""
    scenario = scenario_of(request.param)
    episodes = [sample(scenario, seed, "every") for seed in SEEDS]
    return [(scenario, e, openscenario(scenario, e, "map.xodr", DATE)) for e in episodes]


@pytest.fixture(scope="module")
def schema() -> Any:
    named = os.environ.get("HOMUNCULUS_OPENSCENARIO_XSD")
    checker = importlib.util.find_spec("qc_openscenario")
    if named is None and checker is None:
        pytest.skip("no schema: pip install .[test], or let HOMUNCULUS_OPENSCENARIO_XSD name OpenSCENARIO 1.0's XSD")
    from lxml import etree

    path = named or Path(str(checker and checker.origin)).parent / "schema/1.0.0/OpenSCENARIO.xsd"
    return etree.XMLSchema(etree.parse(str(path)))


def faults(schema: Any, text: str) -> list[str]:
    from lxml import etree

    return [] if schema.validate(etree.fromstring(text.encode())) else [str(e) for e in schema.error_log]


def poses(text: str) -> dict[str, tuple[float, float, float]]:
    """Entity -> x, y, h at the beginning."""
    return {p.attrib["entityRef"]: xyh(p) for p in ET.fromstring(text.encode()).iter("Private")}


def xyh(within: ET.Element) -> tuple[float, float, float]:
    place = next(within.iter("WorldPosition"))
    return tuple(float(place.attrib[k]) for k in "xyh")  # type: ignore[return-value]


def properties(text: str, name: str) -> dict[str, str]:
    root = ET.fromstring(text.encode())
    found = next(o for o in root.iter("ScenarioObject") if o.get("name") == name)
    return {p.attrib["name"]: p.attrib["value"] for p in found.iter("Property")}


def placed(scenario: Scenario, episode: Episode) -> EmbeddedWorld:
    backend = EmbeddedWorld(1, simulation=slots_needed(scenario))
    backend.reset([episode])
    return backend


# ---------------------------------------------------------------------------------------------------- the schema
def test_every_episode_of_the_library_is_valid(schema: Any, drawn: list[tuple[Scenario, Episode, str]]) -> None:
    for _, episode, text in drawn:
        assert faults(schema, text) == [], f"seed {episode.seed}"


def test_the_schema_is_that_of_1_0_and_sees_faults(schema: Any) -> None:
    scenario = load_scenario("rain-turn")
    text = openscenario(scenario, sample(scenario, 0), "map.xodr", DATE)
    assert 'revMajor="1" revMinor="0"' in text
    for before, after in (
        ("<CatalogLocations />", ""),
        ('conditionEdge="none"', 'conditionEdge="maybe"'),
        (' frictionScaleFactor="1.0"', ""),
        ("WorldPosition", "WorldPlace"),
        ("<RoadNetwork>", "<RoadNetwork><LogicFile filepath='twice' />"),
    ):
        assert before in text and faults(schema, text.replace(before, after)), before


@pytest.mark.parametrize("kind", [k.name for k in ACTOR_KINDS.values() if k.body or k.name == "sign"])
def test_every_kind_has_a_valid_entity(schema: Any, kind: str) -> None:
    scenario = load_scenario("rain-turn")
    text = openscenario(scenario, sample(scenario, 0), "map.xodr", DATE)
    made = ET.tostring(entity("another", kind, Box(1.8, 0.6, 1.7, 1.1, 0.3), {"type": "simulation"}), "unicode")
    assert faults(schema, text.replace("</Entities>", made + "</Entities>")) == []
    declared = ACTOR_KINDS[kind].openscenario
    assert declared is not None and declared.model in made and f'ategory="{declared.category}"' in made


def test_a_kind_without_a_word_is_named() -> None:
    with pytest.raises(ValueError, match=r"oddity.*'balloon'.*known are car, van"):
        entity("oddity", "balloon", Box(1, 1, 1, 1, 0), {})


# ----------------------------------------------------------------------------------------------- the same world
def test_poses_read_back_are_the_worlds_to_a_centimetre(drawn: list[tuple[Scenario, Episode, str]]) -> None:
    seen = 0
    for scenario, episode, text in drawn:
        world, found = placed(scenario, episode).world, poses(text)
        slots = {HERO: 0}
        slots |= {f"actors.{a.name}": i for i, a in enumerate(episode.actors, 1) if a.present}
        slots |= {f"signs.{s.name}": i for i, s in enumerate(episode.signs, 1 + len(episode.actors)) if s.present}
        assert set(found) == set(slots)
        for name, i in slots.items():
            x, y, h = found[name]
            assert math.hypot(x - world.x[0, i], y - world.y[0, i]) < 0.01
            assert abs(math.remainder(h - world.yaw[0, i], math.tau)) < 1e-4
            seen += 1
    assert seen > len(SEEDS) or not (scenario.actors or scenario.signs), "nobody was compared"


def test_every_entity_has_the_worlds_box_around_its_origin(drawn: list[tuple[Scenario, Episode, str]]) -> None:
    for scenario, episode, text in drawn:
        world = placed(scenario, episode).world
        for k, made in enumerate(ET.fromstring(text.encode()).iter("ScenarioObject")):
            present = [0, *(i for i in range(1, world.kind.shape[1]) if world.kind[0, i])]
            i = present[k]
            size = {k: float(v) for k, v in next(made.iter("Dimensions")).attrib.items()}
            for name, value in size.items():
                assert value == pytest.approx(float(getattr(world, name)[0, i]), abs=1e-5)
            centre = float(next(made.iter("Center")).attrib["x"])
            assert centre + world.overhang[0, i] == pytest.approx(size["length"] / 2, abs=1e-5)


def test_carlas_own_parser_finds_ego_in_the_middle_of_its_lane(tmp_path: Path) -> None:
    scenario = load_scenario("rain-turn")
    for seed in SEEDS:
        written = write_openscenario(scenario, sample(scenario, seed), tmp_path / f"{seed}.xosc", DATE)
        assert [p.suffix for p in written] == [".xodr", ".xosc"]
        root = ET.parse(written[1]).getroot()
        road = carla.Map("written", (tmp_path / next(root.iter("LogicFile")).attrib["filepath"]).read_text())
        x, y, h = poses(written[1].read_text())[HERO]
        found = road.get_waypoint(carla.Location(x, -y, 0.0)).transform  # CARLA's frame is left-handed
        assert math.hypot(found.location.x - x, found.location.y + y) < 0.01
        assert abs(math.remainder(math.radians(found.rotation.yaw) + h, math.tau)) < 0.01


def test_the_episode_itself_is_read_back_whole(drawn: list[tuple[Scenario, Episode, str]]) -> None:
    for _, episode, text in drawn:
        assert episode_of(text) == episode
    with pytest.raises(ValueError, match="no property 'episode'"):
        episode_of("<OpenSCENARIO/>")


def test_the_rule_and_the_propositions_are_told(drawn: list[tuple[Scenario, Episode, str]]) -> None:
    for scenario, episode, text in drawn:
        said = properties(text, HERO)
        head = ET.fromstring(text.encode()).find("FileHeader")
        assert head is not None and head.attrib["date"] == "2026-01-02T03:04:05"
        assert said["type"] == "ego_vehicle" and said["rule"] == str(scenario.rule)
        assert said["decision"] == DECISIONS[decision(scenario, episode)]
        assert f"Rule: {scenario.rule}." in head.attrib["description"]
        for name, value in valuation(scenario, episode).items():
            assert said[f"proposition.{name}"] == scenario.data["propositions"][name]
            assert said[f"holds.{name}"] == str(value).lower()


def test_a_twin_of_presence_differs_by_its_entity() -> None:
    scenario = load_scenario("rain-turn")
    episode = sample(scenario, 0, "every")
    one, other = (poses(openscenario(scenario, e, "m", DATE)) for e in (episode, twin(scenario, episode, "oncoming")))
    assert set(one) ^ set(other) == {"actors.oncoming"}
    assert all(one[name] == other[name] for name in set(one) & set(other))


def test_signs_say_their_text_and_clash_with_no_actor_of_their_name() -> None:
    scenario = from_text(SIGNED)
    texts = {}
    for seed in range(20):
        episode = sample(scenario, seed, "every")
        text = openscenario(scenario, episode, "m", DATE)
        board = episode.signs[0]
        if board.present:
            texts[board.text] = properties(text, "signs.board")["text"]
        assert ("signs.board" in poses(text), "actors.board" in poses(text)) == (
            board.present,
            episode.actors[0].present,
        )
        assert properties(text, "signs.limit")["sign"] == "speed_30"
    assert texts == {"DETOUR": "DETOUR", "A & B < C": "A & B < C"}


# ------------------------------------------------------------------------------------------------ the storyboard
def test_who_moves_follows_a_line_that_it_really_drives() -> None:
    scenario, moved = load_scenario("rain-turn"), 0
    for seed in SEEDS:
        episode = replace(sample(scenario, seed, "every"), speed=0.0)
        backend = placed(scenario, episode)
        root = ET.fromstring(openscenario(scenario, episode, "m", DATE).encode())
        lines = {t.attrib["name"]: t for t in root.iter("Trajectory")}
        movers = {f"actors.{a.name}": i for i, a in enumerate(episode.actors, 1) if a.present and a.speed}
        assert set(lines) == set(movers)
        for name, i in movers.items():
            points = np.array([xyh(v)[:2] for v in lines[name].iter("Vertex")])
            times = [float(v.attrib["time"]) for v in lines[name].iter("Vertex")]
            assert times[0] == 0 and all(a < b for a, b in pairwise(times))
            fine = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(points)])
            for _ in range(25):
                here = backend.world.x[0, i], backend.world.y[0, i]
                assert np.hypot(*(fine - here).T).min() < 0.1
                backend.step(Action(np.zeros(1, np.float32), np.zeros(1, np.float32)))
            moved += 1
    assert moved


def test_egos_route_and_the_end_are_where_the_expert_arrives() -> None:
    scenario = load_scenario("rain-turn")
    episodes = [sample(scenario, seed, "every") for seed in range(8)]
    backend = EmbeddedWorld(8, simulation=slots_needed(scenario))
    rollout(backend, Expert.of(scenario), episodes)  # a world that has arrived stands where it did
    ways = set()
    for k, episode in enumerate(episodes):
        root = ET.fromstring(openscenario(scenario, episode, "m", DATE).encode())
        route = next(root.iter("Route"))
        stops = [xyh(w)[:2] for w in route.iter("Waypoint")]
        assert backend.world.outcome[k] == OUTCOME["arrived"]
        # The world's finish is a line across the road: the last tick, of up to 1 m, may be beyond it.
        assert math.dist(stops[-1], (backend.world.x[k, 0], backend.world.y[k, 0])) < REACHED
        start = placed(scenario, episode).world
        assert math.dist(stops[0], (start.x[0, 0], start.y[0, 0])) < 0.01
        ends = {c.attrib["name"]: c for c in next(root.iter("StopTrigger")).iter("Condition")}
        assert set(ends) == {"out of time", "arrived left", "arrived right"}
        assert math.dist(xyh(ends[f"arrived {route.attrib['name']}"])[:2], stops[-1]) < 1e-6
        assert float(next(ends["out of time"].iter("SimulationTimeCondition")).attrib["value"]) == episode.time_limit
        ways.add(route.attrib["name"])
    assert ways == {"left", "right"}


# --------------------------------------------------------------------------------------------------- the weather
def test_weather_read_as_scenario_runner_reads_it_is_carlas() -> None:
    weather = Weather(cloudiness=35, precipitation=60, sun_azimuth_angle=200, sun_altitude_angle=-12)
    made = environment(weather)
    sun, rain = next(made.iter("Sun")).attrib, next(made.iter("Precipitation")).attrib
    assert math.degrees(float(sun["azimuth"])) == pytest.approx(200, abs=1e-3)
    assert math.degrees(float(sun["elevation"])) == pytest.approx(-12, abs=1e-3)
    assert 100 - 100 * float(sun["intensity"]) == pytest.approx(35)
    assert rain == {"precipitationType": "rain", "intensity": "0.6"}
    told = {p.attrib["name"]: float(p.attrib["value"]) for p in made.iter("Property")}
    assert told == {f"weather.{k}": pytest.approx(v) for k, v in vars(weather).items()}


def test_clouds_rain_fog_and_the_hour_follow_the_weather() -> None:
    def state(**values: float) -> str:
        return next(environment(Weather(**values)).iter("Weather")).attrib["cloudState"]

    assert [state(cloudiness=c) for c in (0, 50, 95)] == ["free", "cloudy", "overcast"]
    assert state(cloudiness=0, precipitation=20) == "rainy"
    clear, thick = (
        float(next(environment(Weather(fog_density=f)).iter("Fog")).attrib["visualRange"]) for f in (0.0, 90.0)
    )
    assert 2000 < clear < 5000 and 20 < thick < 40
    for altitude, hour in ((-90, 0), (0, 6), (90, 12)):
        assert time_of_day(Weather(sun_altitude_angle=altitude)) == datetime(2020, 3, 20, hour)


# ----------------------------------------------------------------------------------------------------- the files
def test_the_same_episode_gives_the_same_bytes_and_others_do_not() -> None:
    scenario = load_scenario("rain-turn")
    texts = [openscenario(scenario, sample(scenario, seed), "m", DATE) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_map_file_is_pointed_to_and_not_copied(tmp_path: Path) -> None:
    scenario = scenario_of("rain-turn-town02")
    written = write_openscenario(scenario, sample(scenario, 0), tmp_path / "deep/er/town.xosc", DATE)
    assert [p.name for p in written] == ["town.xosc"]
    pointed = next(ET.parse(written[0]).getroot().iter("LogicFile")).attrib["filepath"]
    assert (written[0].parent / pointed).resolve().name == "Town02.xodr"
    assert (written[0].parent / pointed).is_file()


def test_a_map_of_another_origin_is_not_overwritten(tmp_path: Path) -> None:
    scenario = load_scenario("rain-turn")
    (tmp_path / "a.xodr").write_text("mine")
    with pytest.raises(ValueError, match=r"a\.xodr is there already"):
        write_openscenario(scenario, sample(scenario, 0), tmp_path / "a.xosc", DATE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.xodr"] and (tmp_path / "a.xodr").read_text() == "mine"
    for seed in (0, 1):  # one's own export may be made anew
        write_openscenario(scenario, sample(scenario, seed), tmp_path / "b.xosc", DATE)
    with pytest.raises(ValueError, match=r"ends in \.xosc"):
        write_openscenario(scenario, sample(scenario, 0), tmp_path / "b.xml", DATE)
