"""Controls: labels that mean nothing, pixels without a net, and a gain that is one."""

from __future__ import annotations

import numpy as np
import pytest

from probes.controls import gain, pixel_features, random_labels
from probes.mdl import online_codelength


def test_random_labels_are_balanced_and_unlike_each_other() -> None:
    labels = random_labels(101, 30, np.random.default_rng(0))
    assert labels.shape == (101, 30) and (labels.sum(0) == 50).all()
    agreement = (labels[:, :, None] == labels[:, None, :]).mean(0)[~np.eye(30, dtype=bool)]
    assert abs(agreement.mean() - 0.5) < 0.02 and agreement.max() < 0.8


def test_pixels_give_away_brightness_but_not_what_is_not_in_them() -> None:
    rng = np.random.default_rng(1)
    night, hidden = rng.random(200) < 0.5, rng.random(200) < 0.5
    images = rng.integers(60, 120, (200, 64, 96, 3)) - 40 * night[:, None, None, None]
    features = pixel_features(images.astype(np.uint8), 10)
    code = online_codelength(features, np.stack((night, hidden), 1), rng)
    assert features.shape == (200, 10) and code.bits[0] < 60 and code.bits[1] > 195


def test_pixel_features_are_the_principal_components() -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (30, 16, 24, 3)).astype(np.uint8)  # one pixel a cell: nothing is averaged away
    features = pixel_features(images, 40)
    flat = images.reshape(30, -1).astype(float)
    gram = (flat - flat.mean(0)) @ (flat - flat.mean(0)).T
    np.testing.assert_allclose(features @ features.T, gram, rtol=1e-6, atol=1e-6 * np.abs(gram).max())
    assert (features[:, 30:] == 0).all()
    with pytest.raises(ValueError, match=r"wanted \(n, H, W, 3\) with at least \(16, 24\) pixels"):
        pixel_features(images[:, :8], 4)


def test_gain_is_over_the_best_baseline_and_nothing_over_itself() -> None:
    rng = np.random.default_rng(3)
    trained, good, bad = rng.uniform(0, 0.4, 300), rng.uniform(0.3, 0.9, 300), rng.uniform(0.8, 1.0, 300)
    value, (low, high) = gain(trained, [bad, good], rng)
    assert value == pytest.approx(good.mean() - trained.mean())
    assert low < value < high and low > 0.3
    value, (low, high) = gain(trained, [trained], rng)
    assert value == low == high == 0.0
    value, (low, _) = gain(trained, [rng.permutation(trained)], rng)
    assert low < 0.0 < abs(value) + 1e-9
    with pytest.raises(ValueError, match="at least one baseline"):
        gain(trained, [], rng)
