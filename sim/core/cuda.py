"""The kernels for a GPU: the same functions compiled by numba-cuda, so that the GPU's world is a launch away.

numba-cuda cannot call what Numba compiled for the CPU, so `device` builds a kernel's Python function again, with every
kernel that it calls replaced likewise and inlined before types are known: compiling then wants a target but no GPU and
no driver.  `per_world` is the launch: one thread a world, which suits every kernel that works on worlds [start, stop).

What is checked: they compile to PTX without double precision, local memory or foreign calls, and numba-cuda's simulator
(Python in place of a GPU) computes what the CPU does.  Never run on a GPU so far, hence never timed; sines and
divisions are approximated there, so expect the CPU's numbers to rounding and not to the byte.

`numba.cuda` is imported at use: only the extra `gpu` brings its compiler.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

CAPABILITY = (8, 0)  # compute capability that PTX is made for: Ampere; newer GPUs run it too
THREADS = 128  # of a block
_LACKING = {"floor": "floorf", "sqrt": "sqrtf", "hypot": "hypotf", "arctan2": "atan2f"}  # of numpy -> of libdevice


@functools.cache
def _cuda() -> Any:
    """numba-cuda, which takes the place of the older `numba.cuda` that Numba ships.

    Raises:
        ImportError: where it is not installed.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise ImportError("compiling kernels for a GPU needs numba-cuda; install homunculus[gpu]")
    from numba import cuda

    return cuda


def _numpy(names: tuple[str, ...]) -> types.ModuleType:
    """numpy as a device sees it: of numpy's names those that are used, with what numba-cuda lacks for scalars."""
    module = types.ModuleType("numpy")
    for name in names:
        if hasattr(np, name):
            setattr(module, name, getattr(np, name))
    if hasattr(_cuda(), "libdevice"):  # the simulator has none, and needs none
        for name, there in _LACKING.items():
            setattr(module, name, getattr(_cuda().libdevice, there))
    return module


@functools.cache
def device(function: Any) -> Any:
    """A kernel as a numba-cuda device function, which `cuda.jit` kernels and other device functions can call.

    Args:
        function: what `sim.core.kernel.kernel` returned.

    Raises:
        ImportError: without numba-cuda; TypeError: for what is no kernel.
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
    """A `cuda.jit` kernel that runs a kernel of worlds [start, stop), one thread a world.

    Its arguments are the function's without `start` and `stop`, then the number of worlds B. It is launched as
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
    # numba-cuda inlines no call with *arguments, so the launcher is written out with the function's own names.
    listed = ", ".join(names[:-2])
    source = (
        f"def launched({listed}, worlds):\n    w = cuda.grid(1)\n    if w < worlds:\n        body({listed}, w, w + 1)\n"
    )
    scope: dict[str, Any] = {"cuda": _cuda(), "body": body}
    exec(compile(source, f"<launch of {function.__name__}>", "exec"), scope)
    return _cuda().jit(fastmath=True)(scope["launched"])


def blocks(worlds: int) -> int:
    """How many blocks of THREADS threads cover so many worlds."""
    return -(-worlds // THREADS)


def ptx(made: Any, signature: tuple[Any, ...], capability: tuple[int, int] = CAPABILITY) -> str:
    """The PTX of what `device` or `per_world` made; needs no GPU.

    Args:
        made: a device function, or a kernel to launch.
        signature: Numba's types of its arguments.
        capability: compute capability, major and minor.

    Raises:
        ImportError: without numba-cuda; Numba's own errors for what does not compile.
    """
    import numba

    inner = bool(made.targetoptions.get("device"))
    wanted = signature if inner else numba.void(*signature)  # what is launched returns nothing
    with _target(capability):
        code, _ = _cuda().compile(
            made.py_func, wanted, cc=capability, device=inner, abi="numba", output="ptx", fastmath=True
        )
    return str(code)


@contextlib.contextmanager
def _target(capability: tuple[int, int]) -> Iterator[None]:
    """Name the target as NUMBA_FORCE_CUDA_CC does, and let numba-cuda do without NVRTC.

    It is a library of 90 MB that compiles C++: numba-cuda asks it which targets there are, and looks for its file
    together with those of the compiler that is wanted here.
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
            del cuda_paths.get_cuda_paths._cached_result  # it lacks NVRTC's file, which a launch wants
