"""Right of way at an all-way stop: first come, first served; a tie goes to the vehicle on the right.

Every participant is a row of integers: its phase (`PHASE`), the tick at which it came to its line, and the tick at
which its turn began.  One vehicle has the turn at a time.  The turn is given half a second after the first arrival, so
that ties are known; a tie goes to a vehicle with no other on its right.  The turn passes on when its holder has left
the junction, or has had it for PATIENCE and stands: no vehicle blocks the others for ever.
"""

from __future__ import annotations

import numpy as np

from sim.core.geometry import wrap
from sim.core.kernel import kernel

TIE = np.float32(0.5)  # [s] within which two arrivals count as simultaneous
PATIENCE = np.float32(12.0)  # [s] that a turn lasts for a vehicle that stands
STANDS = np.float32(0.3)  # [m/s] below which a vehicle counts as standing
COMING, WAITING, GOING, LEFT = range(4)  # phases: on the way to the line, at it, past it, out of the junction
MEMBER, PHASE, CAME, SERVED = range(4)  # columns: takes part, phase, tick of arrival, tick of its turn (-1: not yet)
_SIDE = np.float32(np.pi / 2)
_ASIDE = np.float32(np.pi / 4)  # [rad] by which a route from the right may differ from a right angle
_HALF = np.float32(0.5)


@kernel(inline=True)
def ticks_of(seconds, dt):  # type: ignore[no-untyped-def]
    """The number of ticks of `dt` [s] nearest to `seconds`."""
    return np.int32(seconds / dt + _HALF)


@kernel(inline=True)
def deadlocked(world, followers, w, i, tick, dt):  # type: ignore[no-untyped-def]
    """Whether i has had its turn for more than PATIENCE and stands: the others no longer wait for it."""
    speed = world.speed
    line = followers.line
    served = line[w, i, SERVED]
    return served >= 0 and tick - served > ticks_of(PATIENCE, dt) and abs(speed[w, i]) < STANDS


@kernel(inline=True)
def blocked(world, followers, w, i, tick, dt):  # type: ignore[no-untyped-def]
    """Whether another participant is on the junction, so that i may not enter it."""
    n = world.kind.shape[1]
    line = followers.line
    found = False
    for j in range(n):
        if (
            j != i
            and line[w, j, MEMBER] != 0
            and line[w, j, PHASE] == GOING
            and not deadlocked(world, followers, w, j, tick, dt)
        ):
            found = True
    return found


@kernel(inline=True)
def from_the_right(mine, other):  # type: ignore[no-untyped-def]
    """Whether a vehicle with heading `other` comes from the right of one with heading `mine` [rad]."""
    return abs(wrap(other - mine) - _SIDE) < _ASIDE


@kernel(inline=True)
def next_in_turn(world, followers, w, tick, dt):  # type: ignore[no-untyped-def]
    """The waiting slot that gets the next turn; -1 while no turn can be given."""
    line, heading = followers.line, followers.heading
    n = line.shape[1]
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
    # four vehicles that arrived together each yield to the next: the first one goes
    return np.int64(chosen if chosen >= 0 else first)


@kernel(inline=True)
def give_turn(world, followers, w, tick, dt):  # type: ignore[no-untyped-def]
    """Pass the turn of world w on, where it is over."""
    turn, line = followers.turn, followers.line
    holder = turn[w]
    if holder >= 0 and line[w, holder, PHASE] != LEFT and not deadlocked(world, followers, w, holder, tick, dt):
        return
    chosen = next_in_turn(world, followers, w, tick, dt)
    turn[w] = chosen
    if chosen >= 0:
        line[w, chosen, SERVED] = tick
