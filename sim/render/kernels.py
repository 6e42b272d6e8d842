"""Decorators of code that cameras run for every world, face or pixel, and the choice of such code by type.

Such code is compiled as `sim.core.kernel.kernel` compiles it, but without the counting of references to arrays: where a
NamedTuple of arrays is passed on for every pixel, the counting makes a picture cost 2.4 times as much.  It must not
create arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numba.extending

_OPTIONS: Any = {"forceinline": True, "nogil": True, "fastmath": True, "error_model": "numpy", "_nrt": False}

# Decorators of functions that kernels call. A pasted kernel is compiled as if its code stood in its callers: it rounds
# as there, and is faster where it returns several numbers.
inner_kernel: Any = functools.partial(numba.njit, **_OPTIONS)
pasted_kernel: Any = functools.partial(numba.njit, inline="always", **_OPTIONS)


def implements(
    function: Callable[..., Any], *classes: type | tuple[type, ...]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: kernels run the decorated code for `function` where its first arguments have these types.

    Numba chooses among all code that is registered for the function; code for other types is not compiled. A kernel
    must stand in a module that imports the code: its cache on disk is named after what its module imports.

    Args:
        function: without a body. classes: for each argument a NamedTuple, or a tuple of several.
    """
    wanted = [c if isinstance(c, tuple) else (c,) for c in classes]

    def register(code: Callable[..., Any]) -> Callable[..., Any]:
        def choose(*arguments: Any) -> Callable[..., Any] | None:
            given = [getattr(a, "instance_class", None) for a in arguments]
            return code if all(a in known for a, known in zip(given, wanted)) else None

        numba.extending.overload(function, jit_options=_OPTIONS, strict=False, inline="always")(choose)
        return code

    return register
