"""One decorator for every Numba kernel: float32, cached on disk by the sources' hash, releasing the GIL.

There is one machine code per kernel and types: kernels work on worlds [start, stop), and `over_worlds` gives ranges to
threads. A `prange` twin of a kernel would be compiled apart and could round differently, and then a world's
bytes would depend on the batch size.  Traps that this avoids: a callee edited in another file returns the old
result from Numba's cache (the cache folder here is named after a hash of all kernel sources); serial and
parallel dispatchers of one function share a cache entry.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np

_SOURCES = Path(__file__).parent


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


@functools.cache
def kernel_cache() -> str:
    """Folder of the compiled kernels, named after the sources they came from."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.parent.glob("*/*.py")):
        text = path.read_bytes()
        if b"import kernel" in text or path.name in ("kernel.py", "types.py"):
            digest.update(path.name.encode() + b"\0" + text)
    return str(cache_root() / "kernels" / digest.hexdigest()[:16])


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False) -> Any:
    """Compile a function with Numba when it is first called, and keep the machine code on disk.

    Args:
        inline: for small leaf functions: inlined in LLVM, where reference counting of arrays disappears.
    """
    if function is None:
        return functools.partial(kernel, inline=inline)
    config: Any = numba.config  # typeshed does not know its settings
    before = config.CACHE_DIR
    config.CACHE_DIR = kernel_cache()
    try:
        # A kernel that another one calls is always inlined. Otherwise the caller's machine code has a copy of its own,
        # optimised in its place, and a process that has compiled both runs the callee's instead: results would differ
        # in the last bit between the process that compiles and those that read the cache.
        options: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy", "forceinline": True}
        return numba.njit(cache=not inline, **options)(function)  # small ones live in their callers' cache entries
    finally:
        config.CACHE_DIR = before


@functools.lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="worlds")


def over_worlds(run: Callable[[int, int], Any], worlds: int, threads: int, least: int = 16) -> None:
    """Call run(start, stop) so that [0, worlds) is covered, on `threads` threads where that pays.

    Args:
        least: a range smaller than this is not worth a thread.
    """
    parts = min(threads, worlds // least)
    if parts < 2:
        run(0, worlds)
        return
    edges = np.linspace(0, worlds, parts + 1).astype(int)
    for future in [_pool(threads).submit(run, int(a), int(b)) for a, b in pairwise(edges)]:
        future.result()
