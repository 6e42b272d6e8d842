"""`+`, `-`, `*`, `/`: arithmetic."""

from __future__ import annotations

import operator

from scenarios.rules.operators.base import NumberOperator, number_operator

for _name, _sign, _apply, _doc, _example, _binding in (
    ("add", "+", operator.add, "the sum", "ego.speed * 2 + 1 >= 10", 1),
    ("subtract", "-", operator.sub, "the difference", "ego.speed - 1 > 3", 1),
    ("multiply", "*", operator.mul, "the product", "ego.speed * 2 > 3", 2),
    ("divide", "/", operator.truediv, "the quotient", "weather.precipitation / 4 > 5", 2),
):
    number_operator(NumberOperator(_name, _sign, "infix", _apply, _doc, ((_example, _doc),), binding=_binding))
number_operator(
    NumberOperator("negative", "-", "prefix", operator.neg, "the negative", (("-ego.speed < 3", "the negative"),))
)
