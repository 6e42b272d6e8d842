"""Words and numbers in the text of a board."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

_WHOLE = r"(?<![\w.,])(\d+)(?!\w|[.,]\d)"


def text_equals(words: str, phrase: str) -> bool:
    """Whether the words on a board contain a whole word or phrase."""
    pattern = r"\s+".join(map(re.escape, phrase.split()))
    return bool(pattern) and re.search(rf"(?<!\w){pattern}(?!\w)", words) is not None


def number_in(words: str, behind: str = "") -> int:
    """The first whole number in the words on a board, or the one behind a word; 0 where there is none."""
    pattern = rf"(?<!\w){re.escape(behind)}\s+{_WHOLE}" if behind else _WHOLE
    found = re.search(pattern, words)
    return int(found[1]) if found else 0


def text_variables(words: Any, value: Callable[[str], Any]) -> Any:
    """Apply a function of words to a text or to texts (B,)."""
    if not np.ndim(words):
        return value(str(words))
    different, row = np.unique(words, return_inverse=True)
    return np.array([value(str(w)) for w in different])[row].reshape(np.shape(words))
