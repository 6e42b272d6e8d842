"""Statistics against slow twins, and coverage on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.statistics import by_episode, cluster_bootstrap, holm_bonferroni, max_t_permutation, wilson_interval
from tests.reference import statistics as slow


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=60, deadline=None)
def test_wilson_is_where_the_score_test_turns(case: tuple[int, int]) -> None:
    successes, n = case
    assert wilson_interval(successes, n) == pytest.approx(slow.wilson(successes, n, 1.959963984540054), abs=1e-9)


def test_wilson_is_the_textbook_interval() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for (hits, runs), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson_interval(hits, runs) == pytest.approx(expected, abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson_interval(5, 4)


def test_wilson_never_claims_certainty_from_few() -> None:
    assert wilson_interval(20, 20)[0] == pytest.approx(0.8389, abs=1e-4)  # 1 / (1 + z^2 / n)
    assert (
        wilson_interval(20, 20)[1] == 1.0 and wilson_interval(0, 20)[0] == 0.0 and wilson_interval(0, 0) == (0.0, 1.0)
    )
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson_interval(5, 4)


def test_bootstrap_of_frames_by_episode_is_the_twins() -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=rng.integers(1, 6)).tolist() for _ in range(12)]
    flat, ids = np.concatenate(values), np.repeat(np.arange(12), [len(v) for v in values])
    expected = slow.bootstrap_mean(values, 200, np.random.default_rng(3), 0.9)
    assert cluster_bootstrap(flat, None, 200, np.random.default_rng(3), 0.9, ids) == pytest.approx(expected)
    general = cluster_bootstrap(flat, lambda rows: float(rows.mean()), 200, np.random.default_rng(3), 0.9, ids)
    assert general == pytest.approx(expected)


def test_episodes_cover_the_truth_and_frames_do_not() -> None:
    """200 trials of 40 episodes x 25 frames that share 80 % of their variance; the true mean is 0."""
    rng = np.random.default_rng(1)
    ids = np.repeat(np.arange(40), 25)
    hits = {"episode": 0, "frame": 0}
    for _ in range(200):
        frames = np.repeat(rng.normal(0, 0.8**0.5, 40), 25) + rng.normal(0, 0.2**0.5, 1000)
        for unit, groups in (("episode", ids), ("frame", np.arange(1000))):
            values = by_episode(frames, groups)
            low, high = cluster_bootstrap(values, None, 200, rng)
            hits[unit] += low <= 0.0 <= high
    # A share of 200 has a standard error of .016 at .95, and percentile intervals of 40 units lack about .015.
    assert 0.89 <= hits["episode"] / 200 <= 0.99
    assert hits["frame"] / 200 < 0.6


def test_by_episode_means_frames_and_keeps_other_axes() -> None:
    values = np.array([[1.0, 0.0], [3.0, 4.0], [5.0, 5.0]])
    assert by_episode(values, np.array([9, 9, 2])).tolist() == [[5.0, 5.0], [2.0, 2.0]]
    with pytest.raises(ValueError, match="wanted one id for each value"):
        by_episode(values, np.array([1, 2]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_is_the_twins(pvalues: list[float]) -> None:
    np.testing.assert_allclose(holm_bonferroni(np.array(pvalues)), slow.holm(pvalues))


def test_holm_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="wanted one row of numbers in"):
        holm_bonferroni(np.array([0.5, np.nan]))


def difference(x: np.ndarray) -> object:
    """Statistic: absolute difference of class means, everywhere in x (E, layers, time)."""
    return lambda labels: np.abs(x[labels].mean(0) - x[~labels].mean(0))


def test_permutation_max_is_the_twins_and_finds_only_what_is_there() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(30) % 2 == 0
    x = rng.normal(size=(30, 2, 5))
    x[labels, 1, 3] += 3.0
    statistic = difference(x)
    observed, p = max_t_permutation(statistic, labels, 99, np.random.default_rng(4))
    twin = np.random.default_rng(4)
    expected = slow.permutation_max(statistic, [twin.permutation(labels) for _ in range(99)], observed)
    np.testing.assert_allclose(p, expected)
    assert p[1, 3] == 0.01 and np.delete(p.ravel(), 8).min() > 0.05


def test_permutation_max_holds_its_error_over_all_places() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(20) % 2 == 0
    false_alarms = 0
    for _ in range(100):
        _, p = max_t_permutation(difference(rng.normal(size=(20, 4, 10))), labels, 39, rng)
        false_alarms += p.min() <= 0.05
    assert false_alarms <= 12  # expected 5 of 100; without the maximum it would be about 87


def test_bootstrap_refuses_what_it_cannot_resample() -> None:
    with pytest.raises(ValueError, match="a bootstrap of 1 episodes"):
        cluster_bootstrap(np.ones(5), None, 200, np.random.default_rng(0), episodes=np.zeros(5))
    with pytest.raises(ValueError, match="level is 95"):
        cluster_bootstrap(np.ones(5), None, 200, np.random.default_rng(0), level=95)


def test_wilson_gives_the_textbook_interval() -> None:
    # Agresti and Coull 1998: 0 of 10 -> (0, .278), 5 of 10 -> (.237, .763); three decimals are printed there.
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.278), abs=6e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.237, 0.763), abs=6e-4)
