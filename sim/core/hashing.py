"""Counter-based random numbers: a hash of integers."""

from __future__ import annotations

import numpy as np

from sim.core.kernel import kernel

_U = np.uint32

_M1, _M2, _M3 = _U(0x7FEB352D), _U(0x846CA68B), _U(0x9E3779B9)
_S15, _S16 = _U(15), _U(16)
_LOW = _U(0xFFFF)


@kernel(inline=True)
def mix(x):
    """A 32-bit hash of a 32-bit number (Wellons' lowbias32)."""
    x = _U(x)
    x = _U(x ^ (x >> _S16))
    x = _U(x * _M1)
    x = _U(x ^ (x >> _S15))
    x = _U(x * _M2)
    return _U(x ^ (x >> _S16))
