"""`not p`: negation."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from typing import Any

from scenarios.rules.operators.base import Connective, Unary, operator


@operator("not", "true where p is false", ("not raining", "it does not rain"))
class Not(Unary, Connective):
    """`not operand`."""

    @staticmethod
    def apply(value: Any) -> Any:
        """`value ^ True`: ~ of a plain bool is an integer."""
        return value ^ True

    @classmethod
    def apply_to_arrays(cls) -> Callable[..., Any]:
        """~, which is faster there."""
        return operators.invert

    @staticmethod
    def to_sympy(value: Any) -> Any:
        """sympy's Not."""
        from sympy.logic import boolalg

        return boolalg.Not(value)
