"""The ground-truth state of a batch of worlds as flat arrays, which every part of the project exchanges.

World frame: x east, y north, yaw anticlockwise, SI units and radians (ISO 8855: x forward, y left in the
vehicle's own frame).  Batch axis first: B worlds, T ticks, N actors (actor 0 is ego), R routes, H W pixels.
A vehicle's pose is that of its *rear axle*, not of its box centre.  All floats are float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# --------------------------------------------------------------------------------- the state of the kernels


class World(NamedTuple):
    """The ground-truth state of B worlds: everything that rendering and stepping a world reads.

    Per world: tick (B,) i32; seed (B,) u32; map (B,) i32; weather (B, 14) f32 in WEATHER_FIELDS order;
    outcome (B,) i32; shown_decision (B,) i32; time_limit (B,) i32 [ticks]; clock (B,) i32 of the traffic lights [ms],
    negative where they are off; collided_with (B,) i32, the kind of object that ego has hit, 0 for none; red_lights,
    stop_signs (B,) i32, the number of red lights and stop signs that ego has run; stopped_at_line (B,) i32, 1 where ego
    has stopped before the next stop line. Per actor (B, N): x, y [m], yaw [rad] of the rear axle, speed (below 0
    backwards) [m/s], steer (front wheel angle) [rad], acceleration (of speed, mean over the last tick) [m/s^2], length,
    width, height, wheelbase, overhang (rear axle to rear bumper) [m] f32; kind i32 (index into KINDS, 0 where there is
    no actor), absent_kind i32 (the kind of an actor that has yet to spawn or has despawned: it is not in the world and
    its kind is 0; 0 in all other slots), appearance i32 (packed 0xRRGGBB); path i32 (row of the `MapArrays` paths of
    the lane that it follows, NO_PATH if none), path_s f32 (its place along it [m]), target_speed f32 [m/s];
    scripted_turn i32 (index into DECISIONS of the turn that an actor on a scripted route takes, see
    `sim.traffic.route_follower`; UNDECIDED off such a route), distance_to_line f32 (from its front to the stop line of
    that route [m], below 0 beyond it).
    Per route of ego (B, R): route i32 (path row, NO_PATH if none), route_s f32 progress [m],
    route_offset f32 signed distance to the left of the route [m].
    """

    tick: np.ndarray
    seed: np.ndarray
    map: np.ndarray
    weather: np.ndarray
    outcome: np.ndarray
    shown_decision: np.ndarray
    time_limit: np.ndarray
    clock: np.ndarray
    collided_with: np.ndarray
    red_lights: np.ndarray
    stop_signs: np.ndarray
    stopped_at_line: np.ndarray
    x: np.ndarray
    y: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    steer: np.ndarray
    acceleration: np.ndarray
    length: np.ndarray
    width: np.ndarray
    height: np.ndarray
    wheelbase: np.ndarray
    overhang: np.ndarray
    kind: np.ndarray
    absent_kind: np.ndarray
    appearance: np.ndarray
    path: np.ndarray
    path_s: np.ndarray
    target_speed: np.ndarray
    scripted_turn: np.ndarray
    distance_to_line: np.ndarray
    route: np.ndarray
    route_s: np.ndarray
    route_offset: np.ndarray

    def copy(self) -> World:
        """An independent copy of every array."""
        return World(*(a.copy() for a in self))
