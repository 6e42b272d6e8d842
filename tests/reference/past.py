"""The slow twin of `scenarios.rules.trace` and `.monitor`: one world, one tick at a time, textbook definitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.rules.ast import Comparison, Constant, Formula, Name, TextComparison, Window
from scenarios.rules.numbers import Number
from scenarios.rules.operators.conjunction import And
from scenarios.rules.operators.disjunction import Or
from scenarios.rules.operators.equivalence import Iff
from scenarios.rules.operators.exclusive_or import Xor
from scenarios.rules.operators.historically import Historically
from scenarios.rules.operators.implication import Implies
from scenarios.rules.operators.negation import Not
from scenarios.rules.operators.once import Once
from scenarios.rules.operators.previous import Previous
from scenarios.rules.operators.since import Since
from scenarios.rules.operators.throughout import Throughout

Past = Mapping[str, Sequence[Any]]  # variable -> its values at ticks 0, 1, ...


def ages(window: Window | None, now: int, tick: float) -> list[int]:
    """How many ticks ago the ticks of a window were, as far as there were any."""
    return [age for age in range(now + 1) if _within(window, age, tick)]


def _within(window: Window | None, age: int, tick: float) -> bool:
    return window is None or window.first - 1e-9 <= age * tick <= window.last + 1e-9


def holds(tree: Formula, past: Past, now: int, tick: float) -> bool:
    """Whether a condition holds at tick `now`."""

    def at(part: Formula, when: int) -> bool:
        return holds(part, past, when, tick)

    match tree:
        case Constant(value):
            return value
        case Name("junction"):
            return bool(past["ego.junctions"][now] > (past["ego.junctions"][now - 1] if now else 0))
        case Name(name):
            return bool(past[name][now])
        case TextComparison(variable, sign, words):
            return bool(past[variable][now] == words) is (sign == "==")
        case Comparison(numbers, signs):
            values = [number(n, past, now, tick) for n in numbers]
            return all(_compare(s, a, b) for s, a, b in zip(signs, values, values[1:]))
        case Not(operand):
            return not at(operand, now)
        case Previous(operand):
            return now > 0 and at(operand, now - 1)
        case Once(operand, window):
            return any(at(operand, now - age) for age in ages(window, now, tick))
        case Historically(operand, window):
            return all(at(operand, now - age) for age in ages(window, now, tick))
        case Throughout(operand, window):
            every = [age for age in range(math.ceil(window.last / tick) + 2) if _within(window, age, tick)]
            return all(age <= now and at(operand, now - age) for age in every)
        case Since(left, right, window):
            return any(
                at(right, now - age) and all(at(left, later) for later in range(now - age + 1, now + 1))
                for age in ages(window, now, tick)
            )
    assert isinstance(tree, (And, Or, Xor, Implies, Iff)), f"no slow twin of '{tree}': add a case here"
    left, right = at(tree.left, now), at(tree.right, now)
    table = {
        And: left and right, Or: left or right, Xor: left is not right, Implies: right or not left, Iff: left is right,
    }  # fmt: skip
    return table[type(tree)]


def number(tree: Number, past: Past, now: int, tick: float) -> float:
    """The value of a number at tick `now`."""
    match tree.operation:
        case "literal" | "measure":
            return tree.operands[-1]
        case "quantity":
            return past[tree.operands[0]][now]
        case "count" if len(tree.operands) > 1:
            return sum(holds(o, past, now, tick) for o in tree.operands)
        case "count" if tree.operands[0] == Name("junction"):
            return past["ego.junctions"][now]
        case "count":
            truths = [False, *(holds(tree.operands[0], past, t, tick) for t in range(now + 1))]
            return sum(new and not old for old, new in itertools.pairwise(truths))
    a, *b = (number(o, past, now, tick) for o in tree.operands)
    match tree.operation:
        case "add":
            return a + b[0]
        case "subtract":
            return a - b[0]
        case "multiply":
            return a * b[0]
        case "negative":
            return -a
        case "least":
            return min(a, b[0])
    assert tree.operation == "most"
    return max(a, b[0])


def _compare(sign: str, a: float, b: float) -> bool:
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[sign]
