"""The leak check finds what tells the answer, by name, and leaves clean scenarios alone."""

from __future__ import annotations

import os

import pytest

from scenarios.checks.leak_check import check_leaks, legitimate, suspects
from scenarios.scenario import from_text, load_scenario

FEW = 600  # episodes: enough for a perfect clue and for chance
TOWNS = {"rain-turn-town01", "rain-turn-town02"}


def leaky(present: str, extra: str = "") -> str:
    return f"""\
name: leaky
weather: {{precipitation: {{choice: [0, 70]}}, fog_density: [0, 20]}}
actors: [{{name: truck, present: {present}}}]
propositions: {{raining: weather.precipitation > 20, foggy: weather.fog_density > 10}}
rule: left if raining else right
splits: {{train: not (raining and foggy)}}
{extra}
"""


@pytest.mark.skipif("HOMUNCULUS_MAPS" not in os.environ, reason="HOMUNCULUS_MAPS names no folder with the towns")
@pytest.mark.parametrize("name", sorted(TOWNS))
def test_the_towns_pass_too(name):
    report = check_leaks(load_scenario(name), FEW, splits=False, junctions=lambda spec: 8)
    assert report.passed and "map.junction" in {c.variable for c in report.unsplit.clues}


def test_a_correlated_distractor_is_caught_and_named():
    report = check_leaks(from_text(leaky("raining")), FEW, splits=False)
    assert not report.passed
    assert report.unsplit.leaks == ("actors.truck.present",)
    assert report.unsplit.clues[0].accuracy == 1.0
    assert "LEAKS actors.truck.present" in str(report)


def test_a_distractor_that_tells_only_together_with_another_is_caught():
    report = check_leaks(from_text(leaky("raining xor foggy")), FEW, splits=False)
    assert not report.passed and report.unsplit.leaks == () and report.unsplit.accuracy > 0.9
    assert "LEAKS in combination" in str(report)


def test_a_declared_leak_is_reported_and_does_not_fail():
    report = check_leaks(from_text(leaky("raining", "known_leaks: [actors.truck.present]")), FEW, splits=False)
    assert report.passed and report.unsplit.leaking_variables[0].variable == "actors.truck.present"


def test_what_a_split_makes_tellable_is_reported_by_the_split_and_fails_nothing():
    report = check_leaks(from_text(leaky("{choice: [true, false]}")), FEW)
    assert report.passed
    (train,) = report.by_split
    assert train.split == "train" and train.leaks == ("weather.fog_density",)


def test_the_legitimate_channel_is_the_rules_propositions_and_the_weather_that_follows():
    scenario = load_scenario("rain-turn")
    legal = {"weather.precipitation", "weather.wetness", "weather.precipitation_deposits"}
    assert legitimate(scenario) == legal
    assert not legal & set(suspects(scenario))
    assert {"ego.speed", "ego.distance", "map.arm", "weather.cloudiness", "actors.oncoming.present"} <= set(
        suspects(scenario)
    )
    assert "ego.start" not in suspects(scenario)  # fixed: it can tell nothing
    assert "weather.sun_altitude_angle" in legitimate(load_scenario("rain-xor-night"))


def test_too_few_episodes_clear_nothing():
    with pytest.raises(ValueError, match="10 episodes are too few"):
        check_leaks(load_scenario("rain-turn"), 10)


def test_a_sign_that_varies_is_looked_at_and_one_without_a_say_is_no_leak():
    signs = "signs:\n  - {name: board, text: DETOUR, arm: south, distance: [8, 14], present: {choice: [true, false]}}\n"
    report = check_leaks(
        from_text(leaky("{choice: [true, false]}").replace("propositions:", signs + "propositions:")), FEW
    )
    assert report.unsplit.leaks == ()
