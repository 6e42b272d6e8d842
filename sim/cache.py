"""What was made once is kept on disk: a file that can be read is read, any other is made again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def kept(
    place: Path, read: Callable[[Path], T], make: Callable[[], T], write: Callable[[Path, T], None], what: str
) -> T:
    """What `read` finds at `place`; where there is nothing, or nothing readable, what `make` makes, written there.

    Args:
        what: it is, for the warning about a file that cannot be read.
    """
    if place.is_file():
        try:
            return read(place)
        except Exception as error:  # whatever is wrong with it, it can be made again
            warnings.warn(f"cached {what} {place} cannot be read ({error}); making it again", stacklevel=3)
    made = make()
    write(place, made)
    return made
