"""The disk cache: load an array from disk, or build and store it."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from sim.core.files import write_atomically

T = TypeVar("T")


def load_or_build(
    place: Path, read: Callable[[Path], T], make: Callable[[], T], write: Callable[[Path, T], None], what: str
) -> T:
    """Load from `place` with `read`; where that is not possible, build with `make` and store with `write`.

    Args:
        what: what the file holds, for the warning about a file that cannot be read.
    """
    if place.is_file():
        try:
            return read(place)
        except Exception as error:  # any fault of the file is harmless: it can be built again
            warnings.warn(f"cached {what} {place} cannot be read ({error}); making it again", stacklevel=3)
    made = make()
    write(place, made)
    return made


def cache_root() -> Path:
    """The cache folder: $HOMUNCULUS_CACHE, else the user's cache folder; everything in it can be built again.

    Falls back to a folder under the system's temporary directory where the user's cache folder cannot be written.

    Raises:
        PermissionError: where $HOMUNCULUS_CACHE is set and cannot be written.
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
    write_atomically(place, buffer.getvalue())
