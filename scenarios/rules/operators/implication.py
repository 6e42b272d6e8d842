"""`p implies q`: material implication."""

from __future__ import annotations

from typing import Any

from scenarios.rules.operators.base import Binary, Connective, operator


@operator(
    "implies",
    "q holds wherever p does",
    ("raining implies night implies foggy", "`raining implies (night implies foggy)`"),
    binding=3,
    right_associative=True,
)
class Implies(Binary, Connective):
    """`left implies right`."""

    @staticmethod
    def apply(left: Any, right: Any) -> Any:
        """`not left or right`."""
        return (left ^ True) | right

    @staticmethod
    def to_sympy(left: Any, right: Any) -> Any:
        """sympy's Implies."""
        from sympy.logic import boolalg

        return boolalg.Implies(left, right)
