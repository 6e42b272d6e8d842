"""Copying is told where it is, and only there: on drives whose reading is known by construction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dagger.algorithms.base import BetaSchedule
from dagger.diagnostics.copying import _Arm, _belongs, _told, copying
from dagger.diagnostics.replay import Watched
from dagger.report import charts as figures
from dagger.report import copying_section as copying_page
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from dagger.training.futures import clustered, gathered
from policies.expert.expert import Expert
from policies.hindsight import Hindsight
from policies.learner import LearnerSettings, build
from scenarios.sampling.sample import balanced_batch, decision, slots_needed
from scenarios.scenario import load_scenario
from sim.datatypes.vocabulary import DECISION, OUTCOME
from sim.world.context import RunContext
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL

LEFT, RIGHT = DECISION["left"], DECISION["right"]
KNOWN = np.array([LEFT, RIGHT])
TICKS, SIGN, COUNT = 100, 60, 80


@pytest.fixture(scope="module")
def shown() -> list[Demonstration]:
    scenario = load_scenario("rain-turn")
    backend = EmbeddedWorld(16, SMALL, slots_needed(scenario))
    return collect(
        backend, Expert.of(scenario), None, balanced_batch(scenario, range(16), "train"), BetaSchedule(), 0, "expert"
    )


def arm(shown: list[Demonstration], wanted: np.ndarray, taken: np.ndarray, said: np.ndarray) -> _Arm:
    """COUNT drives of TICKS ticks that show `taken` at SIGN and say `said` (COUNT, TICKS) decisions."""
    one = shown[0]
    drives = [
        replace(one, shown_decision=int(b), outcome=OUTCOME["arrived"], weather=np.zeros((TICKS, 14), np.float32))
        for b in taken
    ]
    seen = [Watched(SIGN, SIGN, {}, {}, {})] * COUNT
    return _Arm(drives, seen, [(s[:, None] == KNOWN).astype(float) for s in said], wanted, KNOWN)


def told(shown: list[Demonstration], watching: float, driving: float, follows: bool) -> dict[str, Any]:
    """What comes of a reading that is right in a share of the drives, and of a car that goes where it says, or not."""
    rng = np.random.default_rng(0)
    wanted = np.where(np.arange(COUNT) % 2, LEFT, RIGHT)
    other = np.where(wanted == LEFT, RIGHT, LEFT)

    def reading(share: float) -> np.ndarray:
        right = rng.permutation(COUNT) < share * COUNT
        return np.where(right[:, None], wanted[:, None], other[:, None]).repeat(TICKS, 1)

    own = reading(driving)
    taken = own[:, 0] if follows else wanted
    arms = {"watching": arm(shown, wanted, wanted, reading(watching)), "driving": arm(shown, wanted, taken, own)}
    return _told(arms, ["left", "right"])


def test_a_copycat_is_told_from_a_driver_who_reads_the_scene(shown: list[Demonstration]) -> None:
    copycat, reader = told(shown, 1.0, 0.5, True), told(shown, 0.975, 0.95, True)
    assert copycat["watching"]["value"] == 1.0 and copycat["driving"]["value"] == 0.5
    assert copycat["own_way"]["value"] == 1.0 and copycat["took_another_way"] == COUNT // 2
    assert "copying: right while watching, wrong while driving" in copying_page.sentence(copycat)
    assert "no copying" in copying_page.sentence(reader)
    blind = told(shown, 0.5, 0.5, False)
    assert blind["took_another_way"] == 0
    assert "does not know the decision" in copying_page.sentence(blind)


def test_a_gap_that_few_drives_show_is_not_called_copying(shown: list[Demonstration]) -> None:
    few = told(shown, 0.9, 0.7, True)
    assert "copying: right" in copying_page.sentence(few)
    for name in ("watching", "driving"):
        few[name]["interval"] = [few[name]["value"] - 0.3, few[name]["value"] + 0.3]
    assert "no copying" in copying_page.sentence(few)


def test_drives_count_from_their_own_sign_back_and_only_where_they_had_begun(shown: list[Demonstration]) -> None:
    found = told(shown, 1.0, 1.0, True)
    begun = [p is not None for p in found["curves"]["watching"]]
    assert begun == [SIGN + round(lead * 10) >= 0 for lead in found["leads"]]
    assert found["chance"] == 0.5 and found["watching"]["n"] == COUNT


def test_futures_belong_to_the_decision_that_they_came_to(shown: list[Demonstration]) -> None:
    scenario = load_scenario("rain-turn")
    wanted = np.array([decision(scenario, d.episode) for d in shown])
    hindsight = Hindsight(8, 8, 8, 8)
    anchors = clustered(gathered(shown), 8, 0)
    hindsight.set_anchors(torch.from_numpy(anchors.path), torch.from_numpy(anchors.progress))
    table = _belongs(hindsight, shown, wanted, [LEFT, RIGHT])
    assert table.shape == (8, 8, 2)
    np.testing.assert_allclose(table.sum(-1), 1.0, atol=1e-9)
    sharp = np.abs(anchors.path[:, -1, 1]) > 15.0
    by_path = table.mean(1)
    assert sharp.any() and ((by_path[sharp, 0] > 0.5) == (anchors.path[sharp, -1, 1] > 0)).all()


def test_an_untrained_network_is_asked_end_to_end_and_one_without_hindsight_says_why() -> None:
    scenario = load_scenario("rain-turn")
    settings = LearnerSettings(image=(32, 48), width=16, memory_width=8, head_width=8, futures=4)
    found = copying(build(settings, 0), scenario, SMALL, 4, 0, RunContext(worlds=4, threads=1))["copying"]
    assert found["episodes"] == 4 and found["decisions"] == ["left", "right"]
    assert found["watching"]["n"] <= 4 and all(p is None for p in found["curves"]["watching"])
    plain = build(replace(settings, futures=0), 0)
    without = copying(plain, scenario, SMALL, 4, 0, RunContext())["copying"]
    assert without["note"].startswith("Not asked: the policy was trained without hindsight")
    assert "Not asked" in copying_page.copying({"copying": without})


def test_the_section_shows_the_numbers_and_the_curves(shown: list[Demonstration]) -> None:
    page = copying_page.copying({"copying": told(shown, 1.0, 0.5, True)})
    assert "1.00 of 80" in page and "0.50 of 80" in page and "<svg" in page
    assert "was not measured" in copying_page.copying({})
    assert "watching the expert" in figures.copying_curves(told(shown, 1.0, 0.5, True))
