"""Who goes next at an all-way stop: first come, first served; of those who come together, who has nobody to the right.

Everybody who takes part is a row of whole numbers: where he is in the process (`PHASE`), the tick at which he came to
his line, the tick at which his turn began.  One has the turn at a time.  It is given half a second after the first one
came, so that who comes together is known, and passes on when he has left the junction, or has had it for PATIENCE and
stands: nobody blocks the others for ever.
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import wrap
from sim.core.kernel import kernel

TIE = np.float32(0.5)  # [s] within which two have come together
PATIENCE = np.float32(12.0)  # [s] that a turn lasts for one who stands
STANDS = np.float32(0.3)  # [m/s] slower than this is standing
COMING, WAITING, GOING, LEFT = range(4)  # phases: on the way to the line, at it, past it, out of the junction
MEMBER, PHASE, CAME, SERVED = range(4)  # columns: takes part, phase, tick at which he came and was served (-1: not yet)
_SIDE = np.float32(np.pi / 2)
_ASIDE = np.float32(np.pi / 4)  # [rad] by which a way from the right may differ from a right angle
_HALF = np.float32(0.5)


@kernel(inline=True)
def ticks_of(seconds, dt):  # type: ignore[no-untyped-def]
    """So many ticks of `dt` [s] are nearest to some seconds."""
    return np.int32(seconds / dt + _HALF)


@kernel(inline=True)
def deadlocked(w, i, tick, dt, line, speed):  # type: ignore[no-untyped-def]
    """Whether i had its turn for PATIENCE and stands: the others no longer wait for it."""
    served = line[w, i, SERVED]
    return served >= 0 and tick - served > ticks_of(PATIENCE, dt) and abs(speed[w, i]) < STANDS


@kernel(inline=True)
def blocked(w, i, n, tick, dt, line, speed):  # type: ignore[no-untyped-def]
    """Whether somebody else of the queue is on the junction, so that i may not enter it."""
    found = False
    for j in range(n):
        if (
            j != i
            and line[w, j, MEMBER] != 0
            and line[w, j, PHASE] == GOING
            and not deadlocked(w, j, tick, dt, line, speed)
        ):
            found = True
    return found


@kernel(inline=True)
def from_the_right(mine, other):  # type: ignore[no-untyped-def]
    """Whether who comes with the heading `other` comes from the right of who comes with the heading `mine` [rad]."""
    return abs(wrap(other - mine) - _SIDE) < _ASIDE


@kernel(inline=True)
def next_in_turn(w, n, tick, dt, line, heading):  # type: ignore[no-untyped-def]
    """The slot whose turn it is now among those who wait, -1 where there is nobody yet.

    Args:
        line: (B, N, 4) i32, the columns above; heading: (B, N) towards the junction [rad].
    """
    first = -1
    for i in range(n):
        if line[w, i, MEMBER] != 0 and line[w, i, PHASE] == WAITING and line[w, i, SERVED] < 0:
            if first < 0 or line[w, i, CAME] < line[w, first, CAME]:
                first = i
    if first < 0 or tick - line[w, first, CAME] < ticks_of(TIE, dt):
        return np.int64(-1)
    latest = line[w, first, CAME] + ticks_of(TIE, dt)
    chosen = -1
    for i in range(n):
        if line[w, i, MEMBER] == 0 or line[w, i, PHASE] != WAITING or line[w, i, SERVED] >= 0:
            continue
        if line[w, i, CAME] > latest:
            continue
        yields = False
        for j in range(n):
            if line[w, j, MEMBER] == 0 or line[w, j, PHASE] != WAITING or line[w, j, SERVED] >= 0:
                continue
            if j != i and line[w, j, CAME] <= latest and from_the_right(heading[w, i], heading[w, j]):
                yields = True
        if not yields and (chosen < 0 or line[w, i, CAME] < line[w, chosen, CAME]):
            chosen = i
    # a full circle of four who came together: then simply the first
    return np.int64(chosen if chosen >= 0 else first)


@kernel(inline=True)
def give_turn(w, n, tick, dt, turn, line, heading, speed):  # type: ignore[no-untyped-def]
    """Let the turn of world w pass on, where it is over.

    Args:
        turn: (B,) i32, who has it, -1 for nobody.
    """
    holder = turn[w]
    if holder >= 0 and line[w, holder, PHASE] != LEFT and not deadlocked(w, holder, tick, dt, line, speed):
        return
    chosen = next_in_turn(w, n, tick, dt, line, heading)
    turn[w] = chosen
    if chosen >= 0:
        line[w, chosen, SERVED] = tick
