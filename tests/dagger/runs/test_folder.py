"""What a run says about itself."""

from __future__ import annotations

import pytest

from dagger.runs.folder import plain, training_parts
from dagger.training.trainer import TrainSettings
from policies.learner import LearnerSettings


def test_a_run_says_which_parts_of_training_were_on() -> None:
    row = {"key": "perturb", "asked": 1.0, "strength": 1.0}
    on = training_parts(plain(TrainSettings()), [row])
    assert on["hindsight"] == "on: a choice among 16 futures"
    assert on["demonstrations perturbed"] == "at strength 1" and "encoder" in on["stages of the first fit"]
    off = training_parts(plain(TrainSettings(hindsight="off", perturb=0.0)), [])
    assert off == {"hindsight": "off", "demonstrations perturbed": "no"}


def test_the_learners_number_of_futures_is_the_runs_to_set() -> None:
    with pytest.raises(ValueError, match=r"learner\.futures is 8; a run sets it, from --train\.futures"):
        TrainSettings(learner=LearnerSettings(futures=8))


def test_a_perturbation_that_was_bounded_is_told_beside_what_was_asked_for() -> None:
    halved = training_parts(plain(TrainSettings()), [{"key": "perturb", "asked": 1.0, "strength": 0.5}])
    said = "at strength 0.5 (of 1, with which the expert succeeded in fewer than .98 of drives)"
    assert halved["demonstrations perturbed"] == said
    assert training_parts({"rounds": 3}, []) == {}, "runs from before say nothing about it"
