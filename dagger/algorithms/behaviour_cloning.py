"""Behaviour cloning: later rounds add as many demonstrations of the expert alone; the baseline beside DAgger."""

from __future__ import annotations

from dagger.algorithms.base import Algorithm, register

CLONING = register(Algorithm("cloning", uses_learner=False, legend="behaviour cloning"))
