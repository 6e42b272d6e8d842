"""Notebooks are committed without outputs and run from top to bottom, here on an untrained net with little evidence."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from policies.checkpoint import save_policy
from policies.learner import LearnerSettings, build

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_committed_without_outputs_and_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(path, 4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    save_policy(tmp_path / "net", build(LearnerSettings(), 0), {"scenario": "rain-turn"})
    monkeypatch.setenv("HOMUNCULUS_CHECKPOINT", str(tmp_path / "net"))
    monkeypatch.setenv("HOMUNCULUS_SHORT", "1")
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert "imitates" in notebook.cells[6].outputs[0]["text"]
