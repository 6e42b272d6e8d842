"""DAgger: in later rounds the learner drives as its gate decides, and the expert labels every visited state."""

from __future__ import annotations

from dagger.algorithms.base import Algorithm, register

DAGGER = register(Algorithm("dagger", uses_learner=True, legend="DAgger"))
