"""The black box has never heard of rules: whatever it needs is loaded without them."""

from __future__ import annotations

import subprocess
import sys

from tests.support.source_tree import ROOT, modules

KNOWING = (
    "policies.evaluate",
    "policies.expert.expert",
    "policies.baselines",
    "policies.expert.maneuvers",
    "policies.expert.reasoner",
    "policies.expert.monitor",
)


def test_everything_but_the_expert_and_its_tally_is_loaded_without_scenarios() -> None:
    names = [m for m in modules() if m.startswith("policies.") and not m.startswith(KNOWING)]
    assert "policies.learner" in names and "policies.checkpoint" in names
    code = (
        f"import sys, {', '.join(names)};"
        "print([m for m in sys.modules if m.split('.')[0] in ('scenarios', 'dagger', 'probes', 'lark', 'sympy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    # torch itself may load sympy when it is asked to compile; importing the learner must not.
    assert done.stdout.strip() == "[]"
