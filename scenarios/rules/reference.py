"""Markdown tables of the rule language's operators and variables, generated from their declarations.

`python -m scenarios.rules.reference` prints both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scenarios.rules.operators.base import OPERATORS, Binary, number_operators
from scenarios.rules.units import own_unit
from scenarios.rules.variables.base import FAMILIES, VARIABLES

_TYPES = {"truth": "true or false", "number": "number", "words": "words"}


def operators_table() -> str:
    """The operators of formulas and of numbers, the tightest first: how each is written, its meaning, examples."""
    rows: list[tuple[int, str, str, Sequence[tuple[str, str]]]] = []
    for o in OPERATORS.values():
        words = [o.word] * (not o.window_needed) + [f"{o.word}[a, b]"] * o.takes_window()
        written = ", ".join(f"`p {word} q`" if issubclass(o, Binary) else f"`{word} p`" for word in words)
        rows.append((o.binding, written, o.doc, o.examples))
    for n in number_operators():
        written = {"infix": f"`x {n.word} y`", "prefix": f"`{n.word}x`"}.get(n.style, f"`{n.word}(...)`")
        rows.append((10 + n.binding, written, n.doc, n.examples))
    rows.sort(key=lambda row: -row[0])
    lines = (f"| {written} | {doc} | {_examples(examples)} |" for _, written, doc, examples in rows)
    return _table(("operator", "meaning", "examples"), lines)


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    return "; ".join(f"`{text}`: {meaning}" for text, meaning in examples)


def variables_table() -> str:
    """The variables that propositions may read, family by family: type, unit and meaning."""
    order = {head: place.order for head, place in FAMILIES.items()}
    lines = []
    for v in sorted(VARIABLES.values(), key=lambda v: order[v.family.head]):
        unit = own_unit(v.unit) if v.unit else ""
        lines.append(f"| `{v.pattern}` | {_TYPES[v.type]} | {unit} | {v.doc} |")
    return _table(("variable", "type", "unit", "meaning"), lines)


def _table(heads: Sequence[str], lines: Iterable[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines])


if __name__ == "__main__":
    print(f"## Operators\n\n{operators_table()}\n\n## Variables\n\n{variables_table()}")
