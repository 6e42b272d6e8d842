"""`p iff q`: equivalence."""

from __future__ import annotations

from typing import Any

from scenarios.rules.operators.base import Binary, Connective, operator


@operator("iff", "both hold or neither does", ("raining iff night", "both or neither"), binding=2)
class Iff(Binary, Connective):
    """`left iff right`: both hold or neither does."""

    @staticmethod
    def apply(left: Any, right: Any) -> Any:
        """`not (left xor right)`."""
        return left ^ right ^ True

    @staticmethod
    def to_sympy(left: Any, right: Any) -> Any:
        """sympy's Equivalent."""
        from sympy.logic import boolalg

        return boolalg.Equivalent(left, right)
