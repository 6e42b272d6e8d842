"""`dagger film`: one episode, seen from the road, through the learner's eye and from above."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from dagger.backends import PORT, check_backend
from dagger.console import Bars
from dagger.options import UsageError
from scenarios.rules.ast import Formula
from scenarios.rules.compile import compile_formula, of_valuation
from scenarios.rules.logic import Cell, describe_cell
from scenarios.rules.parse import expanded
from scenarios.rules.visitors import is_timed
from scenarios.scenario import Scenario
from sim.core.errors import did_you_mean, known_names

IN_TITLE = 72  # letters of a rule that still stand in the title


@dataclass(frozen=True)
class Options:
    """Film one episode: the road large, what the learner sees, the map from above, the steering.

    Args:
        scenario: a name out of `dagger scenarios`, or a path that ends in .yaml.
        driver: expert, idle, a decision such as left or go, a checkpoint or run folder, or module:callable.
        out: the film, in H.264; a name that ends in .mp4.
        cell: which conditions, as in "raining=true,night=false"; what is not named is left to chance.
        split: conditions to draw from: one of the scenario's splits, or "every".
        seed: of the episode.
        size: of the large picture [px], as in 640x360.
        rule: replaces the scenario's rule.
        maps: folder of OpenDRIVE files; otherwise HOMUNCULUS_MAPS names it.
        backend: where worlds run: embedded, in this process, or carla, on CARLA servers, a world each.
        host: of the CARLA servers.
        port: of each CARLA server.
        config: YAML file of these options; flags given here win over it.
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
        """Refuse a backend that there is not."""
        check_backend(self.backend, self.port)


def read_size(text: str) -> tuple[int, int]:
    """Width and height out of "640x360".

    Raises:
        UsageError: for anything else.
    """
    found = re.fullmatch(r"(\d{2,4})\s*[x×]\s*(\d{2,4})", text)
    size = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
    if not (320 <= size[0] <= 3840 and 180 <= size[1] <= 2160):
        raise UsageError(f"--size was given '{text}'; wanted WIDTHxHEIGHT from 320x180 to 3840x2160, such as 640x360")
    return size


def choose_cell(scenario: Scenario, split: str, text: str, seed: int) -> Cell | None:
    """The cell that "raining=true,night=false" asks for; of several that fit, `seed` chooses.

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
    """The film's title and the lines under it: a short rule stands in the title, a long one and its sub-rules below."""
    definitions: Mapping[str, Any] = scenario.data.get("where", {})  # the named sub-rules, as the file has them
    rule = f"the rule: {scenario.rule_text}"
    if not definitions and len(rule) <= IN_TITLE:
        return f"{scenario.name} · {rule}", ()
    return scenario.name, (rule, *(f"where {name}: {text}" for name, text in definitions.items()))


def with_sub_rules(scenario: Scenario, truths: Mapping[str, bool]) -> dict[str, bool]:
    """What is true of one world, for its chips: the propositions, and behind them the sub-rules that are formulas."""
    found = dict(truths)
    for name, tree in scenario.definitions.items():
        if isinstance(tree, Formula):
            whole = expanded(tree, scenario.definitions)
            if not is_timed(whole):
                found[name] = bool(compile_formula(whole, of_valuation)(truths))
    return found


def short_name(driver: str) -> str:
    """A driver's name for a caption: of a path only its end, which is what tells checkpoints apart."""
    parts = Path(driver).parts
    return driver if len(parts) < 2 or ":" in driver else "/".join(parts[-3:]).lstrip("/")


def main(options: Options) -> int:
    """Drive, film, and print the file's path."""
    from dagger.evaluation.drivers import choose_driver
    from policies.expert.expert import Expert
    from policies.expert.monitor import RuleAnnotator
    from scenarios.sampling.sample import sample, slots_needed
    from scenarios.scenario import load_scenario
    from sim.viz.video import FILM_CAMERA, Captions, drive_film, write_film
    from sim.world.backends import new_worlds

    width, height = read_size(options.size)
    if options.out.suffix != ".mp4":
        raise UsageError(f"--out was given '{options.out}'; wanted a name that ends in .mp4")
    scenario = load_scenario(options.scenario)
    scenario = scenario if options.rule is None else scenario.with_rule(options.rule)
    scenario.split(options.split)
    cell = choose_cell(scenario, options.split, options.cell, options.seed)
    driver = choose_driver(options.driver)
    episode = sample(scenario, options.seed, options.split, cell)

    search = (options.maps,) if options.maps else ()
    with new_worlds(1, driver.camera, slots_needed(scenario), search=search) as backend:
        onlooker = RuleAnnotator(Expert.of(scenario), backend)
        title, notes = titled(scenario)
        told = "green: true, as far as an expert knows by now"
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
    """The same frames; `advance` hears of each one that has been taken."""
    for frame in frames:
        yield frame
        advance(1)
