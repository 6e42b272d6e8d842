"""The tree of a rule: what a driver thinks, as data.

A `Formula` is true or false of a situation; a `Rule` says which way to go. Trees are frozen, compare by value and
print themselves with as few parentheses as the grammar allows, so that `parse(str(tree)) == tree`
(`scenarios.rules.parse`). Binding, tightest first: not, and, xor, or, implies (to the right), iff.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sim.types import DECISIONS

KEYWORDS: tuple[str, ...] = ("if", "else", "not", "and", "or", "xor", "implies", "iff", "true", "false")


@dataclass(frozen=True)
class Formula:
    """Something that is true or false of a situation; the base of every node below."""

    binding: ClassVar[int] = 9  # how tightly the operator holds its operands; 9 never needs brackets

    def __and__(self, other: Formula) -> Formula:
        return And(self, other)

    def __or__(self, other: Formula) -> Formula:
        return Or(self, other)

    def __xor__(self, other: Formula) -> Formula:
        return Xor(self, other)

    def __invert__(self) -> Formula:
        return Not(self)


@dataclass(frozen=True)
class Constant(Formula):
    """`true` or `false`."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True)
class Name(Formula):
    """A proposition, or in the text of a proposition a state variable such as `actors.oncoming.present`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Not(Formula):
    """`not operand`."""

    operand: Formula
    binding: ClassVar[int] = 7

    def __str__(self) -> str:
        return f"not {_bracket(self.operand, self.binding)}"


@dataclass(frozen=True)
class Binary(Formula):
    """Two operands with a word between them."""

    left: Formula
    right: Formula
    word: ClassVar[str] = ""
    to_the_right: ClassVar[bool] = False  # a op b op c means a op (b op c)

    def __str__(self) -> str:
        left, right = self.binding + self.to_the_right, self.binding + (not self.to_the_right)
        return f"{_bracket(self.left, left)} {self.word} {_bracket(self.right, right)}"


@dataclass(frozen=True)
class And(Binary):
    """`left and right`."""

    binding: ClassVar[int] = 6
    word: ClassVar[str] = "and"


@dataclass(frozen=True)
class Xor(Binary):
    """`left xor right`: exactly one of them."""

    binding: ClassVar[int] = 5
    word: ClassVar[str] = "xor"


@dataclass(frozen=True)
class Or(Binary):
    """`left or right`: at least one of them."""

    binding: ClassVar[int] = 4
    word: ClassVar[str] = "or"


@dataclass(frozen=True)
class Implies(Binary):
    """`left implies right`."""

    binding: ClassVar[int] = 3
    word: ClassVar[str] = "implies"
    to_the_right: ClassVar[bool] = True


@dataclass(frozen=True)
class Iff(Binary):
    """`left iff right`: both or neither."""

    binding: ClassVar[int] = 2
    word: ClassVar[str] = "iff"


@dataclass(frozen=True)
class Rule:
    """What to do in every situation; the base of the two nodes below."""


@dataclass(frozen=True)
class Decide(Rule):
    """Always the same decision, one of `sim.types.DECISIONS`."""

    decision: str

    def __str__(self) -> str:
        return self.decision

    @property
    def index(self) -> int:
        """The decision's index into `sim.types.DECISIONS`."""
        return DECISIONS.index(self.decision)


@dataclass(frozen=True)
class Choose(Rule):
    """`then if condition else otherwise`."""

    then: Rule
    condition: Formula
    otherwise: Rule

    def __str__(self) -> str:
        then = f"({self.then})" if isinstance(self.then, Choose) else str(self.then)
        return f"{then} if {self.condition} else {self.otherwise}"


def _bracket(operand: Formula, least: int) -> str:
    return str(operand) if operand.binding >= least else f"({operand})"


def leaves(tree: Formula | Rule) -> Iterator[Formula]:
    """Every leaf of the formulas in `tree`, left to right, repeats included."""
    match tree:
        case Choose():
            yield from leaves(tree.then)
            yield from leaves(tree.condition)
            yield from leaves(tree.otherwise)
        case Decide():
            return
        case Not():
            yield from leaves(tree.operand)
        case Binary():
            yield from leaves(tree.left)
            yield from leaves(tree.right)
        case Formula():
            yield tree


def names(tree: Formula | Rule) -> tuple[str, ...]:
    """The names that `tree` mentions, in order of first mention."""
    return tuple(dict.fromkeys(leaf.name for leaf in leaves(tree) if isinstance(leaf, Name)))


def decisions(rule: Rule) -> tuple[str, ...]:
    """The decisions that `rule` mentions, in order of first mention."""
    match rule:
        case Decide(decision):
            return (decision,)
        case Choose(then, _, otherwise):
            return tuple(dict.fromkeys((*decisions(then), *decisions(otherwise))))
    raise TypeError(f"{rule!r} is no rule: wanted Decide or Choose")
