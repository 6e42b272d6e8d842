"""The disk cache: loads what was made before, or makes and stores it."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def load_or_build(
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


def cache_root() -> Path:
    """The folder for everything that can be made again: $HOMUNCULUS_CACHE, else the user's cache folder.

    Falls back to a folder under the system's temporary directory where neither can be written.
    """
    wanted = os.environ.get("HOMUNCULUS_CACHE")
    base = Path(wanted) if wanted else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homunculus"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if os.access(base, os.W_OK):
            return base
    except OSError:
        pass
    if wanted:
        raise PermissionError(f"HOMUNCULUS_CACHE={wanted} cannot be written; name a folder that can")
    base = Path(tempfile.gettempdir()) / f"homunculus-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    base.mkdir(parents=True, exist_ok=True)
    return base


def save_npz(place: Path, **arrays: np.ndarray) -> None:
    """Write arrays as one .npz file; another process sees the whole file or none."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getbuffer())
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
