"""Signs in scenario files: what is drawn, what rules may ask of them, and what every mistake is told as."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import DemonstrationStore
from dagger.training.loader import RenderingLoader
from policies.expert.expert import Expert
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.variables import value_in
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import decision, sample, slots_needed, twin, valuation, with_values
from scenarios.scenario import from_text, load_scenario, truth_of
from sim.actors.signs import SIGN
from sim.datatypes.episode import Episode
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout
from tests.support.worlds import SMALL, row_bytes

GOOD = """\
name: detour
map: {generate: t_junction, arm: 40}
ego: {start: south, speed: [4, 8]}
weather: {precipitation: {choice: [0, 70]}}
actors:
  - {name: oncoming, lane: outbound, speed: [5, 9], distance: [5, 20], present: {choice: [true, false]}}
signs:
  - name: board
    text: {choice: ["DETOUR IF WET", "ROAD WORK", "SCHOOL"]}
    arm: south
    distance: [8, 14]
    side: 3.8
    colour: {choice: [orange, white, yellow, green, blue]}
    font: {choice: [plain, narrow, serif]}
    weathering: [0, 0.6]
    present: {choice: [true, false]}
  - {name: limit, kind: {choice: [speed_30, stop]}, distance: 20, side: 3}
propositions:
  raining: weather.precipitation > 20
  detour: signs.board.present
  busy: actors.oncoming.present or not signs.limit.present and weather.precipitation > 90
rule: left if raining and detour else right
"""
WITHOUT = GOOD[: GOOD.index("signs:")] + GOOD[GOOD.index("propositions:") :].replace(
    "signs.board.present", "weather.wetness > 5"
).replace(" or not signs.limit.present and weather.precipitation > 90", "")


@pytest.fixture(scope="module")
def scenario():
    return from_text(GOOD)


@pytest.fixture(scope="module")
def drawn(scenario) -> list[Episode]:
    return [sample(scenario, seed) for seed in range(64)]


def test_signs_are_drawn_within_what_the_file_says(drawn: list[Episode]):
    boards = [e.signs[0] for e in drawn]
    assert {b.text for b in boards} == {"DETOUR IF WET", "ROAD WORK", "SCHOOL"}
    assert len({b.colour for b in boards}) == 5 and len({b.font for b in boards}) == 3
    assert all(8 <= b.distance <= 14 and 0 <= b.weathering <= 0.6 and b.side == 3.8 for b in boards)
    assert {b.present for b in boards} == {True, False}
    assert {e.signs[1].kind for e in drawn} == {"speed_30", "stop"} and all(e.signs[1].text == "" for e in drawn)
    assert all(Episode.from_dict(e.to_dict()) == e for e in drawn)


def test_the_rule_hangs_on_the_sign(scenario, drawn: list[Episode]):
    for e in drawn:
        values = valuation(scenario, e)
        assert values["detour"] == e.signs[0].present == value_in(e, "signs.board.present")
        assert decision(scenario, e) == (0 if values["raining"] and values["detour"] else 1)
    assert len(plan(scenario).cells) == 8


def test_a_twin_takes_the_sign_away_and_leaves_all_else(scenario, drawn: list[Episode]):
    for e in drawn:
        other = twin(scenario, e, "detour")
        assert other.signs[0].present != e.signs[0].present
        assert replace(other, signs=(e.signs[0], *other.signs[1:])) == e
        assert replace(other.signs[0], present=e.signs[0].present) == e.signs[0]
        assert with_values(scenario, other, {"detour": e.signs[0].present}) == e
        assert twin(scenario, e, "raining").signs == e.signs


def test_a_twins_world_differs_in_the_signs_slot_alone(scenario, drawn: list[Episode]):
    e = next(e for e in drawn if e.signs[0].present)
    backend = EmbeddedWorld(2, SMALL, slots_needed(scenario))
    backend.reset([e, twin(scenario, e, "detour")])
    kept = [np.delete(a, 2, 1) if a.ndim == 2 and a.shape[1] == 4 else a for a in backend.world]
    assert all(a[0].tobytes() == a[1].tobytes() for a in kept)
    assert backend.world.kind[:, 2].tolist() == [SIGN, 0]


def test_running_worlds_and_drawn_episodes_agree(scenario, drawn: list[Episode]):
    backend = EmbeddedWorld(len(drawn), SMALL, slots_needed(scenario))
    backend.reset(drawn)
    truth = truth_of(scenario, backend.world)
    for w, e in enumerate(drawn):
        assert {name: bool(v[w]) for name, v in truth.items()} == valuation(scenario, e)
    small = EmbeddedWorld(1, SMALL)
    small.reset([replace(drawn[0], signs=())])
    with pytest.raises(ValueError, match=r"signs.limit.present wants slot 3|wants slot"):
        truth_of(scenario, small.world._replace(kind=small.world.kind[:, :2]))
    with pytest.raises(ValueError, match="no sign 'board'"):
        valuation(scenario, replace(drawn[0], signs=()))


def test_signs_move_no_other_chance(scenario):
    bare = from_text(WITHOUT)
    assert bare.signs == () and bare.with_name("x").signs == ()
    chance, less = ([v for v, draw in s.draws.items() if not draw.fixed] for s in (scenario, bare))
    assert chance[: len(less)] == less
    assert all("signs" not in sample(load_scenario("rain-turn"), s).to_dict() for s in range(3))


def test_a_scenario_with_signs_survives_a_copy_and_a_pickle(scenario, drawn: list[Episode]):
    other = scenario.with_rule("right if detour else left")
    assert other.signs == scenario.signs and other != scenario
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario and sample(again, 5) == drawn[5]


def test_the_loader_redraws_what_the_expert_saw(scenario, drawn: list[Episode], tmp_path: Path):
    episodes = [e for e in drawn if e.signs[0].present][:3]
    backend = EmbeddedWorld(3, SMALL, slots_needed(scenario))
    found = collect(
        backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0,
        "expert",
    )  # fmt: skip
    for d in found:  # known as soon as the board is in the picture, and from then on
        known = d.propositions["detour"]
        assert known[-1] and (np.diff(known.astype(int)) >= 0).all()
    shown: list[np.ndarray] = []
    rollout(backend, Expert.of(scenario), episodes, lambda tick, running: shown.append(backend.observe().camera))
    store = DemonstrationStore(tmp_path)
    store.append(found, "round-0")
    loader = RenderingLoader(store.read(), SMALL)
    for w in range(3):
        ticks = np.arange(1, len(found[w]))
        redrawn = loader.draw(np.full(len(ticks), w), ticks)
        for k, tick in enumerate(ticks):
            assert redrawn[k].tobytes() == shown[tick - 1][w].tobytes(), f"episode {w}, tick {tick}"
    beside = EmbeddedWorld(1, SMALL, slots_needed(scenario))
    beside.reset([episodes[1]])
    backend.reset(episodes)
    assert row_bytes(beside, 0) == row_bytes(backend, 1)


# old text -> new text, the line that must be named, what must be said
BAD_FILES = {
    "a wrong key": ("    colour:", "    color:", 13, ["'color'", "did you mean 'colour'?", "weathering"]),
    "an unknown arm": ("    arm: south", "    arm: soth", 10, ["'soth'", "did you mean 'south'?", "west"]),
    "an unknown colour": ("[orange, white", "[orang, white", 13, ["'orang'", "did you mean 'orange'?", "blue"]),
    "an unknown font": ("[plain, narrow", "[plain, narow", 14, ["'narow'", "did you mean 'narrow'?", "serif"]),
    "an unknown kind": ("[speed_30, stop]", "[speed_31, stop]", 17, ["'speed_31'", "did you mean 'speed_30'?"]),
    "too much wear": ("[0, 0.6]", "[0, 6]", 15, ["6", "within 0 to 1"]),
    "a letter that no font has": ("SCHOOL", "\u6f22", 9, ["'\u6f22'", "no letter"]),
    "too long a text": ("SCHOOL", "SCHOOL " * 20, 9, ["too long", "4 lines", "in all"]),
    "words that are none": ('"SCHOOL"', "7", 9, ["7", "no words"]),
    "a formula for presence": ("    present: {choice: [true, false]}", "    present: rain", 16, ["'rain'", "true"]),
    "neither text nor kind": ("kind: {choice: [speed_30, stop]}, ", "", 17, ["'limit' lacks a text", "stop, yield"]),
    "text and kind": ("kind: {choice: [speed_30, stop]}", "kind: stop, text: A", 17, ["'limit' has a text"]),
    "two signs of one name": ("name: limit", "name: board", 17, ["the sign 'board' stands twice"]),
    "an unknown sign": ("signs.board.present", "signs.bord.present", 20,
                        ["'signs.bord.present'", "did you mean 'signs.board.present'?", "signs.limit.present"]),
    "a sign as a number": ("signs.board.present", "signs.board.present > 0", 20, ["true or false, not a number"]),
    "a number as a truth": ("signs.board.present", "weather.wetness", 20, ["'weather.wetness' is a number"]),
    "a sign where there are none": (GOOD[GOOD.index("signs:\n") : GOOD.index("propositions:")], "", 9,
                                    ["unknown variable 'signs.board.present'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_mistake_is_told_with_file_line_and_known_names(case: str):
    old, new, line, told = BAD_FILES[case]
    assert old in GOOD
    with pytest.raises(ScenarioError) as error:
        from_text(GOOD.replace(old, new, 1), "detour.yaml")
    text = str(error.value)
    assert text.startswith(f"detour.yaml:{line}: "), text
    for part in told:
        assert part in text, text


def test_a_text_must_fit_in_every_font_that_may_be_drawn():
    text = "NORTHERNMOSTROAD"  # too wide but for the narrow font
    narrow = GOOD.replace("SCHOOL", text).replace("{choice: [plain, narrow, serif]}", "narrow")
    assert from_text(narrow).signs[0].font.fixed
    with pytest.raises(ScenarioError, match="in the font serif"):
        from_text(narrow.replace("font: narrow", "font: {choice: [narrow, serif]}"))
