"""What is wrong with a file is told in one go; what loads and will not do is told too."""

from __future__ import annotations

import pytest

from scenarios.checks.lint import errors, flipping, held_out, warnings
from scenarios.reading.yaml import ScenarioError
from scenarios.scenario import from_text, load_scenario, scenario_names

GOOD = """name: mine
map: {generate: t_junction, arm: [40, 60]}
ego: {start: south, speed: [4, 8]}
weather:
  precipitation: {choice: [0, 70]}
  wetness: precipitation
actors:
  - {name: oncoming, kind: car, arm: south, lane: outbound, present: {choice: [true, false]}}
propositions:
  raining: weather.precipitation > 20
  oncoming: actors.oncoming.present
rule: left if raining else right
balance: {raining: 0.4}
splits: {train: not (raining and oncoming), test: true}
known_leaks: [weather.cloudiness]
"""
# Each replacement is one mistake: what stands in the file, what is put there, what is said of it.
WRONG = [
    ("name: mine", "name: Mine", "name"),
    ("arm: [40", "arms: [40", "unknown parameter 'arms'"),
    ("speed: [4, 8]", "speed: [4, 80]", "80 is out of bounds"),
    ("wetness: precipitation", "wetness: precipitaton", "did you mean 'precipitation'"),
    ("kind: car", "kind: cat", "did you mean 'car'"),
    ("weather.precipitation > 20", "weather.rain > 20", "unknown variable 'weather.rain'"),
    ("if raining else", "if rainin else", "did you mean 'raining'"),
    ("balance: {raining", "balance: {rain", "unknown proposition 'rain'"),
    ("and oncoming)", "and oncomin)", "did you mean 'oncoming'"),
    ("[weather.cloudiness]", "[weather.cloud]", "unknown variable 'weather.cloud'"),
]


def test_a_file_that_can_be_used_has_no_mistakes_and_no_doubts() -> None:
    assert not errors(GOOD) and not warnings(from_text(GOOD))
    for name in scenario_names():
        assert not warnings(load_scenario(name)), name


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_one_mistake_is_told_once_and_as_reading_the_file_tells_it(old: str, new: str, said: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    (found,) = errors(text, "mine.yaml")
    assert said in str(found)
    with pytest.raises(ScenarioError) as raised:
        from_text(text, "mine.yaml")
    assert str(raised.value) == str(found)


def test_all_mistakes_are_told_in_the_order_of_their_lines() -> None:
    text = GOOD
    for old, new, _ in WRONG:
        text = text.replace(old, new, 1)
    found = [str(error) for error in errors(text, "mine.yaml")]
    assert len(found) == len(WRONG)
    for line, (_, _, said) in zip(found, WRONG):
        assert said in line
    lines = [int(line.split(":")[1]) for line in found]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "malformed YAML"),
        ("- a", "wanted keys and values"),
        ("name: a\nrule: left\n", "propositions: this key is missing"),
        (GOOD.replace("{raining: 0.4}", "{raining: 4}"), "wanted a share between 0 and 1"),
        (GOOD.replace("rule: left", "rule: straight"), "no way out of a T-junction"),
        (GOOD + "shown_by: {snowing: white}\n", "unknown proposition 'snowing'"),
    ],
)
def test_a_mistake_that_nothing_mends_ends_the_search_and_not_the_program(text: str, said: str) -> None:
    assert said in str(errors(text)[0])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("not (raining and oncoming)", "raining and not raining", "admits none of the cells"),
        ("not (raining and oncoming)", "raining", "in split 'train' the rule always says 'left'"),
        ("not (raining and oncoming)", "true", "'train' holds nothing out"),
        ("left if raining", "left if raining and (oncoming or not oncoming)", "'oncoming' stands in the rule"),
        ("{choice: [0, 70]}", "70", "the rule never comes to 'right'"),
        ("{choice: [0, 70]}", "70", "'raining' can never flip alone"),
    ],
)
def test_what_loads_and_will_not_do_is_told(old: str, new: str, said: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert not errors(text)
    found = warnings(from_text(text))
    assert any(said in doubt and "wanted" in doubt for doubt in found), found


def test_flipping_counts_the_combinations_in_which_a_proposition_is_free() -> None:
    text = GOOD.replace("  oncoming: actors.oncoming.present", "  oncoming: weather.precipitation > 60")
    found = flipping(from_text(text.replace("[0, 70]", "[0, 30, 70]").replace("known_leaks", "known_leaks")))
    assert found == {"raining": (2, 3), "oncoming": (2, 3)}  # dry; rain; and much of it
    assert held_out(from_text(GOOD), "train") == ["raining, oncoming"]
    assert flipping(load_scenario("rain-turn-town01"))["raining"] == (8, 8), "no map is needed"


def test_what_is_for_people_stays_out_of_the_digest() -> None:
    plain = from_text(GOOD)
    told = from_text(GOOD + "description: a\nwhy_hard: b\nshown_by: {raining: streaks}\n")
    assert told.digest() == plain.digest() and told.why_hard == "b" and told.shown_by == {"raining": "streaks"}
    assert from_text(GOOD + "finish: 9\n").digest() != plain.digest()
