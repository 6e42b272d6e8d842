"""`dagger probe`: computes the scorecard of a saved checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from dagger.backends import PORT, backend_of_run, check_backend
from dagger.console import Bars, output, scorecard
from dagger.options import UsageError, check_seed, given, parse, read_config, with_rule
from probes.study import ProbeSettings
from scenarios.scenario import load_scenario
from sim.world.context import RunContext


@dataclass(frozen=True)
class Options:
    """Compute the scorecard of a saved checkpoint: how much of the hidden rule it acquired, as a table and as JSON.

    Args:
        checkpoint: checkpoint folder, or run folder, of which the last DAgger round is probed.
        scenario: scenario to probe it on; by default the one that it was trained on, as the checkpoint or its run says.
        rule: rule in place of the scenario's, as in "left if raining and not night else right".
        out: JSON file to write; by default scorecard-CHECKPOINT.json in the run folder, or beside the checkpoint.
        seed: seed of the probing episodes and of the statistics, 0 to 428.
        threads: threads of the simulator and of the network.
        quick: drive fewer episodes, which widens the intervals; even fewer if the scenario's episodes may last longer
            than 20 s.
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        backend: where the worlds run: embedded (in this process) or carla (on CARLA servers, one world per server); by
            default as in the checkpoint's run.
        host: host name or address of the CARLA servers, with --backend carla.
        port: RPC port of each CARLA server, with --backend carla; driving a world beside its twin takes two servers.
        config: YAML file with these options; flags on the command line override it.
        probe: how much evidence the scorecard gathers.
    """

    checkpoint: tyro.conf.Positional[Path]
    scenario: str | None = None
    rule: str | None = None
    out: Path | None = None
    seed: int = 0
    threads: int = 2
    quick: bool = False
    maps: Path | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: tuple[int, ...] = (PORT,)
    config: Path | None = None
    probe: ProbeSettings = field(default_factory=ProbeSettings)

    def __post_init__(self) -> None:
        """Refuse an unknown backend and a seed out of range."""
        check_backend(self.backend, self.port)
        check_seed(self.seed)


def starting(arguments: Sequence[str]) -> Options:
    """The default options: the backend of the checkpoint's run, and with --quick the counts that suit its scenario."""
    options = Options(checkpoint=tyro.MISSING)
    quick = given("--quick", arguments) is not None
    if quick:
        options = replace(options, quick=True, probe=ProbeSettings.quick())
    if {"-h", "--help"} & set(arguments):
        return options
    config = given("--config", arguments)
    asked = parse(Options, arguments, "dagger probe", read_config(Path(config), options) if config else options)
    try:
        _, run, trained_on = _place_of(asked.checkpoint)
        options = options if run is None else replace(options, **backend_of_run(run))
        if not quick:
            return options
        limit = load_scenario(asked.scenario or str(trained_on)).time_limit
    except (ValueError, OSError):  # `main` reads the same files and reports the error
        return options
    return replace(options, probe=ProbeSettings.quick(limit))


def _place_of(checkpoint: Path) -> tuple[Path, Path | None, str | None]:
    """The checkpoint's folder, the run that it belongs to, and the scenario that it was trained on; None if unknown."""
    from dagger.evaluation.drivers import find_checkpoint

    if not checkpoint.is_dir():
        raise UsageError(f"there is no checkpoint folder {checkpoint}; wanted one with policy.json, or a run")
    place = find_checkpoint(checkpoint)
    run = place.parent.parent if place.parent.name == "checkpoints" else None
    copy = run / "scenario.yaml" if run is not None else None
    if copy is not None and copy.is_file():
        return place, run, str(copy)
    return place, run, json.loads((place / "policy.json").read_text()).get("about", {}).get("scenario")


def main(options: Options, context: RunContext) -> int:
    """Compute the scorecard, print it, and write the JSON file."""
    import torch

    from dagger.commands.run import as_plain, learned_from, quick_note, remembered
    from dagger.evaluation.drivers import camera_of
    from dagger.report.record import verdict_sentence
    from dagger.runs.folder import write_atomically
    from policies.checkpoint import load_policy
    from probes.scorecard import score

    place, run, trained_on = _place_of(options.checkpoint)
    learner, about = load_policy(place)
    if options.scenario is None and not trained_on:
        raise UsageError(f"checkpoint {place} does not say what it was trained on; name it with --scenario")
    scenario = load_scenario(options.scenario or str(trained_on), context.map_search)
    scenario = with_rule(scenario, options.rule)
    if about.get("scenario_digest") not in (None, scenario.digest()):
        print(f"note: trained on another scenario ({about.get('scenario')}: {about.get('rule')})")
    if options.quick and (note := quick_note(scenario, options.probe)):
        print(note)
    torch.set_num_threads(options.threads)
    camera = camera_of(about)
    with Bars() as bars:
        context = replace(context, progress=bars)
        shown = None if run is None else learned_from(run, place.name)
        frames = remembered(shown, camera, options.probe, options.seed, context)
        made = score(
            learner, scenario, options.probe, camera, checkpoint=place.name, frames=frames, seed=options.seed,
            context=context,
        )  # fmt: skip
    out = options.out or (run or place.parent) / f"scorecard-{place.name}.json"
    write_atomically(out, json.dumps(made, indent=1, default=as_plain) + "\n")
    console = output()
    console.print(scorecard(made))
    console.print(verdict_sentence(made), markup=False)
    print(out)
    return 0
