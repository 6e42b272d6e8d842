"""Compiling the camera's kernel in the background."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sim.core.kernel import compiled_mark
from sim.world import precompile


def test_a_process_that_has_compiled_the_camera_spares_the_next_one_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "sim.world.precompile"], check=True, capture_output=True)
    assert compiled_mark(precompile._CAMERA).exists()

    def refused(*command: object, **options: object) -> None:
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(precompile.subprocess, "Popen", refused)
    with precompile.compiled_in_background():
        pass
