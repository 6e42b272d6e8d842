"""Mixture density head: a mixture of Gaussians over steer and acceleration, from the memory's output.

Where the demonstrations turn left and right, their mean drives into the kerb; a mixture keeps the modes apart (Bishop
1994, mixture density networks).  Internally, controls are divided by SCALE, so that both errors have equal weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sim.actors.registry import EGO

SCALE: tuple[float, float] = (EGO.max_steer, 3.0)  # [rad], [m/s^2]
LOWEST: tuple[float, float] = (-EGO.max_steer, -EGO.max_braking)
HIGHEST: tuple[float, float] = (EGO.max_steer, EGO.max_acceleration)
# A small sigma drowns the choice of component: the means' gradient grows with 1 / sigma^2, and after clipping nothing
# is left for the weights. A large sigma makes steering imprecise. Six epochs of behaviour cloning on rain-turn,
# episodes that arrive of 96: 0.3 -> 56 (five epochs), 0.1 -> 68, 0.05 -> 71 but 14 of the rest stand still.
SIGMA_FLOOR = 0.1


@dataclass(frozen=True)
class Mixture:
    """K diagonal Gaussians over controls divided by SCALE.

    Args:
        log_weight: (..., K), normalised.
        mean: (..., K, 2) steer, acceleration; sigma: the same shape, at least SIGMA_FLOOR.
    """

    log_weight: Tensor
    mean: Tensor
    sigma: Tensor

    def nll(self, controls: Tensor) -> Tensor:
        """Negative log likelihood (...) [nat] of controls (..., 2) [rad, m/s^2]."""
        scaled = controls / torch.tensor(SCALE, device=controls.device)
        error = (scaled[..., None, :] - self.mean) / self.sigma
        log_density = -0.5 * error.square() - self.sigma.log() - 0.5 * math.log(2.0 * math.pi)
        return -torch.logsumexp(self.log_weight + log_density.sum(-1), -1)

    def controls(self) -> Tensor:
        """Mean of the most probable component (..., 2) [rad, m/s^2], clipped to ego's limits."""
        best = self.log_weight.argmax(-1)[..., None, None].expand(*self.mean.shape[:-2], 1, 2)
        scale, low, high = torch.tensor((SCALE, LOWEST, HIGHEST), device=self.mean.device)
        return (self.mean.gather(-2, best)[..., 0, :] * scale).clamp(low, high)


class MixtureHead(nn.Module):
    """A head with one hidden layer (a site) that outputs the parameters of a mixture.

    Args:
        width: of its input.
        hidden: of its hidden layer.
        mixtures: components (K).
    """

    def __init__(self, width: int, hidden: int, mixtures: int) -> None:
        super().__init__()
        self.mixtures = mixtures
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, 5 * mixtures)

    def hidden(self, seen: Tensor) -> Tensor:
        """Compute the hidden layer (..., hidden) from the input (..., width)."""
        return torch.relu(self.inner(seen))

    def mixture(self, hidden: Tensor) -> Mixture:
        """Compute the mixture from the hidden layer (..., hidden)."""
        out = self.outer(hidden).unflatten(-1, (self.mixtures, 5))
        return Mixture(F.log_softmax(out[..., 0], -1), out[..., 1:3], SIGMA_FLOOR + F.softplus(out[..., 3:5]))
