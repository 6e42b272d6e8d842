"""Pieces of error messages: lists of known names, and the nearest one to a typing error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'raining'?` for a known word that looks like `word`, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def known_names(known: Iterable[str]) -> str:
    """The known words as people list them: `a, b, c`, or `none`."""
    return ", ".join(known) or "none"
