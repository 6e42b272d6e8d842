"""`dagger film`: renders a video of one episode: the road, the learner's view, the map and the steering."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro

from dagger.backends import PORT, check_backend
from dagger.console import Bars
from dagger.options import UsageError, with_rule
from scenarios.rules.ast import Formula
from scenarios.rules.compile import compile_formula, of_valuation
from scenarios.rules.logic import Cell, describe_cell
from scenarios.rules.parse import expanded
from scenarios.rules.visitors import is_timed
from scenarios.scenario import Scenario
from sim.core.errors import did_you_mean, known_names

if TYPE_CHECKING:
    from sim.world.context import RunContext

IN_TITLE = 72  # longest rule that still fits in the title [characters]


@dataclass(frozen=True)
class Options:
    """Render a video of one episode: the road, the learner's view, the map from above and the steering.

    Args:
        scenario: name of a scenario (see `dagger scenarios`), or a path that ends in .yaml.
        driver: driver of the episode: expert, idle, leak-only, best-single, a decision such as left or go, a checkpoint
            or run folder, or module:callable, where the callable takes no arguments and returns a policy.
        out: video file to write, in H.264; a name that ends in .mp4.
        cell: conditions of the episode, as in "raining=true,night=false"; the seed chooses those that are not named.
        split: conditions to draw the episode from: one of the scenario's splits, or "every" for all conditions.
        seed: seed of the episode.
        size: width and height of the large picture [px], from 320x180 to 3840x2160.
        rule: rule in place of the scenario's, as in "left if raining and not night else right".
        maps: folder of OpenDRIVE files such as Town02.xodr; by default the environment variable HOMUNCULUS_MAPS.
        backend: where the world runs: embedded (in this process) or carla (on a CARLA server).
        host: host name or address of the CARLA server, with --backend carla.
        port: RPC port of the CARLA server, with --backend carla.
        config: YAML file with these options; flags on the command line override it.
    """

    scenario: tyro.conf.Positional[str] = "rain-turn"
    driver: str = "expert"
    out: Path = Path("film.mp4")
    cell: str = ""
    split: str = "every"
    seed: int = 0
    size: str = "640x360"
    rule: str | None = None
    maps: Path | None = None
    backend: str = "embedded"
    host: str = "127.0.0.1"
    port: tuple[int, ...] = (PORT,)
    config: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown backend and invalid ports."""
        check_backend(self.backend, self.port)


def read_size(text: str) -> tuple[int, int]:
    """Parse a size such as "640x360" into width and height [px].

    Raises:
        UsageError: for anything else.
    """
    found = re.fullmatch(r"(\d{2,4})\s*[x×]\s*(\d{2,4})", text)
    size = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
    if not (320 <= size[0] <= 3840 and 180 <= size[1] <= 2160):
        raise UsageError(f"--size was given '{text}'; wanted WIDTHxHEIGHT from 320x180 to 3840x2160, such as 640x360")
    return size


def choose_cell(scenario: Scenario, split: str, text: str, seed: int) -> Cell | None:
    """The truth-table cell that "raining=true,night=false" selects; `seed` picks one of several that fit.

    Raises:
        UsageError: for another form, an unknown proposition, or conditions that the split does not have.
    """
    from scenarios.sampling.sample import cells

    if not text.strip():
        return None
    names, asked = scenario.proposition_names, {}
    words = {"true": True, "yes": True, "false": False, "no": False}
    for part in text.split(","):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals or value.lower() not in words:
            raise UsageError(f"--cell was given '{part.strip()}'; wanted proposition=true or proposition=false")
        if name not in names:
            raise UsageError(
                f"--cell names '{name}'; known propositions are {known_names(names)}{did_you_mean(name, names)}"
            )
        asked[names.index(name)] = words[value.lower()]
    admitted = cells(scenario, split)
    fitting = [c for c in admitted if all(c[i] == v for i, v in asked.items())]
    if not fitting:
        known = "; ".join(describe_cell(names, c) for c in admitted)
        raise UsageError(f"--cell was given '{text}', which split '{split}' never has; it has {known}")
    return fitting[seed % len(fitting)]


def titled(scenario: Scenario) -> tuple[str, tuple[str, ...]]:
    """The video's title and the lines below it; a short rule is in the title, a long one and its sub-rules below."""
    definitions: Mapping[str, Any] = scenario.data.get("where", {})  # the named sub-rules, as the file has them
    rule = f"the rule: {scenario.rule_text}"
    if not definitions and len(rule) <= IN_TITLE:
        return f"{scenario.name} · {rule}", ()
    return scenario.name, (rule, *(f"where {name}: {text}" for name, text in definitions.items()))


def with_sub_rules(scenario: Scenario, truths: Mapping[str, bool]) -> dict[str, bool]:
    """The truth of one world's propositions and then of its sub-rules that are formulas: the chips of a frame."""
    found = dict(truths)
    for name, tree in scenario.definitions.items():
        if isinstance(tree, Formula):
            whole = expanded(tree, scenario.definitions)
            if not is_timed(whole):
                found[name] = bool(compile_formula(whole, of_valuation)(truths))
    return found


def short_name(driver: str) -> str:
    """A driver's name for a caption: of a path only its last three parts, which distinguish checkpoints."""
    parts = Path(driver).parts
    return driver if len(parts) < 2 or ":" in driver else "/".join(parts[-3:]).lstrip("/")


def main(options: Options, context: RunContext) -> int:
    """Drive the episode, render the video, and print the file's path."""
    from dagger.evaluation.drivers import choose_driver
    from policies.expert.expert import Expert
    from policies.expert.monitor import RuleAnnotator
    from scenarios.sampling.sample import sample, slots_needed
    from scenarios.scenario import load_scenario
    from sim.viz.video import FILM_CAMERA, Captions, drive_film, write_film

    width, height = read_size(options.size)
    if options.out.suffix != ".mp4":
        raise UsageError(f"--out was given '{options.out}'; wanted a name that ends in .mp4")
    scenario = load_scenario(options.scenario, context.map_search)
    scenario = with_rule(scenario, options.rule)
    scenario.split(options.split)
    cell = choose_cell(scenario, options.split, options.cell, options.seed)
    driver = choose_driver(options.driver)
    episode = sample(scenario, options.seed, options.split, cell)

    with context.backend(1, driver.camera, slots_needed(scenario)) as backend:
        onlooker = RuleAnnotator(Expert.of(scenario), backend)
        title, notes = titled(scenario)
        told = "green: true, as far as the expert knows so far"
        where = "" if options.backend == "embedded" else f" on {options.backend}"
        captions = Captions(
            title,
            f"driver: {short_name(driver.name)}{where}  ·  seed {options.seed}  ·  {told}",
            lambda world: with_sub_rules(scenario, onlooker.facts(world)), onlooker.wanted, notes,
        )  # fmt: skip
        policy = driver.of(scenario, options.split)
        view = replace(FILM_CAMERA, width=width, height=height)
        fps = round(1 / backend.simulation.tick)
        with Bars() as bars:
            limit = episode.time_limit / backend.simulation.tick
            bars.stage(f"filming {scenario.name}", limit)
            frames = drive_film(policy, backend, episode, captions, view)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            count = write_film(options.out, counted(frames, bars.advance), fps)
    print(f"{options.out}  ({count} frames, {count / fps:.1f} s)")
    return 0


def counted(frames: Iterator[np.ndarray], advance: Callable[[float], None]) -> Iterator[np.ndarray]:
    """Yield the same frames, and call `advance(1)` after each one."""
    for frame in frames:
        yield frame
        advance(1)
