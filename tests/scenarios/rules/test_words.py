"""Rules that read signs: what a board says, what kind and how worn a sign is, in draws, worlds and twins."""

from __future__ import annotations

import collections
import pickle
from dataclasses import replace

import numpy as np
import pytest

from policies.evaluate import evaluate
from policies.expert.expert import Expert
from scenarios.checks.leak_check import check_leaks, legitimate
from scenarios.reading.errors import RuleError
from scenarios.reading.yaml import ScenarioError
from scenarios.rules.propositions import parse_proposition
from scenarios.rules.variables import value_in, value_on
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import (
    balanced_batch,
    cells,
    decision,
    sample,
    slots_needed,
    twin,
    valuation,
    with_values,
)
from scenarios.scenario import from_text, truth_of
from sim.actors import signs
from sim.actors.signs import WEARS, pack_sign, visible_text
from sim.datatypes.episode import ActorSpec, Episode, SignSpec
from sim.render.assets.sign_art import design_of
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode, row_bytes, started

GOOD = """\
name: detour-says
map: {generate: t_junction, arm: 40}
weather: {precipitation: {choice: [0, 70]}}
actors:
  - {name: other, kind: {choice: [car, van, truck]}, arm: west, lane: outbound, distance: 12, side: 3.6,
     speed: {choice: [0, 4]}, present: {choice: [true, false]}}
signs:
  - name: board
    text: {choice: ["DETOUR", "ROAD WORK", "SCHOOL"]}
    font: {choice: [plain, serif]}
    colour: {choice: [orange, white]}
    distance: [10, 14]
    weathering: [0, 0.6]
    present: {choice: [true, true, true, false]}
  - {name: limit, kind: {choice: [speed_30, speed_50, stop]}, distance: 24, side: 3, weathering: [0, 1]}
propositions:
  detour: signs.board.text == "DETOUR"
  halt: signs.limit.kind == "stop"
  old: signs.limit.weathering > 0.55
  truck: actors.other.kind == "truck"
rule: left if detour xor truck else right
"""
SIGNS = (SignSpec("board", text="ROAD WORK", weathering=0.34), SignSpec("limit", "stop", distance=24.0, weathering=1.0))
OPTIONS = {"signs.board.text": ("DETOUR", "ROAD WORK"), "actors.other.kind": ("car", "van")}


@pytest.fixture(scope="module")
def scenario():
    return from_text(GOOD)


@pytest.fixture(scope="module")
def drawn(scenario) -> list[Episode]:
    return balanced_batch(scenario, range(96))


# ---------------------------------------------------------------------------------------------------- what they mean
def test_a_sign_says_what_it_shows_and_one_that_is_not_there_says_nothing() -> None:
    there = episode(signs=SIGNS, actors=(ActorSpec("other", "van", speed=4.0),))
    gone = replace(
        there,
        signs=tuple(replace(s, present=False) for s in SIGNS),
        actors=(replace(there.actors[0], present=False),),
    )
    backend = started([there, gone])
    told = {
        "signs.board.text": ("ROAD WORK", ""), "signs.board.kind": ("text", "none"),
        "signs.board.weathering": (5 / 15, 0.0), "signs.board.present": (True, False),
        "signs.limit.text": ("", ""), "signs.limit.kind": ("stop", "none"),
        "signs.limit.weathering": (1.0, 0.0), "actors.other.kind": ("van", "none"), "actors.other.speed": (4.0, 0.0),
    }  # fmt: skip
    for variable, wanted in told.items():
        assert tuple(value_in(e, variable) for e in (there, gone)) == wanted, variable
        assert value_on(backend.world, variable, ["other"], ["board", "limit"]).tolist() == list(wanted), variable


def test_a_look_stands_for_its_face_and_wear() -> None:
    for wear in (0.0, 0.34, 1.0):
        assert visible_text(pack_sign(design_of(SIGNS[0]), wear)) == (design_of(SIGNS[0]), round(wear * WEARS) / WEARS)


def test_a_sign_that_is_not_placed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = started([episode(signs=SIGNS)])
    monkeypatch.setattr(signs, "DESIGNS", {})
    with pytest.raises(ValueError, match="which no backend placed here; reset a backend to its episode first"):
        value_on(backend.world, "signs.board.text", [], ["board"])


def test_running_worlds_and_drawn_episodes_agree(scenario, drawn: list[Episode]) -> None:
    backend = EmbeddedWorld(len(drawn), SMALL, slots_needed(scenario))
    backend.reset(drawn)
    truth = truth_of(scenario, backend.world)
    assert all(v.dtype == bool and v.any() and not v.all() for v in truth.values())
    for w, e in enumerate(drawn):
        assert {name: bool(v[w]) for name, v in truth.items()} == valuation(scenario, e)


@pytest.mark.parametrize("text", ['signs.board.text != "SCHOOL"', '"DETOUR" == signs.board.text or ego.speed > 100'])
def test_words_may_stand_on_either_side_and_be_denied(text: str) -> None:
    proposition = parse_proposition("p", text, (), ("board",))
    for words in ("DETOUR", "SCHOOL", "ROAD WORK"):
        e = episode(signs=(SignSpec("board", text=words),))
        assert proposition.on_episode(e) == (words != "SCHOOL" if "!=" in text else words == "DETOUR")
    gone = episode(signs=(SignSpec("board", text="DETOUR", present=False),))
    assert proposition.on_episode(gone) == ("!=" in text)
    assert proposition.variables[0] == "signs.board.text"


# ---------------------------------------------------------------------------------------------------------- sampling
def test_decisions_are_balanced_and_so_are_cells(scenario) -> None:
    n = 1600
    episodes = balanced_batch(scenario, range(n))
    assert len(cells(scenario)) == 16 and len(plan(scenario).groups) == 4
    counts = collections.Counter(tuple(valuation(scenario, e).values()) for e in episodes)
    assert set(counts) == set(cells(scenario))
    assert max(abs(c - n / 16) for c in counts.values()) < 4.5 * (n / 16) ** 0.5
    assert abs(sum(decision(scenario, e) == 0 for e in episodes) / n - 0.5) < 0.05  # three standard errors are 0.038


def test_within_a_cell_words_keep_the_scenarios_own_chances(scenario) -> None:
    others = [e.signs[0] for s in range(900) for e in [sample(scenario, s)] if not valuation(scenario, e)["detour"]]
    shows = collections.Counter(s.text if s.present else "nothing" for s in others)
    # of twelve equal chances three are DETOUR and there; of the others three each show a text, and three nothing
    assert set(shows) == {"ROAD WORK", "SCHOOL", "nothing"}
    assert all(abs(c / len(others) - 1 / 3) < 0.09 for c in shows.values()), shows


def test_what_a_sign_says_is_the_rules_own_channel_and_leaks_nothing(scenario) -> None:
    assert legitimate(scenario) == {
        "signs.board.text", "signs.board.present", "signs.board.kind", "actors.other.kind", "actors.other.present"
    }  # fmt: skip
    assert check_leaks(scenario, 600, splits=False).passed


def test_the_expert_obeys_what_it_reads(scenario, drawn: list[Episode]) -> None:
    tally = evaluate(Expert.of(scenario), scenario, drawn)  # SMALL pictures are too coarse to read a board in
    assert tally.agrees.all() and len(set(tally.shown_decision.tolist())) == 2


# ------------------------------------------------------------------------------------------------------------- twins
def test_a_twin_draws_the_words_anew_and_leaves_all_else(scenario, drawn: list[Episode]) -> None:
    seen = set()
    for e in drawn:
        other, v = twin(scenario, e, "detour"), valuation(scenario, e)
        assert valuation(scenario, other) == {**v, "detour": not v["detour"]}
        assert replace(other, signs=e.signs) == e and other.signs[1] == e.signs[1]
        mine, theirs = e.signs[0], other.signs[0]
        assert theirs == replace(mine, text=theirs.text, present=True)
        assert (mine.present, mine.text != theirs.text or not mine.present) in ((True, True), (False, True))
        assert with_values(scenario, e, {"detour": v["detour"]}) == e and twin(scenario, e, "detour") == other
        seen.add((mine.text if mine.present else "", theirs.text))
    assert seen == {("DETOUR", "SCHOOL"), ("DETOUR", "ROAD WORK"), ("SCHOOL", "DETOUR"), ("ROAD WORK", "DETOUR"),
                    ("", "DETOUR")}  # fmt: skip


@pytest.mark.parametrize(("name", "field"), [("halt", "kind"), ("old", "weathering")])
def test_a_twin_in_kind_or_wear_changes_that_alone(scenario, drawn: list[Episode], name: str, field: str) -> None:
    for e in drawn:
        other, v = twin(scenario, e, name), valuation(scenario, e)
        assert valuation(scenario, other) == {**v, name: not v[name]}
        new = getattr(other.signs[1], field)
        assert other == replace(e, signs=(e.signs[0], replace(e.signs[1], **{field: new})))


def test_a_twin_in_an_actors_kind_puts_it_there_if_need_be(scenario, drawn: list[Episode]) -> None:
    for e in drawn:
        other = twin(scenario, e, "truck")
        new = other.actors[0]
        assert other == replace(e, actors=(replace(e.actors[0], kind=new.kind, present=True),))
        assert (new.kind == "truck") is not valuation(scenario, e)["truck"]


def test_a_twins_world_differs_in_the_look_of_the_sign_alone(scenario, drawn: list[Episode]) -> None:
    e = next(e for e in drawn if e.signs[0].present)
    backend = EmbeddedWorld(2, SMALL, slots_needed(scenario))
    backend.reset([e, twin(scenario, e, "detour")])
    mine, theirs = row_bytes(backend, 0), row_bytes(backend, 1)
    assert {k for k in mine if mine[k] != theirs[k]} == {"appearance"}
    assert np.flatnonzero(backend.world.appearance[0] != backend.world.appearance[1]).tolist() == [2]


def test_a_board_that_may_be_another_sign_is_made_a_board_by_a_twin() -> None:
    text = GOOD.replace("name: board\n", "name: board\n    kind: {choice: [text, stop]}\n")
    scenario = from_text(text)
    drawn = balanced_batch(scenario, range(60))
    assert {e.signs[0].kind for e in drawn} == {"text", "stop"}
    for e in drawn:
        assert valuation(scenario, e)["detour"] == (value_in(e, "signs.board.text") == "DETOUR")
        other = twin(scenario, e, "detour")
        assert (
            other.signs[0].kind == "text" and valuation(scenario, other)["detour"] != valuation(scenario, e)["detour"]
        )


def test_words_that_stand_alone_cannot_flip() -> None:
    text = GOOD.replace('{choice: ["DETOUR", "ROAD WORK", "SCHOOL"]}', "DETOUR").replace(
        "[true, true, true, false]", "[true]"
    )
    scenario = from_text(text)
    with pytest.raises(ValueError, match="found no draw with 'not detour"):
        twin(scenario, sample(scenario, 0), "detour")


def test_presence_by_a_formula_hides_what_shows_only_with_it() -> None:
    text = GOOD.replace("present: {choice: [true, false]}}", "present: halt}")
    with pytest.raises(ScenarioError, match=r"truck: actors.other.kind shows only with actors.other.present, which"):
        from_text(text)


def test_a_scenario_that_reads_survives_a_copy_and_a_pickle(scenario, drawn: list[Episode]) -> None:
    assert scenario.with_rule("right if detour else left").propositions == scenario.propositions
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario and sample(again, 5) == drawn[5]
    assert again.propositions == scenario.propositions


# ---------------------------------------------------------------------------------------------------------- mistakes
@pytest.mark.parametrize(
    ("text", "said", "pointed"),
    [
        ('signs.board.text == "DETUOR"',
         "is never \"DETUOR\"; it can be \"DETOUR\", \"ROAD WORK\"; did you mean 'DETOUR'?", '"DETUOR"'),
        ('signs.bord.text == "DETOUR"', "unknown variable 'signs.bord.text'", "signs.bord.text"),
        ('signs.board.text < "DETOUR"', "words have no order for '<'; wanted == or !=", "<"),
        ("signs.board.text == DETOUR", "'DETOUR' is not in double quotes; wanted such as", "DETOUR"),
        ("signs.board.text == 3", "'3' is not in double quotes", "3"),
        ("signs.board.text == signs.board.kind", "'signs.board.kind' is not in double quotes", "signs.board.kind"),
        ("signs.board.text",
         "is words, not true or false; wanted a comparison such as", "signs.board.text"),
        ("signs.board.text + 1 > 2", "'signs.board.text' is words, not a number", "signs.board.text"),
        ('weather.wetness == "DETOUR"', "'weather.wetness' is a number, and \"DETOUR\" is words", '"DETOUR"'),
        ('signs.board.present == "DETOUR"', "'signs.board.present' is true or false", '"DETOUR"'),
        ('signs.board.weathering > "DETOUR" + 1', '"DETOUR" is words, not a number', '"DETOUR"'),
        ('"DETOUR" == "DETOUR"', "is compared with no variable", '"DETOUR"'),
        ('signs.board.text == "DETOUR" == signs.board.kind', "two at a time; wanted 'and' before this '=='", "=="),
        ('signs.board.text == "DETOUR', "the character '\"' is not expected here", '"'),
        ('actors.other.kind == "truck"', "is never \"truck\"; it can be \"car\", \"van\"", '"truck"'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence_with_a_caret_under_the_word(text: str, said: str, pointed: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_proposition("p", text, ("other",), ("board",), OPTIONS)
    message, line, caret = str(caught.value).split("\n")
    assert said in message, message
    assert line[caret.index("^") : caret.index("^") + caret.count("^")] == pointed


def test_a_file_says_which_words_a_sign_never_shows() -> None:
    with pytest.raises(ScenarioError) as caught:
        from_text(GOOD.replace('text == "DETOUR"', 'text == "SCHOOLS"'), "detour.yaml")
    assert str(caught.value).startswith("detour.yaml:17: propositions.detour: 'signs.board.text' is never \"SCHOOLS\"")
    assert "did you mean 'SCHOOL'?" in str(caught.value)
    with pytest.raises(ScenarioError, match=r"is never \"yield\"; it can be \"speed_30\", \"speed_50\", \"stop\""):
        from_text(GOOD.replace('kind == "stop"', 'kind == "yield"'))
