"""DAgger's beta, the expert's share of control in round i (Ross, Gordon, Bagnell 2011, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = ("indicator", "exponential", "linear", "constant")


@dataclass(frozen=True)
class BetaSchedule:
    """The expert's share of control, by round.

    Args:
        shape: how the share falls: "indicator" (1 in round 0, then 0, the paper's parameter-free choice), "exponential"
            (decay**round), "linear" (reaches 0 after `rounds` rounds) or "constant" (always `decay`, where 1 is
            behaviour cloning).
        decay: base of "exponential", or the value of "constant", 0 to 1.
        rounds: rounds after which "linear" reaches 0.
        per: how often the driver is drawn: "segment" draws it every `segment` seconds, so that a learner's errors have
            time to show; "step" draws it at every tick, as in the paper.
        segment: duration of a segment [s].
    """

    shape: str = "exponential"
    decay: float = 0.5
    rounds: int = 4
    per: str = "segment"
    segment: float = 2.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"beta shape {self.shape!r}; known are {SHAPES}")
        if self.per not in ("step", "segment"):
            raise ValueError(f"beta drawn per {self.per!r}; known are 'step' and 'segment'")
        if not 0.0 <= self.decay <= 1.0:
            raise ValueError(f"beta decay {self.decay}; a share between 0 and 1 is wanted")

    def beta(self, round_: int) -> float:
        """The expert's share of control in round `round_`; always 1 in round 0, which is behaviour cloning."""
        if round_ == 0:
            return 1.0
        if self.shape == "indicator":
            return 0.0
        if self.shape == "exponential":
            return self.decay**round_
        if self.shape == "linear":
            return max(0.0, 1.0 - round_ / self.rounds)
        return self.decay
