"""Checks of a scenario file across its entries, once each entry is valid by itself.

Each raises a `ScenarioError` with file and line where the entries do not fit together.
"""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.reading.yaml import KeyPath, Lines
from scenarios.rules.ast import Formula, Name, Rule, decisions, names
from scenarios.rules.propositions import Proposition
from scenarios.rules.variables import conditions_of
from scenarios.schema.arms import arms_of, ways_of
from scenarios.schema.base import options_of
from scenarios.schema.map import FileModel
from sim.core.errors import did_you_mean, known_names


def check_names(model: FileModel, lines: Lines) -> None:
    """Check that no two actors, signs or changes have one name."""
    for what in ("actors", "signs", "changes"):
        found = [thing.name for thing in getattr(model, what)]
        if twice := next((i for i, name in enumerate(found) if name in found[:i]), None):
            told = f"the {what.removesuffix('s')} '{found[twice]}' stands twice; wanted another name"
            raise lines.error((what, twice, "name"), told)


def check_times(model: FileModel, lines: Lines) -> None:
    """Check that changes of one field never overlap and end within the time limit: the last one counts.

    A script must begin within the time limit.
    """
    for i, actor in enumerate(model.actors):
        after = actor.script.after if actor.script else None
        if after is not None and after.ends[1] >= model.time_limit:
            raise lines.error(
                ("actors", i, "script", "after"), f"the script of '{actor.name}' may begin at {after.ends[1]:g} s, and "
                f"the time limit is {model.time_limit:g} s; wanted it to begin before that"
            )  # fmt: skip
    for i, change in enumerate(model.changes):
        latest = change.after.ends[1] + change.over.ends[1]
        if latest > model.time_limit:
            raise lines.error(
                ("changes", i), f"the change '{change.name}' may last until {latest:g} s, and the time limit is "
                f"{model.time_limit:g} s; wanted it over by then"
            )  # fmt: skip
        for later in model.changes[i + 1 :]:
            both = [f for f in change.fields if f in later.fields]
            if both and later.after.ends[0] < latest:
                raise lines.error(
                    ("changes", model.changes.index(later), "after"), f"'{later.name}' may begin at "
                    f"{later.after.ends[0]:g} s, while '{change.name}' changes {both[0]} until {latest:g} s; wanted "
                    "changes of one field to follow each other, in the order of the file"
                )  # fmt: skip


def check_decision(model: FileModel, rule: Rule, lines: Lines) -> None:
    """Check that the rule uses only decisions that can show, and that the actors of the decision exist."""
    decision, words = model.decision, model.decision.rule_words
    if words is None:
        if model.ego.way:
            told = "the way out is the decision, so none can be given"
            raise lines.error(("ego", "way"), f"{told}; wanted no way, or another decision, such as {{order: [west]}}")
        _check_ways(model, rule, lines)
        return
    if odd := next((d for d in decisions(rule) if d not in words), None):
        told = f"the decision '{odd}' cannot show by {decision.kind}"
        raise lines.error(("rule",), f"{told}; known are {known_names(words)}{did_you_mean(odd, words)}")
    actors = [a.name for a in model.actors]
    if odd := next((n for n in decision.actors if n not in actors), None):
        told = f"unknown actor '{odd}'; known are {known_names(actors)}{did_you_mean(odd, actors)}"
        raise lines.error(("decision", decision.kind), told)


def _check_ways(model: FileModel, rule: Rule, lines: Lines) -> None:
    """Check that the rule decides only for existing ways: an expert would notice only when it drives."""
    place, ways = model.map.point.noun, ways_of(model.map)
    for start in options_of(model.ego.start):
        if start not in ways:
            told = f"no way begins on the {start} of {place}; ego may start on {known_names(ways)}"
            raise lines.error(("ego", "start") if "start" in model.ego.model_fields_set else ("map",), told)
        if odd := next((d for d in decisions(rule) if d not in ways[start]), None):
            raise lines.error(
                ("rule",), f"the decision '{odd}' is no way out of {place} from the {start}; "
                f"ways from there are {known_names(ways[start])}"
            )  # fmt: skip


def check_arms(model: FileModel, lines: Lines) -> None:
    """Check that actors and signs are on arms of the decision point."""
    known = arms_of(model.map)
    for what in ("actors", "signs"):
        for i, thing in enumerate(getattr(model, what)):
            if odd := next((arm for arm in options_of(thing.arm) if arm not in known), None):
                hint = did_you_mean(odd, known)
                told = f"{model.map.point.noun} has no arm '{odd}'; known are {known_names(known)}{hint}"
                raise lines.error((what, i, "arm") if "arm" in thing.model_fields_set else (what, i), told)


def check_presences(
    propositions: tuple[Proposition, ...], presences: Mapping[str, Formula], actors: tuple[str, ...], lines: Lines
) -> None:
    """Check that presence formulas read only propositions over drawn variables, so that there is a drawing order."""
    by_name = {p.name: p for p in propositions}
    for variable, formula in presences.items():
        path: KeyPath = ("actors", actors.index(variable.split(".")[1]), "present")
        for name in names(formula):
            if odd := next((v for v in by_name[name].variables if v in presences), None):
                raise lines.error(path, f"'{name}' reads {odd}, itself a formula; wanted a drawn variable")
    for p in propositions:
        for variable in p.variables:
            if hidden := next((c for c in conditions_of(variable) if c in presences), None):
                told = f"{variable} shows only with {hidden}, which follows a formula; wanted '{hidden}' alone"
                raise lines.error(("propositions", p.name), told)
        if any(v in presences for v in p.variables) and not isinstance(p.tree, Name):
            odd = next(v for v in p.variables if v in presences)
            raise lines.error(
                ("propositions", p.name), f"{odd} follows a formula, so it must stand alone here; wanted '{odd}'"
            )
