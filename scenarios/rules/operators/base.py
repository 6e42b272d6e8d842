"""The registry of operators, and the node classes that their declarations derive from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from scenarios.rules.ast import Formula
from scenarios.rules.numbers import ATOM, OPERATIONS, Number, Operation, add_operation

if TYPE_CHECKING:
    from scenarios.rules.compile import Compiler
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace

BEFORE = 8  # binding of every operator that stands before its operand, such as `not`
OPERATORS: dict[str, type[OperatorNode]] = {}  # keyword -> class of its nodes
Declared = TypeVar("Declared", bound="type[OperatorNode]")


# ------------------------------------------------------------------------------------------- operators of formulas
@dataclass(frozen=True)
class OperatorNode(Formula):
    """A node with an operator; a declaration derives from `Unary` or `Binary`, and from `Connective` or `Past`.

    The class attributes below are set by `operator`.
    """

    word: ClassVar[str] = ""  # its keyword
    right_associative: ClassVar[bool] = False  # a op b op c means a op (b op c)
    window_needed: ClassVar[bool] = False  # whether a window must follow the keyword
    doc: ClassVar[str] = ""  # what it means, for documentation
    examples: ClassVar[tuple[tuple[str, str], ...]] = ()  # (text, meaning): they print as they are written
    # The error where an operator about the past may not stand.
    refusal: ClassVar[str] = (
        "'{word}' is about the past, which only the text of a proposition may be; "
        "wanted a proposition such as 'seen: once sign(\"DETOUR\")'"
    )

    @property
    def window_text(self) -> str:
        """The window as it is written; empty for none."""
        return str(getattr(self, "window", None) or "")

    @classmethod
    def has_window(cls) -> bool:
        """Whether a window may follow the keyword."""
        return "window" in cls.__dataclass_fields__


@dataclass(frozen=True)
class Unary(OperatorNode):
    """An operator before its one operand."""

    operand: Formula

    def __str__(self) -> str:
        return f"{self.word}{self.window_text} {_within(self.operand, self.binding)}"

    @property
    def parts(self) -> tuple[Any, ...]:
        """The operand."""
        return (self.operand,)

    def with_parts(self, parts: Sequence[Any]) -> Formula:
        """The operator before another operand."""
        return replace(self, operand=parts[0])


@dataclass(frozen=True)
class Binary(OperatorNode):
    """An operator between two operands."""

    left: Formula
    right: Formula

    def __str__(self) -> str:
        left, right = self.binding + self.right_associative, self.binding + (not self.right_associative)
        return f"{_within(self.left, left)} {self.word}{self.window_text} {_within(self.right, right)}"

    @property
    def parts(self) -> tuple[Any, ...]:
        """The two operands."""
        return self.left, self.right

    def with_parts(self, parts: Sequence[Any]) -> Formula:
        """The operator between two other operands."""
        return replace(self, left=parts[0], right=parts[1])


class Connective(OperatorNode):
    """An operator whose truth depends on the truth of its operands now: `apply` says how, once for all evaluators."""

    apply: ClassVar[Callable[..., Any]]  # of bools or bool arrays; they share & | ^, but not ~

    @staticmethod
    @abstractmethod
    def to_sympy(*operands: Any) -> Any:
        """The same of sympy Booleans."""

    @classmethod
    def apply_to_arrays(cls) -> Callable[..., Any]:
        """A function of bool arrays that is `apply`, for a connective that has a faster one."""
        return cls.apply

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """`apply` to the operands' values."""
        apply, operands = type(self).apply, [to.formula(part) for part in self.parts]
        if len(operands) == 1:
            (f,) = operands
            return lambda situation: apply(f(situation))
        a, b = operands
        return lambda situation: apply(a(situation), b(situation))

    def trace(self, over: Trace) -> np.ndarray:
        """`apply` to the operands' traces."""
        return self.apply_to_arrays()(*[part.trace(over) for part in self.parts])  # type: ignore[no-any-return]

    def monitor(self, build: Builder) -> Part:
        """`apply` to the operands' values at the tick."""
        apply, operands = self.apply_to_arrays(), [build.formula(part) for part in self.parts]
        if len(operands) == 1:
            (f,) = operands
            return lambda tick: apply(np.asarray(f(tick)))
        a, b = operands
        return lambda tick: apply(np.asarray(a(tick)), np.asarray(b(tick)))

    def sympy(self, convert: Callable[[Formula], Any]) -> Any:
        """`to_sympy` of the operands."""
        return self.to_sympy(*(convert(part) for part in self.parts))


class Past(OperatorNode):
    """An operator about the past: a declaration defines `trace` and `monitor`."""

    temporal: ClassVar[bool] = True

    def compile(self, to: Compiler) -> Callable[[Any], Any]:
        """Raises TypeError: one situation does not show the past."""
        raise TypeError(f"'{self}' is about the past, which one situation does not show; wanted a trace or a Monitor")

    @abstractmethod
    def trace(self, over: Trace) -> np.ndarray:
        """See `Formula.trace`."""

    @abstractmethod
    def monitor(self, build: Builder) -> Part:
        """See `Formula.monitor`."""


def operator(
    word: str,
    doc: str,
    *examples: tuple[str, str],
    binding: int = BEFORE,
    right_associative: bool = False,
    window_needed: bool = False,
) -> Callable[[Declared], Declared]:
    """Declare a class of nodes as an operator of the rule language.

    Args:
        word: its keyword.
        doc: what it means, in one sentence.
        examples: (text, meaning), printed as written; over propositions such as `raining`, `night` and `foggy` for a
            connective, over the variables of an actor `van` and a sign `board` for an operator about the past.
        binding: how tightly an operator between two operands binds, more is tighter: `iff` 2, `implies` 3, `or` 4,
            `xor` 5, `and` 6, `since` 7. Operators of one binding share their associativity.
        right_associative: whether a op b op c means a op (b op c).
        window_needed: whether a window must follow the keyword; a field `window` alone makes it optional.

    Raises:
        ValueError: for a keyword that is taken or no lower-case word, and for a binding that does not fit.
    """

    def declare(node: Declared) -> Declared:
        if not (word.isascii() and word.isidentifier() and word == word.lower()):
            raise ValueError(f"the keyword {word!r} is no word; wanted lower-case letters, such as 'once'")
        if word in OPERATORS:
            raise ValueError(f"the operator '{word}' is declared already; wanted another keyword")
        if any(o.style == "function" and o.word == word for o in number_operators()):
            raise ValueError(f"the keyword '{word}' is the name of a function; wanted another")
        if window_needed and not node.has_window():
            raise ValueError(f"the operator '{word}' needs a window and has no field for one; wanted `window: Window`")
        if issubclass(node, Binary) != (0 < binding < BEFORE) or not issubclass(node, (Unary, Binary)):
            raise ValueError(
                f"the operator '{word}' has the binding {binding}; wanted 1 to {BEFORE - 1} between two operands, "
                f"and {BEFORE} before one"
            )
        odd = (o for o in OPERATORS.values() if o.binding == binding and o.right_associative != right_associative)
        if other := next(odd, None):
            raise ValueError(f"'{word}' binds as '{other.word}' and groups otherwise; wanted another binding")
        node.word, node.doc, node.examples = word, doc, examples
        node.binding, node.right_associative, node.window_needed = binding, right_associative, window_needed
        OPERATORS[word] = node
        return node

    return declare


def _within(operand: Formula, least: int) -> str:
    """An operand's text, in brackets where it binds less tightly than `least`."""
    return str(operand) if operand.binding >= least else f"({operand})"


# -------------------------------------------------------------------------------------------- operators of numbers
@dataclass(frozen=True)
class NumberOperator(Operation):
    """An operation on numbers with its own sign or word.

    Args:
        name: of the operation in a tree, such as "add".
        word: its sign or keyword.
        style: "infix", "prefix" or "function".
        apply: the operation on values, scalars or arrays.
        doc: what it means, in one sentence.
        examples: (text, meaning), as for `operator`.
        binding: of an infix sign: 1 for + and -, 2 for * and /; else ATOM.
        operands: the least and the greatest number of a function's operands; None for any.
        of_formulas: whether the operands are formulas.
    """

    name: str
    word: str
    style: str
    apply: Callable[..., Any]
    doc: str
    examples: tuple[tuple[str, str], ...] = ()
    binding: int = ATOM
    operands: tuple[int, int | None] = (2, 2)
    of_formulas: bool = False
    refusal: ClassVar[str] = "'{word}' is about the past, which only the text of a proposition may be"

    def text(self, number: Number) -> str:
        """`a + b`, `-a` or `max(a, b)`, with as few brackets as possible."""
        if self.style == "infix":
            left, right = number.operands
            return f"{_within_number(left, self.binding)} {self.word} {_within_number(right, self.binding + 1)}"
        if self.style == "prefix":
            return f"{self.word}{_within_number(number.operands[0], ATOM)}"
        return f"{self.word}({', '.join(map(str, number.operands))})"

    def compile(self, number: Number, to: Compiler) -> Callable[[Any], Any]:
        """`apply` to the operands' values."""
        apply, parts = self.apply, [to.number(o) for o in number.operands]
        return lambda situation: apply(*(part(situation) for part in parts))

    def trace(self, number: Number, over: Trace) -> Any:
        """`apply` to the operands' traces."""
        return self.apply(*(over.number(o) for o in number.operands))

    def monitor(self, number: Number, build: Builder) -> Part:
        """`apply` to the operands' values at the tick."""
        apply, parts = self.apply, [build.number(o) for o in number.operands]
        return lambda tick: apply(*(part(tick) for part in parts))


def number_operator(declared: NumberOperator) -> NumberOperator:
    """Declare an operation on numbers.

    Raises:
        ValueError: for a name that is taken, or a word that another operation of the same style has.
    """
    for other in number_operators():
        if (other.word, other.style) == (declared.word, declared.style):
            raise ValueError(f"the operation '{declared.word}' is declared already; wanted another word")
    add_operation(declared)
    return declared


def number_operators() -> tuple[NumberOperator, ...]:
    """The declared operations on numbers, in the order of their files."""
    return tuple(o for o in OPERATIONS.values() if isinstance(o, NumberOperator))


def _within_number(number: Number, least: int) -> str:
    return str(number) if number.binding >= least else f"({number})"
