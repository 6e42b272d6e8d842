"""Scenarios in which the weather changes on the way: what is drawn, what propositions mean, how mistakes are told."""

from __future__ import annotations

import collections
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration, DemonstrationStore
from dagger.training.loader import RenderingLoader
from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.checks.leak_check import check_leaks, legitimate, suspects
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.variables import drawn_in
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import (
    balanced_batch,
    decision,
    factorial,
    sample,
    slots_needed,
    twin,
    valuation,
    with_values,
)
from scenarios.scenario import from_text, truth_of
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import WEATHER_INDEX
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout
from sim.world.weather_schedule import settled
from tests.support.worlds import SMALL, row_bytes

GOOD = """\
name: sign-first
map: {generate: t_junction, arm: [40, 50]}
ego: {start: south, speed: [4, 6], distance: [28, 34]}
weather: {precipitation: 0, wetness: 5, cloudiness: [10, 40], sun_altitude_angle: 40}
changes:
  - name: front
    after: [0.5, 1.5]
    over: {choice: [0.5, 1]}
    precipitation: {choice: [0, 45, 70]}
    wetness: max(precipitation, wetness)
    cloudiness: 90
  - {name: dusk, after: 2.6, over: 1, sun_altitude_angle: {choice: [30, -12]}}
signs:
  - {name: board, text: {choice: [DETOUR, SCHOOL]}, distance: 24, present: {choice: [true, false]}}
propositions:
  raining: weather.precipitation > 20
  night: weather.sun_altitude_angle < -6
  detour: signs.board.present
rule: left if raining and detour else right
splits: {train: not (raining and night)}
"""
RAIN, WET = WEATHER_INDEX["precipitation"], WEATHER_INDEX["wetness"]


@pytest.fixture(scope="module")
def scenario():
    return from_text(GOOD)


@pytest.fixture(scope="module")
def drawn(scenario) -> list[Episode]:
    return balanced_batch(scenario, range(60), "every")


@pytest.fixture(scope="module")
def shown(scenario, drawn: list[Episode]) -> tuple[list[Demonstration], list[np.ndarray]]:
    """Six demonstrations of the expert, and every frame that a camera beside it saw: (B, H, W, 3) a tick."""
    episodes = [e for e in drawn if valuation(scenario, e)["raining"]][:6]
    backend = EmbeddedWorld(6, SMALL, slots_needed(scenario))
    found = collect(
        backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0,
        "expert",
    )  # fmt: skip
    frames: list[np.ndarray] = []
    backend.reset(episodes)
    frames.append(backend.observe().camera)
    rollout(backend, Expert.of(scenario), episodes, lambda tick, running: frames.append(backend.observe().camera))
    return found, frames


def test_changes_are_drawn_within_what_the_file_says(drawn: list[Episode]) -> None:
    fronts, dusks = [e.changes[0] for e in drawn], [e.changes[1] for e in drawn]
    assert all(0.5 <= c.at <= 1.5 and c.over in (0.5, 1.0) for c in fronts)
    assert {dict(c.to)["precipitation"] for c in fronts} == {0.0, 45.0, 70.0}
    assert {tuple(f for f, _ in c.to) for c in fronts} == {("cloudiness", "precipitation", "wetness")}
    assert all(c.to[0] == ("cloudiness", 90.0) for c in fronts) and all(e.weather.precipitation == 0 for e in drawn)
    assert {c.to for c in dusks} == {(("sun_altitude_angle", 30.0),), (("sun_altitude_angle", -12.0),)}
    assert all((c.at, c.over, c.name) == (2.6, 1.0, "dusk") for c in dusks)
    assert all(Episode.from_dict(e.to_dict()) == e for e in drawn)


def test_a_formula_of_a_change_reads_what_the_change_makes_and_for_its_own_field_what_was_before(
    drawn: list[Episode],
) -> None:
    for e in drawn:
        to = dict(e.changes[0].to)
        assert to["wetness"] == max(to["precipitation"], 5.0)
    grows = GOOD.replace("max(precipitation, wetness)", "wetness + cloudiness / 9 + sun_altitude_angle")
    assert dict(sample(from_text(grows), 0).changes[0].to)["wetness"] == 5 + 10 + 40
    twice = GOOD.replace("{name: dusk,", "{name: dusk, wetness: wetness + 1,")
    for e in balanced_batch(from_text(twice), range(5)):
        assert dict(e.changes[1].to)["wetness"] == dict(e.changes[0].to)["wetness"] + 1


def test_what_a_draw_says_is_what_the_world_comes_to(scenario, drawn: list[Episode]) -> None:
    backend = EmbeddedWorld(len(drawn), SMALL, slots_needed(scenario))
    backend.reset(drawn)
    first = truth_of(scenario, backend.world)
    assert not first["raining"].any() and not first["night"].any(), "all begin dry and by day"
    zeros = np.zeros(len(drawn), np.float32)
    backend.world.speed[:, 0] = 0  # it waits for the weather
    for _ in range(45):
        backend.step(Action(zeros, zeros))
    later = truth_of(scenario, backend.world)
    for w, e in enumerate(drawn):
        assert {name: bool(v[w]) for name, v in later.items()} == valuation(scenario, e)
        assert backend.world.weather[w].tobytes() == settled(e).array().tobytes()


def test_decisions_are_balanced_over_the_weather_that_comes(scenario) -> None:
    n = 1200
    episodes = balanced_batch(scenario, range(n), "every")
    lefts = sum(decision(scenario, e) == 0 for e in episodes)
    assert abs(lefts / n - 0.5) < 0.05  # three standard errors are 0.043
    held = balanced_batch(scenario, range(300), "train")
    assert not any(v["raining"] and v["night"] for v in (valuation(scenario, e) for e in held))
    wet = collections.Counter(dict(e.changes[0].to)["precipitation"] for e in episodes)
    assert abs(wet[45.0] - wet[70.0]) < 4 * (wet[45.0] + wet[70.0]) ** 0.5


def test_a_twin_changes_what_comes_and_nothing_that_was(scenario, drawn: list[Episode]) -> None:
    for e in drawn:
        other = twin(scenario, e, "raining")
        assert valuation(scenario, other) == {**(v := valuation(scenario, e)), "raining": not v["raining"]}
        mine, theirs = e.changes[0], other.changes[0]
        assert replace(other, changes=e.changes) == e and other.changes[1] == e.changes[1]
        assert replace(theirs, to=mine.to) == mine
        assert {f for (f, x), (_, y) in zip(mine.to, theirs.to) if x != y} <= {"precipitation", "wetness"}
        assert dict(theirs.to)["wetness"] == max(dict(theirs.to)["precipitation"], 5.0)
        assert with_values(scenario, e, {"raining": v["raining"]}) == e
    assert len(factorial(scenario, drawn[0], ["raining", "night"])) == 4


def test_twins_are_one_world_to_the_byte_until_the_weather_parts_them(scenario, drawn: list[Episode]) -> None:
    e = next(e for e in drawn if not valuation(scenario, e)["raining"])
    backend = EmbeddedWorld(2, SMALL, slots_needed(scenario))
    backend.reset([e, twin(scenario, e, "raining")])
    speed_up, tick = Action(np.zeros(2, np.float32), np.full(2, 0.2, np.float32)), backend.simulation.tick
    for k in range(30):
        mine, theirs, pictures = row_bytes(backend, 0), row_bytes(backend, 1), backend.observe().camera
        begun = k * tick > e.changes[0].at
        assert {name for name in mine if mine[name] != theirs[name]} == ({"weather"} if begun else set()), k
        assert begun or (pictures[0] == pictures[1]).all()
        backend.step(speed_up)
    assert (pictures[0] != pictures[1]).any()


def test_the_loader_redraws_every_frame_of_changing_weather_to_the_byte(shown, tmp_path: Path) -> None:
    found, frames = shown
    store = DemonstrationStore(tmp_path)
    store.append(found, "round-0")
    loader = RenderingLoader(store.read(), SMALL)
    for w, d in enumerate(found):
        ticks = np.arange(len(d))
        for tick, picture in zip(ticks, loader.draw(np.full(len(d), w), ticks)):
            assert picture.tobytes() == frames[tick][w].tobytes(), f"episode {w}, tick {tick}"


def test_demonstrations_write_down_what_is_true_at_every_tick(scenario, shown) -> None:
    for d in shown[0]:
        rain = d.propositions["raining"]
        assert (rain == (d.weather[:, RAIN] > 20)).all()
        assert not rain[0] and rain[-1] and (np.diff(rain.astype(int)) >= 0).all()
        assert {n: bool(v[-1]) for n, v in d.propositions.items()} == valuation(scenario, d.episode)
        assert d.weather[0, WET] == 5.0 and d.weather[-1, WET] == dict(d.episode.changes[0].to)["wetness"]


def test_the_expert_obeys_what_the_draw_decides(scenario, drawn: list[Episode]) -> None:
    tally = evaluate(Expert.of(scenario), scenario, drawn)
    assert tally.agrees.all()
    assert len(set(tally.shown_decision.tolist())) == 2


def test_the_leak_check_takes_changes_for_weather(scenario) -> None:
    assert legitimate(scenario) == {
        "changes.front.precipitation", "changes.front.wetness", "signs.board.present"
    }  # fmt: skip
    assert {"changes.front.after", "changes.front.over", "changes.dusk.sun_altitude_angle"} <= set(suspects(scenario))
    assert check_leaks(scenario, 600, splits=False).passed


def test_a_leak_through_a_change_is_named() -> None:
    """The truck comes with the rain, and rain comes late: still a leak."""
    text = GOOD.replace("signs:\n", "actors: [{name: truck, present: raining}]\nsigns:\n").replace(" and detour", "")
    report = check_leaks(from_text(text), 600, splits=False)
    assert report.unsplit.leaks == ("actors.truck.present",)


def test_changes_move_no_other_chance(scenario) -> None:
    bare = from_text(GOOD[: GOOD.index("changes:")] + GOOD[GOOD.index("signs:") :])
    assert list(scenario.draws)[: len(bare.draws)] == list(bare.draws)
    assert "changes" not in sample(bare, 0).to_dict()
    assert bare.changes == ()


def test_a_scenario_with_changes_survives_a_copy_and_a_pickle(scenario, drawn: list[Episode]) -> None:
    assert scenario.with_rule("right if raining else left").changes == scenario.changes
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario and sample(again, 5, "every") == drawn[5]
    assert plan(again).sources == {
        **{f"weather.{f}": f"changes.front.{f}" for f in ("cloudiness", "precipitation", "wetness")},
        "weather.sun_altitude_angle": "changes.dusk.sun_altitude_angle",
    }


def test_a_draw_can_be_asked_for_every_variable_of_its_scenario(scenario, drawn: list[Episode]) -> None:
    e = drawn[0]
    for variable in (*scenario.draws, *scenario.couplings):
        drawn_in(e, variable)
    assert drawn_in(e, "changes.front.after") == e.changes[0].at and drawn_in(e, "weather.precipitation") == 0.0
    with pytest.raises(ValueError, match=r"the episode has no change 'font'; it has \['front', 'dusk'\]"):
        drawn_in(e, "changes.font.after")


# old text -> new text, the line that must be named, what must be said
BAD_FILES = {
    "a wrong field": ("    precipitation:", "    rain:", 9, ["'rain'", "known are name, after, over, cloudiness"]),
    "no name": ("name: dusk, ", "", 12, ["changes.1.name", "missing"]),
    "no time": ("after: 2.6, ", "", 12, ["changes.1.after", "missing"]),
    "no field": (", sun_altitude_angle: {choice: [30, -12]}", "", 12, ["'dusk' changes nothing", "wind_intensity"]),
    "a time that is none": ("after: 2.6", "after: soon", 12, ["'soon' is no number"]),
    "a time before the start": ("[0.5, 1.5]", "[-1, 1.5]", 7, ["-1", "within 0 to 600"]),
    "out of bounds": ("[0, 45, 70]", "[0, 450]", 9, ["450", "within 0 to 100"]),
    "two of one name": ("name: dusk", "name: front", 12, ["the change 'front' stands twice"]),
    "too late": ("after: 2.6", "after: 19.5", 12, ["'dusk' may last until 20.5 s", "time limit is 20 s"]),
    "out of order": ("{name: dusk, after: 2.6, over: 1,", "{name: dusk, after: 2, over: 1, wetness: 3,", 12,
                     ["'dusk' may begin at 2 s", "'front' changes wetness until 2.5 s", "follow each other"]),
    "an unknown name in a formula": ("max(precipitation, wetness)", "rain + 1", 10, ["unknown name 'rain'"]),
    "a proposition about what comes": ("raining: weather.precip", "raining: changes.front.precip", 16,
                                       ["'changes.front.precipitation' is in the future", "^^^", "no driver"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_mistake_is_told_with_file_line_and_known_names(case: str) -> None:
    old, new, line, told = BAD_FILES[case]
    assert old in GOOD
    with pytest.raises(ScenarioError) as error:
        from_text(GOOD.replace(old, new, 1), "late.yaml")
    text = str(error.value)
    assert text.startswith(f"late.yaml:{line}: "), text
    for part in told:
        assert part in text, text


def test_formulas_of_a_change_that_need_each_other_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"late.yaml:11: .*cloudiness, wetness depend on each other"):
        text = GOOD.replace("max(precipitation, wetness)", "cloudiness").replace(
            "cloudiness: 90", "cloudiness: wetness"
        )
        from_text(text, "late.yaml")
