"""Builds formulas and numbers from parse trees, and checks truth values, numbers and units.

A `Reader` walks the parse tree of one text. `scenarios.rules.parse` (for rules, whose names are propositions) and
`scenarios.rules.conditions` (for propositions, whose names are variables) define the meaning of names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import lark

from scenarios.reading.errors import RuleError
from scenarios.rules.ast import Comparison, Constant, Formula, Name, TextComparison, Window
from scenarios.rules.grammar import FUNCTION, OPERATION, OPERATOR, pointed
from scenarios.rules.numbers import OPERATIONS, Number
from scenarios.rules.operators.base import OPERATORS, NumberOperator, OperatorNode
from scenarios.rules.units import FAMILIES, converted, own_unit, units_of
from scenarios.rules.variables import functions
from scenarios.rules.variables.base import Variable
from sim.core.errors import did_you_mean, known_names


class Reader(ABC):
    """Builds the trees of one text.

    Args:
        text: the parsed text, for the carets of errors.
        past: whether past-time operators and counts over time may stand there.
    """

    def __init__(self, text: str, past: bool) -> None:
        self.text = text
        self.past = past

    # ----------------------------------------------------------------------------------- meaning of the names
    @abstractmethod
    def kind(self, token: lark.Token) -> str:
        """The type of a name's value: "truth", "number" or "words"; raises RuleError for an unknown one."""

    @abstractmethod
    def truth(self, token: lark.Token) -> Formula:
        """The formula for a name of kind "truth"."""

    @abstractmethod
    def example(self, token: lark.Token) -> str:
        """An example of a comparison for a name that is not a truth value, such as `weather.wetness > 0`."""

    @abstractmethod
    def call(self, function: Variable, token: lark.Token) -> str:
        """The variable for a function of words or of a sign, such as `sign("DETOUR")` and `number(signs.exit)`."""

    @abstractmethod
    def family(self, variable: str) -> str | None:
        """The family of units that a variable is measured in (`scenarios.rules.units`); None for a bare number."""

    def wording(self, operands: Sequence[Any], between: Sequence[lark.Token]) -> TextComparison:
        """A comparison with words on at least one side."""
        said = next(o.children[0] for o in operands if self._kind(o) == "words")
        raise self.error(f"{said} is words, which a rule does not compare; wanted a proposition that does", said)

    # ------------------------------------------------------------------------------------------------ formulas
    def error(self, sentence: str, part: Any) -> RuleError:
        """The error with a caret under a token or a part of the parse tree."""
        return pointed(sentence, self.text, part)

    def formula(self, tree: Any) -> Formula:
        """Build a formula from a parse tree.

        Raises:
            RuleError: for a number, words, unknown names, and past-time operators where they are not allowed.
        """
        match tree.data:
            case "true" | "false":
                return Constant(tree.data == "true")
            case "comparison":
                return self._comparison(tree)
            case "name" if self.kind(tree.children[0]) == "truth":
                return self.truth(tree.children[0])
        if declared := _operator_of(tree):
            return self._operator(declared, tree)
        if (function := _function_of(tree)) and function.type == "truth":
            return Name(self.call(function, tree.children[0]))
        raise self._no_truth(tree)

    def _no_truth(self, tree: Any) -> RuleError:
        what = "words" if self._kind(tree) == "words" else "a number"
        said = self.text[tree.meta.start_pos : tree.meta.end_pos]
        example = self.example(tree.children[0]) if tree.data == "name" else f"{said} > 0"
        if tree.data == "words":
            example = f"signs.board.text == {said}"
        return self.error(f"'{said}' is {what}, not true or false; wanted a comparison such as '{example}'", tree)

    def _operator(self, declared: type[OperatorNode], tree: Any) -> Formula:
        if declared.temporal and not self.past:
            raise self.error(declared.refusal.format(word=declared.word), tree)
        operands = [c for c in tree.children if c is not None and getattr(c, "data", "") != "window"]
        window = next((self._window(c) for c in tree.children if getattr(c, "data", "") == "window"), None)
        given = {"window": window} if declared.has_window() else {}
        return declared(*(self.formula(operand) for operand in operands), **given)

    def _window(self, tree: Any) -> Window:
        first, last = (self._seconds(bound.children[0]) for bound in tree.children)
        if last < first:
            raise self.error(f"the window ends {last:g} s ago and begins {first:g} s ago; wanted the less first", tree)
        return Window(first, last)

    def _seconds(self, token: lark.Token) -> float:
        if token.type == "NUMBER":
            return float(token)
        value, unit = _measured(token)
        if unit not in FAMILIES["time"]:
            known = units_of("time")
            told = f"'{unit}' is no unit of time; known are {known_names(known)}{did_you_mean(unit, known)}"
            raise self.error(told, _unit_token(token, unit))
        return converted(value, unit, "time")

    # ------------------------------------------------------------------------------------------------- numbers
    def _kind(self, tree: Any) -> str:
        """The type of a part of the parse tree: "truth", "number" or "words"."""
        if tree.data == "name":
            return self.kind(tree.children[0])
        if function := _function_of(tree):
            return function.type
        if tree.data in ("literal", "measure") or _operation_of(tree):
            return "number"
        return "words" if tree.data == "words" else "truth"

    def _comparison(self, tree: Any) -> Formula:
        operands, between = tree.children[::2], tree.children[1::2]
        if any(self._kind(o) == "words" for o in operands):
            return self.wording(operands, between)
        found = [v for o in operands for v in self._variables(o)]
        numbers = tuple(self.number(o, tuple(dict.fromkeys(found))) for o in operands)
        return Comparison(numbers, tuple(str(sign) for sign in between))

    def _variables(self, tree: Any) -> list[str]:
        """The variables that determine the unit of a number; those within a count do not."""
        if tree.data == "name":
            return [str(tree.children[0])]
        if (operation := _operation_of(tree)) and not operation.of_formulas:
            return [v for child in tree.children for v in self._variables(child)]
        return []

    def number(self, tree: Any, beside: tuple[str, ...] = ()) -> Number:
        """Build a number from a parse tree.

        Args:
            beside: the variables of the comparison that it stands in, whose unit a measure must fit.

        Raises:
            RuleError: for truth values, words, unknown names, and units that do not fit.
        """
        kind = self._kind(tree)
        if kind != "number":
            said = self.text[tree.meta.start_pos : tree.meta.end_pos]
            wanted = (
                f"use it alone, as in 'not {said}'" if kind == "truth" else "wanted to compare it alone by == or !="
            )
            what = "true or false" if kind == "truth" else "words"
            quoted = said if tree.data == "words" else f"'{said}'"
            raise self.error(f"{quoted} is {what}, not a number; {wanted}", tree)
        match tree.data:
            case "literal":
                return Number("literal", (float(tree.children[0]),))
            case "measure":
                return self._measure(tree.children[0], beside)
            case "name":
                return Number("quantity", (str(tree.children[0]),))
        if function := _function_of(tree):
            return Number("quantity", (self.call(function, tree.children[0]),))
        operation = _operation_of(tree)
        assert operation is not None, tree.data
        if operation.is_temporal(len(tree.children)) and not self.past:
            raise self.error(operation.refusal.format(word=operation.word), tree)
        if operation.of_formulas:
            return Number(operation.name, tuple(self.formula(child) for child in tree.children))
        return Number(operation.name, tuple(self.number(child, beside) for child in tree.children))

    def _measure(self, token: lark.Token, beside: tuple[str, ...]) -> Number:
        value, unit = _measured(token)
        at = _unit_token(token, unit)
        families = {v: self.family(v) for v in beside}
        different = list(dict.fromkeys(families.values()))
        if not different:
            raise self.error(f"'{token}' is measured, and nothing beside it is; wanted a bare number", at)
        if len(different) > 1:
            told = ", ".join(f"{v} in {own_unit(f) or '1' if f else '1'}" for v, f in families.items())
            raise self.error(f"'{token}' cannot be in the unit of {told} at once; wanted a bare number", at)
        variable, family = next(iter(families.items()))
        known = units_of(family) if family else ()
        if family is None or unit not in known:
            own = f"is in {own_unit(family)}" if family and own_unit(family) else "has no unit"
            wanted = f"known are {known_names(known)}{did_you_mean(unit, known)}" if known else "wanted a bare number"
            raise self.error(f"'{variable}' {own}, which '{unit}' does not fit; {wanted}", at)
        return Number("measure", (value, unit, converted(value, unit, family)))


def _operator_of(tree: Any) -> type[OperatorNode] | None:
    """The operator of formulas that a part of the parse tree applies."""
    name = str(tree.data)
    return OPERATORS[name.removeprefix(OPERATOR)] if name.startswith(OPERATOR) else None


def _operation_of(tree: Any) -> NumberOperator | None:
    """The operation on numbers that a part of the parse tree applies."""
    name = str(tree.data)
    found = OPERATIONS[name.removeprefix(OPERATION)] if name.startswith(OPERATION) else None
    return found if isinstance(found, NumberOperator) else None


def _function_of(tree: Any) -> Variable | None:
    """The function of words or of a sign that a part of the parse tree calls."""
    name = str(tree.data)
    return functions()[name.removeprefix(FUNCTION)] if name.startswith(FUNCTION) else None


def _measured(token: lark.Token) -> tuple[float, str]:
    """The value and the unit of a measure such as `30 km/h`."""
    digits = str(token).rstrip("%/_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return float(digits), str(token)[len(digits) :]


def _unit_token(token: lark.Token, unit: str) -> lark.Token:
    """Where the unit of a measure stands."""
    return lark.Token("UNIT", unit, start_pos=(token.start_pos or 0) + len(token) - len(unit))
