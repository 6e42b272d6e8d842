"""Parking backwards: it stands in every bay as it should, touches nobody, and no world minds its neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parking import BAYS, DEPTH, LANE, MIDDLE, Draw, Run, drawn, flush, park, started, station
from policies.planning.bay_plan import PIECES, RADIUS, Room, plan_into
from policies.planning.parking import ENTERING, LOST, PHASE, TRIES, Parker, room_of
from policies.planning.reeds_shepp import changes_of, end_of, sampled
from sim.actors.registry import BODIES, EGO
from sim.core.geometry import box_corners, boxes_touch
from sim.datatypes.action import Action
from sim.datatypes.vocabulary import OUTCOME
from sim.datatypes.world_state import World
from sim.traffic.spawning import write_actor
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import rows

FULL = ("car", "van", "car", "van", "car", "van")


def alone(kinds: tuple[str, ...], bay: int) -> tuple[str, ...]:
    """The kinds with one bay empty."""
    return tuple("" if k == bay else kind for k, kind in enumerate(kinds))


# Every bay, between full bays and alone on the street, short and long; then what is drawn by chance.
CASES = [
    *(Draw(length, bay, alone(kinds, bay), start=-25.0)
      for length in (6.2, 8.0) for kinds in (FULL, FULL[::-1], ("",) * BAYS) for bay in range(BAYS)),
    *(flush(length, "car") for length in (6.2, 7.0)),
    *(drawn(seed) for seed in range(12)),
]  # fmt: skip


@pytest.fixture(scope="module")
def run() -> Run:
    return park(CASES)


def box_of(x: float, y: float, yaw: float, length: float, width: float) -> tuple[float, ...]:
    """Arguments of `boxes_touch`."""
    return x, y, float(np.cos(yaw)), float(np.sin(yaw)), length, width


def ego_at(pose: np.ndarray, grown: float = 0.0) -> tuple[float, ...]:
    """Ego's box at a pose of its rear axle, grown by so much all round."""
    x, y, yaw = (float(v) for v in pose[:3])
    ahead = EGO.length / 2 - EGO.overhang
    return box_of(x + ahead * np.cos(yaw), y + ahead * np.sin(yaw), yaw, EGO.length + 2 * grown, EGO.width + 2 * grown)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_it_parks_straight_in_its_bay_without_touching_an_actor(run: Run, case: int) -> None:
    task, world = CASES[case], run.backend.world
    assert run.ticks[case] > 0 and world.outcome[case] == OUTCOME["running"]
    pose = run.poses[run.ticks[case], case].astype(float)
    corners = box_corners(*ego_at(pose)[:2], pose[2], EGO.length, EGO.width) - (task.middle(task.bay), MIDDLE)
    assert (np.abs(corners) < (task.length / 2 + 0.15, DEPTH / 2 + 0.15)).all()
    assert abs(np.degrees(pose[2])) < 5.0
    stood = run.poses[run.ticks[case] - 9 : run.ticks[case] + 1, case]
    assert (stood == stood[0]).all()


def test_on_the_way_it_keeps_off_everybody(run: Run) -> None:
    for w, task in enumerate(CASES):
        for k, kind in enumerate(task.kinds):
            if not kind:
                continue
            body = BODIES[kind]
            other = box_of(task.middle(k) + task.along[k], MIDDLE + task.across[k], 0.0, body.length, body.width)
            for pose in run.poses[: run.ticks[w] + 1, w]:
                # Plans keep 0.10 m; the follower may use half of it.
                assert not boxes_touch.py_func(*ego_at(pose, 0.05), *other), (w, k)


def test_a_batch_of_eight_is_what_each_is_alone_to_the_byte() -> None:
    tasks = [drawn(seed) for seed in range(20, 28)]
    together = park(tasks)
    for w, task in enumerate(tasks):
        single = park([task])
        ticks = int(together.ticks[w])
        assert single.ticks[0] == ticks
        assert single.memory[0].tobytes() == together.memory[w].tobytes()
        assert single.poses[: ticks + 1, 0].tobytes() == together.poses[: ticks + 1, w].tobytes()


def test_it_finds_back_after_a_push(run: Run) -> None:
    task = Draw(7.4, 2, alone(FULL, 2), start=-20.0)
    backend, parker = started([task]), Parker()
    memory, bay, world = parker.begin(1), task.row[None], backend.world
    pushed = done = False
    for _ in range(600):
        action, memory, well = parker.act(backend.maps.arrays, world, bay, memory)
        if done := bool(well[0]):
            break
        backend.step(action)
        if not pushed and memory[0, PHASE] == ENTERING and world.yaw[0, 0] > 0.3:
            world.y[0, 0] += 0.05
            world.yaw[0, 0] -= 0.03
            pushed = True
    assert pushed and done and memory[0, TRIES] == 1
    assert abs(world.y[0, 0] - MIDDLE) < 0.03 and abs(world.yaw[0, 0]) < 0.02


def test_it_waits_for_a_vehicle_behind_it_and_then_goes_on() -> None:
    task = Draw(7.4, 2, alone(FULL, 2), start=-20.0)
    backend, parker = started([task]), Parker()
    memory, bay, world = parker.begin(1), task.row[None], backend.world
    slot = 1 + task.bay  # nobody's until now
    waited, done = 0, False
    for _ in range(600):
        action, memory, well = parker.act(backend.maps.arrays, world, bay, memory)
        if done := bool(well[0]):
            break
        backend.step(action)
        assert world.outcome[0] == OUTCOME["running"]
        if memory[0, PHASE] == ENTERING and world.yaw[0, 0] > 0.3 and waited == 0:
            write_actor(world, slot, "walker", task.middle(task.bay) - 1.0, MIDDLE + 0.3, 1.5, 0)
        if world.kind[0, slot]:
            waited += 1
            if waited == 60:
                assert world.speed[0, 0] == 0.0
                world.kind[0, slot] = 0
    assert waited == 60 and done


# ---------------------------------------------------------------------------------------------------------- plans
def between(length: float, kind: str, at_line: bool = False) -> Room:
    """A bay with somebody on either side, midway in the next bay or at the line."""
    body = BODIES[kind]
    x = 0.5 * (length + body.length) if at_line else length
    return Room(length, DEPTH, np.array([(side * x, 0.0, 0.0, body.length, body.width) for side in (-1, 1)]))


START = (station(LANE - MIDDLE), LANE - MIDDLE, 0.0)


@pytest.mark.parametrize("length", [6.0, 6.2, 6.6, 7.0, 8.0])
@pytest.mark.parametrize("kind", ["car", "van"])
@pytest.mark.parametrize("at_line", [False, True])
def test_plans_end_in_the_bay_within_the_wheel_and_without_a_touch(length: float, kind: str, at_line: bool) -> None:
    room = between(length, kind, at_line)
    plan = plan_into(room, START)
    assert plan is not None and len(plan) <= PIECES
    assert all(abs(k) <= 1.0 / RADIUS + 1e-12 for k, _ in plan)
    x, y, yaw = end_of(START, plan)
    assert abs(y) < 1e-6 and abs(yaw) < 1e-6
    assert abs(x + EGO.length / 2 - EGO.overhang) + EGO.length / 2 < length / 2
    for pose in sampled(START, plan, 0.02):
        for box in room.boxes:
            assert not boxes_touch.py_func(*ego_at(pose, 0.08), *box_of(*box))
        for axle in (0.0, EGO.wheelbase):  # no wheel is on the kerb behind the bay
            wheel = pose[1] + axle * np.sin(pose[2]) - 0.45 * EGO.width * np.cos(pose[2])
            assert wheel > -0.5 * DEPTH


def test_a_long_bay_takes_one_move_and_a_tight_one_three() -> None:
    def moves(room: Room) -> int:
        plan = plan_into(room, START)
        assert plan is not None
        return 1 + changes_of(plan)

    assert moves(between(7.0, "car")) == moves(between(8.0, "van")) == 1
    assert moves(between(6.2, "van")) == 2
    assert moves(between(6.2, "car", at_line=True)) == 3


def test_what_no_car_fits_into_has_no_plan() -> None:
    assert plan_into(between(4.6, "car", at_line=True), START) is None
    blocked = np.array([[0.0, 0.0, 0.0, 4.4, 1.82]])
    assert plan_into(Room(8.0, DEPTH, blocked), START) is None


def test_a_vehicle_across_the_lane_is_planned_around_or_no_plan_is_made() -> None:
    opposite = np.array([[2.0, LANE - MIDDLE + 3.1, 0.0, 4.4, 1.82]])
    room = Room(7.0, DEPTH, opposite)
    plan = plan_into(room, START)
    if plan is not None:
        for pose in sampled(START, plan, 0.05):
            assert not boxes_touch.py_func(*ego_at(pose), *box_of(*opposite[0]))


# ------------------------------------------------------------------------------------------------- which bay, and none
def test_the_plan_is_made_around_those_who_stand_near_in_the_frame_of_the_bay() -> None:
    task = replace(CASES[2], along=(0.1,) * BAYS)
    world = started([task]).world
    room, here = room_of(world, 0, task.row)
    assert here[1] == pytest.approx(LANE - MIDDLE) and len(room.boxes) >= 2
    near = room.boxes[np.abs(room.boxes[:, 0]) < task.length + 0.2]
    assert sorted(near[:, 0]) == pytest.approx([-task.length + 0.1, task.length + 0.1], abs=1e-4)
    turned = task.row + np.array([0, 0, np.pi, 0, 0], np.float32)
    assert sorted(room_of(world, 0, turned)[0].boxes[:, 0])[0] == pytest.approx(-max(room.boxes[:, 0]), abs=1e-4)


def bays_of(task: Draw) -> np.ndarray:
    """(K, 5) all of a street."""
    return np.stack([replace(task, bay=k).row for k in range(BAYS)])


def test_bays_without_a_vehicle_are_free() -> None:
    kinds = [("car", "", "van", "", "", "car"), ("",) * 6, ("van",) * 6]
    tasks = [Draw(6.5, 1, k, along=(0.2,) * BAYS) for k in kinds]
    found = Parker().free(started(tasks).world, bays_of(tasks[0]))
    assert found.tolist() == [[not k for k in row] for row in kinds]


def test_a_bay_shorter_than_needed_is_not_free_and_rows_may_have_bays_of_their_own() -> None:
    tasks = [Draw(length, 1, ("",) * 6) for length in (6.2, 7.0)]
    world = started(tasks).world
    bays = np.stack([bays_of(t) for t in tasks])
    assert Parker(needed=6.5).free(world, bays).tolist() == [[False] * 6, [True] * 6]
    bays[1, 3] = 0.0
    assert Parker().free(world, bays)[1].tolist() == [True, True, True, False, True, True]


def test_a_vehicle_that_drives_into_a_bay_occupies_it() -> None:
    task = Draw(7.0, 1, ("", "", "car", "", "", ""))
    world = started([task]).world
    slot = int(np.flatnonzero(world.kind[0, 1:])[0]) + 1
    world.x[0, slot] -= 3.5
    world.yaw[0, slot] = 0.3
    assert Parker().free(world, bays_of(task))[0].tolist() == [True, False, False, True, True, True]


def without_a_way(backend: EmbeddedWorld, parker: Parker, bay: np.ndarray) -> np.ndarray:
    """Memory of one who has come to a bay that it cannot get into."""
    memory = parker.begin(1)
    for _ in range(400):
        action, memory, _ = parker.act(backend.maps.arrays, backend.world, bay, memory)
        backend.step(action)
        if memory[0, PHASE] == LOST:
            return memory
    raise AssertionError("it never gave up")


def test_who_finds_no_way_in_stays_and_takes_another_bay_when_told() -> None:
    task = Draw(7.0, 1, ("", "car", "", "", "", ""), start=-20.0)
    backend, parker = started([task]), Parker()
    memory = without_a_way(backend, parker, task.row[None])
    x = float(backend.world.x[0, 0])
    for _ in range(20):
        action, memory, done = parker.act(backend.maps.arrays, backend.world, task.row[None], memory)
        backend.step(action)
        assert not done[0]
    assert float(backend.world.x[0, 0]) == x
    other = replace(task, bay=3)
    for _ in range(600):
        action, memory, done = parker.act(backend.maps.arrays, backend.world, other.row[None], memory)
        if done[0]:
            break
        backend.step(action)
    assert done[0] and abs(float(backend.world.x[0, 0]) - other.middle(3)) < other.length / 2


def test_bays_and_memories_that_do_not_fit_the_worlds_are_refused() -> None:
    backend, parker = started([CASES[0], CASES[1]]), Parker()
    with pytest.raises(ValueError, match="2 worlds, bays \\(1, 5\\) and 2 memories"):
        parker.act(backend.maps.arrays, backend.world, CASES[0].row[None], parker.begin(2))


def test_acting_changes_neither_the_world_nor_the_memory_it_was_given() -> None:
    backend, parker = started(CASES[:2]), Parker()
    before = backend.world.copy()
    memory, bays = parker.begin(2), np.stack([t.row for t in CASES[:2]])
    action, _, _ = parker.act(backend.maps.arrays, rows(backend.world, [0, 1]), bays, memory)
    assert isinstance(action, Action) and not memory.any()
    assert all((a == b).all() for a, b in zip(before, backend.world)) and isinstance(before, World)
