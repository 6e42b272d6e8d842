"""The logistic regression against scikit-learn's, and where it could go wrong."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from probes.logistic import code_bits, fit_logistic
from tests.reference import statistics as slow


@pytest.mark.parametrize(("n", "d"), [(300, 8), (40, 90)])  # more rows than features, and fewer
@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_every_label_gets_scikit_learns_probabilities(n: int, d: int, strength: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) * rng.uniform(0.01, 100, d) + rng.normal(size=d) * 50
    z = StandardScaler().fit(x)
    y = z.transform(x) @ rng.normal(size=(d, 5)) + rng.normal(size=(n, 5)) > np.array([0, 0, 1, -1, 2])
    new = x[: n // 2] + rng.normal(size=(n // 2, d))
    ours = fit_logistic(x, y, strength).predict(new)
    for label in range(5):
        theirs = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=10000).fit(z.transform(x), y[:, label])
        expected = theirs.predict_proba(z.transform(new))[:, 1]
        # scikit-learn stops at a gradient of 1e-10 times its own scale; L-BFGS leaves about 1e-5 in probability
        np.testing.assert_allclose(ours[:, label], expected, atol=1e-4)


def test_labels_fitted_together_are_as_fitted_alone() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 10)), rng.random((60, 6)) < 0.5
    together = fit_logistic(x, y)
    for label in range(6):
        alone = fit_logistic(x, y[:, [label]])
        np.testing.assert_allclose(together.weights[:, label], alone.weights[:, 0], atol=1e-7)


def test_separable_and_one_sided_labels_stay_finite() -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    fit = fit_logistic(x, np.concatenate((x > 0, x > -9), 1), strength=1e-3)
    probability = fit.predict(x)
    assert np.isfinite(fit.weights).all() and ((probability[:, 0] > 0.5) == (x[:, 0] > 0)).all()
    assert (probability[:, 1] > 0.99).all() and np.isfinite(code_bits(fit.logits(x), x > 0)).all()


def test_constant_features_are_ignored_even_when_they_move_later() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate((rng.normal(size=(50, 2)), np.full((50, 1), 0.1) * np.ones(50)[:, None]), 1)
    y = x[:, :1] > 0
    later = x.copy()
    later[:, 2] = 1e6
    fit = fit_logistic(x, y)
    np.testing.assert_array_equal(fit.predict(x), fit.predict(later))


def test_code_bits_are_the_twins() -> None:
    for logit, label in ((0.0, True), (2.0, True), (2.0, False), (-3.0, False)):
        expected = slow.code_bits(1 / (1 + np.exp(-logit)), label)
        assert code_bits(np.array(logit), np.array(label)) == pytest.approx(expected)


def test_bad_input_is_refused_with_figures() -> None:
    with pytest.raises(ValueError, match="1 of 6 features are not finite"):
        fit_logistic(np.array([[1, 2], [3, np.nan], [5, 6.0]]), np.ones((3, 1), bool))
    with pytest.raises(ValueError, match=r"features \(3, 2\) and labels \(4, 1\)"):
        fit_logistic(np.ones((3, 2)), np.ones((4, 1), bool))
