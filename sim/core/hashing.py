"""Counter-based random numbers: a hash of integers."""

from __future__ import annotations

import numpy as np

from sim.core.kernel import kernel

_U = np.uint32
# Constants of the hash; M3 is 2^32 over the golden ratio: multiples of it by consecutive numbers lie far apart.
M1, M2, M3 = _U(0x7FEB352D), _U(0x846CA68B), _U(0x9E3779B9)
S15, S16 = _U(15), _U(16)
LOW = _U(0xFFFF)


@kernel(inline=True)
def hash_u32(x):
    """A 32-bit hash of a 32-bit number (Wellons' lowbias32)."""
    x = _U(x)
    x = _U(x ^ (x >> S16))
    x = _U(x * M1)
    x = _U(x ^ (x >> S15))
    x = _U(x * M2)
    return _U(x ^ (x >> S16))
