"""beta: the shapes of the papers, and the refusal of everything else."""

from __future__ import annotations

import pytest

from dagger.algorithms.base import SCHEDULES, BetaSchedule
from dagger.algorithms.registry import beta


@pytest.mark.parametrize("shape", sorted(SCHEDULES))
def test_the_expert_drives_the_first_round_alone(shape: str) -> None:
    assert beta(BetaSchedule(shape, decay=0.3), 0) == 1.0


@pytest.mark.parametrize("shape", sorted(SCHEDULES))
def test_the_experts_share_never_grows_and_stays_a_share(shape: str) -> None:
    betas = [beta(BetaSchedule(shape), i) for i in range(12)]
    assert all(0.0 <= b <= 1.0 for b in betas)
    assert betas == sorted(betas, reverse=True)


def test_the_shapes_are_those_of_the_papers() -> None:
    assert [beta(BetaSchedule("indicator"), i) for i in range(4)] == [1.0, 0.0, 0.0, 0.0]
    assert [beta(BetaSchedule("exponential", decay=0.5), i) for i in range(4)] == [1.0, 0.5, 0.25, 0.125]
    assert [beta(BetaSchedule("linear", rounds=4), i) for i in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert [beta(BetaSchedule("constant", decay=1.0), i) for i in range(3)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": "cosine"}, "'cosine'; known are"),
        ({"per": "round"}, "per is 'round'; wanted step or segment"),
        ({"decay": 1.5}, "decay is 1.5; wanted a number of 0 to 1"),
        ({"decay": -0.1}, "decay is -0.1; wanted a number of 0 to 1"),
    ],
)  # fmt: skip
def test_what_makes_no_schedule_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        beta(BetaSchedule(**wrong), 1)  # type: ignore[arg-type]
