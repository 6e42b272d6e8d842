"""Scenario files: what is read, and what every mistake is told as."""

from __future__ import annotations

import pickle

import pytest

from scenarios.reading.yaml import ScenarioError
from scenarios.scenario import from_text, load_scenario, scenario_names
from scenarios.schema.distributions import Choice, Constant, Uniform
from scenarios.suite import load_suite, suite_names

GOOD = """\
name: small
map: {generate: t_junction, arm: [40, 52]}
ego: {start: south, speed: [4, 8]}
weather:
  precipitation: {choice: [0, 70]}
  wetness: min(80, precipitation + 5)
actors:
  - {name: truck, kind: truck, colour: red, present: raining}
  - {name: parked, colour: "#102030", present: {choice: [true, false]}}
propositions:
  raining: weather.precipitation > 20
  truck: actors.truck.present
rule: left if raining else right
splits: {train: not truck}
"""


def test_a_scenario_holds_its_draws_formulas_and_rule():
    scenario = from_text(GOOD)
    assert scenario.draws["map.arm"] == Choice((40.0, 45.0, 50.0))
    assert scenario.draws["ego.speed"] == Uniform(4.0, 8.0)
    assert scenario.draws["actors.truck.colour"] == Constant(0xB02020)
    assert scenario.draws["actors.parked.colour"] == Constant(0x102030)
    assert set(scenario.couplings) == {"weather.wetness"} and set(scenario.presences) == {"actors.truck.present"}
    assert str(scenario.rule) == "left if raining else right"
    assert {name: str(f) for name, f in scenario.splits.items()} == {"every": "true", "train": "not truck"}


# old text -> new text, the line that must be named, what must be said
BAD_FILES = {
    "a wrong key": ("weather:", "wether:", 4, ["unknown key 'wether'", "weather", "did you mean 'weather'?"]),
    "a wrong key in an actor": ("colour: red", "color: red", 8, ["'color'", "did you mean 'colour'?", "distance"]),
    "a wrong weather field": ("  wetness:", "  wetnes:", 6, ["'wetnes'", "did you mean 'wetness'?"]),
    "an unknown proposition": ("left if raining", "left if rainig", 13, ["'rainig'", "raining, truck", "^^^^^^"]),
    "an unknown variable": ("precipitation > 20", "rain > 20", 11, ["'weather.rain'", "weather.precipitation"]),
    "an unknown actor": ("actors.truck.present", "actors.lorry.present", 12, ["'actors.lorry.present'", "parked"]),
    "a backward range": ("speed: [4, 8]", "speed: [8, 4]", 3, ["[8, 4]", "smaller end first"]),
    "a range with three ends": ("speed: [4, 8]", "speed: [4, 8, 9]", 3, ["two ends, found 3"]),
    "a value out of bounds": ("[0, 70]", "[0, 170]", 5, ["170", "within 0 to 100"]),
    "a range narrower than the grid": ("arm: [40, 52]", "arm: [40, 42]", 2, ["narrower than the 5 m grid"]),
    "a wrong type": ("speed: [4, 8]", "speed: fast", 3, ["'fast' is no number", "[a, b]"]),
    "a list for a mapping": ("ego: {start: south, speed: [4, 8]}", "ego: [south]", 3, ["['south']", "start, speed"]),
    "a truth value for text": ("rule: left if raining else right", "rule: true", 13, ["True", "valid string"]),
    "a bad rule": ("else right", "els right", 13, ["'els' is not expected", "did you mean 'else'?"]),
    "a way that the road lacks": ("else right", "else straight", 13, ["'straight'", "from the south", "left, right"]),
    "an unknown map generator": ("t_junction", "t_junktion", 2, ["did you mean 't_junction'?", "crossroads"]),
    "an unknown map parameter": ("arm:", "arms:", 2, ["'arms'", "did you mean 'arm'?", "radius"]),
    "a map without source": ("generate: t_junction, ", "", 2, ["exactly one of generate and file"]),
    "an unknown arm": ("start: south", "start: soth", 3, ["'soth'", "did you mean 'south'?", "west"]),
    "an unknown colour": ("colour: red", "colour: redd", 8, ["'redd'", "did you mean 'red'?", "#rrggbb"]),
    "an unknown kind": ("kind: truck", "kind: lorry", 8, ["'lorry'", "car, van, truck"]),
    "an empty choice": ("choice: [0, 70]", "choice: []", 5, ["at least one entry"]),
    "a bad split": ("train: not truck", "train: not truk", 14, ["'truk'", "did you mean 'truck'?"]),
    "a bad presence": ("present: raining", "present: rain", 8, ["'rain'", "raining, truck"]),
    "a presence that feeds itself": ("present: raining", "present: truck", 8, ["'truck' reads actors.truck.present"]),
    "a circle of formulas": ("{choice: [0, 70]}", "wetness", 5, ["precipitation, wetness depend on each other"]),
    "an unknown name in a formula": ("precipitation + 5", "rain + 5", 6, ["unknown name 'rain'"]),
    "a proposition named like a word": ("  truck: actors", "  left: actors", 12, ["'left' is a word of the rule"]),
    "two actors of one name": ("name: parked", "name: truck", 9, ["the actor 'truck' stands twice"]),
    "a key that stands twice": ("  wetness:", "  precipitation:", 6, ["'precipitation' stands twice"]),
    "a missing rule": ("rule: left if raining else right\n", "", 1, ["rule", "missing"]),
    "malformed YAML": ("[40, 52]", "[40, 52", 2, ["malformed YAML"]),
    "an alias": ("speed: [4, 8]", "speed: *fast", 3, ["alias '*fast'"]),
    "a tag that would run code": ("[0, 70]", "!!python/object/apply:os.getcwd []", 5, ["malformed YAML"]),
    "a split with the name of all": ("{train:", "{every:", 14, ["'every' is always there"]),
    "a balance of nothing": ("splits:", "balance: {rain: 0.2}\nsplits:", 14, ["unknown proposition 'rain'", "raining"]),
    "a balance that leaves no choice": ("splits:", "balance: {raining: 1}\nsplits:", 14, ["1.0", "between 0 and 1"]),
    "an unknown leak": ("splits:", "known_leaks: [actors.truck.presence]\nsplits:", 14, ["did you mean 'actors.truck"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BAD_FILES)
def test_a_mistake_is_told_with_file_line_and_known_names(mistake, tmp_path):
    old, new, line, said = BAD_FILES[mistake]
    assert GOOD.count(old) >= 1
    file = tmp_path / "small.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: "), message
    for part in said:
        assert part in message, message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "&a [*a]", "{" * 300])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(ScenarioError, match=r"^stranger:\d+: "):
        from_text(text, "stranger")


def test_an_unknown_scenario_names_the_known_ones():
    with pytest.raises(ScenarioError, match=r"unknown scenario 'rain-tun'; known are .*; did you mean 'rain-turn'\?"):
        load_scenario("rain-tun")
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_scenario("nowhere.yaml")


def test_every_scenario_of_the_library_loads_and_says_what_it_is():
    assert {
        "rain-turn",
        "night-turn",
        "rain-xor-night",
        "rain-and-night",
        "rain-turn-shortcut",
        "rain-turn-town02",
    } <= set(scenario_names())
    for name in scenario_names():
        scenario = load_scenario(name)
        assert scenario.name == name and scenario.description


def test_every_suite_loads_and_a_bad_entry_names_its_line(tmp_path):
    assert "first" in suite_names()
    for name in suite_names():
        assert load_suite(name).entries
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nentries:\n  - {scenario: rain-turn}\n  - {scenario: rain-turn, split: tests}\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml:4: .*no split 'tests'.*did you mean 'test'"):
        load_suite(file)


def test_another_rule_or_map_gives_a_changed_copy_and_leaves_the_scenario():
    scenario = from_text(GOOD)
    other = scenario.with_rule("right if truck else left")
    assert str(other.rule) == "right if truck else left" and str(scenario.rule) == "left if raining else right"
    assert other.draws == scenario.draws and other != scenario and other.digest() != scenario.digest()
    town = scenario.with_map({"file": "Town02.xodr", "junction": "t_junction"})
    assert town.map.file == "Town02.xodr" and town.map.junction.kind == "t_junction" and "map.arm" not in town.draws
    with pytest.raises(ScenarioError, match="scenario small: rule: unknown proposition 'dry'"):
        scenario.with_rule("left if dry else right")


def test_the_digest_is_of_the_meaning_and_not_of_the_prose():
    scenario = from_text(GOOD)
    assert from_text("# a comment\n" + GOOD + "description: words\n").digest() == scenario.digest()
    assert from_text(GOOD.replace("[4, 8]", "[4, 9]")).digest() != scenario.digest()
    swapped = GOOD.replace("  truck: actors.truck.present\n", "").replace(
        "propositions:\n", "propositions:\n  truck: actors.truck.present\n"
    )
    assert from_text(swapped).digest() != scenario.digest()  # a cell's entries change places


def test_a_scenario_survives_pickling_for_workers():
    scenario = load_scenario("rain-turn")
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_a_scenario_cannot_be_changed():
    with pytest.raises(AttributeError):
        load_scenario("rain-turn").rule = None
