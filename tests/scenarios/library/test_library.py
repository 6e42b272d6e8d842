"""What holds of every scenario of the library: no leaks, twins, splits that hold something out, an honest expert."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.expert.expert import Expert
from policies.expert.reasoner import RuleReasoner, _View
from scenarios.checks.leak_check import check_leaks
from scenarios.sampling.plan import plan
from scenarios.sampling.sample import balanced_batch, cells, decision, sample, slots_needed, twin, valuation
from scenarios.scenario import ALL_EPISODES, Scenario, from_text, load_scenario, scenario_names
from sim.actors.signs import SIGN, SignDesign, pack_sign
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import OUTCOME
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import PrivilegedInput
from tests.support.worlds import truth

TOWNS = {name for name in scenario_names() if load_scenario(name).map.file is not None}
AT_HAND = sorted(set(scenario_names()) - (set() if "HOMUNCULUS_MAPS" in os.environ else TOWNS))
EPISODES = 300  # enough for the leak check to see a clue that is right in 65 of 100
NO_TWINS: dict[tuple[str, str], str] = {}  # (scenario, proposition) -> why it can never flip alone
LONGEST = 25.0  # [s] of a drive that are looked at here; families with longer memories have tests of their own
AWAY = 500.0  # [m]
NONSENSE = pack_sign(SignDesign("text", "XXXX", "white", "plain"), 0.0)


@pytest.mark.parametrize("name", AT_HAND)
def test_nothing_tells_the_decision_but_the_evidence_and_what_is_declared(name: str) -> None:
    scenario = load_scenario(name)
    junctions = {"junctions": lambda spec: 8} if name in TOWNS else {}
    report = check_leaks(scenario, EPISODES, splits=False, **junctions)  # type: ignore[arg-type]
    assert report.passed, str(report)


@pytest.mark.parametrize("name", AT_HAND)
def test_training_holds_cells_out_and_has_a_choice_left_and_testing_holds_out_none(name: str) -> None:
    scenario = load_scenario(name)
    table, every = plan(scenario).decision, set(cells(scenario, ALL_EPISODES))
    train, test = set(cells(scenario, "train")), set(cells(scenario, "test"))
    assert train < test == every
    assert len({table[c] for c in train}) > 1
    assert scenario.why_hard and set(scenario.shown_by) == set(scenario.proposition_names)


@pytest.mark.parametrize("name", AT_HAND)
def test_every_proposition_has_twins_in_which_it_alone_differs(name: str) -> None:
    scenario = load_scenario(name)
    table, missing = plan(scenario).decision, set()
    for place, proposition in enumerate(scenario.proposition_names):
        for cell in cells(scenario):
            one = sample(scenario, place, ALL_EPISODES, cell)
            try:
                other = twin(scenario, one, proposition)
            except ValueError:
                continue
            before, after = valuation(scenario, one), valuation(scenario, other)
            assert [p for p in before if before[p] != after[p]] == [proposition]
            assert decision(scenario, other) == table[tuple(after.values())]
            break
        else:
            missing.add((name, proposition))
    assert missing == {key for key in NO_TWINS if key[0] == name}


class Veil:
    """The world without what ego has not seen: who was never in sight is not there, boards that were not read say
    nothing, and whoever drives on out of sight is somewhere else.
    """

    def __init__(self) -> None:
        self.seen = self.read = np.zeros((0, 0), bool)

    def over(self, found: PrivilegedInput) -> PrivilegedInput:
        """What is left of this moment."""
        state, world = found.state, found.world
        in_view = state.actors.visible | state.signs.pictured
        if not self.seen.size:
            self.seen, self.read = np.zeros(in_view.shape, bool), np.zeros(in_view.shape, bool)
        self.seen |= in_view
        self.read |= state.signs.readable
        kind, look, x = world.kind.copy(), world.appearance.copy(), world.x.copy()
        gone = self.seen & ~in_view & (np.abs(world.speed[:, 1:]) > 0)
        x[:, 1:] += np.where(gone, np.float32(AWAY), np.float32(0))
        look[:, 1:] = np.where((kind[:, 1:] == SIGN) & ~self.read, NONSENSE, look[:, 1:])
        kind[:, 1:] = np.where(self.seen, kind[:, 1:], 0)
        return replace(found, world=world._replace(kind=kind, absent_kind=np.zeros_like(kind), appearance=look, x=x))


def veiled(scenario: Scenario, expert: Expert, episodes: Sequence[Episode]) -> tuple[bool, int]:
    """Whether a driver does alike with and without what it has not seen, and how often something was taken away."""
    backend = EmbeddedWorld(len(episodes), None, slots_needed(scenario))
    backend.reset(episodes)
    veil, slots = Veil(), np.arange(len(episodes))
    looks = RuleReasoner(scenario).looks  # who thinks of the weather alone minds everybody, seen or not, in traffic
    memory = guarded = expert.begin(len(episodes))
    hidden, alike = 0, True
    for _ in range(round(min(scenario.time_limit, LONGEST) / backend.simulation.tick)):
        whole = truth(backend)
        bare = veil.over(whole)
        hidden += int(
            (bare.world.kind != whole.world.kind).sum() + (bare.world.appearance != whole.world.appearance).sum()
        )
        label, other = expert.label(whole, memory), expert.label(bare, guarded)
        memory, guarded = label.memory, other.memory
        running = backend.world.outcome == OUTCOME["running"]
        pairs = [(label.decision, other.decision)]
        if looks:
            pairs += [(getattr(label.action, k), getattr(other.action, k)) for k in ("steer", "acceleration")]
        alike &= all(np.array_equal(a[running], b[running]) for a, b in pairs)
        backend.step(label.action.spread(slots, len(slots)))
        if not running.any():
            break
    return alike, hidden


@pytest.mark.parametrize("name", AT_HAND)
def test_the_expert_does_alike_when_all_that_it_has_not_seen_is_taken_away(name: str) -> None:
    scenario = load_scenario(name)
    alike, hidden = veiled(scenario, Expert.of(scenario), balanced_batch(scenario, range(4), "test"))
    assert alike
    assert hidden or not scenario.signs


BEHIND_HOUSES = """\
name: around-the-corner
map: {generate: t_junction, arm: 60}
ego: {start: south, distance: 30}
actors: [{name: truck, kind: truck, arm: west, lane: outbound, distance: 40, present: {choice: [true, false]}}]
propositions: {truck: actors.truck.present}
rule: left if truck else right
"""


@pytest.mark.parametrize("text", [BEHIND_HOUSES, "sign-and-weather"])
def test_who_sees_through_houses_or_reads_from_afar_is_caught(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = from_text(text) if "name" in text else load_scenario(text)
    episodes = balanced_batch(scenario, range(8), ALL_EPISODES)
    honest, hidden = veiled(scenario, Expert.of(scenario), episodes)
    assert honest and hidden
    monkeypatch.setattr(
        RuleReasoner, "_look", lambda self, seen, kept: _View(seen.world, seen.world, seen.world, kept.turned, None)
    )
    assert not veiled(scenario, Expert.of(scenario), episodes)[0]
