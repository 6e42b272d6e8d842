"""Hypothesis without deadlines, with the same draws every time; the conformance suite's asserts explain themselves."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Set before torch is first imported: its OpenMP workers otherwise spin and starve whatever else runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["COLUMNS"] = "160"  # xdist sets 80, in which the columns of tables fold; without it tables have 160
pytest.register_assert_rewrite("sim.world.conformance")
settings.register_profile("homunculus", deadline=None, derandomize=True)
settings.load_profile("homunculus")
