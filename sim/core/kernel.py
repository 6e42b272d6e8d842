"""The decorator of every Numba kernel: cached on disk by a hash of its sources, releasing the GIL.

Kernels compute in float32. Each kernel has one machine code per set of argument types: it works on worlds [start,
stop), and `parallel_for` gives ranges to threads. A second version with `prange` would be compiled separately and could
round differently, so that a world's bytes would depend on the batch size. This avoids two traps of Numba's cache: it
returns the old result after a callee in another file was edited (the cache folder here is named after a hash of all
files that the kernel's module imports), and serial and parallel dispatchers of one function share a cache entry.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.compiler_lock import global_compiler_lock

from sim.core.cache import cache_root
from sim.core.sources import ROOT, sources_of

_PACKAGES = ("sim", "scenarios", "policies", "dagger", "probes")
_APART = ("carla", "envs", "metrics", "viz")  # packages of sim whose constants no kernel reads


@functools.cache
def kernel_cache(module: str = "", root: Path = ROOT) -> str:
    """Folder of a module's compiled kernels, named after a hash of the sources that they depend on.

    The sources are the module and everything that it imports, so that an edit elsewhere keeps the machine code.

    Args:
        module: full name. Without one, or with one from outside the project, the sources are all modules with kernels
            and all modules that kernels read constants from: the whole of `sim` except _APART.
        root: folder that the packages lie in.
    """
    found = sources_of(module, root) or all_sources(root)
    digest = hashlib.sha256()
    for path in found:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + _text(path))
    return str(cache_root() / "kernels" / f"{module or 'all'}-{digest.hexdigest()[:16]}")


def all_sources(root: Path = ROOT) -> tuple[Path, ...]:
    """All modules with kernels, and all of `sim` that kernels may read constants from."""
    found = []
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            in_sim = package == "sim" and path.relative_to(root).parts[1] not in _APART
            if in_sim or b"import kernel" in _text(path):
                found.append(path)
    return tuple(found)


@functools.cache
def _text(path: Path) -> bytes:
    return path.read_bytes()


def compiled_mark(group: str) -> Path:
    """The file whose presence says that a group of kernels is compiled, see `mark_compiled`."""
    return Path(kernel_cache()) / f"{group.replace(' ', '-')}.compiled"


def mark_compiled(group: str) -> None:
    """Say to later processes that a group of kernels is compiled."""
    place = compiled_mark(group)
    place.parent.mkdir(parents=True, exist_ok=True)  # no module's kernels are in this folder, so nothing else makes it
    place.touch()


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False, allocates: bool = False) -> Any:
    """Compile a function with Numba when it is first called, and cache the machine code on disk.

    Args:
        inline: for functions that only other kernels call: they are inlined in LLVM, and they do not count references
            to arrays. So a kernel can hand a whole table (`World`, `MapArrays`) to them at no cost.
        allocates: for inline kernels that create arrays, which needs the counting.
    """
    if function is None:
        return functools.partial(kernel, inline=inline, allocates=allocates)
    config: Any = numba.config  # typeshed lacks its settings
    before = config.CACHE_DIR
    config.CACHE_DIR = kernel_cache(function.__module__)
    try:
        # A kernel that another kernel calls is always inlined. Otherwise the caller's machine code contains its own
        # optimised copy, but a process that has compiled both runs the callee's code instead: results would differ in
        # the last bit between the process that compiles and the processes that read the cache.
        options: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy", "forceinline": True}
        if inline and not allocates:
            options["_nrt"] = False  # Numba refuses to compile an allocation under it
        made = numba.njit(cache=not inline, **options)(function)  # inline kernels are in their callers' cache entries
    finally:
        config.CACHE_DIR = before
    if not inline:
        name = f"{function.__module__}.{function.__qualname__}"
        made.compile = functools.partial(_compile_once, made.compile, Path(kernel_cache(function.__module__)), name)
    return made


def kernel_file(name: str, types: Any) -> str:
    """The file that is locked while a kernel is compiled for argument types."""
    return f"{name}.{hashlib.sha256(repr(types).encode()).hexdigest()[:12]}.lock"


def _compile_once(compile_for: Callable[[Any], Any], folder: Path, name: str, types: Any) -> Any:
    """Compile a kernel for argument types, while every other process that wants the same waits for the result.

    Numba looks into the cache on disk again once the lock is held, so that the processes that waited only read.
    """
    # in this order in every thread, so that no two threads wait for each other
    with global_compiler_lock, _held(folder / kernel_file(name, types)):
        return compile_for(types)


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; without file locks, or in a folder that cannot be written, hold none."""
    try:
        import fcntl  # not on Windows

        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except (ImportError, OSError):
        yield
        return
    with file:  # closing the file, or the end of the process, releases the lock
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="worlds")


def parallel_for(run: Callable[[int, int], Any], worlds: int, threads: int, least: int = 16) -> None:
    """Call run(start, stop) so that [0, worlds) is covered, on up to `threads` threads.

    Args:
        least: smallest range that gets a thread of its own.
    """
    parts = min(threads, worlds // least)
    if parts < 2:
        run(0, worlds)
        return
    edges = np.linspace(0, worlds, parts + 1).astype(int)
    for future in [_pool(threads).submit(run, int(a), int(b)) for a, b in pairwise(edges)]:
        future.result()
