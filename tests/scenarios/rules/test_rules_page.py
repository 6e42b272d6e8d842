"""docs/reference/rule-language.md: every example in its tables is read, and prints as it is written."""

from __future__ import annotations

import re

import pytest

from scenarios.rules.ast import Name
from scenarios.rules.conditions import Vocabulary, parse_condition
from scenarios.rules.parse import parse_formula, parse_rule
from scenarios.rules.units import UNITS
from sim.datatypes.vocabulary import DECISIONS
from tests.support.source_tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "rule-language.md").read_text()
DEFINED = {name: parse_rule("left if night else right") for name in ("first", "second")}
READERS = {
    "Rules": lambda text: parse_rule(text, ["raining", "night"], DEFINED),
    "Formulas": lambda text: parse_formula(text, ["raining", "night", "foggy"], {"wet": Name("raining")}),
    "Conditions": lambda text: parse_condition(text, Vocabulary(["van"], ["board"])),
}
KEPT = "raining and once[1s, 3s] not raining"  # names a proposition, which the tree holds expanded


def rows(heading: str) -> list[str]:
    section = re.search(rf"^## {heading}\n(.*?)(?=^## )", PAGE, re.M | re.S)
    assert section
    return re.findall(r"^\| `([^`]+)` \|", section[1], re.M)


@pytest.mark.parametrize(("heading", "text"), [(h, t) for h in READERS for t in rows(h) if t != KEPT])
def test_an_example_of_the_page_is_read_and_prints_as_it_is_written(heading: str, text: str) -> None:
    assert str(READERS[heading](text)) == text


def test_a_condition_may_name_a_proposition_above_it() -> None:
    assert KEPT in rows("Conditions")
    rain = parse_condition("weather.precipitation > 20", Vocabulary())
    tree = parse_condition(KEPT, Vocabulary(earlier={"raining": rain}))
    assert str(tree) == "weather.precipitation > 20 and once[1s, 3s] not weather.precipitation > 20"


def test_the_page_names_every_decision_and_unit() -> None:
    spans = set(re.findall(r"`([^`\n]+)`", PAGE))
    plain = {d for d in DECISIONS if " " not in d}
    last = {f"{thing} {max(int(d.split()[1]) for d in DECISIONS if d.startswith(thing + ' '))}"
            for thing in ("exit", "bay", "lane", "place")}  # fmt: skip
    assert plain | last | set(UNITS) <= spans
