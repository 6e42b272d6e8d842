"""Keys of actors with followers: how they are read, drawn, flipped, asked for, exported and refused."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from scenarios.export.openscenario import openscenario
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.variables import value_on
from scenarios.sampling.sample import sample, twin, valuation
from scenarios.scenario import from_text
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode
from sim.datatypes.simulation import Simulation
from sim.world.embedded import EmbeddedWorld

GOOD = """
name: sent
map: {generate: crossroads_stop, arm: 60, junction: {kind: crossroads}}
weather: {precipitation: {choice: [0, 70]}}
actors:
  - {name: rival, arm: west, speed: 7, turn: {choice: [left, straight]}, takes_turns: true, arrival_offset: {choice: [-2, 2]}, stop_duration: [0, 1]}
  - {name: behind, tailgates: {gap: [2, 4]}}
  - name: cutter
    distance: 40
    side: 3.6
    script: {near_junction: [30, 34], path: [[6, 0.3], [12, 2.1]], speeds: [5, 6]}
propositions:
  raining: weather.precipitation > 20
  sooner: actors.rival.arrival_offset > 0
  leftward: actors.rival.turn == "left"
rule: left if sooner else right
"""  # noqa: E501


def test_new_keys_are_drawn_after_all_that_was_there_before() -> None:
    names = [v for v, draw in from_text(GOOD).draws.items() if not draw.fixed]
    last = [n for n in names if n.endswith((".turn", ".arrival_offset", ".stop_duration", ".gap"))]
    assert names[-len(last) :] == last and len(last) == 4
    assert all(n.startswith(("weather.", "actors.cutter.script.")) for n in names[: -len(last)])


@pytest.mark.parametrize("name", ["sooner", "leftward"])
def test_a_twin_flips_one_key_of_a_scripted_route_and_nothing_else(name: str) -> None:
    scenario = from_text(GOOD)
    for seed in range(6):
        episode = sample(scenario, seed)
        other = twin(scenario, episode, name)
        before, after = valuation(scenario, episode), valuation(scenario, other)
        assert {k for k in before if before[k] != after[k]} == {name}
        changed = {"sooner": "arrival_offset", "leftward": "turn"}[name]
        told, flipped = episode.to_dict(), other.to_dict()
        assert told["actors"][0].pop(changed) != flipped["actors"][0].pop(changed)
        assert told == flipped
        assert Episode.from_dict(other.to_dict()) == other


def test_a_running_world_tells_the_turn_and_who_has_halted_and_refuses_to_tell_a_lead() -> None:
    scenario = from_text(GOOD)
    episodes = [sample(scenario, seed) for seed in range(4)]
    backend = EmbeddedWorld(4, simulation=Simulation(actors=4))
    backend.reset(episodes)
    names = ["rival", "behind", "cutter"]
    halted = np.zeros(4, bool)
    for _ in range(120):
        turn = value_on(backend.world, "actors.rival.turn", names, [])
        assert turn.tolist() == [e.actors[0].turn for e in episodes]
        now = value_on(backend.world, "actors.rival.halted", names, [])
        assert not (now & (np.abs(backend.world.speed[:, 1]) > 0.1)).any()
        halted |= now
        backend.step(Action(np.zeros(4, np.float32), np.full(4, -1.0, np.float32)))
    assert halted.all()
    assert value_on(backend.world, "actors.cutter.turn", names, []).tolist() == [""] * 4
    with pytest.raises(ValueError, match=r"actors\.rival\.arrival_offset is known only in a draw"):
        value_on(backend.world, "actors.rival.arrival_offset", names, [])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("turn: {choice: [left, straight]}, takes_turns", "takes_turns", "has stop_duration and no turn"),
        ("turn: {choice: [left, straight]}", "turn: back", "'back'"),
        ("arrival_offset: {choice: [-2, 2]}", "arrival_offset: 1, distance: 9", "an arrival_offset and a distance"),
        ("speed: 7", "speed: 0", "may have no speed"),
        ("tailgates: {gap: [2, 4]}", "tailgates: {gap: 2}, distance: 4", "its distance means nothing"),
        ("tailgates: {gap: [2, 4]}", "tailgates: {gap: 0.2}", "0.2"),
        ("speeds: [5, 6]", "speeds: [5]", "found 1 speeds for a path of 2 points"),
        ("speeds: [5, 6]", "speeds: [5, 60]", "60 m/s is out of bounds"),
        ("near_junction: [30, 34]", "near_junction: 3, past: 2", "one trigger, found near_junction and past"),
        ('actors.rival.turn == "left"', "actors.rival.halted", "is known only in a running world"),
        ('actors.rival.turn == "left"', "actors.rival.speed > 3", "depends on other road users"),
    ],
)
def test_a_mistake_in_a_scripted_route_is_one_sentence(old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(ScenarioError) as told:
        from_text(GOOD.replace(old, new))
    assert words in str(told.value)


def test_openscenario_says_a_turn_and_refuses_what_it_has_no_word_for() -> None:
    day = datetime(2024, 1, 1)
    scenario = from_text(GOOD)
    with pytest.raises(ValueError, match=r"actor rival has stop_duration, which the export to OpenSCENARIO 1\.0"):
        openscenario(scenario, sample(scenario, 0), "map.xodr", day)
    bare = GOOD.replace(
        ", takes_turns: true, arrival_offset: {choice: [-2, 2]}, stop_duration: [0, 1]", ", distance: [20, 30]"
    )
    bare = bare.replace("  - {name: behind, tailgates: {gap: [2, 4]}}\n", "").replace(
        "actors.rival.arrival_offset > 0", "true"
    )
    bare = bare.replace("  sooner: true\n", "").replace("left if sooner", "left if leftward")
    scenario = from_text(bare)
    assert "actors.rival goes its way" in openscenario(scenario, sample(scenario, 0), "map.xodr", day)
