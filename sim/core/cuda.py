"""Compiles the CPU kernels for CUDA GPUs with numba-cuda.

numba-cuda cannot call functions that Numba compiled for the CPU. So `device` rebuilds a kernel's Python function, with
every kernel that it calls replaced likewise and inlined before types are known. Compiling then needs a target but no
GPU and no driver.  `per_world` makes the launcher: one thread a world, which suits every kernel that works on worlds
[start, stop).

The tests check that the kernels compile to PTX without double precision, local memory or foreign calls, and that
numba-cuda's simulator (Python in place of a GPU) computes what the CPU does.  The kernels have not been run or timed on
a GPU so far. Sines and divisions are approximated there, so results match the CPU's to rounding and not to the byte.

`numba.cuda` is imported at use: only the extra `gpu` installs its compiler.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import importlib.util
import inspect
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

CAPABILITY = (8, 0)  # compute capability that PTX is compiled for: Ampere; newer GPUs run it too
THREADS = 128  # in a block
_LACKING = {"floor": "floorf", "sqrt": "sqrtf", "hypot": "hypotf", "arctan2": "atan2f"}  # numpy name -> libdevice name


@functools.cache
def _cuda() -> Any:
    """The module `numba.cuda` of numba-cuda, which replaces the older one that Numba ships.

    Raises:
        ImportError: where it is not installed.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise ImportError("compiling kernels for a GPU needs numba-cuda; install homunculus[gpu]")
    from numba import cuda

    return cuda


def _numpy(names: tuple[str, ...]) -> types.ModuleType:
    """A module with the numpy names that a kernel uses; libdevice's where numba-cuda has no scalar version."""
    module = types.ModuleType("numpy")
    for name in names:
        if hasattr(np, name):
            setattr(module, name, getattr(np, name))
    if hasattr(_cuda(), "libdevice"):  # the simulator has none and needs none
        for name, there in _LACKING.items():
            setattr(module, name, getattr(_cuda().libdevice, there))
    return module


@functools.cache
def device(function: Any) -> Any:
    """Compile a kernel as a numba-cuda device function, which `cuda.jit` kernels and device functions can call.

    Args:
        function: a kernel, as `sim.core.kernel.kernel` returns it.

    Raises:
        ImportError: without numba-cuda; TypeError: for a function that is no kernel.
    """
    python = getattr(function, "py_func", None)
    if python is None:
        raise TypeError(f"{function!r} is no kernel; wanted what @kernel made")
    names = python.__code__.co_names
    around = dict(python.__globals__)
    for name in names:
        value = around.get(name)
        if value is np:
            around[name] = _numpy(names)
        elif hasattr(value, "py_func"):
            around[name] = device(value)
    rebuilt = types.FunctionType(python.__code__, around, python.__name__, python.__defaults__)
    return _cuda().jit(device=True, fastmath=True, inline="always")(rebuilt)


@functools.cache
def per_world(function: Any) -> Any:
    """Compile a kernel that works on worlds [start, stop) as a `cuda.jit` launcher with one thread a world.

    The launcher takes the function's arguments without `start` and `stop`, then the number of worlds B. Call it as
    `per_world(f)[blocks(B), THREADS](..., B)` on arrays that are on the device.

    Args:
        function: a kernel whose last two arguments are `start` and `stop`.

    Raises:
        ImportError: without numba-cuda; TypeError: for another function.
    """
    body = device(function)
    names = list(inspect.signature(function.py_func).parameters)
    if names[-2:] != ["start", "stop"]:
        raise TypeError(f"{function.__name__} works on ({', '.join(names)}); wanted start and stop at the end")
    # numba-cuda inlines no call with *arguments, so the launcher's source names each of the function's arguments.
    listed = ", ".join(names[:-2])
    source = (
        f"def launched({listed}, worlds):\n    w = cuda.grid(1)\n    if w < worlds:\n        body({listed}, w, w + 1)\n"
    )
    scope: dict[str, Any] = {"cuda": _cuda(), "body": body}
    exec(compile(source, f"<launch of {function.__name__}>", "exec"), scope)
    return _cuda().jit(fastmath=True)(scope["launched"])


def blocks(worlds: int) -> int:
    """The number of blocks of THREADS threads that cover this many worlds."""
    return -(-worlds // THREADS)


def ptx(made: Any, signature: tuple[Any, ...], capability: tuple[int, int] = CAPABILITY) -> str:
    """The PTX of a function that `device` or `per_world` returned; needs no GPU.

    Args:
        made: a device function, or a kernel to launch.
        signature: Numba's types of its arguments.
        capability: compute capability, major and minor.

    Raises:
        ImportError: without numba-cuda; Numba's own errors for a function that does not compile.
    """
    import numba

    inner = bool(made.targetoptions.get("device"))
    wanted = signature if inner else numba.void(*signature)  # a launched kernel returns nothing
    with _target(capability), _quick_copies():
        code, _ = _cuda().compile(
            made.py_func, wanted, cc=capability, device=inner, abi="numba", output="ptx", fastmath=True
        )
    return str(code)


@contextlib.contextmanager
def _target(capability: tuple[int, int]) -> Iterator[None]:
    """Set the compute capability as NUMBA_FORCE_CUDA_CC does, and let numba-cuda run without NVRTC.

    NVRTC is a library of 90 MB that compiles C++. numba-cuda asks it for the list of targets, and looks for its file
    together with the files of the compiler that is needed here.
    """
    from numba.cuda.core import config

    cuda_paths: Any = importlib.import_module("numba.cuda.cuda_paths")
    before = config.FORCE_CUDA_CC, cuda_paths._get_nvrtc_path
    config.FORCE_CUDA_CC, cuda_paths._get_nvrtc_path = capability, lambda: None
    try:
        yield
    finally:
        config.FORCE_CUDA_CC, cuda_paths._get_nvrtc_path = before
        if hasattr(cuda_paths.get_cuda_paths, "_cached_result"):
            del cuda_paths.get_cuda_paths._cached_result  # it lacks NVRTC's file, which a launch needs


class _BlockCopies:
    """The module `copy` as numba-cuda's inliner uses it, but the blocks of a function get one copy of its scope.

    The inliner deep-copies a function block by block, and each copied block brings a copy of all of the function's
    variables: for the whole of traffic, 14 million of them. Only the scope's contents are read afterwards, so one copy
    for all blocks gives the same PTX.
    """

    def __init__(self) -> None:
        self._scope: Any = None  # of the block that was copied last; kept alive, so that no other has its identity
        self._copied: Any = None

    def deepcopy(self, value: Any, memo: dict[int, Any] | None = None) -> Any:
        scope = getattr(value, "scope", None)
        if memo is not None or scope is None:
            return copy.deepcopy(value, memo)
        copied = copy.deepcopy(value, {id(scope): self._copied} if scope is self._scope else None)
        self._scope, self._copied = scope, copied.scope
        return copied

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)


@contextlib.contextmanager
def _quick_copies() -> Iterator[None]:
    """Compile the whole of traffic in a third of the time, see `_BlockCopies`."""
    inliner: Any = importlib.import_module("numba.cuda.core.inline_closurecall")
    before = inliner.copy
    inliner.copy = _BlockCopies()
    try:
        yield
    finally:
        inliner.copy = before
