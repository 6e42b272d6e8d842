"""Errors of the rule language, with the place in the text."""

from __future__ import annotations


class RuleError(ValueError):
    """A rule, formula or proposition that cannot be parsed; the message says what, where, and what is known."""
