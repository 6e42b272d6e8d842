"""One decorator for every Numba kernel: float32, cached on disk by the sources' hash, releasing the GIL.

There is one machine code per kernel and types: kernels work on worlds [start, stop), and `parallel_for` gives ranges to
threads. A `prange` twin of a kernel would be compiled apart and could round differently, and then a world's
bytes would depend on the batch size.  Traps that this avoids: a callee edited in another file returns the old
result from Numba's cache (the cache folder here is named after a hash of all kernel sources); serial and
parallel dispatchers of one function share a cache entry.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np

from sim.core.cache import cache_root

_PACKAGES = tuple(Path(__file__).parents[2] / name for name in ("sim", "scenarios", "policies", "dagger", "probes"))
_APART = ("carla", "envs", "metrics", "viz")  # of sim: no kernel reads a constant of theirs


@functools.cache
def kernel_cache() -> str:
    """Folder of the compiled kernels, named after the sources they came from.

    These are all modules with kernels, and those that kernels take constants from: the whole of `sim`, _APART apart.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted(package.rglob("*.py")):
            text, parts = path.read_bytes(), path.relative_to(package).parts
            if b"import kernel" in text or (package.name == "sim" and parts[0] not in _APART):
                digest.update(path.relative_to(package.parent).as_posix().encode() + b"\0" + text)
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


def parallel_for(run: Callable[[int, int], Any], worlds: int, threads: int, least: int = 16) -> None:
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
