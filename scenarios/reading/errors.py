"""Errors of the rule language, with the place in the text."""

from __future__ import annotations


class RuleError(ValueError):
    """A rule, formula or proposition that cannot be read; the text says what, where, and what is known."""
