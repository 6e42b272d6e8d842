"""Level `uses`: interchange interventions on each premise's latent, in closed loop."""

from __future__ import annotations

from probes.effects import used_map
from probes.levels.base import Level, register
from probes.premise_swaps import Question, uses
from probes.results import LevelResult
from probes.study import Study


def measure(study: Study) -> LevelResult:
    """Swap latents between twins in closed loop, at the places that `encodes` has mapped."""
    asked = Question.of(study.scenario, study.camera, study.context)
    study.context.progress.stage("uses: swapping latents in closed loop", 1 + 3 * len(asked.rule_names) + 1)
    level, swaps, latents = uses(
        study.policy, study.untrained, asked, study.settings.pairs, study.settings.fitted, study.first + 600_000,
        study.findings.held,
    )  # fmt: skip
    used = used_map(study.policy, asked, latents, study.settings.fitted, study.first + 800_000)
    study.context.progress.advance(1)
    study.findings.swaps, study.findings.latents, study.findings.used = swaps, latents, used
    return level


USES = register(Level("uses", 4, "and its decision depends on them", (
    "If only the part of the latent that encodes this fact is swapped with that of a twin world, does the "
    "car change its decision, and does it keep its decision when the rule says that nothing should "
    "change? The swap must also have clearly more effect than control swaps, which should have none. A "
    "fact is swapped in the memory, or before it at the encoder; separate pairs of worlds choose the "
    "place."
), measure))  # fmt: skip
