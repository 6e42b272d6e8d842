"""Parking controller: drives to the bay, plans a reverse entry there, and tracks the plan.

Until it stands beside the bay, ego keeps its lane (`policies.controllers.path_follower`).  Then it plans from its
actual pose with the obstacles around it (`policies.planning.bay_plan`).  A plan is a few pieces of constant curvature,
so that it fits into the memory of the slot, which holds no other data.

Along a piece the wheel has the piece's angle plus a correction: with e the offset to the left of the piece, p the
angle to it, g the gear and s the distance driven, de/ds = g p and dp/ds = g dk for a small difference dk of curvature,
so that dk = -a^2 e - 2 a g p makes both decay with length 1/a, in either gear (De Luca, Oriolo, Samson, Feedback
control of a nonholonomic car-like robot, 1998, has the exact form).
"""

from __future__ import annotations

import math

import numpy as np

from policies.controllers.path_follower import DrivingStyle, control
from policies.planning.bay_plan import PIECES, RADIUS, Room, plan_into
from sim.actors.registry import EGO
from sim.core.geometry import HALF, boxes_touch, clamp, wrap
from sim.core.kernel import kernel
from sim.datatypes.action import Action
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World

# Columns of a memory's row: phase, current piece, number of pieces, ticks stood, plans made; x, y of the bay of the
# plan [m]; start pose of the plan, its pieces' curvatures [1/m] and lengths [m].
PHASE, PIECE, COUNT, STOOD, TRIES, BAY, POSE, CURVATURE = 0, 1, 2, 3, 4, 5, 7, 10
LENGTH = CURVATURE + PIECES
WIDTH = LENGTH + PIECES
COMING, ENTERING, STANDING, LOST = range(4)

NEEDED = 6.0  # [m] least length of a usable bay
NEIGHBOURHOOD = 15.0  # [m] from the bay's middle within which obstacles are planned around
STILL = 0.2  # [m/s] up to which an actor counts as standing
PLANS = 4  # most plans for one bay, if ego is not parked well after the first
STOOD_FOR = 10  # ticks that ego stands before parking is complete

ZERO, ONE, TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)
NARROW = np.float32(RADIUS)
AHEAD = np.float32(0.2)  # [m] beyond the position from which two arcs lead into the middle of the bay
ARRIVED = np.float32(0.4)  # [m] from the station within which ego is there
TOUCH = np.float32(0.3)  # [m] by which an actor may overlap a free bay, lengthwise; half of that across
SLOWING = np.float32(0.8)  # [m/s^2] braking before the end of a piece
PACE = np.float32(1.2)  # [m/s] highest speed along a plan
CREEP = np.float32(0.15)  # [m/s] lowest speed along a plan
PULL = np.float32(1.2)  # [m/s^2]
GAIN = np.float32(4.0)  # [1/s] pedal per m/s of missing speed
BRAKE = np.float32(-3.0)  # [m/s^2]
EARLY = np.float32(0.05)  # [s] half a tick
STOPPING = np.float32(0.12)  # [s] times speed: stopping distance at creeping speed
NEAR_END = np.float32(0.06)  # [m] from the end of a piece within which a standing ego has completed it
SET = np.float32(0.03)  # [rad] from the wanted angle within which the wheel is set
STIFF = np.float32(1.3)  # [1/m] the gain a of the module's docstring
FLAT = np.float32(1e-5)  # [1/m] a smaller curvature counts as straight
LOOK, SOON = np.float32(0.8), np.float32(1.5)  # [m] ahead on the plan and [s] ahead of other actors that must be free
WITHIN = np.float32(0.15)  # [m] beyond the bay's lines that a corner may be
UPRIGHT = np.float32(math.radians(5.0))  # [rad] largest angle to the bay of a well-parked ego
STEER_LIMIT, STEER_RATE = np.float32(EGO.max_steer), np.float32(EGO.steer_rate)


@kernel
def _to_station(world, bay, ahead):  # type: ignore[no-untyped-def]
    """Write to `ahead` (S,) the metres along the bay from ego's rear axle to its station, below 0 beyond it."""
    for w in range(len(ahead)):
        c, s = np.cos(bay[w, 2]), np.sin(bay[w, 2])
        dx, dy = world.x[w, 0] - bay[w, 0], world.y[w, 0] - bay[w, 1]
        aside = clamp(dy * c - dx * s, ZERO, TWO * NARROW)
        cos = ONE - HALF * aside / NARROW  # of the angle at which one arc joins the other
        middle = world.overhang[w, 0] - HALF * world.length[w, 0]
        ahead[w] = middle + TWO * NARROW * np.sqrt(max(ONE - cos * cos, ZERO)) + AHEAD - (dx * c + dy * s)


@kernel(inline=True)
def _stands_well(w, world, bay):  # type: ignore[no-untyped-def]
    """Whether ego is parked within its bay and aligned with it."""
    c, s = np.cos(bay[w, 2]), np.sin(bay[w, 2])
    turned = wrap(world.yaw[w, 0] - bay[w, 2])
    centre = HALF * world.length[w, 0] - world.overhang[w, 0]
    dx = world.x[w, 0] + centre * np.cos(world.yaw[w, 0]) - bay[w, 0]
    dy = world.y[w, 0] + centre * np.sin(world.yaw[w, 0]) - bay[w, 1]
    tc, ts = np.cos(turned), abs(np.sin(turned))
    long = HALF * (world.length[w, 0] * tc + world.width[w, 0] * ts)
    wide = HALF * (world.length[w, 0] * ts + world.width[w, 0] * tc)
    inside = abs(dx * c + dy * s) + long < HALF * bay[w, 3] + WITHIN
    return inside and abs(dy * c - dx * s) + wide < HALF * bay[w, 4] + WITHIN and abs(turned) < UPRIGHT


@kernel(inline=True)
def _along_piece(x0, y0, yaw0, curvature, x, y, yaw):  # type: ignore[no-untyped-def]
    """A pose relative to a piece that starts at pose 0: distance along it [m, signed], to its left [m], angle [rad]."""
    c, s = np.cos(yaw0), np.sin(yaw0)
    dx, dy = x - x0, y - y0
    along, left = dx * c + dy * s, dy * c - dx * s
    if abs(curvature) > FLAT:
        side = ONE if curvature > ZERO else -ONE
        radius = ONE / abs(curvature)
        inwards = radius - side * left
        left = side * (radius - np.sqrt(along * along + inwards * inwards))
        along = radius * np.arctan2(along, inwards)
    return along, left, wrap(yaw - yaw0 - curvature * along)


@kernel(inline=True)
def _moved(x, y, yaw, curvature, length):  # type: ignore[no-untyped-def]
    """The pose `length` metres further along an arc or a straight."""
    end = yaw + curvature * length
    if abs(curvature) > FLAT:
        x, y = x + (np.sin(end) - np.sin(yaw)) / curvature, y - (np.cos(end) - np.cos(yaw)) / curvature
    else:
        x, y = x + length * np.cos(yaw), y + length * np.sin(yaw)
    return x, y, end


@kernel(inline=True)
def _piece_start(row, piece):  # type: ignore[no-untyped-def]
    """The start pose of a piece of the plan in a memory row."""
    x, y, yaw = row[POSE], row[POSE + 1], row[POSE + 2]
    for p in range(piece):
        x, y, yaw = _moved(x, y, yaw, row[CURVATURE + p], row[LENGTH + p])
    return x, y, yaw


@kernel(inline=True)
def _blocked(w, world, x, y, yaw):  # type: ignore[no-untyped-def]
    """Whether ego's box, its rear axle at a pose, would touch another actor at its current or predicted position."""
    c, s = np.cos(yaw), np.sin(yaw)
    ahead = HALF * world.length[w, 0] - world.overhang[w, 0]
    touched = False
    for j in range(1, world.kind.shape[1]):
        if world.kind[w, j] == 0:
            continue
        cj, sj = np.cos(world.yaw[w, j]), np.sin(world.yaw[w, j])
        for step in range(2):
            middle = HALF * world.length[w, j] - world.overhang[w, j] + np.float32(step) * SOON * world.speed[w, j]
            if boxes_touch(x + ahead * c, y + ahead * s, c, s, world.length[w, 0], world.width[w, 0],
                           world.x[w, j] + middle * cj, world.y[w, j] + middle * sj, cj, sj, world.length[w, j],
                           world.width[w, j]):  # fmt: skip
                touched = True
        if touched:
            break
    return touched


@kernel(inline=True)
def _enter(w, world, row):  # type: ignore[no-untyped-def]
    """Track the plan of a memory row, and advance the row to the next piece when one is complete.

    Ego brakes for actors that are on the next metre of the plan or soon will be.

    Returns:
        steer [rad], pedal [m/s^2], whether in reverse, whether the plan is complete.
    """
    x, y, yaw, speed, wheelbase = (
        world.x[w, 0],
        world.y[w, 0],
        world.yaw[w, 0],
        world.speed[w, 0],
        world.wheelbase[w, 0],
    )
    steer, pedal, back, over = ZERO, BRAKE, False, True
    for piece in range(int(row[PIECE]), int(row[COUNT])):
        row[PIECE] = np.float32(piece)
        k, length = row[CURVATURE + piece], row[LENGTH + piece]
        x0, y0, yaw0 = _piece_start(row, piece)
        gear = ONE if length > ZERO else -ONE
        along, left, turned = _along_piece(x0, y0, yaw0, k, x, y, yaw)
        rest = abs(length) - gear * along
        following = piece + 1 < int(row[COUNT])
        goes_on = following and row[LENGTH + piece + 1] * length > ZERO
        if (goes_on and rest <= ZERO) or (speed == ZERO and rest < NEAR_END):
            continue
        ahead = rest  # distance to the next stop
        if goes_on:
            for p in range(piece + 1, int(row[COUNT])):
                if row[LENGTH + p] * length < ZERO:
                    break
                ahead += abs(row[LENGTH + p])
            # The wheel turns at a finite rate: it begins early, so that it is half way over where the pieces meet.
            turning = abs(np.arctan(wheelbase * row[CURVATURE + piece + 1]) - np.arctan(wheelbase * k))
            if rest < abs(speed) * (HALF * turning / STEER_RATE + EARLY):
                k = row[CURVATURE + piece + 1]
        k -= STIFF * (STIFF * left + TWO * gear * turned)
        steer = clamp(np.arctan(wheelbase * k), -STEER_LIMIT, STEER_LIMIT)
        back, over = bool(gear < ZERO), False
        pace = min(max(np.sqrt(TWO * SLOWING * max(ahead - NEAR_END, ZERO)), CREEP), PACE)
        pedal = clamp(GAIN * (pace - abs(speed)), BRAKE, PULL)
        if (
            ahead < abs(speed) * STOPPING
            or speed * gear < ZERO
            or (speed == ZERO and abs(world.steer[w, 0] - steer) > SET)
        ):
            pedal = BRAKE
        px, py, pyaw = _moved(x0, y0, yaw0, row[CURVATURE + piece], along + gear * clamp(rest, ZERO, LOOK))
        if _blocked(w, world, px, py, pyaw) or _blocked(w, world, x, y, yaw):
            pedal = BRAKE
        break
    return steer, pedal, back, over


@kernel
def _act(world, bay, ahead, memory, steer, pedal, reverse, done):  # type: ignore[no-untyped-def]
    """Set each row's controls by its phase; `steer` and `pedal` hold the lane keeper's output on entry."""
    for w in range(len(done)):
        speed = world.speed[w, 0]
        phase = int(memory[w, PHASE])
        if phase == COMING:
            stopping = np.sqrt(TWO * PULL * max(ahead[w] - NEAR_END, ZERO))
            pace = max(stopping, CREEP) if ahead[w] > NEAR_END else ZERO
            pedal[w] = min(pedal[w], clamp(GAIN * (pace - speed), TWO * BRAKE, PULL))
            if ahead[w] < speed * STOPPING:
                pedal[w] = min(pedal[w], BRAKE)
            continue
        steer[w], pedal[w] = ZERO, BRAKE
        if phase == ENTERING:
            steer[w], pedal[w], reverse[w], over = _enter(w, world, memory[w])
            if over:
                memory[w, PHASE] = STANDING
        elif phase == STANDING and speed == ZERO:
            memory[w, STOOD] += ONE
            done[w] = memory[w, STOOD] >= STOOD_FOR and _stands_well(w, world, bay)
            if memory[w, STOOD] >= STOOD_FOR and not done[w]:
                memory[w, PHASE] = COMING  # it stands beyond the station, so it plans again


@kernel
def _free(world, bays, needed, found):  # type: ignore[no-untyped-def]
    """Write to `found` which bays (S, K, 5) are long enough and empty."""
    for w in range(found.shape[0]):
        for k in range(found.shape[1]):
            b = bays[w, k]
            c, s = np.cos(b[2]), np.sin(b[2])
            empty = b[3] >= needed
            for j in range(1, world.kind.shape[1]):
                if world.kind[w, j] == 0 or not empty:
                    continue
                cj, sj = np.cos(world.yaw[w, j]), np.sin(world.yaw[w, j])
                middle = HALF * world.length[w, j] - world.overhang[w, j]
                if boxes_touch(b[0], b[1], c, s, b[3] - TWO * TOUCH, b[4] - TOUCH, world.x[w, j] + middle * cj,
                               world.y[w, j] + middle * sj, cj, sj, world.length[w, j], world.width[w, j]):  # fmt: skip
                    empty = False
            found[w, k] = empty


class Parker:
    """Controller that parks ego in a bay, for S worlds at once.

    Args:
        style: driving style until ego stands beside the bay.
        needed: least length of a usable bay [m].
    """

    width = WIDTH

    def __init__(self, style: DrivingStyle | None = None, needed: float = NEEDED) -> None:
        self.style = style or DrivingStyle(cruise=5.0)
        self.needed = needed

    def begin(self, worlds: int) -> np.ndarray:
        """(worlds, width) float32: initial memory."""
        return np.zeros((worlds, WIDTH), np.float32)

    def act(
        self, bank: MapArrays, world: World, bay: np.ndarray, memory: np.ndarray, target: np.ndarray | None = None
    ) -> tuple[Action, np.ndarray, np.ndarray]:
        """Drive along the lane to the bay, and into it.

        The bay may change between ticks until ego stands beside it; from then on the plan is executed.  An ego without
        a plan stays where it is until it gets another bay.

        Args:
            world: rows (S,).
            bay: (S, 5) x, y of the middle [m], yaw of the lane beside it [rad], length and width [m].
            memory: (S, width), as `begin` or the last `act` returned it.
            target: (S,) int, the number of ego's route that passes the bay; None is its first.

        Returns:
            the action (S,), the next memory, and which egos are parked well: (S,) bool.
        """
        bay, memory = np.ascontiguousarray(bay, np.float32), memory.copy()
        n = len(memory)
        if bay.shape != (n, 5) or len(world.tick) != n:
            raise ValueError(f"{len(world.tick)} worlds, bays {bay.shape} and {n} memories; wanted one bay of 5 each")
        lane = control(bank, world, np.zeros(n, np.int64) if target is None else target, self.style)
        ahead, reverse, done = np.zeros(n, np.float32), np.zeros(n, bool), np.zeros(n, bool)
        _to_station(world, bay, ahead)
        other = (memory[:, BAY : BAY + 2] != bay[:, :2]).any(1)
        memory[other & (memory[:, PHASE] == LOST), :POSE] = 0.0
        coming = (memory[:, PHASE] == COMING) & (world.speed[:, 0] == 0.0) & (ahead < ARRIVED)
        for w in np.flatnonzero(coming):
            _set_out(world, int(w), bay[w], float(ahead[w]), memory[w])
        _act(world, bay, ahead, memory, lane.steer, lane.acceleration, reverse, done)
        return Action(lane.steer, lane.acceleration, reverse), memory, done

    def free(self, world: World, bays: np.ndarray) -> np.ndarray:
        """Which bays are empty and long enough, given all actors in the rows.

        Args:
            world: rows (S,).
            bays: (K, 5) or (S, K, 5) as for `act`; a row of zeros is no bay, and not free.

        Returns:
            (S, K) bool.
        """
        bays = np.asarray(bays, np.float32)
        bays = np.ascontiguousarray(np.broadcast_to(bays, (len(world.tick), *bays.shape[-2:])))
        found = np.zeros(bays.shape[:2], bool)
        _free(world, bays, np.float32(self.needed), found)
        return found


def room_of(world: World, w: int, bay: np.ndarray) -> tuple[Room, tuple[float, float, float]]:
    """The free space for row w's plan, and its ego's pose, in the frame of the bay (5,)."""
    bx, by, turn, length, width = (float(v) for v in bay)
    c, s = math.cos(turn), math.sin(turn)

    def seen(x: float, y: float, yaw: float) -> tuple[float, float, float]:
        return (x - bx) * c + (y - by) * s, (y - by) * c - (x - bx) * s, math.remainder(yaw - turn, math.tau)

    boxes = []
    for j in range(1, world.kind.shape[1]):
        if world.kind[w, j] == 0 or abs(float(world.speed[w, j])) > STILL:
            continue
        x, y, yaw = seen(float(world.x[w, j]), float(world.y[w, j]), float(world.yaw[w, j]))
        middle = 0.5 * float(world.length[w, j]) - float(world.overhang[w, j])
        x, y = x + middle * math.cos(yaw), y + middle * math.sin(yaw)
        if math.hypot(x, y) < NEIGHBOURHOOD:
            boxes.append((x, y, yaw, float(world.length[w, j]), float(world.width[w, j])))
    here = seen(float(world.x[w, 0]), float(world.y[w, 0]), float(world.yaw[w, 0]))
    return Room(length, width, np.array(boxes, np.float64).reshape(-1, 5)), here


def _set_out(world: World, w: int, bay: np.ndarray, ahead: float, row: np.ndarray) -> None:
    """Plan from ego's pose and store the plan in its memory row; without a plan the phase becomes LOST."""
    room, here = room_of(world, w, bay)
    plan = plan_into(room, here, ahead) if row[TRIES] < PLANS else None
    row[PIECE] = row[STOOD] = 0.0
    row[BAY : BAY + 2] = bay[:2]
    row[TRIES] += 1.0
    row[PHASE] = LOST if plan is None or len(plan) > PIECES else ENTERING
    if plan is None or len(plan) > PIECES:
        return
    row[COUNT] = len(plan)
    row[POSE : POSE + 3] = world.x[w, 0], world.y[w, 0], world.yaw[w, 0]
    for k, (curvature, length) in enumerate(plan):
        row[CURVATURE + k], row[LENGTH + k] = curvature, length
