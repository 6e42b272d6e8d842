"""The registry of maneuvers, filled by the files of this folder."""

from __future__ import annotations

import policies.expert.maneuvers
from policies.expert.maneuvers.base import MANEUVERS, DrivingStyles, Maneuver
from sim.core.discovery import import_all
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.episode import DecisionSpec

__all__ = ["MANEUVERS", "DrivingStyles", "Maneuver", "maneuver_for"]

import_all(policies.expert.maneuvers)


def maneuver_for(decision_spec: DecisionSpec) -> Maneuver:
    """Return the maneuver that carries out the decisions of a decision_spec.

    Raises:
        ValueError: for a kind without a maneuver.
    """
    kind = decision_spec.kind
    if kind not in MANEUVERS:
        close = did_you_mean(kind, MANEUVERS)
        raise ValueError(f"no maneuver for decisions of kind {kind!r}; known are {known_names(MANEUVERS)}{close}")
    return MANEUVERS[kind](decision_spec)
