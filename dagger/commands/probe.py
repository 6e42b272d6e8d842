"""`dagger probe`: the scorecard of a checkpoint that was saved before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from dagger.console import Bars, output, scorecard
from dagger.options import BadInput, check_seed, given
from probes.scorecard import ProbeSettings


@dataclass(frozen=True)
class Options:
    """Measure how much of the hidden rule a saved checkpoint has: the scorecard, as a table and as JSON.

    Args:
        checkpoint: a checkpoint folder, or a run folder, whose last DAgger round is taken.
        scenario: what it is judged on; by default what it was trained on, as the checkpoint or its run says.
        rule: replaces the scenario's rule.
        out: the JSON file; by default scorecard-CHECKPOINT.json in the run folder, or beside the checkpoint.
        seed: of episodes and statistics.
        threads: of the simulator and of the network.
        quick: fewer episodes, wider intervals.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
        config: YAML file of these options; flags given here win over it.
        probe: what the scorecard measures.
    """

    checkpoint: tyro.conf.Positional[Path]
    scenario: str | None = None
    rule: str | None = None
    out: Path | None = None
    seed: int = 0
    threads: int = 2
    quick: bool = False
    maps: Path | None = None
    config: Path | None = None
    probe: ProbeSettings = field(default_factory=ProbeSettings)

    def __post_init__(self) -> None:
        """Refuse a seed whose episodes would have no number."""
        check_seed(self.seed)


def starting(arguments: Sequence[str]) -> Options:
    """Defaults; the checkpoint has none."""
    options = Options(checkpoint=tyro.MISSING)
    if given("--quick", arguments) is None:
        return options
    return replace(options, quick=True, probe=ProbeSettings.quick())


def main(options: Options) -> int:
    """Score, print, write."""
    import torch

    from dagger.commands.run import as_plain, learned_from, remembered
    from dagger.drivers import camera_of, find_checkpoint
    from dagger.report import verdict_sentence
    from dagger.runs import write_atomically
    from policies.checkpoint import load_policy
    from probes.scorecard import score
    from scenarios.spec import load_scenario

    if not options.checkpoint.is_dir():
        raise BadInput(f"there is no checkpoint folder {options.checkpoint}; wanted one with policy.json, or a run")
    place = find_checkpoint(options.checkpoint)
    learner, about = load_policy(place)
    run = place.parent.parent if place.parent.name == "checkpoints" else None
    copy = run / "scenario.yaml" if run is not None else None
    trained_on = str(copy) if copy is not None and copy.is_file() else about.get("scenario")
    if options.scenario is None and not trained_on:
        raise BadInput(f"checkpoint {place} does not say what it was trained on; name it with --scenario")
    scenario = load_scenario(options.scenario or str(trained_on))
    scenario = scenario if options.rule is None else scenario.with_rule(options.rule)
    if about.get("scenario_digest") not in (None, scenario.digest()):
        print(f"note: trained on another scenario ({about.get('scenario')}: {about.get('rule')})")
    torch.set_num_threads(options.threads)
    camera, search = camera_of(about), (options.maps,) if options.maps else ()
    with Bars() as bars:
        shown = None if run is None else learned_from(run, place.name)
        frames = remembered(shown, camera, options.probe, options.seed, options.threads, search, bars)
        made = score(
            learner, scenario, options.probe, camera, checkpoint=place.name, frames=frames, seed=options.seed,
            threads=options.threads, search=search, progress=bars,
        )  # fmt: skip
    out = options.out or (run or place.parent) / f"scorecard-{place.name}.json"
    write_atomically(out, json.dumps(made, indent=1, default=as_plain) + "\n")
    console = output()
    console.print(scorecard(made))
    console.print(verdict_sentence(made), markup=False)
    print(out)
    return 0
