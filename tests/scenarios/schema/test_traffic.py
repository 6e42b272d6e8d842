"""Scenarios with traffic and scripts: what is drawn, what propositions mean, what twins keep, how mistakes are told."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.checks.leak_check import check_leaks, suspects
from scenarios.gym.environments import make_vector
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.variables import drawn_in, value_in
from scenarios.sampling.sample import balanced_batch, sample, slots_needed, twin, valuation
from scenarios.scenario import Scenario, from_text, load_scenario, truth_of
from scenarios.schema.distributions import Choice, Constant, read_count
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, Script, TrafficSpec
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL

GOOD = """\
name: school
map: {generate: crossroads_lights, arm: 60}
ego: {start: south, speed: [4, 6], distance: [28, 34]}
weather: {precipitation: {choice: [0, 70]}}
traffic:
  vehicles: [3, 6]
  walkers: {choice: [0, 3]}
  vans: [0.1, 0.3]
  lights: {choice: [true, false]}
actors:
  - name: child
    kind: walker
    distance: 12
    side: 4.5
    present: {choice: [true, false]}
    script: {within: [15, 20], path: [[0, 4], [0, 8.5]], speed: [1.2, 2.0]}
  - {name: cyclist, kind: bicycle, arm: east, script: {after: [1, 3], path: [[20, 0]], speed: 4}}
  - {name: lorry, kind: truck, arm: north, distance: 20, present: {choice: [true, false]}}
  - {name: guest, kind: {choice: [truck, car]}, arm: west, lane: outbound, distance: 20}
signs:
  - {name: board, text: {choice: [DETOUR, SCHOOL]}, distance: 14, present: {choice: [true, false]}}
propositions:
  raining: weather.precipitation > 20
  child: actors.child.present
  busy: traffic.vehicles >= 5 or traffic.walkers > 0
  lit: traffic.lights
  board: signs.board.present
  lorry: actors.lorry.present
  long: actors.guest.kind == "truck"
rule: left if raining else right
splits: {train: not (raining and lit)}
"""  # fmt: skip


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return from_text(GOOD)


@pytest.fixture(scope="module")
def drawn(scenario: Scenario) -> list[Episode]:
    return balanced_batch(scenario, range(80), "every")


def traffic_of(backend: EmbeddedWorld, w: int, first: int) -> dict[str, bytes]:
    """Everything about the traffic of world `w`, which begins at slot `first`, as bytes."""
    world, traffic_state = backend.world, backend.traffic
    names = ("kind", "appearance", "x", "y", "yaw", "speed", "steer", "acceleration", "length", "width")
    found = {name: getattr(world, name)[w, first:].tobytes() for name in names}
    found |= {name: getattr(traffic_state, name)[w, first:].tobytes() for name in ("driver", "kinematics")}
    return found | {"clock": world.clock[w].tobytes()}


def started(scenario: Scenario, episodes: list[Episode]) -> EmbeddedWorld:
    backend = EmbeddedWorld(len(episodes), SMALL, slots_needed(scenario))
    backend.reset(episodes)
    return backend


# ------------------------------------------------------------------------------------------------- what is drawn
def test_traffic_and_scripts_are_drawn_within_what_the_file_says(scenario: Scenario, drawn: list[Episode]) -> None:
    spec = [e.traffic for e in drawn if e.traffic is not None]
    assert len(spec) == len(drawn)
    assert {t.vehicles for t in spec} == {3, 4, 5, 6} and {t.walkers for t in spec} == {0, 3}
    assert all(isinstance(t.vehicles, int) and isinstance(t.walkers, int) for t in spec), "a count is a whole number"
    assert all(0.1 <= t.vans <= 0.3 for t in spec) and {t.lights for t in spec} == {True, False}
    assert {(t.trucks, t.bicycles, t.parked) for t in spec} == {(TrafficSpec.trucks, TrafficSpec.bicycles, 0)}
    for e in drawn:
        child, cyclist, lorry, guest = e.actors
        assert child.script is not None and cyclist.script is not None and lorry.script is guest.script is None
        assert child.script.path == ((0.0, 4.0), (0.0, 8.5)) and child.script.after is None and child.speed == 0.0
        assert child.script.within is not None and 15 <= child.script.within <= 20 and 1.2 <= child.script.speed <= 2.0
        assert cyclist.script.after is not None and 1 <= cyclist.script.after <= 3
        assert Episode.from_dict(e.to_dict()) == e


def test_a_draw_can_be_asked_for_every_variable(scenario: Scenario, drawn: list[Episode]) -> None:
    for variable in scenario.draws:
        drawn_in(drawn[0], variable)
    child = drawn[0].actors[0].script
    assert isinstance(child, Script) and drawn_in(drawn[0], "actors.child.script.speed") == child.speed
    assert drawn_in(drawn[0], "traffic.vehicles") == drawn[0].traffic.vehicles  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"no traffic, so there is no traffic\.lights"):
        value_in(replace(drawn[0], traffic=None), "traffic.lights")


def test_a_whole_number_is_one_of_those_that_the_file_names() -> None:
    assert read_count([2, 5], 0, 64) == Choice((2, 3, 4, 5))
    assert read_count({"choice": [0, 9]}, 0, 64) == Choice((0, 9))
    assert read_count(7, 0, 64) == Constant(7)


def test_traffic_and_scripts_move_no_other_chance(scenario: Scenario) -> None:
    text = GOOD[: GOOD.index("traffic:")] + GOOD[GOOD.index("actors:") :]
    for script in ("    script: {within: [15, 20], path: [[0, 4], [0, 8.5]], speed: [1.2, 2.0]}\n",
                   ", script: {after: [1, 3], path: [[20, 0]], speed: 4}"):  # fmt: skip
        assert script in text
        text = text.replace(script, "")
    for line in ("  busy: traffic.vehicles >= 5 or traffic.walkers > 0\n", "  lit: traffic.lights\n"):
        text = text.replace(line, "")
    bare = from_text(text.replace("raining and lit", "raining and board"))
    chance, less = ([v for v, draw in s.draws.items() if not draw.fixed] for s in (scenario, bare))
    assert chance[: len(less)] == less
    assert "traffic" not in sample(bare, 0).to_dict()
    assert all("script" not in actor for actor in sample(bare, 0).to_dict()["actors"])


def test_a_scenario_with_traffic_survives_a_copy_and_a_pickle(scenario: Scenario, drawn: list[Episode]) -> None:
    assert scenario.with_rule("right if raining else left").traffic == scenario.traffic
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario and sample(again, 5, "every") == drawn[5]


# --------------------------------------------------------------------------------------------- what propositions mean
def test_a_running_world_tells_what_the_draw_says(scenario: Scenario, drawn: list[Episode]) -> None:
    backend = started(scenario, drawn)
    stand = Action(np.zeros(len(drawn), np.float32), np.full(len(drawn), -5.0, np.float32))
    for _ in range(30):
        truth = truth_of(scenario, backend.world)
        for w, e in enumerate(drawn):
            assert {name: bool(v[w]) for name, v in truth.items()} == valuation(scenario, e)
        backend.step(stand)


def test_every_episode_of_a_scenario_has_the_same_shape(scenario: Scenario, drawn: list[Episode]) -> None:
    fewest = min(drawn, key=lambda e: e.traffic.slots if e.traffic else 0)
    assert started(scenario, [fewest]).world.kind.shape == (1, 1 + 4 + 1 + 6 + 3)
    assert slots_needed(load_scenario("rain-turn")).slots == 0, "without traffic nothing changes"


def test_vehicles_can_be_told_where_none_is_parked() -> None:
    text = GOOD.replace("vehicles: [3, 6]", "vehicles: [3, 6]\n  parked: [0, 2]")
    with pytest.raises(
        ScenarioError, match=r"'traffic.vehicles' cannot be counted in a world with parked cars.*parked: 0"
    ):
        from_text(text)
    assert from_text(text.replace("traffic.vehicles >= 5 or ", "")).traffic is not None


# ------------------------------------------------------------------------------------------------------------- twins
@pytest.mark.parametrize("name", ["raining", "child", "board", "lorry", "long"])
def test_a_twin_has_the_same_traffic_to_the_byte_until_an_actor_behaves_differently(
    name: str, scenario: Scenario, drawn: list[Episode]
) -> None:
    """Rain changes nobody's driving, a sign neither: there traffic is the same to the end."""
    first = 1 + len(scenario.actors) + len(scenario.signs)
    mine, theirs = started(scenario, drawn), started(scenario, [twin(scenario, e, name) for e in drawn])
    stand = Action(np.zeros(len(drawn), np.float32), np.full(len(drawn), -5.0, np.float32))
    for tick in range(60 if name in ("raining", "board") else 1):
        for w, e in enumerate(drawn):
            assert traffic_of(mine, w, first) == traffic_of(theirs, w, first), (tick, w, e.seed)
        mine.step(stand)
        theirs.step(stand)


def test_a_twin_over_traffic_changes_its_own_variables_alone(scenario: Scenario, drawn: list[Episode]) -> None:
    for e in drawn[:30]:
        other = twin(scenario, e, "lit")
        assert other.traffic == replace(e.traffic, lights=not e.traffic.lights)  # type: ignore[union-attr,type-var]
        assert replace(other, traffic=e.traffic) == e
        other = twin(scenario, e, "busy")
        assert valuation(scenario, other) == {**valuation(scenario, e), "busy": not valuation(scenario, e)["busy"]}
        assert replace(other.traffic, vehicles=0, walkers=0) == replace(e.traffic, vehicles=0, walkers=0)  # type: ignore[type-var]
        assert replace(other, traffic=e.traffic) == e


# ------------------------------------------------------------------------------------------------------------- leaks
def test_the_leak_check_looks_at_traffic_and_cues(scenario: Scenario) -> None:
    looked = set(suspects(scenario))
    assert {"traffic.vehicles", "traffic.walkers", "traffic.vans", "traffic.lights"} <= looked
    assert {"actors.child.script.within", "actors.child.script.speed", "actors.cyclist.script.after"} <= looked
    assert "traffic.parked" not in looked, "it is fixed and can tell nothing"
    assert check_leaks(scenario, 600, splits=False).passed


# ----------------------------------------------------------------------------------------------------- the library's
def test_busy_turn_is_full_of_traffic_and_twins_keep_it() -> None:
    busy = load_scenario("busy-turn")
    episodes = balanced_batch(busy, range(6), "test")
    backend, twins = started(busy, episodes), started(busy, [twin(busy, e, "raining") for e in episodes])
    for w, e in enumerate(episodes):
        assert e.traffic is not None and 10 <= e.traffic.vehicles <= 20 and 8 <= e.traffic.walkers <= 16
        assert (backend.world.kind[w, 1:] != 0).sum() == e.traffic.slots and backend.world.clock[w] >= 0
        assert traffic_of(backend, w, 1) == traffic_of(twins, w, 1)


def test_the_expert_drives_busy_turn_in_traffic() -> None:
    busy = load_scenario("busy-turn")
    tally = evaluate(Expert.of(busy), busy, balanced_batch(busy, range(16), "test"), SMALL)
    assert set(tally.shown_decision[tally.agrees].tolist()) == {0, 1}
    assert tally.agrees.mean() >= 0.75  # far from what is measured; an expert that stands would arrive nowhere


def test_a_fleet_gives_every_episode_a_world_of_one_shape(scenario: Scenario) -> None:
    fleet = make_vector(3, scenario, camera=SMALL)
    fleet.reset(seed=1)
    before = fleet.backend.world
    for _ in range(3):
        fleet.reset(seed=2)
    assert fleet.backend.world is before, "room was made anew: the arrays that others hold are stale"


# ---------------------------------------------------------------------------------------------------------- mistakes
# old text -> new text, the line that must be named, what must be said
BAD_FILES = {
    "a wrong key": ("  vans:", "  cars:", 8, ["unknown key 'cars'", "vehicles, walkers, parked, vans"]),
    "half a car": ("[3, 6]", "[3, 6.5]", 6, ["6.5 is no whole number", "from 0 to 64"]),
    "too many": ("[3, 6]", "[3, 65]", 6, ["65", "within 0 to 64"]),
    "fewer than none": ("choice: [0, 3]", "choice: [-1, 3]", 7, ["-1", "within 0 to 64"]),
    "a share above one": ("[0.1, 0.3]", "[0.1, 1.3]", 8, ["1.3", "within 0 to 1"]),
    "shares of more than all": ("[0.1, 0.3]", "[0.1, 0.9]", 5, ["vans 0.9 + trucks 0.1 + bicycles 0.1 = 1.1"]),
    "lights by a formula": ("lights: {choice: [true, false]}", "lights: raining", 9, ["'raining' is neither true nor"]),
    "traffic that is a number": ("traffic:\n", "traffic: 5\nnever:\n", 5, ["found 5", "vehicles, walkers"]),
    "two cues": ("{within: [15, 20],", "{within: [15, 20], after: 2,", 16, ["found after and within", "metres to ego"]),
    "no cue": ("{within: [15, 20], ", "{", 16, ["one trigger, found none", "after: seconds"]),
    "no path": ("path: [[0, 4], [0, 8.5]], ", "", 16, ["actors.0.script.path", "missing"]),
    "an empty path": ("[[0, 4], [0, 8.5]]", "[]", 16, ["found 0 points", "1 to 7 points"]),
    "a long path": ("[[0, 4], [0, 8.5]]", "[[0,1],[0,2],[0,3],[0,4],[0,5],[0,6],[0,7],[0,8]]", 16, ["found 8 points"]),
    "a point of three": ("[0, 8.5]]", "[0, 8.5, 1]]", 16, ["the point [0, 8.5, 1]", "[forward, left]"]),
    "a point that is drawn": ("[0, 8.5]]", "[0, [7, 9]]]", 16, ["the point [0, [7, 9]]"]),
    "a point nowhere": ("[0, 8.5]]", "[0, .inf]]", 16, ["inf is out of bounds", "within 1000 m"]),
    "a path that is a word": ("[[0, 4], [0, 8.5]]", "across", 16, ["found 'across'"]),
    "a speed of none": ("speed: [1.2, 2.0]", "speed: 0", 16, ["0 is out of bounds", "within 0.1 to 20"]),
    "no speed": (", speed: [1.2, 2.0]", "", 16, ["one pace", "found neither speed nor speeds"]),
    "an actor's speed too": ("side: 4.5\n", "side: 4.5\n    speed: 2\n", 11, ["'child' has a speed and a script"]),
    "a cue after the end": ("after: [1, 3]", "after: [1, 30]", 17, ["'cyclist' may begin at 30 s", "limit is 20 s"]),
    "a wrong word in a script": ("{within:", "{near:", 16, ["unknown key 'near'", "path, speed, after, within"]),
    "a cue in a proposition": ("actors.child.present\n  busy", "actors.child.script.within > 17\n  busy", 24,
                               ["'actors.child.script.within' is what the actor waits for", "^^^", "child.present"]),
    "a speed that follows a script": ("actors.child.present\n  busy", "actors.child.speed > 1\n  busy", 24,
                                      ["'actors.child.speed' follows a script", "'actors.child.present'"]),
    "a share in a proposition": ("traffic.walkers > 0", "traffic.vans > 0.2", 25, ["is a share", "traffic.lights"]),
    "parked in a proposition": ("traffic.walkers > 0", "traffic.parked > 0", 25, ["looks like a waiting one"]),
    "a count alone": ("lit: traffic.lights", "lit: traffic.walkers", 26, ["is a number", "'traffic.walkers > 0'"]),
    "lights as a number": ("lit: traffic.lights", "lit: traffic.lights > 0", 26, ["is true or false, not a number"]),
    "an unknown count": ("traffic.walkers > 0", "traffic.dogs > 0", 25, ["'traffic.dogs'", "traffic.walkers"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_mistake_is_told_with_file_line_and_known_names(case: str) -> None:
    old, new, line, told = BAD_FILES[case]
    assert GOOD.count(old) >= 1
    with pytest.raises(ScenarioError) as error:
        from_text(GOOD.replace(old, new, 1), "school.yaml")
    text = str(error.value)
    assert text.startswith(f"school.yaml:{line}: "), text
    for part in told:
        assert part in text, text


def test_a_proposition_over_traffic_wants_traffic_in_the_file() -> None:
    with pytest.raises(ScenarioError, match=r"unknown variable 'traffic.vehicles'"):
        from_text(GOOD[: GOOD.index("traffic:")] + GOOD[GOOD.index("actors:") :])
