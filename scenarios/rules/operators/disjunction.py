"""`p or q`: disjunction."""

from __future__ import annotations

import operator as operators
from typing import Any

from scenarios.rules.operators.base import Binary, Connective, operator


@operator("or", "at least one of them holds", ("raining or night", "one of the two or both"), binding=4)
class Or(Binary, Connective):
    """`left or right`: at least one of them holds."""

    apply = operators.or_

    @staticmethod
    def to_sympy(left: Any, right: Any) -> Any:
        """sympy's Or."""
        from sympy.logic import boolalg

        return boolalg.Or(left, right)
