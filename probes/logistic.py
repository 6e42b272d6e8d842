"""L2-regularised logistic regression of many labels on the same features, in one batch.

All labels share X, so one Newton step for L labels is one batched (L, D+1, D+1) solve.  With fewer rows than
features the problem is solved in the space of the rows (the representer theorem: weights are combinations of rows),
which is exact and smaller.  Standardising is part of the fit, so that the penalty is equal for all features.

The minimised function is sum of log-losses [nat] + strength / 2 * |weights|^2, without penalty on the offset:
scikit-learn's with C = 1 / strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OFFSET_PENALTY = 1e-6  # practically no penalty on the offset; it keeps a label of one class finite


@dataclass(frozen=True)
class Logistic:
    """L linear classifiers over D features.

    Args:
        weights: (D, L) on the features as given (the standardisation is folded in).
        offset: (L,).
    """

    weights: np.ndarray
    offset: np.ndarray

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Log odds (n, L) of features (n, D)."""
        logits: np.ndarray = x @ self.weights + self.offset
        return logits

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities (n, L) of features (n, D)."""
        return sigmoid(self.logits(x))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logits)), without overflow."""
    probability: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits)))
    return probability


def code_bits(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Code length in bits of each label under a prediction: -log2 p(y); shapes agree."""
    bits: np.ndarray = np.logaddexp(0.0, np.where(y, -logits, logits)) / np.log(2.0)
    return bits


def standardiser(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale (D,) of features (n, D); a constant feature has scale inf, so it becomes zero.

    A feature counts as constant when its spread is at rounding level: such noise must not be scaled up.
    """
    mean, spread = x.mean(0), x.std(0)
    noise = 1e-6 * np.maximum(np.abs(mean), np.abs(x).max(initial=0.0) * 1e-3)
    return mean, np.where(spread > noise, spread, np.inf)


def _loss(scores: np.ndarray, y: np.ndarray, beta: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(L,) the minimised function; scores (n, L), beta (L, P), penalty (P,)."""
    misfit = np.logaddexp(0.0, np.where(y, -scores, scores)).sum(0)
    loss: np.ndarray = misfit + 0.5 * (penalty * beta * beta).sum(1)
    return loss


def _newton(basis: np.ndarray, y: np.ndarray, penalty: np.ndarray, steps: int, tolerance: float) -> np.ndarray:
    """Damped Newton on all labels together: basis (n, P), y (n, L) bool, penalty (P,) -> beta (L, P)."""
    labels, size = y.shape[1], basis.shape[1]
    beta = np.zeros((labels, size))
    active = np.arange(labels)
    target = y.astype(float)
    for _ in range(steps):
        scores = basis @ beta[active].T
        p = sigmoid(scores)
        gradient = (p - target[:, active]).T @ basis + penalty * beta[active]
        rate = p * (1.0 - p) + 1e-12
        hessian = np.stack([basis.T @ (basis * rate[:, [i]]) for i in range(len(active))])
        hessian[:, np.arange(size), np.arange(size)] += penalty
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        before, scale = _loss(scores, y[:, active], beta[active], penalty), np.ones(len(active))
        for _ in range(12):  # halve the step where it overshoots, as with separable labels
            after = _loss(basis @ (beta[active] - scale[:, None] * step).T, y[:, active], beta[active]
                          - scale[:, None] * step, penalty)  # fmt: skip
            worse = after > before + 1e-9 * np.abs(before)
            if not worse.any():
                break
            scale = np.where(worse, 0.5 * scale, scale)
        beta[active] -= scale[:, None] * step
        # The remaining gain is about half the Newton decrement, in nats.
        active = active[np.abs((gradient * step).sum(1)) > tolerance]
        if not len(active):
            break
    return beta


def fit_logistic(
    x: np.ndarray, y: np.ndarray, strength: float = 1.0, steps: int = 30, tolerance: float = 1e-8
) -> Logistic:
    """Fit L classifiers on the same rows.

    Args:
        x: (n, D) features of any scale; they are standardised with these rows' mean and deviation.
        y: (n, L) bool. A label with one class only is allowed (its weights are zero, its offset large).
        strength: of the penalty on standardised weights; 1 / C of scikit-learn.
        steps: most Newton steps; tolerance: on the gain of a step [nat].

    Raises:
        ValueError: for shapes that do not fit, or features that are not finite.
    """
    x, y = np.asarray(x, float), np.asarray(y, bool)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
        raise ValueError(f"features {x.shape} and labels {y.shape}; wanted (n, D) and (n, L) with n > 0")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} features are not finite; wanted numbers")
    if strength <= 0:
        raise ValueError(f"strength is {strength}; wanted more than 0")
    mean, scale = standardiser(x)
    z = (x - mean) / scale
    rotation: np.ndarray | None = None
    if z.shape[0] < z.shape[1]:
        # z = left * diagonal @ rotation; in coordinates of `rotation` the penalty keeps its form.
        left, diagonal, rotation = np.linalg.svd(z, full_matrices=False)
        z = left * diagonal
    basis = np.concatenate((z, np.ones((len(z), 1))), 1)
    penalty = np.append(np.full(z.shape[1], strength), OFFSET_PENALTY)
    beta = _newton(basis, y, penalty, steps, tolerance)
    weights = beta[:, :-1] if rotation is None else beta[:, :-1] @ rotation
    folded = (weights / scale).T
    return Logistic(folded, beta[:, -1] - mean @ folded)
