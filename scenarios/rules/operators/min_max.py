"""`min(a, b)` and `max(a, b)`: the less and the greater of two numbers."""

from __future__ import annotations

import numpy as np

from scenarios.rules.operators.base import NumberOperator, number_operator

LEAST = number_operator(
    NumberOperator(
        "least", "min", "function", np.minimum, "the less of two numbers",
        (("ego.speed < min(10, weather.precipitation)", "the less of the two"),),
    )
)  # fmt: skip
MOST = number_operator(
    NumberOperator(
        "most", "max", "function", np.maximum, "the greater of two numbers",
        (("ego.speed * 2 + 1 >= max(10, weather.precipitation / 4)", "arithmetic"),),
    )
)  # fmt: skip
