"""`p and q`: conjunction."""

from __future__ import annotations

import operator as operators
from typing import Any

from scenarios.rules.operators.base import Binary, Connective, operator


@operator("and", "both hold", ("raining and not night", "both"), binding=6)
class And(Binary, Connective):
    """`left and right`: both hold."""

    apply = operators.and_

    @staticmethod
    def to_sympy(left: Any, right: Any) -> Any:
        """sympy's And."""
        from sympy.logic import boolalg

        return boolalg.And(left, right)
