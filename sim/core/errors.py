"""Parts of error messages: the list of known names, and the known name nearest to a typing error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'raining'?` for a known word similar to `word`, else an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def known_names(known: Iterable[str]) -> str:
    """The known words as a list in a sentence: `a, b, c`, or `none`."""
    return ", ".join(known) or "none"
