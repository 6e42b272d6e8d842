"""`p xor q`: exclusive disjunction."""

from __future__ import annotations

import operator as operators
from typing import Any

from scenarios.rules.operators.base import Binary, Connective, operator


@operator("xor", "exactly one of them holds", ("raining xor night", "exactly one of the two"), binding=5)
class Xor(Binary, Connective):
    """`left xor right`: exactly one of them holds."""

    apply = operators.xor

    @staticmethod
    def to_sympy(left: Any, right: Any) -> Any:
        """sympy's Xor."""
        from sympy.logic import boolalg

        return boolalg.Xor(left, right)
