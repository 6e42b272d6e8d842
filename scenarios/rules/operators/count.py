"""`count(p, q)`: how many formulas hold now; `count(p)`: how often p has become true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scenarios.rules.numbers import Number
from scenarios.rules.operators.base import NumberOperator, number_operator

if TYPE_CHECKING:
    from scenarios.rules.compile import Compiler
    from scenarios.rules.monitor import Builder, Part
    from scenarios.rules.trace import Trace


@dataclass(frozen=True)
class _Count(NumberOperator):
    """The count of several formulas now, or of one over time."""

    refusal: ClassVar[str] = (
        "a count of one thing is how often it has become true, which only a proposition may use; "
        "wanted two at least, such as 'count(a, b) >= 1'"
    )

    def is_temporal(self, operands: int) -> bool:
        return operands == 1

    def compile(self, number: Number, to: Compiler) -> Callable[[Any], Any]:
        if self.is_temporal(len(number.operands)):
            raise TypeError(
                f"'{number}' counts over time, which one situation does not show; wanted a trace or a Monitor"
            )
        counted = [to.formula(o) for o in number.operands]
        return lambda situation: sum(np.asarray(f(situation), np.int64) for f in counted)

    def trace(self, number: Number, over: Trace) -> Any:
        if self.is_temporal(len(number.operands)):
            return over.rising_edges(number.operands[0])
        return sum(over.truth(o).astype(np.int64) for o in number.operands)

    def monitor(self, number: Number, build: Builder) -> Part:
        if self.is_temporal(len(number.operands)):
            return build.rising_edges(number.operands[0])
        counted = [build.formula(o) for o in number.operands]
        return lambda tick: sum(np.asarray(f(tick)).astype(np.int64) for f in counted)


COUNT = number_operator(
    _Count(
        "count",
        "count",
        "function",
        lambda *values: sum(values),
        "how many of these hold; of one thing, in a proposition, how often it has become true",
        (
            ("count(raining, night, foggy) >= 2", "most of them"),
            ("count(raining, night) == count(foggy, night)", "as many of these as of those"),
            (
                'count(sign("EXIT")) >= 2',
                "how often something has become true; what is true at the start counts once",
            ),
            (
                "count(junction) + 1 == number(signs.board)",
                "the next side road is the one whose number is on the board",
            ),
        ),
        operands=(1, None),
        of_formulas=True,
    )
)
